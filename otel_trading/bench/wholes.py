"""A process's whole telemetry, as its bot sets it up: all three signals, sent to a receiver."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from otel_trading.bench.contenders.base import ATTRIBUTES, NONE, OURS, SDK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

_PATIENCE_S = 30.0


class Whole:
    """No telemetry: the API alone."""

    def __init__(self, endpoint: str, options: Mapping[str, Any]) -> None:
        from opentelemetry import metrics, trace

        self.endpoint = endpoint
        self.options = options
        self.set_up()
        self._tracer = trace.get_tracer("bench")
        self._frames = metrics.get_meter("bench").create_counter("bot.frames")
        self._logger = logging.getLogger("bench")
        self._logger.setLevel(logging.INFO)
        self._logger.addHandler(logging.NullHandler())

    def set_up(self) -> None:
        """Have the API's providers send to the receiver."""

    def span(self) -> None:
        """Start and end a span with two attributes, in OpenTelemetry's context."""
        with self._tracer.start_as_current_span("tick", attributes=ATTRIBUTES):
            pass

    def log(self) -> None:
        """One record."""
        self._logger.info("order %s sent", "c-1")

    def measure(self) -> None:
        """One measurement."""
        self._frames.add(1, ATTRIBUTES)

    def confirmed(self) -> int:
        """The spans that the receiver has confirmed, after all were sent."""
        return 0

    def close(self) -> None:
        """End it."""


class OtelTradingWhole(Whole):
    """``configure()``, with every trace kept."""

    def set_up(self) -> None:
        import otel_trading as ot

        self._telemetry = ot.configure(
            service_name="bench",
            endpoint=self.endpoint,
            ops_port=0,
            banner=False,
            instrument="none",
            traces_retention="all",
            **self.options,
        )

    def confirmed(self) -> int:
        self._telemetry.flush(_PATIENCE_S)
        return self._telemetry.status().signals["traces"].sent

    def close(self) -> None:
        self._telemetry.shutdown(1.0)


class SdkWhole(Whole):
    """opentelemetry-sdk with batch processors and OTLP/HTTP exporters, all at their defaults."""

    def set_up(self) -> None:
        from opentelemetry import metrics, trace
        from opentelemetry._logs import set_logger_provider
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.instrumentation.logging.handler import LoggingHandler
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # it says that its queue is full, again and again
        counted = self._sent = [0]

        class Counting(OTLPSpanExporter):
            def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
                result = super().export(spans)
                if result is SpanExportResult.SUCCESS:
                    counted[0] += len(spans)
                return result

        reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{self.endpoint}/v1/metrics"))
        meters = MeterProvider([reader], shutdown_on_exit=False)
        metrics.set_meter_provider(meters)
        self._spans = TracerProvider(shutdown_on_exit=False)
        self._spans.add_span_processor(BatchSpanProcessor(Counting(f"{self.endpoint}/v1/traces")))
        trace.set_tracer_provider(self._spans)
        logs = LoggerProvider(shutdown_on_exit=False)
        logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{self.endpoint}/v1/logs")))
        set_logger_provider(logs)
        logging.getLogger("bench").addHandler(LoggingHandler(logger_provider=logs))
        self._providers: tuple[Any, ...] = (meters, self._spans, logs)

    def confirmed(self) -> int:
        self._spans.force_flush(int(_PATIENCE_S * 1e3))
        return self._sent[0]

    def close(self) -> None:
        for provider in self._providers:
            provider.shutdown()


WHOLES: dict[str, Callable[[str, Mapping[str, Any]], Whole]] = {NONE: Whole, OURS: OtelTradingWhole, SDK: SdkWhole}
"""Each is made with the OTLP/HTTP endpoint it sends to, and options of ``configure()``."""
