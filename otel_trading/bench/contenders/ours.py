"""The kit itself as a contender."""

from __future__ import annotations

import logging
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from otel_trading.bench.contenders.asyncio_tasks import AsyncioTasks
from otel_trading.bench.contenders.base import ATTRIBUTES, NEVER_S, OURS, RECORD, Made, SpanEncoder
from otel_trading.bench.contenders.behind_api import BehindApi, end_spans, logger_with, observations, record_series
from otel_trading.bench.contenders.ccxt_frames import frames
from otel_trading.bench.contenders.ccxt_requests import requests

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.bench.contenders.ccxt_frames import Frames
    from otel_trading.bench.contenders.ccxt_requests import Requests


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
            flight_size=1 << 26,  # so that nothing has to be dropped, which would cost less
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
    def emergency(self) -> Made:
        return self.telemetry.emergency

    @cached_property
    def risk(self) -> Made:
        return self.telemetry.risk

    order = MappingProxyType({"symbol": "BTC/USDT", "side": "buy"})

    @cached_property
    def log(self) -> Made:
        return self.telemetry.log("bench.ours")

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
    def trading(self) -> Made:
        """Trading events, with an order that is never filled in full."""
        trading = self.telemetry.trading
        trading.order_submitted(
            "c-0", venue="binance", symbol="BTC/USDT", side="buy", type="limit", quantity=1e15, price=27_000.0
        )
        return trading

    @cached_property
    def feed(self) -> Made:
        from otel_trading.trading.feeds import Feeds

        return Feeds(lambda: self.meter).feed("binance", "btcusdt@trade", symbol="BTC/USDT", type="trade")

    @cached_property
    def _ccxt(self) -> Frames:
        self.telemetry  # noqa: B018 - what the instrumentation reports to
        return frames()

    @cached_property
    def ccxt_frame(self) -> Made:
        return self._ccxt.instrumented

    @cached_property
    def ccxt_plain_frame(self) -> Made:
        return self._ccxt.plain

    @cached_property
    def ccxt_message(self) -> Made:
        return self._ccxt.message

    @cached_property
    def _ccxt_requests(self) -> Requests:
        self.telemetry  # noqa: B018 - what the instrumentation reports to
        return requests()

    @cached_property
    def ccxt_request(self) -> Made:
        return self._ccxt_requests.instrumented

    @cached_property
    def ccxt_plain_request(self) -> Made:
        return self._ccxt_requests.plain

    @cached_property
    def received(self) -> Made:
        from otel_trading.instrument.links import Links
        from otel_trading.instrument.reporting import Reporting

        link = Links(Reporting(self.meter, self.tracer, self.trading), None).dial(
            "wss://stream.binance.com:9443/stream"
        )
        assert link is not None  # noqa: S101 - nothing suppresses it here
        link.opened()
        return link.received

    @cached_property
    def decorated(self) -> Made:
        return self.timer(self.plain)

    @cached_property
    def decorated_coroutine(self) -> Made:
        return self.timer(self.plain_coroutine)

    @cached_property
    def tasks(self) -> Made:
        """A loop's tasks, as they are and as they are instrumented."""
        self.telemetry  # noqa: B018 - where they are told
        return AsyncioTasks()

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
    def redact_attributes(self) -> Made:
        from otel_trading import _native

        return _native.redact_attributes

    @cached_property
    def record(self) -> dict[str, object]:
        return RECORD

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
        if "log" in self.__dict__:
            self.telemetry.flush()

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
        if "_ccxt" in self.__dict__:
            self._ccxt.uninstrument()
        if "_ccxt_requests" in self.__dict__:
            self._ccxt_requests.uninstrument()
        if "telemetry" in self.__dict__:
            self.telemetry.shutdown(0.1)
