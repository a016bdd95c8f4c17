"""The step that takes back what is open at the venues, and looks whether it is gone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from otel_trading.lifecycle.clients import Client, at_once, kind
from otel_trading.lifecycle.model import CANCEL_ORDERS, IncompleteError, Step, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from otel_trading.trading.facade import Trading
    from otel_trading.trading.orders import Order

_ROUNDS = 3
_LATE = 0.5
"""Seconds after which an order that was on its way has arrived."""
_NAMED = 10


@dataclass
class _AtVenue:
    """What becomes of the orders at one venue."""

    client: Client
    name: str
    mine: list[Order]
    cancelled: set[str] = field(default_factory=set)
    open: list[str] = field(default_factory=list)
    foreign: int = 0
    known: bool = False
    """Whether the venue said what is open."""
    errors: dict[str, str] = field(default_factory=dict)

    def words(self) -> str:
        said = [f"{len(self.cancelled)} cancelled"]
        if self.open:
            may = "still" if self.known else "may still be"
            named = ", ".join(self.open[:_NAMED]) + (", …" if len(self.open) > _NAMED else "")
            said.append(f"{len(self.open)} {may} open ({named})")
        if not self.known:
            said.append("the venue did not say what is open")
        if self.foreign:
            said.append(f"{self.foreign} of others left alone")
        said += self.errors.values()
        return f"{self.name}: {', '.join(said)}"

    @property
    def well(self) -> bool:
        return self.known and not self.open


class CancelOpenOrders:
    """Cancels what is open: the bot's own orders, or with ``everything`` all that the accounts have.

    The bot's own are those that ``telemetry.trading.orders`` knows as open at this venue. What the venue says counts:
    it is asked before and after, up to three times, and what stays open is told and makes the step fail.

    Args:
        trading: where the bot's orders are known.
        clients: of ccxt, all synchronous or all asynchronous.
        everything: whether orders that the bot does not know are cancelled, too.
        symbols: beside those of known orders, for venues that want to be asked symbol by symbol.
        venues: the venues' names in trading events, by ccxt's ids, where they differ.

    """

    def __init__(
        self,
        trading: Trading,
        clients: list[Client],
        *,
        everything: bool,
        symbols: Iterable[str],
        venues: Mapping[str, str],
    ) -> None:
        self._trading = trading
        self._clients = clients
        self._everything = everything
        self._symbols = tuple(symbols)
        self._venues = venues
        self._results: list[_AtVenue] = []

    def progress(self) -> str:
        """What is known so far, in words."""
        return "; ".join(result.words() for result in self._results)

    async def work(self) -> str:
        """Do it; what was done in words, ``IncompleteError`` when something stayed open."""
        self._results = [self._begin(client) for client in self._clients]
        works = [self._at(result) for result in self._results]
        if self._clients and self._clients[0].is_async:
            await asyncio.gather(*works)
        else:
            for work in works:
                await work
        if not all(result.well for result in self._results):
            raise IncompleteError(self.progress())
        return self.progress()

    def _begin(self, client: Client) -> _AtVenue:
        name = self._venues.get(client.name, client.name)
        mine = [order for order in self._trading.orders if order.venue in (name, client.name, None)]
        result = _AtVenue(client, name, mine)
        result.open = [_shown(order.client_order_id, order.order_id) for order in mine]
        return result

    async def _at(self, result: _AtVenue) -> None:
        try:
            await self._cancel(result)
        except Exception as error:
            result.errors["venue"] = shortened(f"{type(error).__name__}: {error}")

    async def _cancel(self, result: _AtVenue) -> None:
        client = result.client
        waits = any(not order.acknowledged_ns for order in result.mine)
        for number in range(_ROUNDS):
            targets = await self._targets(result)
            if not targets and waits:  # what was on its way when it was asked
                waits = False
                await client.pause(_LATE)
                targets = await self._targets(result)
            if not targets or number == _ROUNDS - 1:
                break
            await client.all([self._take_back(result, target) for target in targets])
            if number:
                await client.pause(_LATE)
        self._tell(result)

    async def _targets(self, result: _AtVenue) -> list[dict[str, Any]]:
        """What is to be cancelled, as the venue says; the bot's own word for it where the venue says nothing."""
        ids = {order.order_id for order in result.mine} - {""}
        client_ids = {order.client_order_id for order in result.mine} - {""}
        try:
            seen = await self._open(result)
        except Exception as error:
            result.known = False
            result.errors["open orders"] = shortened(f"{type(error).__name__}: {error}")
            cancelled = result.cancelled
            return [
                {"id": order.order_id, "symbol": order.symbol, "clientOrderId": order.client_order_id}
                for order in result.mine
                if order.order_id and order.order_id not in cancelled
            ]
        result.known = True
        result.errors.pop("open orders", None)
        targets = [
            row for row in seen if self._everything or row.get("id") in ids or row.get("clientOrderId") in client_ids
        ]
        result.foreign = len(seen) - len(targets)
        result.open = [_shown(row.get("clientOrderId"), row.get("id")) for row in targets]
        return targets

    async def _open(self, result: _AtVenue) -> list[dict[str, Any]]:
        client = result.client
        symbols = dict.fromkeys([*self._symbols, *(order.symbol for order in result.mine if order.symbol)])
        try:
            return list(await client.call("fetch_open_orders"))
        except Exception as error:
            if kind(error, "NetworkError") or not symbols:
                raise
        rows = await client.all([client.call("fetch_open_orders", symbol) for symbol in symbols])
        return [row for of_one in rows for row in of_one]

    async def _take_back(self, result: _AtVenue, row: Mapping[str, Any]) -> None:
        name = str(row.get("id"))
        try:
            await result.client.call("cancel_order", row.get("id"), row.get("symbol"))
        except Exception as error:
            if not kind(error, "OrderNotFound"):  # which is gone already
                result.errors[name] = shortened(f"{name}: {type(error).__name__}: {error}")
            return
        result.errors.pop(name, None)
        result.cancelled.add(name)
        result.open = [each for each in result.open if each != _shown(row.get("clientOrderId"), row.get("id"))]

    def _tell(self, result: _AtVenue) -> None:
        """What is cancelled for sure, and nobody told."""
        if not result.known:
            return
        for order in result.mine:
            if order.order_id in result.cancelled and order.open:
                self._trading.order_canceled(order.client_order_id or order.order_id, reason="shutdown")


