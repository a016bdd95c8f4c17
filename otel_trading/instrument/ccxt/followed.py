"""One order that was seen through ccxt: its names, and how much of it was told."""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENOUGH = Context(prec=16)
"""What a quotient of two amounts is rounded to: more digits than any price has."""
_ALMOST = Decimal("1e-9")
"""The share of an amount that is too little to be left: ccxt's amounts are binary fractions by default."""
ZERO = Decimal(0)


def decimal(value: Any) -> Decimal | None:  # noqa: ANN401 - ccxt gives numbers or texts, as its user wants
    """A number as it is written; ``None`` where it is none.

    >>> decimal(0.1), decimal("26999.50"), decimal(None), decimal("nan")
    (Decimal('0.1'), Decimal('26999.50'), None, None)
    """
    if value is None:
        return None
    try:
        number = value if value.__class__ is Decimal else Decimal(str(value))
    except (InvalidOperation, ValueError):
        return None
    return number if number.is_finite() else None


class Unit(NamedTuple):
    """What one unit of a venue's amounts is: of a contract, so much of the base currency, or of the quote's."""

    size: Decimal = Decimal(1)
    inverse: bool = False

    @classmethod
    def of(cls, market: Any) -> Unit:  # noqa: ANN401 - a market of ccxt's
        """By the market that ccxt has loaded, if it has.

        >>> Unit.of({"contract": True, "contractSize": 0.01, "inverse": False})
        Unit(size=Decimal('0.01'), inverse=False)
        >>> Unit.of(None)
        Unit(size=Decimal('1'), inverse=False)
        """
        if not isinstance(market, dict) or not market.get("contract"):
            return _ONE
        return cls(decimal(market.get("contractSize")) or Decimal(1), bool(market.get("inverse")))

    def base(self, amount: Decimal | None, price: Decimal | None = None) -> Decimal | None:
        """An amount of the venue's in the base currency; of an inverse contract that depends on the price."""
        if amount is None:
            return None
        if not self.inverse:
            return amount if self.size == 1 else amount * self.size
        return _ENOUGH.divide(amount * self.size, price) if price else None


_ONE = Unit()


class Executed(NamedTuple):
    """What a cumulative report says: so much in all, what that was worth, and what it cost in commission."""

    filled: Decimal
    worth: Decimal | None
    commission: Decimal | None
    currency: str | None

    @classmethod
    def of(cls, order: Mapping[str, Any], filled: Decimal, unit: Unit) -> Executed:
        """As a unified order tells it; worth is in the quote currency, of inverse contracts in the base currency."""
        average = decimal(order.get("average"))
        worth = decimal(order.get("cost")) if not unit.inverse else None
        if not worth:
            at = average or (decimal(order.get("price")) if order.get("type") != "market" else None)
            if not at:
                worth = None
            else:
                worth = _ENOUGH.divide(filled * unit.size, at) if unit.inverse else filled * unit.size * at
        commission, currency = commission_of(order)
        return cls(filled, worth, commission, currency)


def commission_of(told: Mapping[str, Any]) -> tuple[Decimal | None, str | None]:
    """The first commission of an order or a trade, and its currency.

    >>> commission_of({"fee": {"cost": 0.001, "currency": "BNB"}}), commission_of({"fees": []})
    ((Decimal('0.001'), 'BNB'), (None, None))
    """
    fee = told.get("fee")
    if not fee or fee.get("cost") is None:
        fee = next(iter(told.get("fees") or ()), None)
    if not fee:
        return None, None
    cost = decimal(fee.get("cost"))
    return (None, None) if cost is None else (cost, fee.get("currency"))


class Followed:
    """An order that is followed by what ccxt hands out; amounts are the venue's.

    ``key`` is what trading events call it: its client order id, the venue's id where it has none.
    """

    __slots__ = (
        *("acknowledged", "alone", "amount", "before", "commission", "currency", "ended", "key", "names", "order_id"),
        *("side", "source", "submitted", "symbol", "told", "trades", "unit", "venue", "worth"),
    )

    def __init__(self, venue: str, key: str, symbol: str | None, *, alone: bool = False) -> None:
        self.venue = venue
        self.key = key
        self.symbol = symbol
        self.alone = alone
        """Whether somebody else tells what happens to it."""
        self.order_id = ""
        self.side: str | None = None
        self.names: list[tuple[str, str, str]] = []
        self.unit = _ONE
        self.amount: Decimal | None = None
        self.submitted = self.acknowledged = self.ended = False
        self.source = ""
        """Where its fills come from: ``trades``, or ``orders`` that say how much is filled in all."""
        self.trades: set[str] = set()
        self.told = self.before = ZERO
        """How much of it was told, and how much more of those that it replaced."""
        self.worth: Decimal | None = ZERO
        self.commission = ZERO
        self.currency: str | None = None

    def since(self, now: Executed) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
        """What was executed since the last report, in the base currency, at what price and commission."""
        amount = now.filled - self.told
        worth = None if now.worth is None or self.worth is None else now.worth - self.worth
        commission = now.commission
        if commission is not None:
            commission -= self.commission if now.currency == self.currency else ZERO
            self.commission, self.currency = now.commission or ZERO, now.currency
        self.told, self.worth = now.filled, now.worth
        size = amount * self.unit.size
        price = None
        if worth is not None and worth > 0:
            price = _ENOUGH.divide(size, worth) if self.unit.inverse else _ENOUGH.divide(worth, size)
        return self.unit.base(amount, price), price, commission

    def add(self, amount: Decimal, price: Decimal | None) -> Decimal | None:
        """Take in a trade: in the base currency."""
        base = self.unit.base(amount, price)
        self.told += amount
        if price is None or base is None or self.worth is None:
            self.worth = None
        else:
            self.worth += base if self.unit.inverse else base * price
        return base

    def restart(self) -> None:
        """Another order of the venue's takes its place, of which nothing was executed yet."""
        self.before += self.told
        self.told = self.commission = ZERO
        self.worth = ZERO
        self.source = self.order_id = ""

    def more(self, filled: Decimal) -> bool:
        """Whether this is more than what was told."""
        return filled - self.told > (self.amount or filled) * _ALMOST

    @property
    def complete(self) -> bool | None:
        """Whether all of it was executed; ``None`` where nobody knows how much it is of."""
        return None if self.amount is None else self.amount - self.told <= self.amount * _ALMOST
