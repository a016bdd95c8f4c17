"""What the bot holds and what it has made of it, in exact decimals."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from otel_trading.demo.bot.orders import ZERO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_trading.demo.bot.orders import Fill, Order
    from otel_trading.demo.bot.strategy import Quote, Side, VenueName


DUST = Decimal("0.001")
"""Less than this in the base currency is not worth an order."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the bot may risk: the largest position in the base currency, the largest loss in the quote currency."""

    position: Decimal = Decimal("0.1")
    daily_loss: Decimal = Decimal(250)


@dataclass(slots=True)
class Position:
    """One venue's position at its average price.

    >>> from otel_trading.demo.bot.orders import Fill
    >>> position = Position()
    >>> position.take(1, Fill("1", Decimal(100), Decimal(2), Decimal("0.1"), maker=False))
    Decimal('-0.1')
    >>> position.take(-1, Fill("2", Decimal(103), Decimal(1), Decimal("0.1"), maker=False))
    Decimal('2.9')
    >>> position.quantity, position.realized
    (Decimal('1'), Decimal('2.8'))
    """

    quantity: Decimal = ZERO
    average_price: Decimal = ZERO
    realized: Decimal = ZERO
    commission: Decimal = ZERO

    def take(self, sign: int, fill: Fill) -> Decimal:
        """Book a fill and return what it realised, net of its commission."""
        signed = sign * fill.quantity
        gain = ZERO
        if self.quantity * signed >= 0:
            cost = abs(self.quantity) * self.average_price + fill.quantity * fill.price
            self.average_price = cost / abs(self.quantity + signed)
        else:
            closed = min(fill.quantity, abs(self.quantity))
            gain = closed * (fill.price - self.average_price) * (1 if self.quantity > 0 else -1)
            if fill.quantity > abs(self.quantity):
                self.average_price = fill.price
        self.quantity += signed
        self.realized += gain - fill.commission
        self.commission += fill.commission
        return gain - fill.commission

    def unrealized(self, mid: float) -> Decimal:
        """What closing at ``mid`` would bring."""
        return self.quantity * (Decimal(str(mid)) - self.average_price) if self.quantity else ZERO


@dataclass(slots=True)
class Portfolio:
    """Both positions together."""

    limits: Limits = field(default_factory=Limits)
    positions: dict[VenueName, Position] = field(default_factory=lambda: {"spot": Position(), "perp": Position()})

    def take(self, order: Order, fill: Fill) -> Decimal:
        """Book a fill and return what it realised."""
        return self.positions[order.venue].take(order.sign, fill)

    @property
    def realized(self) -> Decimal:
        """The profit that is made, net of commissions."""
        return sum((position.realized for position in self.positions.values()), ZERO)

    @property
    def commission(self) -> Decimal:
        """What the venues took."""
        return sum((position.commission for position in self.positions.values()), ZERO)

    def unrealized(self, quotes: Mapping[VenueName, Quote]) -> Decimal:
        """The profit at the newest mid prices that is not made yet."""
        return sum((self.positions[venue].unrealized(quote.mid) for venue, quote in quotes.items()), ZERO)

    @property
    def naked(self) -> Decimal:
        """The part of the spot position that the perpetual does not hedge; negative where spot is short of it."""
        return self.positions["spot"].quantity + self.positions["perp"].quantity

    @property
    def holds(self) -> Side | None:
        """The side of the spot position; none when nothing but dust is held."""
        spot, perp = self.positions["spot"].quantity, self.positions["perp"].quantity
        if max(abs(spot), abs(perp)) < DUST:
            return None
        return "buy" if spot - perp > 0 else "sell"

    def usage(self, limit: str) -> tuple[Decimal, Decimal]:
        """How much of a limit is used, and how much is allowed."""
        if limit == "position":
            return max(abs(position.quantity) for position in self.positions.values()), self.limits.position
        return -self.realized, self.limits.daily_loss

    def refuses(self, quantity: Decimal) -> str | None:
        """Name the limit that opening ``quantity`` more would break."""
        if max(abs(position.quantity) for position in self.positions.values()) + quantity > self.limits.position:
            return "position"
        if -self.realized >= self.limits.daily_loss:
            return "daily_loss"
        return None
