"""The book of a question with two outcomes: one book of YES, of which the book of NO is the mirror image."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Level = tuple[Decimal, Decimal]

_ONE = Decimal(1)


class Leg(StrEnum):
    """An outcome of a question."""

    YES = "yes"
    NO = "no"

    @property
    def other(self) -> Leg:
        """The outcome that comes true when this one does not."""
        return Leg.NO if self is Leg.YES else Leg.YES


class Book:
    """What others offer, by price of YES.

    >>> book = Book()
    >>> book.replace([(Decimal("0.40"), Decimal(10))], [(Decimal("0.45"), Decimal(5))])
    >>> book.levels(Leg.NO)[0]  # who bids 0.40 for YES sells NO for 0.60
    [(Decimal('0.55'), Decimal('5'))]
    >>> book.take(Leg.YES, buys=True, limit=Decimal("0.46"), size=Decimal(8))
    [(Decimal('0.45'), Decimal('5'))]
    """

    def __init__(self) -> None:
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}

    def replace(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Forget what was offered; this is."""
        self.bids = dict(bids)
        self.asks = dict(asks)

    def set(self, leg: Leg, *, bid: bool, price: Decimal, size: Decimal) -> None:
        """Put a level of an outcome's book; a size of zero takes it away."""
        side, price = (self.bids, price) if leg is Leg.YES else (self.asks, _ONE - price)
        if not bid:
            side = self.asks if side is self.bids else self.bids
        if size:
            side[price] = size
        else:
            side.pop(price, None)

    def levels(self, leg: Leg) -> tuple[list[Level], list[Level]]:
        """The bids and the asks of an outcome, the best first."""
        bids = sorted(self.bids.items(), reverse=True)
        asks = sorted(self.asks.items())
        if leg is Leg.YES:
            return bids, asks
        return [(_ONE - price, size) for price, size in asks], [(_ONE - price, size) for price, size in bids]

    def best(self, leg: Leg) -> tuple[Decimal | None, Decimal | None]:
        """The best bid and the best ask of an outcome."""
        bids, asks = self.levels(leg)
        return bids[0][0] if bids else None, asks[0][0] if asks else None

    def offered(self, leg: Leg, *, buys: bool, limit: Decimal, size: Decimal) -> list[Level]:
        """What an order of this limit and size would trade with, the best first, and at which prices."""
        bids, asks = self.levels(leg)
        found: list[Level] = []
        for price, there in asks if buys else bids:
            if size <= 0 or (price > limit if buys else price < limit):
                break
            found.append((price, min(there, size)))
            size -= there
        return found

    def take(self, leg: Leg, *, buys: bool, limit: Decimal, size: Decimal) -> list[Level]:
        """Trade with what is offered; it is gone from the book then."""
        taken = self.offered(leg, buys=buys, limit=limit, size=size)
        levels = dict(self.levels(leg)[1 if buys else 0])
        for price, amount in taken:
            self.set(leg, bid=not buys, price=price, size=levels[price] - amount)
        return taken
