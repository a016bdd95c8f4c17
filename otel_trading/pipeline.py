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
from otel_trading.metrics.boundaries import SECONDS
from otel_trading.resource import of_child
from otel_trading.settings import Problem, Resolved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    from otel_trading import _native
    from otel_trading.logs.recorder import LogRecorder
    from otel_trading.metrics.native import NativeMeterProvider
    from otel_trading.metrics.native.outlets import NativePage
    from otel_trading.metrics.native.recorder import MeasurementRecorder
    from otel_trading.metrics.pull import PullReader
    from otel_trading.metrics.push import PushReader
    from otel_trading.tracing.native import NativeTracerProvider
    from otel_trading.tracing.native.shipping import TraceShipper
    from otel_trading.tracing.processor import QueueSpanProcessor

_SPANS_SCOPE = "otel_trading.spans"
_LARGE_BATCH = 4_096


@dataclass
class Pipeline:
    """What stands behind the API until the next reconfiguration."""

    resource: Resource
    tracer_provider: TracerProvider | NativeTracerProvider
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
    shipper: TraceShipper | None = None
    processors: list[QueueSpanProcessor] = field(default_factory=list)
    """What takes spans of the native provider; the provider outlives the pipeline."""

    def accounts(self) -> dict[Signal, Account]:
        """The account of each signal."""
        accounts: dict[Signal, Account] = {signal: ledger.account() for signal, ledger in self.ledgers.items()}
        if self.native is not None:
            accounts["metrics"] = accounts["metrics"].with_dropped(self._dropped_since())
        if self.shipper is not None:
            accounts["traces"] = self.shipper.account()
        return accounts

    def _dropped_since(self) -> dict[str, int]:
        """What the native core dropped in this pipeline's time, by reason."""
        dropped = self.native.dropped() if self.native else {}
        # A measurement in the overflow series is not lost.
        counts = {reason: count - self.dropped_before.get(reason, 0) for reason, count in dropped.items()}
        return {reason: count for reason, count in counts.items() if count > 0 and reason != "cardinality_limit"}

    def flush(self, deadline: float) -> bool:
        """Deliver what is pending of all signals side by side; False when the deadline came first."""
        self._decide_traces()
        tickets = [(outlet, outlet.request_flush()) for outlet in self.outlets]
        flushed = [outlet.wait_flushed(ticket, deadline) for outlet, ticket in tickets]
        return all(flushed)

    def close(self, deadline: float) -> bool:
        """Deliver what is pending and end all threads, at the latest at the deadline (monotonic seconds)."""
        self._decide_traces()
        for outlet in self.outlets:
            outlet.request_close(deadline)
        closed = [outlet.wait_closed() for outlet in self.outlets]
        if self.native is not None:
            for reader in self.readers:
                self.native.remove_metric_reader(reader, shutdown=False)
            self.native.rest()
        for processor in self.processors:
            self.tracer_provider.remove_span_processor(processor)  # type: ignore[union-attr]  # only native ones have any
        return all(closed)

    def _decide_traces(self) -> None:
        """First: exemplars of metrics point to traces that are kept, which nobody knows before."""
        if self.shipper is not None:
            self.shipper.decide()

    def settle(self) -> None:
        """Let the native readers collect a last time, before another pipeline takes them over."""
        for outlet in self.outlets:
            if hasattr(outlet, "settle"):
                outlet.settle()
        if self.native is not None and self.pull is not None:
            self.pull.close()  # type: ignore[union-attr]  # a native page

    def recorders(self) -> Iterator[Any]:
        """What records spans, log records and measurements."""
        core = getattr(self.tracer_provider, "core", None)
        if core is not None:
            yield core
            from otel_trading.logs.recorder import RECORDER

            yield RECORDER
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
        for outlet in self.outlets:
            outlet.restart_in_child()

    def unreachable(self) -> list[str]:
        """The OTLP receivers that accept no connection; takes a third of a second at most."""
        urls = dict.fromkeys(url for targets in self.targets.values() for url in targets if "://" in url)
        answering = probe({urlsplit(url).netloc: url for url in urls})
        return [url for url in urls if urlsplit(url).netloc not in answering]


