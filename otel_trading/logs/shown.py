"""Lines as the SDK's records: made only for processors and exporters that want such."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.trace import TraceFlags

if TYPE_CHECKING:
    from collections.abc import Sequence

TAGS = "log.tags"
_NOWHERE = Context({"otel_trading": "its span is given"})


def api_record(
    severity: int,
    message: Any,  # noqa: ANN401 - any value of the API
    event: str | None,
    attributes: dict[str, Any],
    tags: Sequence[str] | None,
    time_ns: int,
    span: tuple[int, int, int],
) -> LogRecord:
    """A line as a record of the API.

    >>> api_record(9, "sent", "order.sent", {"price": 1.5}, ["live"], 5, (0, 0, 0)).attributes
    {'price': 1.5, 'log.tags': ('live',)}
    """
    number = SeverityNumber(severity) if 0 <= severity <= SeverityNumber.FATAL4.value else SeverityNumber.INFO
    record = LogRecord(
        timestamp=time_ns,
        observed_timestamp=time.time_ns(),
        context=_NOWHERE,
        severity_number=number,
        severity_text=number.name.rstrip("234") if severity else None,
        body=message,
        attributes={**attributes, TAGS: tuple(tags)} if tags else attributes,
        event_name=event,
    )
    record.trace_id, record.span_id, record.trace_flags = span[0], span[1], TraceFlags(span[2])
    record.context = Context()
    return record
