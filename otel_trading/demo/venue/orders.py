"""Orders, what happens to them, and what a venue refuses: the vocabulary of the matching engine."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

_ZERO = Decimal(0)


class Side(StrEnum):
    """Side of an order (FIX 54)."""

    BUY = "BUY"
    SELL = "SELL"


class OrderType(StrEnum):
    """Order type (FIX 40); ``LIMIT_MAKER`` is the spot venue's post-only order."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    LIMIT_MAKER = "LIMIT_MAKER"


class TimeInForce(StrEnum):
    """Time in force (FIX 59); ``GTX`` is the perpetual venue's post-only order."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"


class Status(StrEnum):
    """Order status (FIX 39)."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


class ExecutionType(StrEnum):
    """Kind of an execution report (FIX 150)."""

    NEW = "NEW"
    TRADE = "TRADE"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


class Reject(Exception):  # noqa: N818 - the field's word; a reject is an answer, not a failure of the venue
    """A request the venue refuses.

    Args:
        code: the venue's error code.
        message: the venue's error text.
        status: the HTTP status it answers with.

    """

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A request for an order as it came in; ``quote_quantity`` sizes a spot market order by what it may cost."""

    client_id: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce = TimeInForce.GTC
    quantity: Decimal = _ZERO
    price: Decimal | None = None
    quote_quantity: Decimal | None = None
    reduce_only: bool = False


class Fill(NamedTuple):
    """One execution of an order."""

    trade_id: int
    price: Decimal
    quantity: Decimal
    commission: Decimal
    commission_asset: str
    maker: bool
    time_ms: int
    realized: Decimal


@dataclass(slots=True)
class Order:
    """An order the venue accepted."""

    id: int
    request: NewOrder
    quantity: Decimal
    created_ms: int
    updated_ms: int
    status: Status = Status.NEW
    filled: Decimal = _ZERO
    quote_filled: Decimal = _ZERO
    queue_ahead: Decimal = _ZERO
    fills: list[Fill] = field(default_factory=list)

    @property
    def side(self) -> Side:
        """The order's side."""
        return self.request.side

    @property
    def price(self) -> Decimal | None:
        """The limit price, ``None`` for a market order."""
        return self.request.price

    @property
    def remaining(self) -> Decimal:
        """What is not filled yet."""
        return self.quantity - self.filled

    @property
    def is_open(self) -> bool:
        """Whether the order can still fill."""
        return self.status in {Status.NEW, Status.PARTIALLY_FILLED}

    @property
    def average_price(self) -> Decimal:
        """The average fill price, zero where nothing filled."""
        return self.quote_filled / self.filled if self.filled else _ZERO


class Report(NamedTuple):
    """What happened to an order, with the order as it stood right after."""

    type: ExecutionType
    order: Order
    fill: Fill | None = None


def report(kind: ExecutionType, order: Order, fill: Fill | None = None) -> Report:
    """Return a report that keeps the order's present state."""
    frozen = copy.copy(order)
    frozen.fills = list(order.fills)
    return Report(kind, frozen, fill)
