"""One trace, one histogram value with its exemplar and one log line, to be found again."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import Histogram, MeterProvider, TraceBasedExemplarFilter
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import Aggregation, ExponentialBucketHistogramAggregation
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import format_trace_id

from otel_trading.extras import require
from otel_trading.stack.endpoint import GRPC, Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry._logs import Logger
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Tracer

SCOPE = "otel_trading.doctor"
INSTRUMENT = "otel_trading.doctor.duration"
SERIES = "otel_trading_doctor_duration_seconds"
EXPORT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Canary:
    """What was sent: all three carry the same trace id."""

    run_id: str
    trace_id: str


def send_canary(tracer: Tracer, meter: Meter, logger: Logger, run_id: str) -> Canary:
    """Record one span, one histogram value inside it and one log line inside it."""
    began = time.perf_counter()
    with tracer.start_as_current_span("otel-trading doctor", attributes={"otel_trading.doctor.run": run_id}) as span:
        trace_id = format_trace_id(span.get_span_context().trace_id)
        logger.emit(
            LogRecord(
                timestamp=time.time_ns(),
                severity_number=SeverityNumber.INFO,
                severity_text="INFO",
                body=f"otel-trading doctor {run_id}",
                attributes={"otel_trading.doctor.run": run_id},
            )
        )
        histogram = meter.create_histogram(INSTRUMENT, unit="s", description="How long it took to write the canary.")
        histogram.record(time.perf_counter() - began)
    return Canary(run_id, trace_id)


@contextmanager
def canary_providers(endpoint: Endpoint) -> Iterator[tuple[Tracer, Meter, Logger]]:
    """Give a tracer, a meter and a logger that export to ``endpoint``; leaving flushes them.

    Nothing is registered globally, and what the environment says about sampling does not apply.
    """
    # one instance for all runs: the exemplar tells them apart, and series do not pile up
    resource = Resource.create({"service.name": "otel-trading-doctor", "service.instance.id": "doctor"})
    spans, metrics, logs = _exporters(endpoint)
    tracers = TracerProvider(resource=resource, sampler=ALWAYS_ON, shutdown_on_exit=False)
    tracers.add_span_processor(BatchSpanProcessor(spans))
    reader = PeriodicExportingMetricReader(metrics, export_interval_millis=float("inf"))
    meters = MeterProvider(
        [reader], resource=resource, exemplar_filter=TraceBasedExemplarFilter(), shutdown_on_exit=False
    )
    loggers = LoggerProvider(resource=resource, shutdown_on_exit=False)
    loggers.add_log_record_processor(BatchLogRecordProcessor(logs))
    try:
        yield tracers.get_tracer(SCOPE), meters.get_meter(SCOPE), loggers.get_logger(SCOPE)
    finally:
        tracers.shutdown()
        meters.force_flush(timeout_millis=EXPORT_SECONDS * 1000)  # without an interval, shutdown does not collect
        meters.shutdown(timeout_millis=EXPORT_SECONDS * 1000)
        loggers.shutdown()


def is_sdk_disabled() -> bool:
    """Tell whether ``OTEL_SDK_DISABLED`` turns everything off."""
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def _exporters(endpoint: Endpoint) -> tuple[OTLPSpanExporter, OTLPMetricExporter, OTLPLogExporter]:
    exponential: dict[type, Aggregation] = {Histogram: ExponentialBucketHistogramAggregation()}
    if endpoint.protocol != GRPC:
        return (
            OTLPSpanExporter(endpoint.signal_url("traces"), timeout=EXPORT_SECONDS),
            OTLPMetricExporter(
                endpoint.signal_url("metrics"), timeout=EXPORT_SECONDS, preferred_aggregation=exponential
            ),
            OTLPLogExporter(endpoint.signal_url("logs"), timeout=EXPORT_SECONDS),
        )
    package = "opentelemetry.exporter.otlp.proto.grpc"
    target, insecure = f"{endpoint.host}:{endpoint.port}", not endpoint.is_secure
    span_exporter = require(f"{package}.trace_exporter", extra="grpc").OTLPSpanExporter
    metric_exporter = require(f"{package}.metric_exporter", extra="grpc").OTLPMetricExporter
    log_exporter = require(f"{package}._log_exporter", extra="grpc").OTLPLogExporter
    return (
        span_exporter(target, insecure=insecure, timeout=EXPORT_SECONDS),
        metric_exporter(target, insecure=insecure, timeout=EXPORT_SECONDS, preferred_aggregation=exponential),
        log_exporter(target, insecure=insecure, timeout=EXPORT_SECONDS),
    )
