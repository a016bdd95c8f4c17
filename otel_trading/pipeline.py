"""One set of providers, queues and senders: built from settings, drained under one deadline."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from otel_trading.export.delivery import Receiver, probe
from otel_trading.export.destination import SIGNALS, Signal, destination
from otel_trading.export.ledger import Account, Ledger
from otel_trading.export.otlp import OtlpSender
from otel_trading.export.plugin import PluginSender, load
from otel_trading.export.queue import BatchQueue
from otel_trading.extras import MissingExtraError, require
from otel_trading.settings import Problem, Resolved

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    from otel_trading import _native
    from otel_trading.metrics.native import NativeMeterProvider
    from otel_trading.metrics.native.outlets import NativePage
    from otel_trading.metrics.pull import PullReader
    from otel_trading.metrics.push import PushReader


@dataclass
class Pipeline:
    """What stands behind the API until the next reconfiguration."""

    resource: Resource
    tracer_provider: TracerProvider
    meter_provider: MeterProvider
    logger_provider: LoggerProvider
    pull: PullReader | NativePage | None
    ledgers: Mapping[Signal, Ledger]
    targets: Mapping[Signal, tuple[str, ...]]
    problems: list[Problem | str] = field(default_factory=list)
    outlets: list[Any] = field(default_factory=list)
    native: NativeMeterProvider | None = None
    dropped_before: Mapping[str, int] = field(default_factory=dict)
    readers: list[PushReader] = field(default_factory=list)
    """The SDK's readers of the native provider; the provider and its own readers outlive the pipeline."""

    def accounts(self) -> dict[Signal, Account]:
        """The account of each signal."""
        accounts: dict[Signal, Account] = {signal: ledger.account() for signal, ledger in self.ledgers.items()}
        if self.native is not None:
            accounts["metrics"] = accounts["metrics"].with_dropped(self._dropped_since())
        return accounts

    def _dropped_since(self) -> dict[str, int]:
        """What the native core dropped in this pipeline's time, by reason."""
        dropped = self.native.dropped() if self.native else {}
        # A measurement in the overflow series is not lost.
        counts = {reason: count - self.dropped_before.get(reason, 0) for reason, count in dropped.items()}
        return {reason: count for reason, count in counts.items() if count > 0 and reason != "cardinality_limit"}

    def flush(self, deadline: float) -> bool:
        """Deliver what is pending of all signals side by side; False when the deadline came first."""
        tickets = [(outlet, outlet.request_flush()) for outlet in self.outlets]
        flushed = [outlet.wait_flushed(ticket, deadline) for outlet, ticket in tickets]
        return all(flushed)

    def close(self, deadline: float) -> bool:
        """Deliver what is pending and end all threads, at the latest at the deadline (monotonic seconds)."""
        for outlet in self.outlets:
            outlet.request_close(deadline)
        closed = [outlet.wait_closed() for outlet in self.outlets]
        if self.native is not None:
            for reader in self.readers:
                self.native.remove_metric_reader(reader, shutdown=False)
            self.native.rest()
        return all(closed)

    def settle(self) -> None:
        """Let the native readers collect a last time, before another pipeline takes them over."""
        for outlet in self.outlets:
            if hasattr(outlet, "settle"):
                outlet.settle()
        if self.native is not None and self.pull is not None:
            self.pull.close()  # type: ignore[union-attr]  # a native page

    def restart_in_child(self) -> None:
        """Begin anew in a forked child."""
        for outlet in self.outlets:
            outlet.restart_in_child()

    def unreachable(self) -> list[str]:
        """The OTLP receivers that accept no connection; takes a third of a second at most."""
        urls = dict.fromkeys(url for targets in self.targets.values() for url in targets if "://" in url)
        answering = probe({urlsplit(url).netloc: url for url in urls})
        return [url for url in urls if urlsplit(url).netloc not in answering]


