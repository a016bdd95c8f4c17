"""Which log records matter most: those about trouble and those about money."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry._logs import LogRecord

    from otel_trading.export.ledger import Lane

_WARNING = 13
"""The least severity number of a warning."""

PREFIXES = (
    "trading.order.",
    "trading.execution.",
    "trading.trade.",
    "trading.pnl.",
    "trading.position.",
    "trading.venue.balance",
    "trading.risk.",
    "trading.circuit_breaker.",
    "trading.halt",
)
"""What names of events and keys of attributes begin with that are about orders, executions, P&L, positions or risk."""


def lane(record: LogRecord) -> Lane:
    """``important`` for warnings and worse, and for what is about orders, executions, P&L, positions or risk.

    >>> from opentelemetry._logs import LogRecord, SeverityNumber
    >>> lane(LogRecord(severity_number=SeverityNumber.WARN))
    'important'
    >>> lane(LogRecord(event_name="trading.order.rejected")), lane(LogRecord(attributes={"trading.pnl.realized": -5.0}))
    ('important', 'important')
    >>> lane(LogRecord(severity_number=SeverityNumber.INFO, body="tick", attributes={"trading.venue.name": "kraken"}))
    'low'
    """
    severity = record.severity_number
    if severity is not None and severity.value >= _WARNING:
        return "important"
    name = record.event_name
    if name and name.startswith(PREFIXES):
        return "important"
    for key in record.attributes or ():
        if key.startswith(PREFIXES):
            return "important"
    return "low"
