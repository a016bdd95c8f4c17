"""Builds a pipeline from settings: providers, and what feeds and delivers."""

from __future__ import annotations

import itertools
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from otel_trading.export.courier import Courier
from otel_trading.export.delivery import Receiver
from otel_trading.export.destination import SIGNALS, Signal, destination
from otel_trading.export.ledger import Ledger
from otel_trading.export.plugin import PluginTaker, load
from otel_trading.export.queue import BatchQueue
from otel_trading.export.store import Store, Terms
from otel_trading.export.takers import EncodedTaker, ObjectTaker
from otel_trading.export.transport import OtlpSender
from otel_trading.export.transport.sender import place_of
from otel_trading.extras import MissingExtraError, require
from otel_trading.metrics.boundaries import SECONDS
from otel_trading.pipeline import Pipeline
from otel_trading.settings import Problem, Resolved

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    from otel_trading import _native
    from otel_trading.export.feeder import Taker
    from otel_trading.logs.lines import Lines
    from otel_trading.logs.native import NativeLoggerProvider
    from otel_trading.logs.queue import LogQueue
    from otel_trading.logs.shipping import LogShipper
    from otel_trading.logs.sinks import Sink
    from otel_trading.metrics.native import NativeMeterProvider
    from otel_trading.metrics.native.outlets import NativePage
    from otel_trading.metrics.native.recorder import MeasurementRecorder
    from otel_trading.metrics.pull import PullReader
    from otel_trading.metrics.push import PushReader
    from otel_trading.tracing.native import NativeTracerProvider
    from otel_trading.tracing.native.shipping import TraceShipper
    from otel_trading.tracing.processor import QueueSpanProcessor
    from otel_trading.trading.rates import History

_SPANS_SCOPE = "otel_trading.spans"
_LARGE_BATCH = 4_096


def build_pipeline(
    resolved: Resolved,
    resource: Resource,
    native: NativeMeterProvider | None = None,
    tracers: NativeTracerProvider | None = None,
    store: Store | None = None,
) -> Pipeline:
    """Build the providers and start what delivers; a part that cannot be built is reported and left out.

    For ``native`` providers only what takes their data is built: instruments, totals and tracers are the process's, and
    so is the ``store`` that what was not delivered waits in.
    """
    settings = resolved.settings
    store = store or Store(Terms(None, str(resource.attributes["service.name"])))
    builder = _Builder(resolved, tracers, store)
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
    logger_provider = builder.sdk_logs(resource) if tracers is None else builder.native_logs(resource)
    builder.recover(str(resource.attributes["service.name"]))
    builder.launch()
    return Pipeline(
        resource,
        tracer_provider,
        meter_provider,
        logger_provider,
        pull,
        builder.ledgers,
        builder.targets,
        builder.problems,
        builder.feeders,
        builder.couriers,
        builder.outlets,
        store,
        native,
        builder.readers,
        builder.shipper,
        builder.processors,
        builder.writer,
        builder.log_processors,
    )