def build_pipeline(resolved: Resolved, resource: Resource, native: NativeMeterProvider | None = None) -> Pipeline:
    """Build the providers and start what delivers; a part that cannot be built is reported and left out.

    With a ``native`` meter provider only what reads it is built: its instruments and totals are the process's.
    """
    from otel_trading.logs.provider import build_logger_provider
    from otel_trading.tracing.provider import build_tracer_provider

    settings = resolved.settings
    builder = _Outlets(resolved)
    meter_provider: MeterProvider
    pull: PullReader | NativePage | None
    if native is None:
        from otel_trading.metrics.provider import build_meter_provider

        pull = builder.sdk_page()
        meter_provider = build_meter_provider(settings, resource, builder.metrics(), pull)
    else:
        meter_provider, pull = native, builder.native_metrics(native, resource)
    builder.dump(meter_provider, pull)
    tracer_provider = build_tracer_provider(settings, resource, builder.queues("traces"), meter_provider)
    logger_provider = build_logger_provider(resource, builder.queues("logs"))
    return Pipeline(
        resource,
        tracer_provider,
        meter_provider,
        logger_provider,
        pull,
        builder.ledgers,
        builder.targets,
        builder.problems,
        builder.outlets,
        native,
        native.dropped() if native else {},
        builder.readers,
    )


