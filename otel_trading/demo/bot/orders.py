"""An order of the bot and what became of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from otel_trading.demo.bot.strategy import Side, VenueName

Status = Literal["pending_new", "new", "partially_filled", "filled", "canceled", "expired", "rejected", "unknown"]

ZERO = Decimal(0)
_FINAL: frozenset[Status] = frozenset({"filled", "canceled", "expired", "rejected"})


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution of an order; the commission is in the quote currency."""

    id: str
    price: Decimal
    quantity: Decimal
    commission: Decimal
    maker: bool


@dataclass(eq=False, slots=True)
class Order:
    """A limit order that takes what is there at once and leaves nothing behind (IOC).

    Args:
        client_id: the bot's own id of it.
        venue: where it goes.
        symbol: what it is for.
        side: buy or sell.
        quantity: how much, in the base currency.
        price: the limit.
        purpose: why it was sent: a ``leg`` of a trade, or to ``unwind`` one that was left alone.
        reduces: whether it may only make the position smaller.
        expected: the price that the bot saw.

    """

    client_id: str
    venue: VenueName
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    purpose: Literal["leg", "unwind"] = "leg"
    reduces: bool = False
    expected: Decimal | None = None
    status: Status = "pending_new"
    id: str = ""
    reported: Decimal = ZERO  # what the venue says is filled; the fills themselves may still be on their way
    fills: dict[str, Fill] = field(default_factory=dict)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def filled(self) -> Decimal:
        """How much was filled."""
        return sum((fill.quantity for fill in self.fills.values()), ZERO)

    @property
    def sign(self) -> int:
        """1 for a buy, -1 for a sell."""
        return 1 if self.side == "buy" else -1

    def update(self, status: Status, reported: Decimal) -> None:
        """Take what the venue says of it; late and repeated news change nothing."""
        if self.status not in _FINAL:
            self.status = status
        self.reported = max(self.reported, reported)
        self._check()

    def add(self, fill: Fill) -> bool:
        """Take a fill; False when it was known already."""
        if fill.id in self.fills:
            return False
        self.fills[fill.id] = fill
        if self.filled >= self.quantity:
            self.status = "filled"
        elif self.status not in _FINAL:
            self.status = "partially_filled"
        self._check()
        return True

    def reject(self) -> None:
        """The venue did not take it."""
        self.status = "rejected"
        self.done.set()

    def _check(self) -> None:
        if self.status in _FINAL and self.filled >= (self.quantity if self.status == "filled" else self.reported):
            self.done.set()
