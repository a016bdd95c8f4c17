"""The paper matching engine: our orders against the replayed book, with fills the market could have given."""

from __future__ import annotations

import itertools
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Generic, TypeVar

from otel_trading.demo.venue.account import Account, PerpAccount
from otel_trading.demo.venue.orders import (
    ExecutionType,
    Fill,
    NewOrder,
    Order,
    OrderType,
    Reject,
    Report,
    Side,
    Status,
    TimeInForce,
    report,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from otel_trading.demo.venue.book import Book, BookSide, Level
    from otel_trading.demo.venue.rules import Rules

AccountT = TypeVar("AccountT", bound=Account)

_ZERO = Decimal(0)
_ORDERS_REMEMBERED = 10_000


class MatchingEngine(Generic[AccountT]):
    """Matches one account's orders on one instrument.

    An order that crosses on arrival walks the levels of the book. What rests joins the queue behind the quantity
    displayed at its price: it fills from trades at that price once those ahead of it are served, and wholly when the
    market trades or quotes through it. The market itself never notices us.

    Args:
        rules: filters and fees.
        book: the replayed book.
        account: what pays for fills.
        clock_ms: the venue's clock.
        first_id: the first order and trade id.

    """

    def __init__(
        self, *, rules: Rules, book: Book, account: AccountT, clock_ms: Callable[[], int], first_id: int = 1
    ) -> None:
        self.rules = rules
        self.book = book
        self.account = account
        self.orders: dict[int, Order] = {}
        self._by_client_id: dict[str, Order] = {}
        self._resting: dict[int, Order] = {}
        self._clock_ms = clock_ms
        self._order_ids = itertools.count(first_id)
        self._trade_ids = itertools.count(first_id)

    @property
    def has_resting(self) -> bool:
        """Whether any order rests in the book, so that market data has to be looked at."""
        return bool(self._resting)

    def open_orders(self) -> list[Order]:
        """Return the resting orders, oldest first."""
        return list(self._resting.values())

    def find(self, order_id: int | None, client_id: str | None) -> Order | None:
        """Return the order of that id or, where none is given, of that client id."""
        if order_id is not None:
            return self.orders.get(order_id)
        return self._by_client_id.get(client_id or "")

    def place(self, request: NewOrder) -> tuple[Order, list[Report]]:
        """Accept an order and match it.

        Returns:
            The order as it stands afterwards and its reports: NEW, then every fill, then EXPIRED where a rest expires.

        Raises:
            Reject: a filter, the account or the order's own conditions forbid it.

        """
        best_bid, best_ask = self.book.best("bids"), self.book.best("asks")
        self.rules.check(request, best_ask if request.side is Side.BUY else best_bid)
        resting_duplicate = self._by_client_id.get(request.client_id)
        if resting_duplicate is not None and resting_duplicate.is_open:
            raise _duplicate(self.rules)
        order = self._build(request)
        post_only = request.type is OrderType.LIMIT_MAKER or request.time_in_force is TimeInForce.GTX
        if post_only and self.rules.would_take(request, best_bid, best_ask):
            raise self.rules.post_only_reject()
        matches = [] if post_only else list(self._walk(order))
        self._check_funds(order, matches)
        fillable = sum((quantity for _, quantity in matches), _ZERO)
        if request.time_in_force is TimeInForce.FOK and fillable < order.quantity:
            if self.rules.venue == "perp":
                raise Reject(
                    -5021, "Due to the order could not be filled immediately, the FOK order has been rejected."
                )
            matches = []
        return order, self._accept(order, matches)

    def cancel(self, order_id: int | None, client_id: str | None = None) -> tuple[Order, list[Report]]:
        """Cancel a resting order.

        Raises:
            Reject: the order is unknown or no longer open.

        """
        order = self.find(order_id, client_id)
        if order is None or order.id not in self._resting:
            raise Reject(-2011, "Unknown order sent.")
        return order, [self._end(order, Status.CANCELED, ExecutionType.CANCELED)]

    def on_trade(self, price: Decimal, quantity: Decimal, *, buyer_is_maker: bool) -> list[Report]:
        """Let a market trade fill resting orders: at their price after the queue ahead of them, through it wholly."""
        side = Side.BUY if buyer_is_maker else Side.SELL
        book_side: BookSide = "bids" if buyer_is_maker else "asks"
        reports: list[Report] = []
        left = quantity
        for order in self._resting_on(side):
            limit = order.price or _ZERO
            if limit == price:
                order.queue_ahead = min(order.queue_ahead, self.book.displayed(book_side, limit))
                ahead = min(order.queue_ahead, left)
                order.queue_ahead -= ahead
                taken = min(left - ahead, order.remaining)
                left -= taken
            elif (limit > price) if side is Side.BUY else (limit < price):
                taken = order.remaining
            else:
                taken = _ZERO
            if taken > 0:
                reports.append(self._fill(order, limit, taken, maker=True))
        return reports

    def on_quote(self) -> list[Report]:
        """Fill resting orders that the opposite side of the book has come to."""
        reports: list[Report] = []
        for order in self.open_orders():
            for level, quantity in list(self._walk(order)):
                self.book.consume(_opposite(order.side), level.wire_price, quantity)
                reports.append(self._fill(order, order.price or level.price, quantity, maker=True))
        return reports

    def _build(self, request: NewOrder) -> Order:
        quantity = request.quantity
        if request.quote_quantity is not None:
            quantity = self._affordable(request.quote_quantity, request.side)
        if request.reduce_only and isinstance(self.account, PerpAccount):
            reducible = self.account.reducible(request.side)
            if not reducible:
                raise Reject(-2022, "ReduceOnly Order is rejected.")
            quantity = min(quantity, reducible)
        now = self._clock_ms()
        return Order(next(self._order_ids), request, quantity, now, now)

    def _affordable(self, quote_quantity: Decimal, side: Side) -> Decimal:
        quantity = _ZERO
        for level in self.book.levels(_opposite(side)):
            taken = min(level.quantity, quote_quantity / level.price)
            quantity += taken
            quote_quantity -= taken * level.price
            if quote_quantity <= 0:
                break
        return quantity.quantize(self.rules.step, rounding=ROUND_DOWN)

    def _walk(self, order: Order) -> Iterator[tuple[Level, Decimal]]:
        left = order.remaining
        for level in self.book.levels(_opposite(order.side)):
            beyond = order.price is not None and (
                level.price > order.price if order.side is Side.BUY else level.price < order.price
            )
            if beyond or left <= 0:
                return
            taken = min(level.quantity, left)
            left -= taken
            yield level, taken

    def _check_funds(self, order: Order, matches: list[tuple[Level, Decimal]]) -> None:
        if order.price is not None:
            price = order.price
        elif matches:
            cost = sum((level.price * quantity for level, quantity in matches), _ZERO)
            price = cost / sum((quantity for _, quantity in matches), _ZERO)
        else:
            return
        if not order.request.reduce_only and not self.account.affords(order, price):
            raise self.rules.funds_reject()

    def _accept(self, order: Order, matches: list[tuple[Level, Decimal]]) -> list[Report]:
        self.orders[order.id] = order
        self._by_client_id[order.request.client_id] = order
        self._forget_oldest()
        reports = [report(ExecutionType.NEW, order)]
        for level, quantity in matches:
            self.book.consume(_opposite(order.side), level.wire_price, quantity)
            reports.append(self._fill(order, level.price, quantity, maker=False))
        if not order.is_open:
            return reports
        may_rest = order.price is not None and order.request.time_in_force in {TimeInForce.GTC, TimeInForce.GTX}
        if may_rest:
            own_side: BookSide = "bids" if order.side is Side.BUY else "asks"
            order.queue_ahead = self.book.displayed(own_side, order.price or _ZERO)
            self.account.lock(order)
            self._resting[order.id] = order
        else:
            reports.append(self._end(order, Status.EXPIRED, ExecutionType.EXPIRED))
        return reports

    def _forget_oldest(self) -> None:
        while len(self.orders) > _ORDERS_REMEMBERED:
            oldest = next((order for order in self.orders.values() if not order.is_open), None)
            if oldest is None:
                return
            del self.orders[oldest.id]
            if self._by_client_id.get(oldest.request.client_id) is oldest:
                del self._by_client_id[oldest.request.client_id]

    def _fill(self, order: Order, price: Decimal, quantity: Decimal, *, maker: bool) -> Report:
        now = self._clock_ms()
        order.filled += quantity
        order.quote_filled += price * quantity
        order.status = Status.PARTIALLY_FILLED if order.remaining else Status.FILLED
        order.updated_ms = now
        rate = self.rules.maker_fee if maker else self.rules.taker_fee
        commission, asset, realized = self.account.settle(order, price, quantity, rate)
        fill = Fill(next(self._trade_ids), price, quantity, commission, asset, maker, now, realized)
        order.fills.append(fill)
        if not order.remaining:
            self.account.release(order)
            self._resting.pop(order.id, None)
        return report(ExecutionType.TRADE, order, fill)

    def _end(self, order: Order, status: Status, kind: ExecutionType) -> Report:
        order.status = status
        order.updated_ms = self._clock_ms()
        self.account.release(order)
        self._resting.pop(order.id, None)
        return report(kind, order)

    def _resting_on(self, side: Side) -> Iterable[Order]:
        best_first = -1 if side is Side.BUY else 1
        orders = [order for order in self._resting.values() if order.side is side]
        return sorted(orders, key=lambda order: best_first * (order.price or _ZERO))


def _opposite(side: Side) -> BookSide:
    return "asks" if side is Side.BUY else "bids"


def _duplicate(rules: Rules) -> Reject:
    if rules.venue == "spot":
        return Reject(-2010, "Duplicate order sent.")
    return Reject(-4116, "ClientOrderId is duplicated.")
