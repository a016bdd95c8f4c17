"""One colour for each state, on every board."""

from __future__ import annotations

from otel_trading.trading.conventions.enums import (
    BreakerState,
    ConnectionState,
    HealthState,
    TradingState,
)

GOOD, WARNING, BAD = "green", "orange", "red"
NEUTRAL, CALM, NOTED = "text", "blue", "purple"

STATES: dict[str, str] = {
    # what may be traded, how components are, what breakers and connections do
    "active": GOOD, "reducing": WARNING, "halted": BAD,
    "healthy": GOOD, "degraded": WARNING, "down": BAD,
    "closed": GOOD, "half_open": WARNING, "open": BAD,
    "connected": GOOD, "connecting": WARNING, "disconnected": BAD,
    "up": GOOD, "engaged": BAD, "released": GOOD,
    # what became of orders and trades
    "new": CALM, "partially_filled": NOTED, "filled": GOOD, "canceled": NEUTRAL, "expired": WARNING, "rejected": BAD,
    "success": GOOD, "partial": WARNING, "timeout": NOTED, "failed": BAD,
    "ok": GOOD, "warned": WARNING, "refused": BAD, "passed": GOOD,
    "sent": GOOD, "suppressed": NEUTRAL, "dropped": BAD,
    "confirmed": GOOD,
    # sides
    "buy": CALM, "sell": NOTED, "sell_short": NOTED,
    # how bad it is
    "info": CALM, "warning": WARNING, "error": BAD, "critical": "dark-red",
    "debug": NEUTRAL, "trace": NEUTRAL, "warn": WARNING, "fatal": "dark-red",
}  # fmt: skip
"""The colour of a state, an outcome, a side or a level, by its name in the conventions."""

TRADING = tuple(str(each) for each in (TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED))
HEALTH = tuple(str(each) for each in (HealthState.HEALTHY, HealthState.DEGRADED, HealthState.DOWN))
BREAKER = tuple(str(each) for each in (BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN))
CONNECTION = tuple(
    str(each) for each in (ConnectionState.CONNECTED, ConnectionState.CONNECTING, ConnectionState.DISCONNECTED)
)
"""The states of the conventions, from the best to the worst: 0, 1 and 2 where a number stands for them."""
