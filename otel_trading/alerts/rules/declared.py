"""All rules there are without the bot's own."""

from __future__ import annotations

from otel_trading.alerts.rules.market import MARKET
from otel_trading.alerts.rules.orders import ORDERS
from otel_trading.alerts.rules.risk import RISK
from otel_trading.alerts.rules.wellbeing import WELLBEING

RULES = {rule.name: rule for rule in (*WELLBEING, *RISK, *MARKET, *ORDERS)}
"""Every rule, by name; what stops the bot comes first."""
