"""From whatever the bot calls an order to the fields of events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

Getter = Callable[[Any], Any]

USUAL: dict[str, tuple[str, ...]] = {
    "client_order_id": ("client_order_id", "clientOrderId", "client_id", "cl_ord_id", "clOrdID", "clOrdId", "cid"),
    "venue_order_id": ("venue_order_id", "order_id", "orderId", "exchange_order_id", "id"),
    "venue": ("venue", "exchange", "exchange_id"),
    "symbol": ("symbol", "instrument", "instrument_id", "market", "pair"),
    "side": ("side", "action", "order_side"),
    "type": ("type", "order_type", "orderType", "ord_type"),
    "time_in_force": ("time_in_force", "timeInForce", "tif"),
    "quantity": ("quantity", "amount", "qty", "size", "origQty", "volume"),
    "price": ("price", "limit_price"),
    "stop_price": ("stop_price", "stopPrice", "triggerPrice", "trigger_price"),
    "strategy": ("strategy", "strategy_name", "strategy_id"),
    "pair_id": ("pair_id", "group_id", "list_id"),
    "account": ("account", "account_id"),
    "reduce_only": ("reduce_only", "reduceOnly"),
    "post_only": ("post_only", "postOnly"),
}
"""Names that orders of common libraries have for the fields: of ccxt, nautilus_trader and hummingbot."""


class OrderMap:
    """Reads the fields of one kind of order.

    >>> from types import SimpleNamespace
    >>> order = SimpleNamespace(cid="c-1", instrument="BTC/USDT", units=2)
    >>> OrderMap({"quantity": "units", "side": lambda order: "buy"}).fields(order)
    {'client_order_id': 'c-1', 'symbol': 'BTC/USDT', 'side': 'buy', 'quantity': 2}
    """

    def __init__(self, given: Mapping[str, str | Getter] | None = None) -> None:
        self._given = dict(given or {})
        self._getters: list[tuple[str, Getter]] | None = None
        self._ids: tuple[Getter, Getter] = _nothing, _nothing

    def fields(self, order: Any) -> dict[str, Any]:  # noqa: ANN401 - the bot's
        """All that is known of an order."""
        found = {}
        for field, get in self._learned(order):
            value = get(order)
            if value is not None:
                found[field] = value
        return found

    def ids(self, order: Any) -> tuple[Any, Any]:  # noqa: ANN401
        """Its client order id, and the venue's."""
        if self._getters is None:
            self._learned(order)
        client, venue = self._ids
        return client(order), venue(order)

    def _learned(self, order: Any) -> list[tuple[str, Getter]]:  # noqa: ANN401
        if self._getters is None:
            self._getters = [
                (field, get) for field, names in USUAL.items() if (get := self._getter(order, field, names)) is not None
            ]
            getters = dict(self._getters)
            self._ids = getters.get("client_order_id", _nothing), getters.get("venue_order_id", _nothing)
        return self._getters

    def _getter(self, order: Any, field: str, names: tuple[str, ...]) -> Getter | None:  # noqa: ANN401
        given = self._given.get(field)
        if callable(given):
            return given
        if isinstance(order, Mapping):
            wanted = (given,) if given else names
            return lambda each: next((each[name] for name in wanted if each.get(name) is not None), None)
        if given is not None:
            return attrgetter(given)
        return next((attrgetter(name) for name in names if hasattr(order, name)), None)


def _nothing(_: object) -> None:
    return None
