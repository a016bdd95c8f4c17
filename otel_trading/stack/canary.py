"""One trace, one histogram value with its exemplar and one log line, to be found again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.trace import format_trace_id

if TYPE_CHECKING:
    from opentelemetry._logs import Logger
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Tracer

INSTRUMENT = "otel_trading.doctor.duration"
SERIES = "otel_trading_doctor_duration_seconds"


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
