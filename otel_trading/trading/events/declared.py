"""All events there are."""

from __future__ import annotations

from otel_trading.trading.events.market import MARKET
from otel_trading.trading.events.money import MONEY
from otel_trading.trading.events.orders import ORDERS
from otel_trading.trading.events.risk import RISK
from otel_trading.trading.events.trades import TRADES

EVENTS = {event.name: event for event in (*ORDERS, *TRADES, *MARKET, *MONEY, *RISK)}
"""Every event, by name."""
