"""What both venues answer about orders and trades, each in its own words."""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING, Protocol

from otel_trading.demo.venue.engine import AccountT
from otel_trading.demo.venue.orders import Reject
from otel_trading.demo.venue.requests import Parameters, integer, order_reference
from otel_trading.demo.venue.server import Json, Venue

if TYPE_CHECKING:
    from otel_trading.demo.venue.orders import Fill, Order


class Wire(Protocol):
    """How a venue words an order and a trade."""

    def order_json(self, order: Order) -> Json:
        """Return an order as the order queries answer it."""
        ...

    def trade_json(self, order: Order, fill: Fill) -> Json:
        """Return one row of the trade list."""
        ...


class OrderQueries(Venue[AccountT], ABC):
    """The queries that differ in their wording only."""

    wire: Wire

    async def _order(self, parameters: Parameters) -> Json:
        order = self.engine.find(*order_reference(parameters))
        if order is None:
            raise Reject(-2013, "Order does not exist.")
        return self.wire.order_json(order)

    async def _open_orders(self, _: Parameters) -> list[Json]:
        return [self.wire.order_json(order) for order in self.engine.open_orders()]

    async def _all_orders(self, parameters: Parameters) -> list[Json]:
        limit = integer(parameters, "limit", 500)
        return [self.wire.order_json(order) for order in list(self.engine.orders.values())[-limit:]]

    async def _trades(self, parameters: Parameters) -> list[Json]:
        limit = integer(parameters, "limit", 500)
        rows = [self.wire.trade_json(order, fill) for order in self.engine.orders.values() for fill in order.fills]
        return sorted(rows, key=lambda row: row["id"])[-limit:]
