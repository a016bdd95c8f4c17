"""One set of providers with what feeds, delivers and accounts for their data, drained under one deadline."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from otel_trading.export.delivery import probe
from otel_trading.resource import of_child
from otel_trading.settings import report
from otel_trading.status import SpoolStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    from otel_trading.export.courier import Courier
    from otel_trading.export.destination import Signal
    from otel_trading.export.ledger import Account, Ledger
    from otel_trading.export.store import Depth, Figures, Store
    from otel_trading.logs.native import NativeLoggerProvider
    from otel_trading.logs.shipping import LogShipper
    from otel_trading.metrics.native import NativeMeterProvider
    from otel_trading.metrics.native.outlets import NativePage
    from otel_trading.metrics.pull import PullReader
    from otel_trading.metrics.push import PushReader
    from otel_trading.settings import Problem
    from otel_trading.tracing.native import NativeTracerProvider
    from otel_trading.tracing.native.shipping import TraceShipper
    from otel_trading.tracing.processor import QueueSpanProcessor

_SHARE_OF_FEEDERS = 0.5
"""Of the time there is for closing: what hangs before the couriers must not take theirs."""


@dataclass
class Pipeline:
    """What stands behind the API until the next reconfiguration.

    ``feeders`` hand what they have to the ``couriers``; ``outlets`` deliver by themselves.
    """

    resource: Resource
    tracer_provider: TracerProvider | NativeTracerProvider
    meter_provider: MeterProvider
    logger_provider: LoggerProvider | NativeLoggerProvider
    pull: PullReader | NativePage | None
    ledgers: Mapping[Signal, Ledger]
    targets: Mapping[Signal, tuple[str, ...]]
    problems: list[Problem | str] = field(default_factory=list)
    feeders: list[Any] = field(default_factory=list)
    couriers: dict[Signal, Courier] = field(default_factory=dict)
    outlets: list[Any] = field(default_factory=list)
    store: Store | None = None
    native: NativeMeterProvider | None = None
    readers: list[PushReader] = field(default_factory=list)
    """The SDK's readers of the native provider; the provider and its own readers outlive the pipeline."""
    shipper: TraceShipper | None = None
    processors: list[QueueSpanProcessor] = field(default_factory=list)
    """What takes spans of the native provider; the provider outlives the pipeline."""
    writer: LogShipper | None = None
    """What delivers log lines."""
    log_processors: list[LogRecordProcessor] = field(default_factory=list)
    """What takes records of the native provider as the SDK's."""

    def __post_init__(self) -> None:
        self._dropped_before = self.native.dropped() if self.native else {}
        figures = self._figures()
        self._forgotten_before = {signal: _forgotten(figures, signal) for signal in self.couriers}

    def accounts(self) -> dict[Signal, Account]:
        """The account of each signal."""
        figures = self._figures()
        return {signal: self._account(signal, ledger.account(), figures) for signal, ledger in self.ledgers.items()}

    def spool(self) -> SpoolStatus | None:
        """What waits to be delivered."""
        figures = self._figures()
        if self.store is None or figures is None or not self.couriers:
            return None
        now = time.time_ns()
        return SpoolStatus(
            folder=str(self.store.terms.folder) if self.store.terms.folder else None,
            disk_bytes=figures.disk_bytes,
            memory_bytes=figures.memory_bytes,
            age=max(figures.depth(signal).age(now) for signal in self.couriers),
            trouble=figures.trouble,
        )

    def depths(self) -> list[tuple[Signal, Depth]]:
        """What waits of each signal that goes out over OTLP."""
        figures = self._figures()
        return [] if figures is None else [(signal, figures.depth(signal)) for signal in self.couriers]

    def _figures(self) -> Figures | None:
        return self.store.figures() if self.store is not None else None

    def _account(self, signal: Signal, account: Account, figures: Figures | None) -> Account:
        if signal == "metrics" and self.native is not None:
            account = account.with_dropped(self._dropped_since())
        if signal == "traces" and self.shipper is not None:
            account = self.shipper.account(account)
        if signal == "logs" and self.writer is not None and self.writer.ledger is self.ledgers["logs"]:
            account = self.writer.account(account)
        if figures is not None and signal in self.couriers:
            now, before = _forgotten(figures, signal), self._forgotten_before[signal]
            account = account.with_lost(now[0] - before[0], now[1] - before[1])
            account = replace(account, spooled=figures.depth(signal).items)
        return account

    def _dropped_since(self) -> dict[str, int]:
        """What the native core dropped in this pipeline's time, by reason."""
        dropped = self.native.dropped() if self.native else {}
        # A measurement in the overflow series is not lost.
        counts = {reason: count - self._dropped_before.get(reason, 0) for reason, count in dropped.items()}
        return {reason: count for reason, count in counts.items() if count > 0 and reason != "cardinality_limit"}

    def flush(self, deadline: float) -> bool:
        """Deliver what is pending of all signals side by side; False when the deadline came first."""
        self._decide_traces()
        tickets = [(outlet, outlet.request_flush()) for outlet in (*self.feeders, *self.outlets)]
        fed = [outlet.wait_flushed(ticket, deadline) for outlet, ticket in tickets[: len(self.feeders)]]
        sent = [(courier, courier.request_flush()) for courier in self.couriers.values()]
        rest = [*sent, *tickets[len(self.feeders) :]]
        return all([*fed, *(outlet.wait_flushed(ticket, deadline) for outlet, ticket in rest)])

    def close(self, deadline: float, *, last: bool = True) -> bool:
        """Deliver what is pending and end all threads, at the latest at the deadline (monotonic seconds).

        When this is not the ``last`` pipeline of its store, what waits there is the next one's to deliver.
        """
        self._decide_traces()
        now = time.monotonic()
        handed_over = now + (deadline - now) * _SHARE_OF_FEEDERS
        for feeder in self.feeders:
            feeder.request_close(handed_over)
        for outlet in self.outlets:
            outlet.request_close(deadline)
        closed = [feeder.wait_closed() for feeder in self.feeders]
        for courier in self.couriers.values():
            courier.request_close(deadline, replays=last)
        closed += [outlet.wait_closed() for outlet in (*self.couriers.values(), *self.outlets)]
        if self.native is not None:
            for reader in self.readers:
                self.native.remove_metric_reader(reader, shutdown=False)
            self.native.rest()
        for processor in self.processors:
            self.tracer_provider.remove_span_processor(processor)  # type: ignore[union-attr]  # only native ones have any
        for log_processor in self.log_processors:
            self.logger_provider.remove_log_record_processor(log_processor)  # type: ignore[union-attr]  # as above
        return all(closed)

    def close_store(self) -> None:
        """Let go of the spool: what waits on the disk is for the next start, what is in memory only is lost."""
        if self.store is None:
            return
        self.store.close()
        left, folder = sum(depth.items for _, depth in self.depths()), self.store.terms.folder
        if left and folder is not None:
            report(f"{left} items could not be delivered; they wait in {folder} for the next start")

    def _decide_traces(self) -> None:
        """First: exemplars of metrics point to traces that are kept, which nobody knows before."""
        if self.shipper is not None:
            self.shipper.decide()

    def settle(self) -> None:
        """Let the native readers collect a last time, before another pipeline takes them over."""
        for outlet in self.feeders:
            if hasattr(outlet, "settle"):
                outlet.settle()
        if self.native is not None and self.pull is not None:
            self.pull.close()  # type: ignore[union-attr]  # a native page

    def recorders(self) -> Iterator[Any]:
        """What records spans, log records and measurements."""
        core = getattr(self.tracer_provider, "core", None)
        if core is not None:
            yield core
            from otel_trading.logs.lines import lines

            yield lines().core
        if self.native is not None and self.native.recorder is not None:
            yield self.native.recorder.core

    def begin_in_child(self) -> None:
        """Report a forked child's own, from zero."""
        self.resource = of_child(self.resource)
        for provider in (self.tracer_provider, self.meter_provider, self.logger_provider):
            renew = getattr(provider, "set_resource", None) or provider._update_resource  # type: ignore[union-attr]  # noqa: SLF001 - the native providers', and what the SDK's do themselves
            renew(self.resource)
        if self.native is None:
            from otel_trading.metrics.provider import begin_at_zero

            begin_at_zero(self.meter_provider)  # type: ignore[arg-type]  # the SDK's

    def restart_in_child(self) -> None:
        """Begin anew in a forked child."""
        if self.store is not None:
            self.store.restart_in_child()
        for outlet in (*self.couriers.values(), *self.feeders, *self.outlets):
            outlet.restart_in_child()

    def troubles(self) -> list[str]:
        """Why log files cannot be written at the moment."""
        sinks = [] if self.writer is None else self.writer.sinks
        return [sink.problem for sink in sinks if sink.problem is not None]

    def unreachable(self) -> list[str]:
        """The OTLP receivers that accept no connection; takes a third of a second at most."""
        urls = dict.fromkeys(url for targets in self.targets.values() for url in targets if "://" in url)
        answering = probe({urlsplit(url).netloc: url for url in urls})
        return [url for url in urls if urlsplit(url).netloc not in answering]


def _forgotten(figures: Figures | None, signal: Signal) -> tuple[Counter[str], Counter[str]]:
    """What a spool had to let go of, and what of that was not important, by reason."""
    return (figures.dropped(signal), figures.dropped(signal, "low")) if figures is not None else (Counter(), Counter())
