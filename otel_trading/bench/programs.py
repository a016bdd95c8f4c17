"""What the fresh processes run; ``ENDPOINT`` is a receiver that answers."""

from __future__ import annotations

CONFIGURE = """
import otel_trading as ot
telemetry = ot.configure(service_name="bench", endpoint=ENDPOINT, ops_port=0, banner=False)
"""

SDK_IMPORTED = """
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
"""

SDK_CONFIGURED = (
    SDK_IMPORTED
    + """
reader = PeriodicExportingMetricReader(OTLPMetricExporter(ENDPOINT + "/v1/metrics"))
metrics.set_meter_provider(MeterProvider([reader]))
spans = TracerProvider()
spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(ENDPOINT + "/v1/traces")))
trace.set_tracer_provider(spans)
logs = LoggerProvider()
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(ENDPOINT + "/v1/logs")))
"""
)

PROMETHEUS_IMPORTED = "import prometheus_client"

USE = """
from opentelemetry import metrics
frames = metrics.get_meter("bot").create_counter("bot.frames")
sizes = metrics.get_meter("bot").create_histogram("bot.size")
for number in range(10_000):
    frames.add(1, {"venue": "binance"})
    sizes.record(number, {"venue": "binance"})
"""

PROMETHEUS_USE = """
from prometheus_client import Counter, Histogram
frames, sizes = Counter("bot_frames", "", ["venue"]), Histogram("bot_size", "", ["venue"])
for number in range(10_000):
    frames.labels("binance").inc()
    sizes.labels("binance").observe(number)
"""


def configure_for(endpoint: str) -> str:
    """``CONFIGURE`` with another endpoint.

    >>> "endpoint='http://127.0.0.1:1'" in configure_for("http://127.0.0.1:1")
    True
    """
    return CONFIGURE.replace("ENDPOINT", repr(endpoint))
