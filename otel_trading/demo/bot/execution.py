"""Sending orders, and knowing what became of each, whatever happens to the sockets in between."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import ccxt

from otel_trading.demo.bot.orders import Fill, Order, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from otel_trading.demo.bot.strategy import VenueName
    from otel_trading.demo.report import Report

_PATIENCE = 1.0  # seconds that news of an order may take before the venue is asked for it
_ATTEMPTS = 5
_STATUS: dict[str, Status] = {
    "open": "new",
    "closed": "filled",
    "canceled": "canceled",
    "expired": "expired",
    "rejected": "rejected",
}
_REFUSALS = (ccxt.ExchangeError, ccxt.InvalidNonce, ccxt.RateLimitExceeded)


@dataclass(frozen=True, slots=True)
class Venue:
    """A venue as the bot knows it: a ccxt.pro client, the instrument and the smallest step of a quantity."""

    name: VenueName
    exchange: Any
    symbol: str
    step: Decimal

    def limit(self, price: float) -> Decimal:
        """Round a price to the venue's tick."""
        return Decimal(str(self.exchange.price_to_precision(self.symbol, price)))

    def whole(self, quantity: Decimal) -> Decimal:
        """Round a quantity down to whole steps."""
        return quantity // self.step * self.step


class Executor:
    """Sends orders and books their fills.

    Args:
        venues: where orders can go.
        report: what is told of each order.
        book: called with each new fill of an order.

    """

    def __init__(self, venues: Mapping[VenueName, Venue], report: Report, book: Callable[[Order, Fill], None]) -> None:
        self._venues = venues
        self._report = report
        self._book = book
        self._orders: dict[str, Order] = {}

    async def execute(self, order: Order) -> None:
        """Send an order and return when all its fills are booked."""
        self._orders[order.client_id] = order
        try:
            with self._report.order_execution(order):
                await self._send(order)
            await self._settled(order)
        finally:
            del self._orders[order.client_id]

    def on_orders(self, rows: list[dict[str, Any]]) -> None:
        """Take what the venue's user stream says of orders."""
        for row in rows:
            order = self._orders.get(row["clientOrderId"])
            if order is not None:
                self._take(order, row, row["trades"])

    async def _send(self, order: Order) -> None:
        exchange = self._venues[order.venue].exchange
        parameters: dict[str, Any] = {"timeInForce": "IOC", "clientOrderId": order.client_id}
        if order.reduces and order.venue == "perp":
            parameters["reduceOnly"] = True
        try:
            answer = await exchange.create_order(
                order.symbol, "limit", order.side, float(order.quantity), float(order.price), parameters
            )
        except _REFUSALS as error:
            order.reject()
            self._report.order_rejected(order, reason(error), error)
            if isinstance(error, ccxt.InvalidNonce):
                await self._set_clock(order.venue)
        except ccxt.NetworkError as error:
            order.status = "unknown"
            self._report.order_unanswered(order, error)
        else:
            order.id = str(answer["id"])
            self._report.order_acknowledged(order)
            order.update(_STATUS[answer["status"]], Decimal(str(answer["filled"])))

    async def _settled(self, order: Order) -> None:
        """Wait for the fills on the user stream, and ask the venue when they do not come."""
        for attempt in range(_ATTEMPTS):
            try:
                async with asyncio.timeout(_PATIENCE):
                    await order.done.wait()
            except TimeoutError:
                await self._ask(order, last=attempt == _ATTEMPTS - 1)
            if order.done.is_set():
                break
        self._report.order_settled(order)

    async def _ask(self, order: Order, *, last: bool) -> None:
        venue = self._venues[order.venue]
        try:
            row = await venue.exchange.fetch_order(
                order.id or None, order.symbol, {} if order.id else {"origClientOrderId": order.client_id}
            )
            trades = await venue.exchange.fetch_my_trades(order.symbol, limit=100)
        except ccxt.OrderNotFound:
            if last or order.status == "unknown":
                order.reject()
        except ccxt.BaseError as error:
            self._report.problem(order.venue, error)
        else:
            order.id = str(row["id"])
            self._take(order, row, [trade for trade in trades if trade["order"] == order.id])

    async def _set_clock(self, venue: VenueName) -> None:
        """Ask for the venue's time: it no longer takes ours."""
        try:
            await self._venues[venue].exchange.load_time_difference()
        except ccxt.BaseError as error:
            self._report.problem(venue, error)

    def _take(self, order: Order, row: dict[str, Any], trades: list[dict[str, Any]]) -> None:
        for trade in trades:
            fill = _fill(trade, order.symbol)
            if order.add(fill):
                self._book(order, fill)
        order.update(_STATUS.get(row["status"], "new"), Decimal(str(row["filled"] or 0)))


def reason(error: ccxt.BaseError) -> str:
    """Name why an order was refused in words that stay few.

    >>> reason(ccxt.InsufficientFunds("no USDT"))
    'insufficient_funds'
    """
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()


def _fill(trade: dict[str, Any], symbol: str) -> Fill:
    """One of ccxt's trades; a commission taken in the base currency is counted at the fill's price."""
    price, quantity = Decimal(str(trade["price"])), Decimal(str(trade["amount"]))
    fee = cast("dict[str, Any]", trade["fee"] or {"cost": 0, "currency": None})
    commission = Decimal(str(fee["cost"]))
    if fee["currency"] == symbol.partition("/")[0]:
        commission *= price
    return Fill(str(trade["id"]), price, quantity, commission, maker=trade["takerOrMaker"] == "maker")