class _Builder:
    """Queues, readers and couriers for the exporters that the settings name."""

    def __init__(self, resolved: Resolved, tracers: NativeTracerProvider | None, store: Store) -> None:
        self._resolved = resolved
        self._tracers = tracers
        self._store = store
        self.ledgers: dict[Signal, Ledger] = {signal: Ledger(signal) for signal in SIGNALS}
        self.targets: dict[Signal, tuple[str, ...]] = dict.fromkeys(SIGNALS, ())
        self.problems: list[Problem | str] = []
        self.feeders: list[Any] = []
        self.couriers: dict[Signal, Courier] = {}
        self.outlets: list[Any] = []
        self.readers: list[PushReader] = []
        self.shipper: TraceShipper | None = None
        self.processors: list[QueueSpanProcessor] = []
        self.writer: LogShipper | None = None
        self.log_processors: list[LogRecordProcessor] = []
        self._recordings: Path | None = None
        self._receivers: dict[str, Receiver] = {}

    def launch(self) -> None:
        """Begin to deliver what was left before."""
        for courier in self.couriers.values():
            courier.launch()

    def queues(self, signal: Signal) -> list[BatchQueue[Any]]:
        """One queue an exporter of traces or logs."""
        return [self._queue(signal, ledger, taker) for ledger, taker in self._takers(signal)]

    def _queue(self, signal: Signal, ledger: Ledger, taker: Taker) -> BatchQueue[Any]:
        queue: BatchQueue[Any] = BatchQueue(taker, ledger, **self._queueing(signal))
        self._place(taker, queue)
        return queue

    def _place(self, taker: Taker, outlet: Any) -> None:  # noqa: ANN401 - outlets share no base class
        (self.outlets if isinstance(taker, PluginTaker) else self.feeders).append(outlet)

    def _queueing(self, signal: Signal) -> dict[str, Any]:
        settings = self._resolved.settings
        prefix = "span" if signal == "traces" else "log"
        return {
            "capacity": getattr(settings, f"{prefix}_queue_size"),
            "batch_size": getattr(settings, f"{prefix}_batch_size"),
            "delay": getattr(settings, f"{prefix}_delay"),
        }

    def _large_batches(self, signal: Signal) -> dict[str, Any]:
        """For requests that cost nothing to encode: fewer and larger ones, unless somebody wants it otherwise."""
        queueing = self._queueing(signal)
        option = "span_batch_size" if signal == "traces" else "log_batch_size"
        if self._resolved.origins[option] == "default":
            queueing["batch_size"] = _LARGE_BATCH
        return queueing

    def native_traces(self, provider: NativeTracerProvider, resource: Resource) -> None:
        """What takes the native provider's spans: encoded what it keeps, for plugins every span as the SDK shows it."""
        from otel_trading.flight.opening import record
        from otel_trading.tracing.native.settings import adjust
        from otel_trading.tracing.native.shipping import TraceShipper

        settings = self._resolved.settings
        adjust(provider, settings, resource)
        takers = self._takers("traces", encoded=True)
        shipped = any(isinstance(taker, EncodedTaker) for _, taker in takers)
        self._record(record(provider, settings, resource, self.problems, wanted=shipped and provider.enabled))
        for ledger, taker in takers:
            if isinstance(taker, EncodedTaker):
                self.shipper = TraceShipper(provider, taker, ledger, **self._large_batches("traces"))
                self.feeders.append(self.shipper)
            else:
                from otel_trading.tracing.processor import QueueSpanProcessor

                processor = QueueSpanProcessor(self._queue("traces", ledger, taker))
                provider.add_span_processor(processor)
                self.processors.append(processor)
        if self.shipper is None:
            provider.core.set_demand(False, 1, 1)

    def sdk_logs(self, resource: Resource) -> LoggerProvider:
        """The SDK's provider with a queue for each exporter; lines for the sinks are written beside."""
        from otel_trading.logs.lines import lines
        from otel_trading.logs.processor import LinesProcessor
        from otel_trading.logs.provider import build_logger_provider

        queues = [self._log_queue(ledger, taker) for ledger, taker in self._takers("logs")]
        provider = build_logger_provider(resource, queues)
        sinks = self._sinks() or self._tail(wanted=bool(queues))
        self._write_lines(lines(), None, Ledger("logs-lines"), sinks, resource)
        if sinks:
            provider.add_log_record_processor(LinesProcessor(lines()))
        return provider

    def native_logs(self, resource: Resource) -> NativeLoggerProvider:
        """What takes the native engine's lines: requests, lines for the sinks, for plugins the SDK's records."""
        from otel_trading.logs.lines import lines
        from otel_trading.logs.native import NativeLoggerProvider
        from otel_trading.logs.processor import QueueLogProcessor

        provider = NativeLoggerProvider(lines())
        provider.set_resource(resource)
        encoded: tuple[Ledger, Taker] | None = None
        for ledger, taker in self._takers("logs", encoded=True):
            if isinstance(taker, EncodedTaker) and encoded is None:
                encoded = ledger, taker
            else:
                processor = QueueLogProcessor(self._log_queue(ledger, taker))
                provider.add_log_record_processor(processor)
                self.log_processors.append(processor)
        sinks = self._sinks()
        of_lines = Ledger("logs-lines") if self.log_processors else self.ledgers["logs"]
        out = encoded or (of_lines, None)
        self._write_lines(lines(), out[1], out[0], sinks, resource)
        if self.writer is not None:
            provider.deliver = self.writer.flush
        return provider

    def _log_queue(self, ledger: Ledger, taker: Taker) -> LogQueue:
        from otel_trading.logs.queue import LogQueue

        queue = LogQueue(taker, ledger, **self._queueing("logs"))
        self._place(taker, queue)
        return queue

    def _sinks(self) -> list[Sink]:
        from otel_trading.logs.sinks import build_sinks

        settings = self._resolved.settings
        if settings.disabled or not settings.logs_enabled:
            return []
        try:
            return build_sinks(settings)
        except Exception as error:
            self.problems.append(f"log lines are not written: {type(error).__name__}: {error}")
            return []

    def _tail(self, *, wanted: bool) -> list[Sink]:
        """What the live page shows, where lines are written anyway."""
        settings = self._resolved.settings
        if not wanted or settings.disabled or not settings.ops_enabled or not settings.logs_enabled:
            return []
        from otel_trading.logs.tail import tail

        return [tail()]

    def _write_lines(
        self, lines: Lines, taker: Taker | None, ledger: Ledger, sinks: list[Sink], resource: Resource
    ) -> None:
        """The thread that delivers lines, where somebody wants them; recorded is what goes out over OTLP."""
        from otel_trading.flight.opening import record
        from otel_trading.logs.shipping import Closing, LogShipper, release

        if taker is None and not sinks:
            release(lines)
            lines.core.set_demand(None, None)
            return
        sinks = list(dict.fromkeys([*sinks, *self._tail(wanted=True)]))
        lines.describe(resource)
        self._record(record(lines, self._resolved.settings, resource, self.problems, wanted=taker is not None))
        batches = self._large_batches("logs")
        self.writer = LogShipper(lines, taker, ledger, sinks, batch_size=batches["batch_size"], delay=batches["delay"])
        self.feeders.append(self.writer)
        self.outlets.append(Closing(lines))

    def _record(self, folder: Path | None) -> None:
        self._recordings = folder or self._recordings

    def recover(self, service: str) -> None:
        """Deliver what processes of the same name recorded that were killed, beside everything else."""
        if self._recordings is None:
            return
        from otel_trading.flight.recovery import Recovery

        settings = self._resolved.settings
        budget, max_age = settings.flight_budget, settings.flight_max_age
        self.outlets.append(Recovery(self._recordings, service, self.couriers, budget=budget, max_age=max_age))

    def metrics(self) -> list[PushReader]:
        """One push reader an exporter of metrics."""
        return [self._sdk_push(taker, ledger) for ledger, taker in self._takers("metrics")]

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
        takers = self._takers("metrics", encoded=True)
        pushed = any(isinstance(taker, EncodedTaker) for _, taker in takers)
        recorder = self._recorded_metrics(provider, resource, wanted=on and pushed)
        for ledger, taker in takers:
            if isinstance(taker, EncodedTaker):
                push = NativePush(
                    provider,
                    taker,
                    ledger,
                    interval=settings.metric_interval,
                    temporality=settings.temporality,
                    histogram=settings.histogram_aggregation,
                    also=self._also(explicit=settings.histogram_aggregation.startswith("explicit")),
                    recorder=recorder,
                )
                self.feeders.append(push)
            else:
                reader = self._sdk_push(taker, ledger)
                provider.add_metric_reader(reader)
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
        self._record(folder)
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

            added.append(partial(add_to, history=self._history))
        return added

    def _sdk_aliases(self) -> Callable[[MetricsData], MetricsData] | None:
        if not self._resolved.settings.metric_aliases:
            return None
        from otel_trading.trading.aliases import apply

        return partial(apply, history=self._history)

    @cached_property
    def _history(self) -> History:
        """What the aliases' rates and ratios began from: one for all outlets."""
        from otel_trading.trading.rates import History

        return History()

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

    def _sdk_push(self, taker: Taker, ledger: Ledger) -> PushReader:
        from otel_trading.metrics.preference import aggregations, temporalities
        from otel_trading.metrics.push import PushReader

        settings = self._resolved.settings
        reader = PushReader(
            taker,
            ledger,
            interval=settings.metric_interval,
            preferred_temporality=temporalities(settings.temporality),
            preferred_aggregation=aggregations(settings.histogram_aggregation),
            also=self._sdk_aliases(),
        )
        self._place(taker, reader)
        return reader

    def _takers(self, signal: Signal, *, encoded: bool = False) -> list[tuple[Ledger, Taker]]:
        """Who takes the signal, each with its account: the first has the signal's own."""
        settings = self._resolved.settings
        if settings.disabled or not getattr(settings, f"{signal}_enabled"):
            return []
        ledgers = itertools.chain([self.ledgers[signal]], (Ledger(f"{signal}-{n}") for n in itertools.count(2)))
        takers: list[tuple[Ledger, Taker]] = []
        ledger = next(ledgers)
        for name in getattr(settings, f"{signal}_exporter"):
            taker = self._taker(signal, name, ledger, encoded=encoded)
            if taker is not None:
                takers.append((ledger, taker))
                ledger = next(ledgers)
        self.targets[signal] = tuple(taker.target for _, taker in takers)
        return takers

    def _taker(self, signal: Signal, name: str, ledger: Ledger, *, encoded: bool) -> Taker | None:
        known: dict[str, Callable[[], Taker | None]] = {
            "none": lambda: None,
            "prometheus": lambda: None,  # /metrics is always there while the ops server is on
            "otlp": lambda: (EncodedTaker if encoded else ObjectTaker)(self._courier(signal, ledger)),
        }
        build = known.get(name, lambda: PluginTaker(name, load(signal, name)(), ledger))
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

    def _courier(self, signal: Signal, ledger: Ledger) -> Courier:
        pace = self._resolved.settings.spool_replay_rate
        courier = self.couriers[signal] = Courier(signal, self._otlp(signal), ledger, self._store, pace=pace)
        return courier

    def _otlp(self, signal: Signal) -> OtlpSender:
        chosen = destination(self._resolved, signal)
        place = place_of(chosen.url)
        receiver = self._receivers.setdefault(place, Receiver(place))
        return OtlpSender(signal, chosen, receiver)

    def _origin(self, signal: Signal) -> str:
        return self._resolved.origins[f"{signal}_exporter"]
