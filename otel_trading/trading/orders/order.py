"""One order and what became of it."""

from __future__ import annotations

from decimal import Decimal
from itertools import islice
from operator import add, sub, truediv
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import Span, SpanContext

    Amount = int | float | Decimal

FINAL = frozenset({"filled", "canceled", "rejected", "expired"})
"""The states (FIX OrdStatus, tag 39) that an order does not leave."""

_ALMOST = 1e-9
"""The share of a quantity that is too little to be left: sums of binary fractions are not exact."""
_EXECUTIONS = 4_096
"""Ids of executions that are remembered of one order."""


class Order:
    """An order as it is known from the events; amounts are in the base currency, times in nanoseconds since 1970.

    ``status`` is FIX OrdStatus (tag 39), ``cumulative_quantity`` CumQty (14); ``tick_to_trade`` is how many seconds
    after its tick it was submitted, if it was the tick's first order.
    """

    __slots__ = (
        "_executions",
        "_left",
        "_value",
        "acknowledged_ns",
        "active",
        "cancel_requested_ns",
        "client_order_id",
        "context",
        "cumulative_quantity",
        "currency",
        "ended_ns",
        "expected_price",
        "order_id",
        "pair_id",
        "price",
        "quantity",
        "side",
        "span",
        "status",
        "strategy",
        "submitted_ns",
        "symbol",
        "tick_to_trade",
        "time_in_force",
        "type",
        "venue",
    )

    def __init__(self, client_order_id: str = "", order_id: str = "") -> None:
        self.client_order_id = client_order_id
        self.order_id = order_id
        self.venue: str | None = None
        self.symbol: str | None = None
        self.currency: str | None = None
        self.side: str | None = None
        self.type: str | None = None
        self.time_in_force: str | None = None
        self.strategy: str | None = None
        self.pair_id: str | None = None
        self.quantity: Amount | None = None
        self.price: Amount | None = None
        self.expected_price: Amount | None = None
        self.status = "pending_new"
        self.cumulative_quantity: Amount = 0
        self.submitted_ns = self.acknowledged_ns = self.cancel_requested_ns = self.ended_ns = 0
        self.span: Span | None = None
        self.context: SpanContext | None = None
        self.tick_to_trade: float | None = None
        self.active: Callable[[float], None] | None = None
        self._value: Amount = 0
        self._left: Amount | None = None
        self._executions: dict[str, None] = {}

    @property
    def open(self) -> bool:
        """Whether it may still be executed."""
        return self.status not in FINAL

    @property
    def average_price(self) -> float | Decimal | None:
        """The mean price of what was executed, FIX AvgPx (tag 6); ``None`` before that."""
        if not self.cumulative_quantity:
            return None
        average: float | Decimal = exactly(truediv, self._value, self.cumulative_quantity)
        return average

    @property
    def leaves_quantity(self) -> Amount | None:
        """What may still be executed, FIX LeavesQty (tag 151); ``None`` when the order's quantity is not known."""
        if self.status in FINAL:
            return 0
        return self.quantity if self._left is None else self._left

    def what(self, venue: str | None = None, symbol: str | None = None, side: str | None = None) -> tuple[Any, ...]:
        """The values of the fields that every event of an order has; what is not known of it may be given."""
        return (
            self.venue or venue,
            self.symbol or symbol,
            self.side or side,
            self.type,
            self.strategy,
            self.client_order_id or None,
            self.order_id or None,
            self.pair_id,
        )

    def known(self, execution_id: str) -> bool:
        """Whether this execution was taken before; it is from now on."""
        executions = self._executions
        if execution_id in executions:
            return True
        if len(executions) >= _EXECUTIONS:
            forget_half(executions)
        executions[execution_id] = None
        return False

    def execute(self, quantity: Amount, notional: Amount | None) -> int:
        """Add an execution: -1 while something is left of the order, 0 when nothing is, 1 when it was too much."""
        self.cumulative_quantity = exactly(add, self.cumulative_quantity, quantity)
        if notional is not None:
            self._value = exactly(add, self._value, notional)
        return self.progress()

    def progress(self) -> int:
        """How its executions compare with its quantity, as ``execute`` tells it; -1 when that is not known."""
        whole = self.quantity
        if whole is None:
            return -1
        left = self._left = exactly(sub, whole, self.cumulative_quantity)
        almost = 0 if left.__class__ is Decimal else float(whole) * _ALMOST
        return -1 if left > almost else 1 if left < -almost else 0

    def take_over(self, early: Order) -> None:
        """Take what was heard of it before it was known to be submitted."""
        self.order_id = self.order_id or early.order_id
        self.acknowledged_ns = early.acknowledged_ns
        self.cancel_requested_ns = early.cancel_requested_ns
        self.cumulative_quantity, self._value = early.cumulative_quantity, early._value
        self._executions = early._executions
        if early.status != "pending_new":
            self.status = early.status
        self.progress()

    def __repr__(self) -> str:
        """For people."""
        done = f"{self.cumulative_quantity} of {self.quantity}"
        return f"Order({self.client_order_id or self.order_id!r}, {self.side} {done} {self.symbol}, {self.status})"


def forget_half(remembered: dict[Any, Any]) -> None:
    """Let the older half go: at once, as looking for a dict's first key again and again would be slow."""
    for key in list(islice(remembered, len(remembered) // 2)):
        del remembered[key]


def exactly(operation: Callable[[Any, Any], Any], one: Any, other: Any) -> Any:  # noqa: ANN401 - amounts
    """What the operation gives; a decimal when both are, and where only one is, a binary fraction.

    >>> from decimal import Decimal
    >>> from operator import add
    >>> exactly(add, Decimal("0.1"), Decimal("0.2")), exactly(add, Decimal("0.5"), 0.25)
    (Decimal('0.3'), 0.75)
    """
    try:
        return operation(one, other)
    except TypeError:
        return operation(float(one), float(other))
