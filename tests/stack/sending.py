from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import Aggregation, ExponentialBucketHistogramAggregation
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry._logs import Logger
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Tracer

    from otel_trading.stack import Stack

SCOPE = "tests.stack"
Found = TypeVar("Found")


class Emitter(Protocol):
    """What emits the three signals: a ``Sender``, or the handle of ``configure()``."""

    @property
    def tracer(self) -> Tracer: ...

    @property
    def meter(self) -> Meter: ...

    @property
    def logger(self) -> Logger: ...

    def flush(self) -> object: ...


@dataclass(frozen=True)
class Sender:
    tracers: TracerProvider
    meters: MeterProvider
    loggers: LoggerProvider

    @property
    def tracer(self) -> Tracer:
        return self.tracers.get_tracer(SCOPE)

    @property
    def meter(self) -> Meter:
        return self.meters.get_meter(SCOPE)

    @property
    def logger(self) -> Logger:
        return self.loggers.get_logger(SCOPE)

    def flush(self) -> None:
        assert self.tracers.force_flush()
        assert self.meters.force_flush()
        assert self.loggers.force_flush()


@contextmanager
def sender(stack: Stack, service: str) -> Iterator[Sender]:
    url = stack.urls["otlp_http"]
    resource = Resource.create({"service.name": service, "service.namespace": "tests", "service.instance.id": "one"})
    exponential: dict[type, Aggregation] = {Histogram: ExponentialBucketHistogramAggregation()}
    reader = PeriodicExportingMetricReader(
        OTLPMetricExporter(f"{url}/v1/metrics", preferred_aggregation=exponential), export_interval_millis=float("inf")
    )
    made = Sender(
        TracerProvider(resource=resource, shutdown_on_exit=False),
        MeterProvider([reader], resource=resource, shutdown_on_exit=False),
        LoggerProvider(resource=resource, shutdown_on_exit=False),
    )
    made.tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces")))
    made.loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{url}/v1/logs")))
    try:
        yield made
        made.flush()
    finally:
        made.tracers.shutdown()
        made.meters.shutdown()
        made.loggers.shutdown()


def eventually(ask: Callable[[], Found], *, seconds: float = 30.0) -> Found:
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer or time.monotonic() > deadline:
            return answer
        time.sleep(0.1)
