"""What happens to positions, profit and balances."""

from __future__ import annotations

from otel_trading.trading.events.model import Event, Level, Measure

POSITION = Event(
    "trading.position.changed",
    "position changed",
    (
        *("venue", "symbol", "strategy", "position", "entry_price", "position_notional", "currency"),
        *("unrealized", "holding_seconds"),
    ),
    (
        Measure("trading.position.quantity", "position"),
        Measure("trading.position.notional", "position_notional"),
        Measure("trading.position.holding.duration", "holding_seconds"),
        Measure("trading.pnl.unrealized", "unrealized"),
    ),
    component="position_manager",
    row="positions",
    alert="position_breach",
    tags=("position",),
)

DRIFTED = Event(
    "trading.position.drifted",
    "position differs from the venue's",
    ("venue", "symbol", "believed", "position", "drift", "text"),
    (Measure("trading.position.drifts"), Measure("trading.position.drift", "drift")),
    Level.ERROR,
    component="position_manager",
    alert="position_drift",
    tags=("position",),
)

PNL = Event(
    "trading.pnl.changed",
    "profit changed",
    ("venue", "symbol", "strategy", "currency", "pnl_change", "realized", "unrealized", "session_pnl"),
    (Measure("trading.pnl.realized", "pnl_change"), Measure("trading.pnl.unrealized", "unrealized")),
    component="position_manager",
    row="pnl",
    alert="loss_limit_breach",
    tags=("pnl",),
)

BALANCE = Event(
    "trading.venue.balance_changed",
    "balance changed",
    ("venue", "account", "currency", "balance", "balance_free", "balance_used"),
    (Measure("trading.venue.balance", "balance"),),
    component="position_manager",
    row="balances",
    tags=("balance",),
)

MONEY = (POSITION, DRIFTED, PNL, BALANCE)
