"""What happens to opportunities, and to trades of one leg or several."""

from __future__ import annotations

from otel_trading.trading.events.model import Event, Level, Measure

_ROUTER = "order_router"

DETECTED = Event(
    "trading.opportunity.detected",
    "opportunity detected",
    ("strategy", "route", "venue", "symbol", "opportunity_id", "edge_bps", "edge", "currency", "quantity", "action"),
    (Measure("trading.opportunity.detections"), Measure("trading.opportunity.edge.bps", "edge_bps")),
    component="strategy",
    row="opportunities",
    alert="new_opportunities",
    tags=("opportunity",),
)

PLANNED = Event(
    "trading.trade.planned",
    "trade planned",
    ("strategy", "route", "pair_id", "trade_id", "legs", "edge", "edge_bps", "currency"),
    (Measure("trading.trade.plans"),),
    component=_ROUTER,
    tags=("trade",),
)

STARTED = Event(
    "trading.trade.started",
    "trade started",
    ("strategy", "route", "pair_id", "trade_id", "legs", "timeout_seconds"),
    (Measure("trading.trade.attempts"),),
    component=_ROUTER,
    tags=("trade",),
)

COMPLETED = Event(
    "trading.trade.completed",
    "trade completed",
    (
        *("strategy", "venue", "symbol", "pair_id", "trade_id", "outcome", "error_type", "currency", "quantity"),
        *("edge", "realized_edge", "net_profit", "fees", "slippage", "legs", "duration_seconds", "text"),
    ),
    (
        Measure("trading.trade.completions"),
        Measure("trading.trade.duration", "duration_seconds"),
        Measure("trading.trade.edge", "net_profit"),
        Measure("trading.trade.profit", "profit"),
        Measure("trading.trade.loss", "loss"),
    ),
    component=_ROUTER,
    row="trades",
    tags=("trade", "execution"),
    amounts=("profit", "loss"),
)

SETTLED = Event(
    "trading.execution.settled",
    "settlement completed",
    (
        *("venue", "symbol", "client_order_id", "order_id", "execution_id", "settlement_outcome"),
        *("transaction", "duration_seconds", "text"),
    ),
    (Measure("trading.execution.settlement.duration", "duration_seconds"),),
    component="settlement",
    row="settlements",
    tags=("settlement",),
)

CHAIN = Event(
    "trading.chain.transaction",
    "transaction on the chain",
    (
        *("chain", "transaction", "chain_outcome", "block", "gas", "priority_fee", "compute_units", "currency"),
        "duration_seconds",
    ),
    (
        Measure("trading.chain.transactions"),
        Measure("trading.chain.transaction.duration", "duration_seconds"),
        Measure("trading.chain.gas", "gas"),
        Measure("trading.chain.priority_fee", "priority_fee"),
        Measure("trading.chain.compute_units", "compute_units"),
    ),
    component="chain",
    row="transactions",
    tags=("chain",),
)

FAILED = Event(
    "trading.strategy.failed",
    "strategy failed",
    ("strategy", "error_type", "text"),
    (Measure("trading.strategy.failures"),),
    Level.CRITICAL,
    component="strategy",
    alert="strategy_panic",
    tags=("strategy",),
)

TRADES = (DETECTED, PLANNED, STARTED, COMPLETED, SETTLED, CHAIN, FAILED)
