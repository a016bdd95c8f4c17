"""What panels have in common: attributes by short names, ends of axes, thresholds, expressions."""

from __future__ import annotations

from otel_trading.provisioning.boards.asked import count, highest, rate, state
from otel_trading.provisioning.colours import BAD, GOOD, TRADING, WARNING
from otel_trading.provisioning.model import Threshold

OUTCOME, BREAKER_NAME = "trading.trade.outcome", "trading.circuit_breaker.name"
VENUE, SYMBOL, STRATEGY = "trading.venue.name", "trading.instrument.symbol", "trading.strategy.name"
CURRENCY, SIDE, STAGE, LIMIT = "trading.currency", "trading.order.side", "trading.stage.name", "trading.risk.limit.name"
NOTHING = {"noValue": "none"}
NEVER_BELOW_ZERO = {"min": 0}
BARS = {"drawStyle": "bars", "fillOpacity": 70}
SHARE = {"min": 0, "max": 1}
RISING = (Threshold(0.8, WARNING), Threshold(1, BAD))
"""Shares of a limit."""
FALLING = (Threshold(0.95, WARNING), Threshold(0.99, GOOD))
"""Shares of what should be all."""
ANY_IS_BAD = (Threshold(1e-9, BAD),)
ANY_IS_ODD = (Threshold(1e-9, WARNING),)


def may_trade(*by: str) -> str:
    """What bots may do; of one that never said so, whether an emergency stop is engaged."""
    said = state("trading.state", "trading.state.value", TRADING, *by)
    return f"{said} or 2 * {highest('trading.emergency_stop.engaged', *by)}"


def share(part: str, whole: str) -> str:
    """A part of a whole; nothing where there is no whole, and nought where there is no part.

    >>> share("a", "b")
    '(a or b * 0) / (b > 0)'
    """
    return f"({part} or {whole} * 0) / ({whole} > 0)"


def within_budget(*by: str) -> str:
    """The share of measurements of stages that kept their budget."""
    late = rate("trading.stage.budget.violations", *by)
    measured = count("trading.stage.duration", *by)
    return f"1 - clamp_max(({late}) / (({measured}) > 0), 1)"
