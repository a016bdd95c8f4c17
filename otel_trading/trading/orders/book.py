"""All orders: those that are open, those that ended lately, and those that others know of."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice
from typing import TYPE_CHECKING

from otel_trading import forks
from otel_trading.trading.orders.order import FINAL, Order, forget_half

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.trading.orders.order import Amount

OPEN, ENDED, EARLY = 10_000, 4_096, 1_024
"""How many orders are remembered: that are open, that have ended, that were heard of before their submission."""
LONGEST = 86_400 * 10**9
"""After a day without an end nobody waits for it, nanoseconds."""


Taken = tuple[Order, str, bool, bool]
"""What an event means for its order: the order; what is strange about the event; whether the order ended with it; and
whether the event says anything new, which a duplicate does not.

Strange is a ``duplicate``; ``late``: the order has ended; ``unknown``: nobody submitted such an order; ``overfill``;
``unidentified``: there is no id.
"""


class Orders:
    """Follows orders by their client order ids, or the venue's.

    Memory is bounded: beyond ``open_limit`` orders, or after ``longest`` nanoseconds, the oldest is given up and told
    to the caller as abandoned. At any time ``len(orders) == submitted + restored - ended``.
    """

    def __init__(self, open_limit: int = OPEN, ended_limit: int = ENDED, longest: int = LONGEST) -> None:
        self._limits = open_limit, ended_limit
        self._longest = longest
        self._lock = forks.lock()
        self.clear()

    def clear(self) -> None:
        """Forget everything, as in a forked child, whose orders are its own."""
        self._open: OrderedDict[str, Order] = OrderedDict()
        self._ended: dict[str, Order] = {}
        self._early: dict[str, Order] = {}
        self._ids: dict[tuple[str, str], Order] = {}
        self.submitted = self.restored = self.ended = 0

    def __len__(self) -> int:
        """How many orders are open."""
        return len(self._open)

    def __iter__(self) -> Iterator[Order]:
        """The open orders, the oldest first."""
        with self._lock:
            return iter(list(self._open.values()))

    def get(self, client_order_id: str) -> Order | None:
        """The order of this client order id: open, or ended lately."""
        return self._open.get(client_order_id) or self._ended.get(client_order_id)

    def known(self, venue: str, client_order_id: str, order_id: str) -> Order | None:
        """The order of these ids if it was submitted or restored here; asking for it changes nothing."""
        with self._lock:
            found = self.get(client_order_id) or self.get(order_id)
            return found or (self._ids.get((venue, order_id)) if order_id else None)

    def submit(self, order: Order, now_ns: int, *, restored: bool = False) -> tuple[Taken, list[Order]]:
        """An order goes to its venue, or was found there; with it come those that are given up."""
        key = order.client_order_id or order.order_id
        with self._lock:
            if not key:
                return (order, "unidentified", False, True), []
            known = self._open.get(key)
            if known is not None:
                return (known, "duplicate", False, False), []
            order.submitted_ns = now_ns
            early = self._early.pop(key, None)
            if early is not None:
                order.take_over(early)
            self._open[key] = order
            former = self._ended.pop(key, None)
            if former is not None:  # the id is used again
                self._forget(former)
            self.restored += restored
            self.submitted += not restored
            self._name(order)
            ended = False
            if early is not None and (order.status in FINAL or order.progress() >= 0):
                self._end(order, order.status if order.status in FINAL else "filled", now_ns)
                ended = True
            return (order, "", ended, True), self._overdue(now_ns)

    def acknowledge(self, venue: str, client_order_id: str, order_id: str, now_ns: int) -> Taken:
        """The venue has the order."""
        with self._lock:
            order, anomaly = self._find(venue, client_order_id, order_id)
            if order.acknowledged_ns:
                return order, "duplicate", False, False
            order.acknowledged_ns = now_ns
            if order_id and not order.order_id:
                order.order_id = order_id
                self._name(order)
            if order.status == "pending_new":
                order.status = "new"
            return order, "" if anomaly == "late" else anomaly, False, True  # answers often come after the fill

    def fill(
        self,
        venue: str,
        client_order_id: str,
        order_id: str,
        execution_id: str,
        quantity: Amount,
        notional: Amount | None,
        now_ns: int,
        *,
        complete: bool | None = None,
    ) -> Taken:
        """A part of the order, or all of it, was executed; ``complete`` is what the venue says of that."""
        with self._lock:
            order, anomaly = self._find(venue, client_order_id, order_id)
            if execution_id and order.known(execution_id):
                return order, "duplicate", False, False
            progress = order.execute(quantity, notional)
            if progress > 0:
                anomaly = "overfill"
            if order.status in FINAL:
                return order, anomaly or "late", False, True
            if progress < 0 if complete is None else not complete:
                order.status = "partially_filled"
                return order, anomaly, False, True
            return order, anomaly, self._end(order, "filled", now_ns), True

    def request_cancel(self, venue: str, client_order_id: str, order_id: str, now_ns: int) -> Taken:
        """The bot wants the order back."""
        with self._lock:
            order, anomaly = self._find(venue, client_order_id, order_id)
            order.cancel_requested_ns = order.cancel_requested_ns or now_ns
            return order, anomaly, False, True

    def end(self, venue: str, client_order_id: str, order_id: str, status: str, now_ns: int) -> Taken:
        """The order ended without being executed in full."""
        with self._lock:
            order, anomaly = self._find(venue, client_order_id, order_id)
            if order.status in FINAL:
                same = order.status == status
                return order, "duplicate" if same else "late", False, not same
            return order, anomaly, self._end(order, status, now_ns), True

    def replace(
        self,
        venue: str,
        client_order_id: str,
        order_id: str,
        new_id: str,
        quantity: Amount | None,
        price: Amount | None,
    ) -> Taken:
        """The order has another quantity, price or client order id from now on."""
        with self._lock:
            order, anomaly = self._find(venue, client_order_id, order_id)
            if quantity is not None:
                order.quantity = quantity
            if price is not None:
                order.price = price
            if new_id and new_id != order.client_order_id:
                was_open = self._open.pop(order.client_order_id or order.order_id, None) is not None
                order.client_order_id = new_id
                if was_open:
                    self._open[new_id] = order
            return order, anomaly, False, True

    def find(self, venue: str, client_order_id: str, order_id: str) -> Order:
        """The order of these ids, for events that change nothing of it."""
        with self._lock:
            return self._find(venue, client_order_id, order_id)[0]

    def _find(self, venue: str, client_order_id: str, order_id: str) -> tuple[Order, str]:
        """The order, and what is strange about being asked for it; one that is not known is remembered, too."""
        key = client_order_id or order_id
        order = self._open.get(key)
        if order is not None:
            return order, ""
        order = self._ended.get(key)
        if order is not None:
            return order, "late"
        order = self._ids.get((venue, order_id)) if order_id else None
        if order is not None:
            return order, "late" if order.status in FINAL else ""
        if not key:
            return Order(), "unidentified"
        order = self._early.get(key)
        if order is None:
            order = self._early[key] = Order(client_order_id, order_id)
            if len(self._early) > EARLY:
                forget_half(self._early)
        return order, "unknown"

    def _end(self, order: Order, status: str, now_ns: int) -> bool:
        """Whether it was open."""
        order.status, order.ended_ns = status, now_ns
        key = order.client_order_id or order.order_id
        if self._open.pop(key, None) is None:
            return False
        self.ended += 1
        self._ended[key] = order
        if len(self._ended) > self._limits[1]:
            for old in islice(self._ended.values(), len(self._ended) // 2):
                self._forget(old)
            forget_half(self._ended)
        return True

    def _name(self, order: Order) -> None:
        """Have it found by the venue's id, too."""
        if order.order_id:
            self._ids[order.venue or "", order.order_id] = self._ids["", order.order_id] = order

    def _forget(self, order: Order) -> None:
        for key in ((order.venue or "", order.order_id), ("", order.order_id)):
            if self._ids.get(key) is order:
                del self._ids[key]

    def _overdue(self, now_ns: int) -> list[Order]:
        """Those that are too many, or wait for too long."""
        given_up: list[Order] = []
        while self._open:
            oldest = self._open[next(iter(self._open))]
            if len(self._open) <= self._limits[0] and now_ns - oldest.submitted_ns <= self._longest:
                break
            self._open.pop(oldest.client_order_id or oldest.order_id, None)
            self._forget(oldest)
            self.ended += 1
            oldest.ended_ns = now_ns
            given_up.append(oldest)
        return given_up