def cancel_open_orders(
    trading: Trading,
    *exchanges: Any,  # noqa: ANN401 - ccxt carries no types
    everything: bool = False,
    symbols: Iterable[str] = (),
    venues: Mapping[str, str] | None = None,
    timeout: float | None = None,
    name: str = CANCEL_ORDERS,
) -> Step:
    """The step for these clients of ccxt; see ``CancelOpenOrders``."""
    clients = [Client(exchange) for exchange in exchanges]
    if not clients or len({client.is_async for client in clients}) > 1:
        raise TypeError("cancel_open_orders() takes clients of ccxt: all synchronous, or all asynchronous")
    work = CancelOpenOrders(trading, clients, everything=everything, symbols=symbols, venues=venues or {})
    return Step(name, as_call(work, is_async=clients[0].is_async), timeout=timeout)


def as_call(work: Any, *, is_async: bool) -> Any:  # noqa: ANN401 - an object with ``work`` and ``progress``
    """The object's work as a function of the right kind, which can say how far it is."""

    async def on_the_loop() -> str:
        said: str = await work.work()
        return said

    def in_a_thread() -> str:
        said: str = at_once(work.work())
        return said

    call: Any = on_the_loop if is_async else in_a_thread
    call.progress = work.progress
    return call


def _shown(client_id: object, order_id: object) -> str:
    return str(client_id or order_id)
