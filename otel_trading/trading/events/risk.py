"""What keeps the bot from losing more than it may."""

from __future__ import annotations

from otel_trading.trading.events.model import Event, Level, Measure

_RISK = "risk_manager"

LIMIT = Event(
    "trading.risk.limit_checked",
    "limit checked",
    ("limit_name", "scope", "result", "used", "limit", "utilization", "strategy", "venue", "symbol", "text"),
    (
        Measure("trading.risk.checks"),
        Measure("trading.risk.usage", "used"),
        Measure("trading.risk.limit", "limit"),
        Measure("trading.risk.utilization.ratio", "utilization"),
    ),
    Level.DEBUG,
    component=_RISK,
    row="limits",
    alert="approaching_limits",
    tags=("risk",),
)

BREAKER = Event(
    "trading.circuit_breaker.changed",
    "circuit breaker changed",
    ("breaker", "previous_state", "breaker_state", "reason", "text"),
    (Measure("trading.circuit_breaker.transitions"),),
    Level.WARNING,
    component=_RISK,
    row="halts",
    alert="circuit_breaker_trip",
    tags=("risk",),
)

HALTED = Event(
    "trading.halted",
    "trading halted",
    ("trigger", "reason", "state", "text"),
    (Measure("trading.halts"),),
    Level.CRITICAL,
    component=_RISK,
    row="halts",
    alert="trading_halted",
    tags=("risk",),
)

RESUMED = Event(
    "trading.resumed",
    "trading resumed",
    ("trigger", "reason", "state", "text"),
    level=Level.WARNING,
    component=_RISK,
    row="halts",
    tags=("risk",),
)

MEASURED = Event(
    "trading.risk.measured",
    "risk measured",
    ("measure", "value", "currency", "confidence", "window", "strategy", "venue", "symbol"),
    (
        Measure("trading.risk.var", "value", where=(("measure", "var"),)),
        Measure("trading.risk.expected_shortfall", "value", where=(("measure", "expected_shortfall"),)),
        Measure("trading.risk.volatility.ratio", "value", where=(("measure", "volatility"),)),
    ),
    component=_RISK,
    row="risk",
    tags=("risk",),
)

RISK = (LIMIT, BREAKER, HALTED, RESUMED, MEASURED)
