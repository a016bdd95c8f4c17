"""Orders of a paper account, and how the market of others fills them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from otel_trading.demo.prediction.book import Leg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from otel_trading.demo.prediction.question import Question

_ZERO = Decimal(0)


class RefusedError(Exception):
    """What the venue says of a request that it does not carry out.

    Args:
        reason: the venue's word or sentence.
        status: the HTTP status.

    """

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class Lasting(StrEnum):
    """How long an order stays, FIX TimeInForce (59)."""

    RESTING = "GTC"
    AT_ONCE = "IOC"
    ALL_OR_NOTHING = "FOK"


class State(StrEnum):
    """How far an order is, FIX OrdStatus (39)."""

    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"


class Fill(NamedTuple):
    """One execution of an order, at the price of its outcome."""

    id: str
    order: Order
    price: Decimal
    size: Decimal
    fee: Decimal
    taker: bool
    time: float


@dataclass(slots=True, eq=False)
class Order:
    """An order for one outcome, its price that of the outcome."""

    question: Question
    leg: Leg
    buys: bool
    price: Decimal
    size: Decimal
    lasting: Lasting = Lasting.RESTING
    client_id: str = ""
    id: str = ""
    time: float = 0.0
    filled: Decimal = _ZERO
    cost: Decimal = _ZERO
    state: State = State.OPEN
    fills: list[Fill] = field(default_factory=list)

    @property
    def remaining(self) -> Decimal:
        """What is not filled."""
        return self.size - self.filled


class Account:
    """Dollars and tokens; what rests in orders to buy is not there for others.

    >>> account = Account(Decimal(100))
    >>> account.cash
    Decimal('100')
    """

    def __init__(self, cash: Decimal) -> None:
        self.cash = cash
        self.held: dict[tuple[str, Leg], Decimal] = {}
        self.paid: dict[tuple[str, Leg], Decimal] = {}

    def of(self, question: Question, leg: Leg) -> Decimal:
        """How many tokens of an outcome are held."""
        return self.held.get((question.ticker, leg), _ZERO)

    def book(self, fill: Fill, sign: int = 1) -> None:
        """Take in an execution; ``sign`` -1 takes it back."""
        order = fill.order
        key, size = (order.question.ticker, order.leg), fill.size * (sign if order.buys else -sign)
        self.held[key] = self.held.get(key, _ZERO) + size
        self.paid[key] = self.paid.get(key, _ZERO) + size * fill.price
        self.cash -= size * fill.price + fill.fee * sign


class Engine:
    """Matches orders of one account with what others offer.

    Args:
        account: whose orders.
        clock: seconds since 1970.
        fee: what a taker pays for this many contracts at this price.
        seed: of ids.

    """

    def __init__(
        self, account: Account, clock: Callable[[], float], fee: Callable[[Decimal, Decimal], Decimal], seed: int
    ) -> None:
        self.account = account
        self.orders: dict[str, Order] = {}
        self._clock = clock
        self._fee = fee
        self._random = random.Random(seed)  # noqa: S311 - paper ids

    def id(self, size: int) -> str:
        """A new id of so many bytes, in hexadecimal digits."""
        return self._random.randbytes(size).hex()

    def open(self) -> list[Order]:
        """The orders that can still be filled, the oldest first."""
        return [order for order in self.orders.values() if order.state is State.OPEN]

    def affords(self, order: Order) -> bool:
        """Whether the account has what the order may cost, beside all that rest."""
        resting = [other for other in self.open() if other is not order]
        if order.buys:
            reserved = sum((other.remaining * other.price for other in resting if other.buys), _ZERO)
            return order.remaining * order.price + reserved <= self.account.cash
        same = [other for other in resting if (other.question, other.leg) == (order.question, order.leg)]
        reserved = sum((other.remaining for other in same if not other.buys), _ZERO)
        return order.remaining + reserved <= self.account.of(order.question, order.leg)

    def place(self, order: Order, order_id: str) -> list[Fill]:
        """Take an order, and fill what can be at once.

        Raises:
            RefusedError: it had to be filled wholly and cannot be.

        """
        offered = order.question.book.offered(order.leg, buys=order.buys, limit=order.price, size=order.size)
        if order.lasting is Lasting.ALL_OR_NOTHING and sum(size for _, size in offered) < order.size:
            raise RefusedError("fill_or_kill_insufficient_resting_volume")
        order.id, order.time = order_id, self._clock()
        self.orders[order.id] = order
        taken = order.question.book.take(order.leg, buys=order.buys, limit=order.price, size=order.size)
        fills = [self._fill(order, price, size, taker=True) for price, size in taken]
        if order.state is State.OPEN and order.lasting is not Lasting.RESTING:
            order.state = State.CANCELED
        return fills

    def cancel(self, order: Order) -> bool:
        """Whether there was anything left to cancel."""
        if order.state is not State.OPEN:
            return False
        order.state = State.CANCELED
        return True

    def hit(self, order: Order, size: Decimal | None = None) -> list[Fill]:
        """Somebody trades with an order that rests: all of it, or so much."""
        if order.state is not State.OPEN:
            return []
        amount = order.remaining if size is None else min(size, order.remaining)
        return [self._fill(order, order.price, amount, taker=False)]

    def crossed(self, questions: Iterable[Question]) -> list[Fill]:
        """What the market fills of resting orders after it moved."""
        wanted = set(questions)
        fills: list[Fill] = []
        for order in self.open():
            if order.question in wanted:
                book = order.question.book
                met = book.take(order.leg, buys=order.buys, limit=order.price, size=order.remaining)
                fills += [self._fill(order, order.price, size, taker=False) for _, size in met]
        return fills

    def _fill(self, order: Order, price: Decimal, size: Decimal, *, taker: bool) -> Fill:
        fee = self._fee(size, price) if taker else _ZERO
        fill = Fill(self.id(16), order, price, size, fee, taker, self._clock())
        order.filled += size
        order.cost += size * price
        order.fills.append(fill)
        if not order.remaining:
            order.state = State.FILLED
        question = order.question
        question.last = price if order.leg is Leg.YES else 1 - price
        question.volume += size
        self.account.book(fill)
        return fill
