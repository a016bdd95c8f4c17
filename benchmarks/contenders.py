"""The same operation by each contender: made ready once, then a call without arguments."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, InMemoryLogRecordExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from prometheus_client import CollectorRegistry, Counter, Histogram

import otel_trading as ot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.metrics import Meter
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Tracer

Calls = dict[str, "Callable[[], object]"]
ATTRIBUTES = {"trading.venue.name": "binance", "trading.instrument.symbol": "BTC/USDT"}


def operations() -> tuple[dict[str, Calls], Callable[[], object]]:
    """Operations by name, each with its contenders, and what to call at the end."""
    telemetry = ot.configure(
        service_name="benchmark",
        endpoint="http://127.0.0.1:1",
        ops_port=0,
        banner=False,
        metric_interval=3600.0,
        span_delay=3600.0,
        log_delay=3600.0,
        span_batch_size=16_384,
        log_batch_size=16_384,
    )
    spans, meters = TracerProvider(shutdown_on_exit=False), MeterProvider([InMemoryMetricReader()])
    spans.add_span_processor(BatchSpanProcessor(_Nowhere()))
    registry = CollectorRegistry()
    counter = Counter("frames", "", ["venue", "symbol"], registry=registry)
    histogram = Histogram("decide", "", ["venue", "symbol"], registry=registry)
    sdk_meter, our_meter = meters.get_meter("benchmark"), telemetry.meter
    two_meter = MeterProvider([InMemoryMetricReader(), InMemoryMetricReader()]).get_meter("benchmark")
    table: dict[str, Calls] = {
        "counter.add(1, two attributes)": {
            "no telemetry": _nothing,
            "prometheus_client": lambda: counter.labels("binance", "BTC/USDT").inc(),
            "opentelemetry-sdk": _adding(sdk_meter),
            "opentelemetry-sdk, two readers": _adding(two_meter),
            "otel_trading, engine sdk": _adding(our_meter),
        },
        "histogram.record(x, two attributes)": {
            "no telemetry": _nothing,
            "prometheus_client": lambda: histogram.labels("binance", "BTC/USDT").observe(0.003),
            "opentelemetry-sdk": _recording(sdk_meter),
            "opentelemetry-sdk, two readers": _recording(two_meter),
            "otel_trading, engine sdk": _recording(our_meter),
        },
        "with start_as_current_span(two attributes)": {
            "no telemetry": _nothing,
            "opentelemetry-sdk": _spanning(spans.get_tracer("benchmark")),
            "otel_trading, engine sdk": _spanning(telemetry.tracer),
        },
        "logger.warning(one argument)": {
            "no telemetry": _logging("benchmark.none", logging.NullHandler()),
            "opentelemetry-sdk": _logging("benchmark.sdk", _sdk_handler()),
            "otel_trading, engine sdk": _logging("benchmark.ours", _our_handler()),
        },
    }

    def close() -> None:
        telemetry.shutdown(0.1)
        spans.shutdown()

    return table, close


class _Nowhere(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def _nothing() -> None:
    pass


def _adding(meter: Meter) -> Callable[[], object]:
    counter = meter.create_counter("frames")
    return lambda: counter.add(1, ATTRIBUTES)


def _recording(meter: Meter) -> Callable[[], object]:
    histogram = meter.create_histogram("decide.duration", "s")
    return lambda: histogram.record(0.003, ATTRIBUTES)


def _spanning(tracer: Tracer) -> Callable[[], object]:
    def span() -> None:
        with tracer.start_as_current_span("tick", attributes=ATTRIBUTES):
            pass

    return span


def _logging(name: str, handler: logging.Handler) -> Callable[[], object]:
    logger = logging.getLogger(name)
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    logger.addHandler(handler)
    return lambda: logger.warning("order %s sent", "c-1")


def _sdk_handler() -> logging.Handler:
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(InMemoryLogRecordExporter()))  # type: ignore[no-untyped-call]
    return LoggingHandler(logger_provider=provider)


def _our_handler() -> Any:  # noqa: ANN401 - the handler that configure() put on the root logger
    handler = next(handler for handler in logging.getLogger().handlers if type(handler).__name__ == "BridgeHandler")
    logging.getLogger().removeHandler(handler)
    return handler