class _Outlets:
    """Queues and readers for the exporters that the settings name."""

    def __init__(self, resolved: Resolved) -> None:
        self._resolved = resolved
        self.ledgers: dict[Signal, Ledger] = {signal: Ledger(signal) for signal in SIGNALS}
        self.targets: dict[Signal, tuple[str, ...]] = dict.fromkeys(SIGNALS, ())
        self.problems: list[Problem | str] = []
        self.outlets: list[Any] = []
        self.readers: list[PushReader] = []
        self._receivers: dict[str, Receiver] = {}

    def queues(self, signal: Signal) -> list[BatchQueue[Any]]:
        """One queue an exporter of traces or logs."""
        settings = self._resolved.settings
        prefix = "span" if signal == "traces" else "log"
        queues: list[BatchQueue[Any]] = [
            BatchQueue(
                sender,
                ledger,
                capacity=getattr(settings, f"{prefix}_queue_size"),
                batch_size=getattr(settings, f"{prefix}_batch_size"),
                delay=getattr(settings, f"{prefix}_delay"),
            )
            for ledger, sender in self._senders(signal)
        ]
        self.outlets += queues
        return queues

    def metrics(self) -> list[PushReader]:
        """One push reader an exporter of metrics."""
        readers = [self._sdk_push(sender, ledger) for ledger, sender in self._senders("metrics")]
        self.outlets += readers
        return readers

    def sdk_page(self) -> PullReader | None:
        """The page of engine sdk, which an extra brings."""
        settings = self._resolved.settings
        if settings.disabled or not settings.metrics_enabled or not settings.ops_enabled:
            return None
        try:
            require("opentelemetry.exporter.prometheus", extra="prometheus")
        except ImportError as error:
            self.problems.append(f"/metrics is empty with engine=sdk: {error}")
            return None
        from otel_trading.metrics.pull import PullReader

        return PullReader(self._sdk_aliases())

    def native_metrics(self, provider: NativeMeterProvider, resource: Resource) -> NativePage | None:
        """The native provider's push readers and its page; OTLP goes out encoded, plugins get the SDK's objects."""
        from otel_trading.metrics.native.outlets import NativePage, NativePush

        settings = self._resolved.settings
        on = settings.metrics_enabled and not settings.disabled
        provider.set_resource(resource)
        provider.enabled = on
        for ledger, sender in self._senders("metrics", encoded=True):
            if isinstance(sender, OtlpSender):
                push = NativePush(
                    provider,
                    sender,
                    ledger,
                    interval=settings.metric_interval,
                    temporality=settings.temporality,
                    histogram=settings.histogram_aggregation,
                    also=self._native_aliases(),
                )
                self.outlets.append(push)
            else:
                reader = self._sdk_push(sender, ledger)
                provider.add_metric_reader(reader)
                self.outlets.append(reader)
                self.readers.append(reader)
        return NativePage(provider, self._native_aliases()) if on and settings.ops_enabled else None

    def _native_aliases(self) -> Callable[[_native.Snapshot], None] | None:
        if not self._resolved.settings.metric_aliases:
            return None
        from otel_trading.trading.exported import add_to

        return add_to

    def _sdk_aliases(self) -> Callable[[MetricsData], MetricsData] | None:
        if not self._resolved.settings.metric_aliases:
            return None
        from otel_trading.trading.aliases import apply

        return apply

    def dump(self, provider: MeterProvider, page: PullReader | NativePage | None) -> None:
        """The file of metrics as JSON, where one is wanted."""
        settings = self._resolved.settings
        if settings.summary_at_exit:
            from otel_trading.metrics.render import prepare

            prepare(provider)
        if settings.metrics_file is None or settings.disabled or not settings.metrics_enabled:
            return
        from otel_trading.export.json_dump import JsonDump
        from otel_trading.metrics.render import json_renderer

        try:
            render = json_renderer(provider, page)
            self.outlets.append(
                JsonDump(
                    render,
                    settings.metrics_file,
                    Ledger("metrics-file"),
                    interval=settings.metrics_file_interval,
                    keep=settings.metrics_file_keep,
                )
            )
        except Exception as error:
            self.problems.append(f"metrics_file={settings.metrics_file} is not written: {error}")

    def _sdk_push(self, sender: Any, ledger: Ledger) -> PushReader:  # noqa: ANN401 - either sender
        from otel_trading.metrics.preference import aggregations, temporalities
        from otel_trading.metrics.push import PushReader

        settings = self._resolved.settings
        return PushReader(
            sender,
            ledger,
            interval=settings.metric_interval,
            preferred_temporality=temporalities(settings.temporality),
            preferred_aggregation=aggregations(settings.histogram_aggregation),
            also=self._sdk_aliases(),
        )

    def _senders(self, signal: Signal, *, encoded: bool = False) -> list[tuple[Ledger, Any]]:
        """The signal's senders, each with its account: the first has the signal's own."""
        settings = self._resolved.settings
        if settings.disabled or not getattr(settings, f"{signal}_enabled"):
            return []
        senders = [self._sender(signal, name, encoded=encoded) for name in getattr(settings, f"{signal}_exporter")]
        working = [sender for sender in senders if sender is not None]
        self.targets[signal] = tuple(sender.target for sender in working)
        others = [Ledger(f"{signal}-{sender.target}") for sender in working[1:]]
        return list(zip([self.ledgers[signal], *others], working, strict=False))

    def _sender(self, signal: Signal, name: str, *, encoded: bool) -> Any:  # noqa: ANN401 - either sender, or none
        known: dict[str, Callable[[], Any]] = {
            "none": lambda: None,
            "prometheus": lambda: None,  # /metrics is always there while the ops server is on
            "otlp": lambda: self._otlp(signal, encoded=encoded),
        }
        build = known.get(name, lambda: PluginSender(name, load(signal, name)()))
        try:
            return build()
        except LookupError as error:
            allowed = f"an installed exporter ({error.args[0]})"
            self.problems.append(Problem(f"{signal}_exporter", name, allowed, "no such exporter", self._origin(signal)))
        except MissingExtraError as error:
            self.problems.append(f"{signal} are not exported by {name}: {error}")
        except Exception as error:
            self.problems.append(f"{signal} are not exported by {name}: {type(error).__name__}: {error}")
        return None

    def _otlp(self, signal: Signal, *, encoded: bool) -> OtlpSender[Any]:
        chosen = destination(self._resolved, signal)
        parts = urlsplit(chosen.url)
        receiver = self._receivers.setdefault(parts.netloc, Receiver(f"{parts.scheme}://{parts.netloc}"))
        return OtlpSender(signal, chosen, receiver, encoded=encoded)

    def _origin(self, signal: Signal) -> str:
        return self._resolved.origins[f"{signal}_exporter"]
