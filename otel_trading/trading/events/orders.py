"""What happens to orders."""

from __future__ import annotations

from otel_trading.trading.events.model import Event, Level, Measure

_ROUTER = "order_router"
_WHAT = ("venue", "symbol", "side", "type", "strategy", "client_order_id", "order_id", "pair_id")
"""What every event of an order says of it."""

_REPORTS = "trading.execution.reports"
_ACTIVE = "trading.order.active"


def _report(kind: str, status: str = "") -> Measure:
    given = (("trading.execution.type", kind), *((("trading.order.status", status),) if status else ()))
    return Measure(_REPORTS, given=given)


SUBMITTED = Event(
    "trading.order.submitted",
    "order submitted",
    (
        *_WHAT,
        *("account", "instrument_type", "time_in_force", "quantity", "price", "stop_price", "reduce_only", "post_only"),
        "tick_to_trade_seconds",
    ),
    (
        Measure("trading.order.submissions"),
        Measure("trading.tick_to_trade.duration", "tick_to_trade_seconds"),
    ),
    component=_ROUTER,
    span="",
    row="orders",
    tags=("order",),
)
"""It goes to its venue."""

RESTORED = Event(
    "trading.order.restored",
    "order found at the venue",
    (*_WHAT, "time_in_force", "quantity", "price", "cumulative_quantity", "status"),
    (Measure("trading.order.restorations"),),
    component=_ROUTER,
    span="",
    row="orders",
    tags=("order",),
)
"""It was open already when the bot started."""

ACKNOWLEDGED = Event(
    "trading.order.acknowledged",
    "order acknowledged",
    (*_WHAT, "duration_seconds"),
    (_report("new", "new"), Measure("trading.order.ack.duration", "duration_seconds")),
    component=_ROUTER,
    span="order",
    row="orders",
    tags=("order",),
)
"""The venue has it."""

UNANSWERED = Event(
    "trading.order.unanswered",
    "no answer to the order",
    (*_WHAT, "error_type", "text"),
    (Measure("trading.order.anomalies", given=(("trading.order.anomaly", "unanswered"),)),),
    Level.WARNING,
    component=_ROUTER,
    span="order",
    row="orders",
    alert="order_unanswered",
    tags=("order",),
)
"""Nobody knows whether the venue has it."""

FILLED = Event(
    "trading.order.filled",
    "order filled",
    (
        *_WHAT,
        *("status", "execution_id", "last_quantity", "last_price", "liquidity", "notional", "currency"),
        *("commission", "commission_currency", "cumulative_quantity", "leaves_quantity", "average_price"),
        *("expected_price", "slippage_bps", "price_improvement", "duration_seconds"),
    ),
    (
        _report("trade"),
        Measure("trading.execution.quantity", "last_quantity"),
        Measure("trading.execution.notional", "notional"),
        Measure("trading.execution.commission", "commission", renamed=(("commission_currency", "trading.currency"),)),
        Measure("trading.execution.slippage.bps", "slippage_bps"),
        Measure("trading.order.fill.duration", "filled_after"),
    ),
    component=_ROUTER,
    span="order",
    row="executions",
    alert="large_execution",
    tags=("order", "execution"),
    amounts=("filled_after",),
)
"""A part of it was executed, or the rest."""

CANCEL_REQUESTED = Event(
    "trading.order.cancel_requested",
    "cancellation requested",
    (*_WHAT, "reason"),
    (Measure("trading.order.cancel.requests"),),
    component=_ROUTER,
    span="order",
    row="orders",
    tags=("order",),
)
"""The bot wants it back."""

CANCELED = Event(
    "trading.order.canceled",
    "order canceled",
    (*_WHAT, "reason", "cumulative_quantity", "leaves_quantity", "average_price", "duration_seconds"),
    (_report("canceled", "canceled"), Measure("trading.order.cancel.duration", "duration_seconds")),
    component=_ROUTER,
    span="order",
    row="orders",
    tags=("order",),
)
"""It will not be executed any further."""

CANCEL_REJECTED = Event(
    "trading.order.cancel_rejected",
    "cancellation refused",
    (*_WHAT, "reject_reason", "error_type", "text"),
    (Measure("trading.order.anomalies", given=(("trading.order.anomaly", "cancel_rejected"),)),),
    Level.WARNING,
    component=_ROUTER,
    span="order",
    row="orders",
    tags=("order",),
)
"""The venue does not give it back."""

REJECTED = Event(
    "trading.order.rejected",
    "order rejected",
    (*_WHAT, "reject_reason", "error_type", "text", "duration_seconds"),
    (_report("rejected", "rejected"), Measure("trading.order.ack.duration", "duration_seconds")),
    Level.ERROR,
    component=_ROUTER,
    span="order",
    row="orders",
    alert="order_rejected",
    tags=("order",),
)
"""The venue refused it."""

EXPIRED = Event(
    "trading.order.expired",
    "order expired",
    (*_WHAT, "reason", "cumulative_quantity", "leaves_quantity", "average_price"),
    (_report("expired", "expired"),),
    component=_ROUTER,
    span="order",
    row="orders",
    tags=("order",),
)
"""Its time is over."""

REPLACED = Event(
    "trading.order.replaced",
    "order replaced",
    (*_WHAT, "original_client_order_id", "quantity", "price"),
    (_report("replaced", "new"),),
    component=_ROUTER,
    span="order",
    row="orders",
    tags=("order",),
)
"""It has another quantity or price."""

ABANDONED = Event(
    "trading.order.abandoned",
    "the end of the order is not known",
    (*_WHAT, "status", "cumulative_quantity", "leaves_quantity"),
    (Measure("trading.order.anomalies", given=(("trading.order.anomaly", "abandoned"),)),),
    Level.WARNING,
    component=_ROUTER,
    span="order",
    row="orders",
    alert="order_abandoned",
    tags=("order",),
)
"""It is open for longer than orders are remembered."""

ANOMALY = Event(
    "trading.order.anomaly_reported",
    "a report does not fit what is known of the order",
    (*_WHAT, "anomaly", "reported", "status", "execution_id"),
    (Measure("trading.order.anomalies"),),
    component=_ROUTER,
    span="",
    row="orders",
    tags=("order",),
)
"""It was told before, comes after the order's end, or nobody knows such an order."""

ORDERS = (
    *(SUBMITTED, RESTORED, ACKNOWLEDGED, UNANSWERED, FILLED, CANCEL_REQUESTED, CANCELED, CANCEL_REJECTED),
    *(REJECTED, EXPIRED, REPLACED, ABANDONED, ANOMALY),
)
