"""Orders from their submission to their end, whatever order the news of them comes in."""

from otel_trading.trading.orders.book import Orders, Taken
from otel_trading.trading.orders.order import FINAL, Order

__all__ = ["FINAL", "Order", "Orders", "Taken"]
