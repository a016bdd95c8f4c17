"""The kit itself as a contender."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING

from otel_trading.bench.contenders.base import ATTRIBUTES, NEVER_S, OURS, Made, SpanEncoder
from otel_trading.bench.contenders.behind_api import BehindApi, end_spans, logger_with, observations, record_series

if TYPE_CHECKING:
    from collections.abc import Callable


class OtelTrading(BehindApi):
    """The kit as ``configure()`` sets it up."""

    name = OURS
    distribution = "otel-trading"

    @cached_property
    def telemetry(self) -> Made:
        import otel_trading as ot

        return ot.configure(
            service_name="bench",
            endpoint=self.endpoint,
            ops_port=0,
            banner=False,
            instrument="none",
            metric_interval=NEVER_S,
            log_delay=NEVER_S,
            log_batch_size=16_384,
        )

    @cached_property
    def meter(self) -> Made:
        return self.telemetry.meter

    @cached_property
    def _spans(self) -> Made:
        from otel_trading.tracing.native import NativeTracerProvider

        return NativeTracerProvider(retention="all")

    @cached_property
    def tracer(self) -> Made:
        return self._spans.get_tracer("bench")

    @cached_property
    def logger(self) -> logging.Logger:
        self.telemetry  # noqa: B018 - it puts the handler there
        root = logging.getLogger()
        handler = next(handler for handler in root.handlers if type(handler).__name__ == "BridgeHandler")
        root.removeHandler(handler)
        return logger_with("bench.ours", handler)

    def instrument(self, kind: str, name: str) -> Made:
        if kind == "timer":
            return self.telemetry.timer(name, attributes=ATTRIBUTES)
        if kind == "unbound":
            return self.meter.create_histogram(name)
        return super().instrument(kind, name).bind(ATTRIBUTES)

    @cached_property
    def decorated(self) -> Made:
        return self.timer(self.plain)

    @cached_property
    def decorated_coroutine(self) -> Made:
        return self.timer(self.plain_coroutine)

    @cached_property
    def events(self) -> Made:
        from otel_trading.metrics.events import EventOptions, MetricsCollector

        collector = MetricsCollector()
        collector.configure(EventOptions(sampling_threshold=0))
        return collector

    @cached_property
    def observe(self) -> Made:
        from otel_trading.metrics import events

        return self.events and events.observe

    @cached_property
    def monotonic_ns(self) -> Made:
        from otel_trading import _native

        return _native.monotonic_ns

    @cached_property
    def record_event(self) -> Made:
        from otel_trading.metrics import events

        return self.events and events.record_event

    @cached_property
    def event(self) -> int:
        from otel_trading.metrics.events import event_id

        return event_id("bench.event")

    def before(self) -> None:
        if "events" in self.__dict__:
            self.events.tick()
        if "_spans" in self.__dict__:
            self.export_spans()

    def export_spans(self) -> None:
        self._spans.core.flush()
        self._spans.core.clear()

    def span_encoder(self, spans: int) -> SpanEncoder:
        from otel_trading.tracing.native import NativeTracerProvider

        provider = NativeTracerProvider(retention="all")

        def take() -> int:
            size = 0
            while (batch := provider.core.take(rest=True)) is not None:
                size += len(batch.request)
            return size

        return SpanEncoder(lambda: end_spans(provider.get_tracer("bench"), spans), provider.core.flush, take)

    @cached_property
    def observed(self) -> Made:
        from otel_trading.metrics.native import NativeMeterProvider, NativeReader

        reader = NativeReader()
        NativeMeterProvider([reader]).get_meter("bench").create_observable_gauge("bot.age", [observations])
        return reader

    def encoder(self, series: int) -> Callable[[], int]:
        from otel_trading.metrics.native import NativeMeterProvider, NativeReader

        reader = NativeReader()
        provider = NativeMeterProvider([reader])
        record_series(provider.get_meter("bench"), series)
        return lambda: sum(len(request) for request, _ in reader.collect(60.0).otlp(provider.resource))

    def export(self) -> None:
        self.telemetry.flush()

    def close(self) -> None:
        if "telemetry" in self.__dict__:
            self.telemetry.shutdown(0.1)
