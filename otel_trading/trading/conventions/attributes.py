"""The attributes of trading, by what they are about; those of FIX carry its tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.trading.conventions import enums
from otel_trading.trading.conventions.attributes_around import AROUND
from otel_trading.trading.conventions.model import Attribute, by_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_trading.trading.conventions.model import Type


def _about(prefix: str, *rows: Attribute) -> tuple[Attribute, ...]:
    return tuple(
        Attribute(f"{prefix}.{row.name}", row.key, row.type, row.description, row.fix, row.values, row.metric)
        for row in rows
    )


def _word(
    name: str, key: str, text: str, fix: int | None = None, values: Iterable[str] = (), *, metric: bool = True
) -> Attribute:
    """A text of few values, which metrics have too."""
    return Attribute(name, key, "string", text, fix, tuple(map(str, values)), metric)


def _text(name: str, key: str, text: str, fix: int | None = None) -> Attribute:
    return Attribute(name, key, "string", text, fix)


def _number(name: str, key: str, text: str, fix: int | None = None, kind: Type = "double") -> Attribute:
    return Attribute(name, key, kind, text, fix)


_WHERE = (
    _word("trading.venue.name", "venue", "The venue, as ccxt calls it: `binance`, `kalshi`.", 207),
    _word("trading.venue.mic", "mic", "The venue's market identifier code (ISO 10383).", 30),
    _word("trading.instrument.symbol", "symbol", "The instrument's unified symbol: `BTC/USDT`, `BTC/USDT:USDT`.", 55),
    _text("trading.instrument.id", "market_id", "The venue's own identifier of the instrument.", 48),
    _word("trading.instrument.type", "instrument_type", "What is traded.", 167, enums.SecurityType),
    _word("trading.instrument.outcome", "instrument_outcome", "The outcome a prediction is about: `yes`, `no`."),
    _word("trading.currency", "currency", "Currency of an amount of money (ISO 4217 or the asset's code).", 15),
    _word("trading.strategy.name", "strategy", "The strategy, as the bot calls it."),
    _text("trading.pair.id", "pair_id", "What joins the orders of one trade with several legs.", 66),
    _text("trading.account.id", "account", "The account at the venue.", 1),
    _word(
        "trading.operation.name",
        "operation",
        "What was asked of a venue: ccxt's unified method, or an endpoint.",
    ),
    _word("trading.stage.name", "stage", "A stage of the bot's work: `signal_generation`, `order_execution`."),
    _word("trading.event.reason", "reason", "Why it happened, in one word of few: `timeout`, `daily_loss_limit`."),
    _text("trading.event.text", "text", "What the venue or the bot said about it, in full.", 58),
    _number("trading.event.duration", "duration_seconds", "How long it took, in seconds."),
    _number("trading.event.timeout", "timeout_seconds", "How long it may take, in seconds."),
    _number("trading.event.time", "event_time", "When it happened by the venue's clock, in ns since 1970.", 60, "int"),
    _number("trading.tick_to_trade.duration", "tick_to_trade_seconds", "From the tick's receipt, in seconds."),
    _number("trading.event.success", "success", "Whether it succeeded.", None, "boolean"),
)

_ORDER = _about(
    "trading.order",
    _word("side", "side", "Buying or selling.", 54, enums.Side),
    _word("type", "type", "How the price is set.", 40, enums.OrderType),
    _word("time_in_force", "time_in_force", "How long the order stands.", 59, enums.TimeInForce),
    _word("status", "status", "Where the order is in its life.", 39, enums.OrderStatus),
    _word("reject_reason", "reject_reason", "Why the venue refused (also CxlRejReason, 102).", 103, enums.RejectReason),
    _word("anomaly", "anomaly", "What is wrong with a report of an order: `duplicate`, `unknown`, `late`, `overfill`."),
    _text("reported", "reported", "What was reported of the order: `filled`, `canceled`."),
    _text("client_id", "client_order_id", "The order's identifier that the bot made.", 11),
    _text("original_client_id", "original_client_order_id", "That of the order it replaces or cancels.", 41),
    _text("id", "order_id", "The order's identifier that the venue made.", 37),
    _number("quantity", "quantity", "Ordered quantity.", 38),
    _number("price", "price", "Limit price.", 44),
    _number("stop_price", "stop_price", "Price that sets off a stop order.", 99),
    _number("cumulative_quantity", "cumulative_quantity", "Executed quantity so far.", 14),
    _number("leaves_quantity", "leaves_quantity", "Quantity that is still open.", 151),
    _number("average_price", "average_price", "Average price of what was executed.", 6),
    _number("post_only", "post_only", "Whether the order must not take liquidity (ExecInst 6).", 18, "boolean"),
    _number("reduce_only", "reduce_only", "Whether the order may only make the position smaller.", None, "boolean"),
)

_EXECUTION = _about(
    "trading.execution",
    _word("type", "execution_type", "What a report says.", 150, enums.ExecutionType),
    _word("liquidity", "liquidity", "Whether the execution added liquidity or removed it.", 851, enums.Liquidity),
    Attribute("price_improvement", "price_improvement", "boolean", "Whether the price was better.", 639, (), True),
    _word("mode", "execution_mode", "Whether orders are real.", None, ("live", "paper")),
    _text("id", "execution_id", "The execution's identifier.", 17),
    _number("quantity", "last_quantity", "Quantity of this execution.", 32),
    _number("price", "last_price", "Price of this execution.", 31),
    _number("notional", "notional", "Quantity times price of this execution.", 381),
    _number("commission", "commission", "What the venue took, below zero when it gave.", 12),
    _text("commission_currency", "commission_currency", "Currency or asset of the commission.", 479),
    _number("slippage.bps", "slippage_bps", "How much worse than expected the price was, in basis points."),
    _number("expected_price", "expected_price", "The price that was expected."),
)

_TRADE = _about(
    "trading.trade",
    _word("outcome", "outcome", "How a trade of one leg or several ended.", None, enums.TradeOutcome),
    _text("id", "trade_id", "The trade's identifier.", 1003),
    _number("legs", "legs", "Legs of the trade.", 555, "int"),
    _number("edge", "edge", "What the trade was expected to earn, in its currency."),
    _number("realized_edge", "realized_edge", "What it earned before fees."),
    _number("profit", "net_profit", "What it earned after fees, below zero for a loss."),
    _number("fees", "fees", "All its commissions."),
    _number("slippage", "slippage", "What its executions cost more than expected."),
)
_TRADE_AROUND = (
    _word("trading.opportunity.route", "route", "What would be done where: `make_kalshi_take_poly`."),
    _text("trading.opportunity.id", "opportunity_id", "The opportunity's identifier."),
    _number("trading.opportunity.edge.bps", "edge_bps", "What it should earn, in basis points."),
    _text("trading.signal.action", "action", "What a signal says: `enter`, `exit`."),
    _number("trading.signal.basis.bps", "basis_bps", "The basis that made the signal, in basis points."),
)

_MONEY = (
    _number("trading.position.quantity", "position", "The position, below zero when short."),
    _number("trading.position.notional", "position_notional", "What the position is worth."),
    _number("trading.position.price", "entry_price", "Average price of the position."),
    _number("trading.position.limit", "position_limit", "How large it may get."),
    _number("trading.position.holding_time", "holding_seconds", "How long it was held, in seconds."),
    _number("trading.position.believed", "believed", "The position as the bot knows it."),
    _number("trading.position.drift", "drift", "What the venue holds, less what the bot believes."),
    _number("trading.pnl.realized", "realized", "Realised profit or loss so far."),
    _number("trading.pnl.unrealized", "unrealized", "Profit or loss of what is open, at market prices."),
    _number("trading.pnl.session", "session_pnl", "Profit or loss since the session began."),
    _number("trading.pnl.change", "pnl_change", "By how much realised profit or loss changed."),
    _number("trading.balance.total", "balance", "What the account holds."),
    _number("trading.balance.free", "balance_free", "The part of it that is free."),
    _number("trading.balance.used", "balance_used", "The part of it that open orders and positions need."),
)

_MARKET_DATA = _about(
    "trading.market_data",
    _word("type", "data_type", "What a frame tells (also MDReqType).", None, enums.MarketDataType),
    _word("subscription", "subscription", "The subscription, as the venue calls it: `btcusdt@bookTicker`.", 262),
    _word("action", "update_action", "What happened to an entry of a book.", 279, enums.UpdateAction, metric=False),
    _word("entry_type", "entry_type", "What an entry of a book is.", 269, enums.EntryType, metric=False),
    _number("sequence", "sequence", "The frame's number at the venue.", 83, "int"),
    _number("expected_sequence", "expected_sequence", "The number it should have had.", None, "int"),
    _number("missing", "missing", "Frames that are missing.", None, "int"),
    _number("age", "staleness_seconds", "Time since the last frame, in seconds."),
    _number(
        "latency", "latency_seconds", "From the venue's event to its receipt, in seconds, clocks' offset taken out."
    ),
    _number("latency.p50", "p50_ms", "Median latency, in milliseconds."),
    _number("latency.p95", "p95_ms", "95th percentile of the latency, in milliseconds."),
    _number("levels", "levels", "Price levels of the book.", 264, "int"),
    _number("size", "size_bytes", "Bytes of the frame.", None, "int"),
    _number("bid", "bid", "Best price to sell at.", 132),
    _number("ask", "ask", "Best price to buy at.", 133),
    _number("bid_quantity", "bid_quantity", "Quantity at the best bid.", 134),
    _number("ask_quantity", "ask_quantity", "Quantity at the best ask.", 135),
    _number("spread.bps", "spread_bps", "Best ask above best bid, in basis points of their middle."),
)
_MARKET_DATA_AROUND = (
    _number("trading.clock.offset", "clock_offset_seconds", "Added to receipt less event time, in seconds."),
)  # fmt: skip

_VENUE = (
    _word("trading.connection.state", "connection_state", "The state of a connection.", None, enums.ConnectionState),
    _word("trading.connection.name", "connection", "What a connection is for: `market_data`, `user_data`."),
    _number("trading.connection.attempt", "attempt", "How many times it has been tried.", None, "int"),
    _word("trading.session.status", "session_status", "Whether the venue trades.", 340, enums.SessionStatus),
    _number("trading.request.weight", "weight", "What the request counts against the venue's rate limit."),
    _word("trading.rate_limit.name", "rate_limit", "Which of the venue's limits: `request_weight`, `orders_10s`."),
    _number("trading.rate_limit.usage", "rate_limit_used", "How much of it is used."),
    _number("trading.rate_limit.value", "rate_limit_value", "How much of it there is."),
    _number("trading.rate_limit.wait", "wait_seconds", "How long to wait for it, in seconds."),
    _word("trading.chain.name", "chain", "The block chain: `polygon`, `solana`."),
    _word("trading.chain.outcome", "chain_outcome", "Its end.", None, ("confirmed", "failed", "dropped")),
    _text("trading.chain.transaction.id", "transaction", "The transaction's hash."),
    _number("trading.chain.block", "block", "The block's number.", None, "int"),
    _number("trading.chain.gas", "gas", "Gas that the transaction used.", None, "int"),
    _number("trading.chain.priority_fee", "priority_fee", "What was paid to come first."),
    _number("trading.chain.compute_units", "compute_units", "Compute units that it used.", None, "int"),
    _word("trading.settlement.outcome", "settlement_outcome", "Its end.", None, ("settled", "failed", "timeout")),
    _word("trading.cache.name", "cache", "The cache."),
    Attribute("trading.cache.hit", "hit", "boolean", "Whether the cache had it.", None, (), metric=True),
)  # fmt: skip

_RISK = _about(
    "trading.risk",
    _word("limit.name", "limit_name", "The limit: `daily_loss`, `position_exposure`, `turnover`, `emergency_stop`."),
    _word("scope", "scope", "What it holds for.", None, ("account", "venue", "strategy", "symbol")),
    _word("result", "result", "What a check said.", None, ("passed", "warned", "refused")),
    _number("limit.value", "limit", "How much is allowed."),
    _number("usage", "used", "How much is used."),
    _number("utilization", "utilization", "The used share of what is allowed."),
    _word("measure", "measure", "What was measured.", None, ("var", "expected_shortfall", "volatility")),
    _word("confidence", "confidence", "With which probability: `0.99`."),
    _word("window", "window", "Over which time: `1d`."),
    _number("value", "value", "What was measured, as money or as a share."),
)
_RISK_AROUND = (
    _word("trading.circuit_breaker.name", "breaker", "The circuit breaker: `trade`, `session`, `daily`."),
    _word("trading.circuit_breaker.state", "breaker_state", "Its state.", None, enums.BreakerState),
    _word("trading.circuit_breaker.previous_state", "previous_state", "Its state before.", None, enums.BreakerState),
    _word("trading.state.value", "state", "What the bot may do.", None, enums.TradingState),
    _word(
        "trading.emergency_stop.trigger",
        "emergency_trigger",
        "By what an emergency stop was made, or ended: `api`, `http`, `cli`, `signal`, `file`, `rule`.",
    ),
    _word("trading.emergency_stop.state", "emergency_state", "What it is now.", None, ("engaged", "released")),
    _word(
        "trading.callback.outcome", "callback_outcome", "What became of a callback.", None, ("done", "failed", "late")
    ),
    _word("trading.halt.trigger", "trigger", "What made the bot stop: `venue_disconnect`, `emergency_stop`."),
)

_TOLD = ("sent", "failed", "suppressed", "uncertain")

_OPERATIONS = (
    _word("trading.health.state", "health", "How a component is.", None, enums.HealthState),
    _word("trading.health.component", "component", "The component or what it depends on."),
    Attribute("trading.health.critical", "critical", "boolean", "Whether the bot needs it.", None, (), metric=True),
    _word("trading.alert.level", "alert_level", "How serious.", None, ("info", "warning", "error", "critical")),
    _word("trading.alert.rule", "alert_rule", "The rule it comes from: `stale_data`, `high_latency`."),
    _word("trading.alert.change", "alert_change", "Whether it begins or is over.", None, ("fired", "resolved")),
    _word("trading.alert.channel", "channel", "The channel that it goes to, by its name; `log` is always there."),
    _word("trading.alert.outcome", "alert_outcome", "What became of it.", None, _TOLD),
    _word("trading.record.type", "record_type", "What was recorded: `raw_message`, `trade`."),
    _word("trading.record.outcome", "record_outcome", "What became of it.", None, ("written", "failed", "dropped")),
    _word("trading.config.outcome", "config_outcome", "What became of a change.", None, ("applied", "refused")),
    _word("trading.shutdown.phase", "phase", "A step of shutting down: `cancel_orders`, `disconnect`, `flush`."),
    _word(
        *("trading.shutdown.outcome", "shutdown_outcome", "What became of it.", None),
        ("done", "failed", "timeout", "abandoned", "skipped"),
    ),
)  # fmt: skip

ATTRIBUTES: dict[str, Attribute] = by_name(
    (
        *(*_WHERE, *_ORDER, *_EXECUTION, *_TRADE, *_TRADE_AROUND, *_MONEY, *_MARKET_DATA, *_MARKET_DATA_AROUND),
        *(*_VENUE, *_RISK, *_RISK_AROUND, *_OPERATIONS, *AROUND),
    )
)
"""Every attribute of the kit, by name."""

KEYS: dict[str, Attribute] = {attribute.key: attribute for attribute in ATTRIBUTES.values() if attribute.key}
"""Those with a short key, by that."""

SHORT_KEYS: dict[str, str] = {attribute.name: key for key, attribute in KEYS.items()}
"""Short keys by name, as log lines use them."""
