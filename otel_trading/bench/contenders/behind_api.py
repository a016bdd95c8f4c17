"""Contenders behind the OpenTelemetry API: opentelemetry-sdk, and nothing."""

from __future__ import annotations

import functools
import logging
from functools import cached_property
from typing import TYPE_CHECKING

from otel_trading.bench.contenders.base import (
    ATTRIBUTES,
    NEVER_S,
    NONE,
    OBSERVED,
    PER_INSTRUMENT,
    SDK,
    Contender,
    Made,
    SpanEncoder,
)
from otel_trading.bench.contenders.by_hand import execution

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.metrics import CallbackOptions, Observation
    from opentelemetry.sdk.trace import ReadableSpan


class BehindApi(Contender):
    """A contender behind the OpenTelemetry API, which has no bind: every call carries the attributes."""

    @cached_property
    def meter(self) -> Made:
        raise NotImplementedError

    @cached_property
    def tracer(self) -> Made:
        raise NotImplementedError

    @cached_property
    def logger(self) -> logging.Logger:
        raise NotImplementedError

    def instrument(self, kind: str, name: str) -> Made:
        made = {
            "counter": self.meter.create_counter,
            "gauge": self.meter.create_gauge,
            "histogram": self.meter.create_histogram,
            "timer": functools.partial(self.meter.create_histogram, unit="s"),
        }
        return made[kind](name)

    def populate(self, series: int) -> None:
        sizes = self.meter.create_histogram("bot.other.size")
        for number in range(series):
            sizes.record(1.0, {**ATTRIBUTES, "number": number})

    @cached_property
    def span(self) -> Made:
        return self.tracer.start_span("tick")

    @cached_property
    def inside(self) -> Made:
        """The context in which that span is the current one."""
        from opentelemetry.trace import set_span_in_context

        return set_span_in_context(self.span)

    @cached_property
    def filled(self) -> Made:
        """Reports an execution by hand."""
        return execution(self.meter, self.tracer.start_span("order"), self.logger)

    @cached_property
    def counter(self) -> Made:
        return self.meter.create_counter("bot.frames")

    @cached_property
    def histogram(self) -> Made:
        return self.meter.create_histogram("bot.size")

    @cached_property
    def decorated(self) -> Made:
        timer, now, attributes, plain = self.timer, self.now, ATTRIBUTES, self.plain

        @functools.wraps(plain)
        def timed(value: float) -> float:
            started = now()
            try:
                return plain(value)
            finally:
                timer.record(now() - started, attributes)

        return timed

    @cached_property
    def decorated_coroutine(self) -> Made:
        timer, now, attributes, plain = self.timer, self.now, ATTRIBUTES, self.plain_coroutine

        @functools.wraps(plain)
        async def timed(value: float) -> float:
            started = now()
            try:
                return await plain(value)
            finally:
                timer.record(now() - started, attributes)

        return timed


class NoTelemetry(BehindApi):
    """The calls are there, but nobody configured telemetry: the OpenTelemetry API alone."""

    name = NONE
    distribution = "opentelemetry-api"

    @cached_property
    def meter(self) -> Made:
        from opentelemetry.metrics import NoOpMeterProvider

        return NoOpMeterProvider().get_meter("bench")

    @cached_property
    def tracer(self) -> Made:
        from opentelemetry.trace import NoOpTracerProvider

        return NoOpTracerProvider().get_tracer("bench")

    @cached_property
    def logger(self) -> logging.Logger:
        return logger_with("bench.none", logging.NullHandler())


class Sdk(BehindApi):
    """opentelemetry-sdk with its OTLP/HTTP metric exporter."""

    name = SDK
    distribution = "opentelemetry-sdk"

    @cached_property
    def _meters(self) -> Made:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

        exporter = OTLPMetricExporter(f"{self.endpoint}/v1/metrics")
        reader = PeriodicExportingMetricReader(exporter, export_interval_millis=NEVER_S * 1e3)
        return MeterProvider([reader], shutdown_on_exit=False)

    @cached_property
    def _spans(self) -> Made:
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

        class Nowhere(SpanExporter):
            def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
                return SpanExportResult.SUCCESS

        logging.getLogger("opentelemetry.sdk").setLevel(logging.CRITICAL)  # it says when its queue is full
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(Nowhere()))
        return provider

    @cached_property
    def meter(self) -> Made:
        return self._meters.get_meter("bench")

    @cached_property
    def tracer(self) -> Made:
        return self._spans.get_tracer("bench")

    @cached_property
    def logger(self) -> logging.Logger:
        from opentelemetry.instrumentation.logging.handler import LoggingHandler
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, InMemoryLogRecordExporter

        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(BatchLogRecordProcessor(InMemoryLogRecordExporter()))  # type: ignore[no-untyped-call]
        return logger_with("bench.sdk", LoggingHandler(logger_provider=provider))

    @cached_property
    def observed(self) -> Made:
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader

        reader = InMemoryMetricReader()
        meter = MeterProvider([reader], shutdown_on_exit=False).get_meter("bench")
        meter.create_observable_gauge("bot.age", [observations])
        return reader

    def encoder(self, series: int) -> Callable[[], int]:
        from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader

        reader = InMemoryMetricReader()
        record_series(MeterProvider([reader], shutdown_on_exit=False).get_meter("bench"), series)

        def collect() -> int:
            data = reader.get_metrics_data()
            return len(encode_metrics(data).SerializeToString()) if data else 0

        return collect

    def before(self) -> None:
        if "_spans" in self.__dict__:
            self.export_spans()

    def export(self) -> None:
        self._meters.force_flush()

    def export_spans(self) -> None:
        self._spans.force_flush()

    def span_encoder(self, spans: int) -> SpanEncoder:
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        kept = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(kept))

        def encode() -> int:
            size = len(encode_spans(kept.get_finished_spans()).SerializeToString())
            kept.clear()
            return size

        return SpanEncoder(lambda: end_spans(provider.get_tracer("bench"), spans), int, encode)

    def close(self) -> None:
        for provider in ("_meters", "_spans"):
            if provider in self.__dict__:
                self.__dict__[provider].shutdown()


def record_series(meter: Made, series: int) -> None:
    """Record once into each of so many histogram series."""
    for first in range(0, series, PER_INSTRUMENT):
        histogram = meter.create_histogram(f"bot.size.{first}")
        for number in range(min(PER_INSTRUMENT, series - first)):
            histogram.record(2.5, {"number": number})


def end_spans(tracer: Made, spans: int) -> None:
    """Start and end so many spans with the attributes that all rows use."""
    for _ in range(spans):
        tracer.start_span("tick", attributes=ATTRIBUTES).end()


def observations(_: CallbackOptions) -> list[Observation]:
    from opentelemetry.metrics import Observation

    return [Observation(1.0, {"number": number}) for number in range(OBSERVED)]


def logger_with(name: str, handler: logging.Handler) -> logging.Logger:
    logger = logging.getLogger(name)
    logger.propagate = False
    logger.addHandler(handler)
    return logger