def build_pipeline(
    resolved: Resolved,
    resource: Resource,
    native: NativeMeterProvider | None = None,
    tracers: NativeTracerProvider | None = None,
) -> Pipeline:
    """Build the providers and start what delivers; a part that cannot be built is reported and left out.

    For ``native`` providers only what takes their data is built: instruments, totals and tracers are the process's.
    """
    from otel_trading.logs.provider import build_logger_provider

    settings = resolved.settings
    builder = _Outlets(resolved, tracers)
    meter_provider: MeterProvider
    tracer_provider: TracerProvider | NativeTracerProvider
    pull: PullReader | NativePage | None
    if native is None:
        from otel_trading.metrics.provider import build_meter_provider

        pull = builder.sdk_page()
        meter_provider = build_meter_provider(settings, resource, builder.metrics(), pull)
    else:
        meter_provider, pull = native, builder.native_metrics(native, resource)
    if tracers is None:
        from otel_trading.tracing.provider import build_tracer_provider

        tracer_provider = build_tracer_provider(settings, resource, builder.queues("traces"), meter_provider)
    else:
        tracer_provider = tracers
        builder.native_traces(tracers, resource)
    builder.dump(meter_provider, pull)
    queues = builder.queues("logs")
    logger_provider = build_logger_provider(resource, queues, builder.recorded_logs(queues, resource))
    builder.recover(str(resource.attributes["service.name"]))
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
        builder.shipper,
        builder.processors,
    )


