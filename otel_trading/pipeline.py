"""One set of providers, queues and senders on the ``sdk`` engine: built from settings, drained under one deadline."""

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
from otel_trading.extras import MissingExtraError
from otel_trading.settings import Problem, Resolved

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    from otel_trading.metrics.pull import PullReader
    from otel_trading.metrics.push import PushReader


@dataclass
class Pipeline:
    """What stands behind the API until the next reconfiguration."""

    resource: Resource
    tracer_provider: TracerProvider
    meter_provider: MeterProvider
    logger_provider: LoggerProvider
    pull: PullReader | None
    ledgers: Mapping[Signal, Ledger]
    targets: Mapping[Signal, tuple[str, ...]]
    problems: list[Problem | str] = field(default_factory=list)
    outlets: list[Any] = field(default_factory=list)

    def accounts(self) -> dict[Signal, Account]:
        """The account of each signal."""
        return {signal: ledger.account() for signal, ledger in self.ledgers.items()}

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
        return all(closed)

    def restart_in_child(self) -> None:
        """Begin anew in a forked child."""
        for outlet in self.outlets:
            outlet.restart_in_child()

    def unreachable(self) -> list[str]:
        """The OTLP receivers that accept no connection; takes a third of a second at most."""
        urls = dict.fromkeys(url for targets in self.targets.values() for url in targets if "://" in url)
        answering = probe({urlsplit(url).netloc: url for url in urls})
        return [url for url in urls if urlsplit(url).netloc not in answering]


def build_pipeline(resolved: Resolved, resource: Resource) -> Pipeline:
    """Build the providers and start what delivers; a part that cannot be built is reported and left out."""
    from otel_trading.logs.provider import build_logger_provider
    from otel_trading.metrics.provider import build_meter_provider
    from otel_trading.tracing.provider import build_tracer_provider

    settings = resolved.settings
    builder = _Outlets(resolved)
    meter_provider, pull = build_meter_provider(settings, resource, builder.metrics())
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
    )


class _Outlets:
    """Queues and readers for the exporters that the settings name."""

    def __init__(self, resolved: Resolved) -> None:
        self._resolved = resolved
        self.ledgers: dict[Signal, Ledger] = {signal: Ledger(signal) for signal in SIGNALS}
        self.targets: dict[Signal, tuple[str, ...]] = dict.fromkeys(SIGNALS, ())
        self.problems: list[Problem | str] = []
        self.outlets: list[Any] = []
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
        from otel_trading.metrics.preference import aggregations, temporalities
        from otel_trading.metrics.push import PushReader

        settings = self._resolved.settings
        readers = [
            PushReader(
                sender,
                ledger,
                interval=settings.metric_interval,
                preferred_temporality=temporalities(settings.temporality),
                preferred_aggregation=aggregations(settings.histogram_aggregation),
            )
            for ledger, sender in self._senders("metrics")
        ]
        self.outlets += readers
        return readers

    def _senders(self, signal: Signal) -> list[tuple[Ledger, Any]]:
        """The signal's senders, each with its account: the first has the signal's own."""
        settings = self._resolved.settings
        if settings.disabled or not getattr(settings, f"{signal}_enabled"):
            return []
        senders = [self._sender(signal, name) for name in getattr(settings, f"{signal}_exporter")]
        working = [sender for sender in senders if sender is not None]
        self.targets[signal] = tuple(sender.target for sender in working)
        others = [Ledger(f"{signal}-{sender.target}") for sender in working[1:]]
        return list(zip([self.ledgers[signal], *others], working, strict=False))

    def _sender(self, signal: Signal, name: str) -> Any:  # noqa: ANN401 - either sender, or none
        known: dict[str, Callable[[], Any]] = {
            "none": lambda: None,
            "prometheus": lambda: None,  # /metrics is always there while the ops server is on
            "otlp": lambda: self._otlp(signal),
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

    def _otlp(self, signal: Signal) -> OtlpSender[Any]:
        chosen = destination(self._resolved, signal)
        parts = urlsplit(chosen.url)
        receiver = self._receivers.setdefault(parts.netloc, Receiver(f"{parts.scheme}://{parts.netloc}"))
        return OtlpSender(signal, chosen, receiver)

    def _origin(self, signal: Signal) -> str:
        return self._resolved.origins[f"{signal}_exporter"]
