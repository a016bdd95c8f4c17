"""The order book of a venue: depth deltas for its REST answer, quotes and our own fills for matching."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BookSide = Literal["bids", "asks"]

_ZERO = Decimal(0)


class Level(NamedTuple):
    """A price level as an order meets it: the quantity is what is left of it for us."""

    price: Decimal
    quantity: Decimal
    wire_price: str


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid and offer as the quote stream last told them, prices and quantities as on the wire."""

    update_id: int
    bid: str
    bid_quantity: str
    ask: str
    ask_quantity: str


class Book:
    """One instrument's book, keyed by the price text of the wire, which each venue writes in one way only.

    Depth deltas and quotes are kept apart: the depth answer must agree with the last delta, while an order meets the
    newer of the two. Liquidity our own fills consumed stays consumed until the market speaks of that level again.
    """

    def __init__(self, snapshot: str) -> None:
        content = json.loads(snapshot)
        self.last_update_id: int = content["lastUpdateId"]
        self.quote: Quote | None = None
        self._original: dict[str, Any] | None = content
        self._levels: dict[BookSide, dict[str, str]] = {
            "bids": dict(content["bids"]),
            "asks": dict(content["asks"]),
        }
        prices = [price for side in self._levels.values() for price in side]
        self._price_decimals = len(prices[0].partition(".")[2]) if prices else 2
        self._consumed: dict[tuple[BookSide, str], Decimal] = {}

    def apply(self, delta: dict[str, Any]) -> None:
        """Apply a depth frame; one that ends before the book's last update is ignored."""
        if delta["u"] <= self.last_update_id:
            return
        self._original = None
        self.last_update_id = delta["u"]
        self._update("bids", delta["b"])
        self._update("asks", delta["a"])

    def set_quote(self, frame: dict[str, Any]) -> None:
        """Take over a quote frame."""
        quote = Quote(frame["u"], frame["b"], frame["B"], frame["a"], frame["A"])
        before = self.quote
        if self._consumed and before is not None:
            if (quote.bid, quote.bid_quantity) != (before.bid, before.bid_quantity):
                self._consumed.pop(("bids", quote.bid), None)
            if (quote.ask, quote.ask_quantity) != (before.ask, before.ask_quantity):
                self._consumed.pop(("asks", quote.ask), None)
        self.quote = quote

    def depth(self, limit: int) -> dict[str, Any]:
        """Return the ``lastUpdateId``, ``bids`` and ``asks`` of a REST depth answer, ``limit`` levels a side."""
        if self._original is not None:
            return {**self._original, **{side: self._original[side][:limit] for side in ("bids", "asks")}}
        return {
            "lastUpdateId": self.last_update_id,
            "bids": [[price, quantity] for price, quantity in self._sorted("bids")[:limit]],
            "asks": [[price, quantity] for price, quantity in self._sorted("asks")[:limit]],
        }

    def levels(self, side: BookSide) -> Iterator[Level]:
        """Yield the levels of ``side`` from the best on, as an order arriving now meets them."""
        quote = self._newer_quote()
        best = None
        if quote is not None:
            price, quantity = (quote.bid, quote.bid_quantity) if side == "bids" else (quote.ask, quote.ask_quantity)
            best = Decimal(price)
            yield from self._left(side, price, quantity)
        for price, quantity in self._sorted(side):
            if best is not None and (Decimal(price) >= best if side == "bids" else Decimal(price) <= best):
                continue
            yield from self._left(side, price, quantity)

    def best(self, side: BookSide) -> Decimal | None:
        """Return the best price of ``side``, or ``None`` where it is empty."""
        return next((level.price for level in self.levels(side)), None)

    def displayed(self, side: BookSide, price: Decimal) -> Decimal:
        """Return the quantity shown at ``price``, less what our own fills took of it."""
        wire_price = f"{price:.{self._price_decimals}f}"
        shown = self._levels[side].get(wire_price, "0")
        quote = self._newer_quote()
        if quote is not None:
            best, quantity = (quote.bid, quote.bid_quantity) if side == "bids" else (quote.ask, quote.ask_quantity)
            if wire_price == best:
                shown = quantity
            elif (price > Decimal(best)) if side == "bids" else (price < Decimal(best)):
                return _ZERO
        return max(Decimal(shown) - self._consumed.get((side, wire_price), _ZERO), _ZERO)

    def consume(self, side: BookSide, wire_price: str, quantity: Decimal) -> None:
        """Remember that a fill of ours took ``quantity`` from a level."""
        key = (side, wire_price)
        self._consumed[key] = self._consumed.get(key, _ZERO) + quantity

    def _newer_quote(self) -> Quote | None:
        return self.quote if self.quote is not None and self.quote.update_id > self.last_update_id else None

    def _left(self, side: BookSide, price: str, quantity: str) -> Iterator[Level]:
        left = Decimal(quantity) - self._consumed.get((side, price), _ZERO)
        if left > 0:
            yield Level(Decimal(price), left, price)

    def _update(self, side: BookSide, changes: Iterable[tuple[str, str]]) -> None:
        levels = self._levels[side]
        for price, quantity in changes:
            if self._consumed:
                self._consumed.pop((side, price), None)
            if quantity.strip("0."):
                levels[price] = quantity
            else:
                levels.pop(price, None)

    def _sorted(self, side: BookSide) -> list[tuple[str, str]]:
        return sorted(self._levels[side].items(), key=_as_number, reverse=side == "bids")


def _as_number(level: tuple[str, str]) -> float:
    return float(level[0])