class _Outlets:
    """Queues and readers for the exporters that the settings name."""

    def __init__(self, resolved: Resolved, tracers: NativeTracerProvider | None) -> None:
        self._resolved = resolved
        self._tracers = tracers
        self.ledgers: dict[Signal, Ledger] = {signal: Ledger(signal) for signal in SIGNALS}
        self.targets: dict[Signal, tuple[str, ...]] = dict.fromkeys(SIGNALS, ())
        self.problems: list[Problem | str] = []
        self.outlets: list[Any] = []
        self.readers: list[PushReader] = []
        self.shipper: TraceShipper | None = None
        self.processors: list[QueueSpanProcessor] = []
        self.folder: Path | None = None
        self._receivers: dict[str, Receiver] = {}

    def queues(self, signal: Signal) -> list[BatchQueue[Any]]:
        """One queue an exporter of traces or logs."""
        return [self._queue(signal, ledger, sender) for ledger, sender in self._senders(signal)]

    def _queue(self, signal: Signal, ledger: Ledger, sender: Any) -> BatchQueue[Any]:  # noqa: ANN401 - either sender
        queue: BatchQueue[Any] = BatchQueue(sender, ledger, **self._queueing(signal))
        self.outlets.append(queue)
        return queue

    def _queueing(self, signal: Signal) -> dict[str, Any]:
        settings = self._resolved.settings
        prefix = "span" if signal == "traces" else "log"
        return {
            "capacity": getattr(settings, f"{prefix}_queue_size"),
            "batch_size": getattr(settings, f"{prefix}_batch_size"),
            "delay": getattr(settings, f"{prefix}_delay"),
        }

    def _large_batches(self) -> dict[str, Any]:
        """For requests that cost nothing to encode: fewer and larger ones, unless somebody wants it otherwise."""
        queueing = self._queueing("traces")
        if self._resolved.origins["span_batch_size"] == "default":
            queueing["batch_size"] = _LARGE_BATCH
        return queueing

    def native_traces(self, provider: NativeTracerProvider, resource: Resource) -> None:
        """What takes the native provider's spans: encoded what it keeps, for plugins every span as the SDK shows it."""
        from otel_trading.flight.opening import record
        from otel_trading.tracing.native.settings import adjust
        from otel_trading.tracing.native.shipping import TraceShipper

        settings = self._resolved.settings
        adjust(provider, settings, resource)
        senders = self._senders("traces", encoded=True)
        shipped = any(isinstance(sender, OtlpSender) for _, sender in senders)
        folder = record(provider, settings, resource, self.problems, wanted=shipped and provider.enabled)
        self.folder = folder or self.folder
        for ledger, sender in senders:
            if isinstance(sender, OtlpSender):
                self.shipper = TraceShipper(provider, sender, ledger, **self._large_batches())
                self.outlets.append(self.shipper)
            else:
                from otel_trading.tracing.processor import QueueSpanProcessor

                processor = QueueSpanProcessor(self._queue("traces", ledger, sender))
                provider.add_span_processor(processor)
                self.processors.append(processor)
        if self.shipper is None:
            provider.core.set_demand(False, 1, 1)

    def recorded_logs(
        self, queues: Sequence[BatchQueue[Any]], resource: Resource
    ) -> tuple[LogRecorder, BatchQueue[Any]] | None:
        """The recorder of log records, and the queue whose records it keeps: the one that delivers OTLP."""
        if not self._recording:
            return None
        from otel_trading.flight.opening import record
        from otel_trading.logs.recorder import RECORDER, Closing

        shipped = [queue for queue in queues if isinstance(queue.sender, OtlpSender)][:1]
        settings = self._resolved.settings
        folder = record(RECORDER, settings, resource, self.problems, wanted=bool(shipped), share=2)
        if folder is None:
            return None
        RECORDER.describe(resource)
        self.outlets.append(Closing(RECORDER))
        self.folder = folder
        return RECORDER, shipped[0]

    @property
    def _recording(self) -> bool:
        """Engine sdk has no recorder."""
        return self._tracers is not None

    def recover(self, service: str) -> None:
        """Deliver what processes of the same name recorded that were killed, beside everything else."""
        if self.folder is None:
            return
        from otel_trading.flight.recovery import Recovery

        settings = self._resolved.settings
        exporters = {signal: getattr(settings, f"{signal}_exporter") for signal in SIGNALS}
        wanted: list[Signal] = [
            each for each in SIGNALS if "otlp" in exporters[each] and getattr(settings, f"{each}_enabled")
        ]
        senders: dict[Signal, OtlpSender[Any]] = {signal: self._otlp(signal, encoded=True) for signal in wanted}
        budget, max_age = settings.flight_budget, settings.flight_max_age
        self.outlets.append(Recovery(self.folder, service, senders, budget=budget, max_age=max_age))

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
        senders = self._senders("metrics", encoded=True)
        pushed = any(isinstance(sender, OtlpSender) for _, sender in senders)
        recorder = self._recorded_metrics(provider, resource, wanted=on and pushed)
        for ledger, sender in senders:
            if isinstance(sender, OtlpSender):
                push = NativePush(
                    provider,
                    sender,
                    ledger,
                    interval=settings.metric_interval,
                    temporality=settings.temporality,
                    histogram=settings.histogram_aggregation,
                    also=self._also(explicit=settings.histogram_aggregation.startswith("explicit")),
                    recorder=recorder,
                )
                self.outlets.append(push)
            else:
                reader = self._sdk_push(sender, ledger)
                provider.add_metric_reader(reader)
                self.outlets.append(reader)
                self.readers.append(reader)
        return (
            NativePage(provider, self._also(explicit=True, exponential=True)) if on and settings.ops_enabled else None
        )

    def _recorded_metrics(
        self, provider: NativeMeterProvider, resource: Resource, *, wanted: bool
    ) -> MeasurementRecorder | None:
        """The recorder of measurements, where totals are pushed: of deltas nobody knows which ones arrived."""
        from otel_trading.flight.opening import record
        from otel_trading.metrics.native.recorder import MeasurementRecorder

        settings = self._resolved.settings
        wanted = wanted and settings.temporality == "cumulative" and settings.flight_enabled
        if provider.recorder is None:
            if not wanted:
                return None
            provider.recorder = MeasurementRecorder(provider)
        recorder = provider.recorder
        recorder.explicit = settings.histogram_aggregation.startswith("explicit")
        folder = record(recorder, settings, resource, self.problems, wanted=wanted)
        self.folder = folder or self.folder
        return None if folder is None else recorder

    def _also(self, *, explicit: bool, exponential: bool = False) -> list[Callable[[_native.Snapshot], None]]:
        """What is added to a collection: durations of spans, and aliases."""
        added: list[Callable[[_native.Snapshot], None]] = []
        if self._tracers is not None:
            traces, bounds = self._tracers.core, SECONDS if explicit else None

            def add_spans(snapshot: _native.Snapshot) -> None:
                snapshot.add_spans(_SPANS_SCOPE, traces, bounds, exponential or not explicit)

            added.append(add_spans)
        if self._resolved.settings.metric_aliases:
            from otel_trading.trading.exported import add_to

            added.append(add_to)
        return added

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
