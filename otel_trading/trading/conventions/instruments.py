"""The instruments of trading, by what they measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.trading.conventions.instruments_around import AROUND
from otel_trading.trading.conventions.model import Instrument, by_name

if TYPE_CHECKING:
    from otel_trading.trading.conventions.model import Kind

_VENUE = "trading.venue.name"
_SYMBOL = "trading.instrument.symbol"
_STRATEGY = "trading.strategy.name"
_CURRENCY = "trading.currency"
_SIDE = "trading.order.side"
_OPERATION = "trading.operation.name"
_ERROR = "error.type"
_OUTCOME = "trading.trade.outcome"
_DATA = "trading.market_data.type"
_LIMIT = ("trading.risk.limit.name", "trading.risk.scope")
_RATE_LIMIT = "trading.rate_limit.name"
_STAGE = "trading.stage.name"
_CHAIN = "trading.chain.name"

LATENCY_SECONDS = (
    *(0.000_01, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.01, 0.025, 0.05),
    *(0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30),
)
REQUEST_SECONDS = (
    *(0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.25, 0.5, 1, 2, 2.5, 5, 10, 30),
)  # fmt: skip
TRADE_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300)
HOLDING_SECONDS = (0.1, 1, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400, 604_800)
EDGE_BPS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000)
SLIPPAGE_BPS = (-100, -50, -25, -10, -5, -2, -1, 0, 1, 2, 5, 10, 25, 50, 100, 250, 500)
MONEY = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000)


def _of(
    kind: Kind, name: str, unit: str, text: str, *attributes: str, bounds: tuple[float, ...] = (), optional: str = ""
) -> Instrument:
    return Instrument(f"trading.{name}", kind, unit, text, attributes, bounds=bounds, optional=tuple(optional.split()))


def _count(name: str, unit: str, text: str, *attributes: str, optional: str = "") -> Instrument:
    return _of("counter", name, unit, text, *attributes, optional=optional)


def _level(name: str, unit: str, text: str, *attributes: str, optional: str = "") -> Instrument:
    return _of("up_down_counter", name, unit, text, *attributes, optional=optional)


def _value(name: str, unit: str, text: str, *attributes: str, optional: str = "") -> Instrument:
    return _of("gauge", name, unit, text, *attributes, optional=optional)


def _read(name: str, unit: str, text: str, *attributes: str, optional: str = "") -> Instrument:
    return Instrument(f"trading.{name}", "gauge", unit, text, attributes, True, (), tuple(optional.split()))


def _times(name: str, text: str, *attributes: str, bounds: tuple[float, ...] = (), optional: str = "") -> Instrument:
    return _of("histogram", name, "s", text, *attributes, bounds=bounds, optional=optional)


_ORDERS = (
    _count(
        *("order.submissions", "{order}", "Orders handed to a venue.", _VENUE, _SYMBOL, _SIDE),
        *("trading.order.type", "trading.order.time_in_force", _STRATEGY),
    ),
    _level("order.active", "{order}", "Orders that are not final yet.", _VENUE, _SYMBOL, _SIDE),
    _level("order.open", "{order}", "Orders that a venue has and that are not final yet.", _VENUE, _SYMBOL, _SIDE),
    _times(
        *("order.ack.duration", "From an order's submission to the venue's answer.", _VENUE, "trading.order.type"),
        bounds=LATENCY_SECONDS,
        optional=_ERROR,
    ),
    _times("order.fill.duration", "From an order's submission to its last fill.", _VENUE, bounds=TRADE_SECONDS),
    _times("order.cancel.duration", "From asking for a cancellation to its end.", _VENUE, bounds=REQUEST_SECONDS),
    _count("order.cancel.requests", "{request}", "Cancellations asked for.", _VENUE, _SYMBOL, _SIDE),
    _count("order.restorations", "{order}", "Orders found at a venue that the bot did not know of.", _VENUE, _SYMBOL),
    _count(
        *("order.anomalies", "{report}", "Reports of orders that do not fit what is known of them."),
        *(_VENUE, "trading.order.anomaly"),
    ),
    _count(
        *("execution.reports", "{report}", "What venues reported of orders."),
        *(_VENUE, _SYMBOL, _SIDE, "trading.execution.type", "trading.order.status"),
        optional=f"trading.execution.liquidity trading.order.reject_reason {_STRATEGY}",
    ),
    _count("execution.quantity", "{unit}", "Executed quantity in the base currency.", _VENUE, _SYMBOL, optional=_SIDE),
    _count(
        *("execution.notional", "{currency}", "Executed quantity times price.", _VENUE, _SYMBOL, _CURRENCY),
        optional=_SIDE,
    ),
    _level(
        *("execution.commission", "{currency}", "What venues took, less what they gave."),
        *(_VENUE, _STRATEGY, _CURRENCY),
    ),
    _of(
        *("signed_histogram", "execution.slippage.bps", "{bp}", "How much worse than expected a price was."),
        *(_VENUE, _SYMBOL),
        bounds=SLIPPAGE_BPS,
        optional=f"{_STRATEGY} trading.execution.price_improvement",
    ),
    _times(
        *("execution.settlement.duration", "From an execution to its settlement."),
        *(_VENUE, "trading.settlement.outcome"),
        bounds=HOLDING_SECONDS,
    ),
    _read("execution.settlement.pending", "{execution}", "Executions that are not settled yet.", _VENUE),
    _times(
        *("tick_to_trade.duration", "From a tick's receipt to the first order it led to.", _SYMBOL, _STRATEGY),
        bounds=REQUEST_SECONDS,
    ),
)

_TRADES = (
    _count(
        *("opportunity.detections", "{opportunity}", "Opportunities found.", _STRATEGY),
        *("trading.opportunity.route",),
    ),
    _of(
        *("histogram", "opportunity.edge.bps", "{bp}"),
        *("What an opportunity should earn, in basis points.", _STRATEGY),
        bounds=EDGE_BPS,
    ),
    _count("trade.plans", "{trade}", "Trades planned.", _STRATEGY),
    _count("trade.attempts", "{trade}", "Trades begun.", _STRATEGY),
    _level("trade.active", "{trade}", "Trades begun and not ended.", _STRATEGY),
    _count(
        *("trade.completions", "{trade}", "Trades ended, by outcome.", _STRATEGY, _OUTCOME),
        optional=f"{_VENUE} {_ERROR}",
    ),
    _times(
        *("trade.duration", "From the tick to the end of the trade it led to.", _STRATEGY, _OUTCOME),
        bounds=TRADE_SECONDS,
    ),
    _of(
        *("signed_histogram", "trade.edge", "{currency}", "What a trade earned, in its currency."),
        *(_STRATEGY, _CURRENCY),
        bounds=(*(-bound for bound in reversed(MONEY)), 0, *MONEY),
        optional=_VENUE,
    ),
    _count("trade.profit", "{currency}", "What the trades that won earned.", _STRATEGY, _CURRENCY, optional=_VENUE),
    _count("trade.loss", "{currency}", "What the trades that lost cost.", _STRATEGY, _CURRENCY, optional=_VENUE),
    _count("strategy.failures", "{failure}", "Errors that ended a strategy's work.", _STRATEGY, _ERROR),
    _times("stage.duration", "Time that a stage of the bot takes.", _STAGE, optional=_ERROR),
    Instrument(
        *("trading.stage.budget.violations", "counter", "{violation}"),
        *("Measurements that took longer than their budget.", (_STAGE,), True),
        optional=(_VENUE, _SYMBOL, _STRATEGY, "trading.order.type", _OUTCOME, _ERROR),
    ),
)  # fmt: skip

_MONEY = (
    _level(
        *("pnl.realized", "{currency}", "Profit of what was closed, net of commissions."),
        *(_VENUE, _STRATEGY, _CURRENCY),
        optional=_SYMBOL,
    ),
    _value(
        *("pnl.unrealized", "{currency}", "What the open position is worth at mid prices, less what it cost."),
        *(_STRATEGY, _CURRENCY),
        optional=f"{_VENUE} {_SYMBOL}",
    ),
    _value(
        *("pnl.session", "{currency}", "Profit or loss since the session began, unrealised profit included."),
        *(_CURRENCY,),
        optional=_STRATEGY,
    ),
    _value("position.quantity", "{unit}", "The position, negative when short.", _VENUE, _SYMBOL, _STRATEGY),
    _value("position.notional", "{currency}", "What the position is worth.", _VENUE, _SYMBOL, _CURRENCY),
    _value("position.drift", "{unit}", "What the venue holds, less what the bot believes.", _VENUE, _SYMBOL),
    _count("position.drifts", "{drift}", "Times that the venue held something else.", _VENUE, _SYMBOL),
    _level("position.active", "{position}", "Positions that are not zero.", _VENUE, _STRATEGY),
    _times(
        "position.holding.duration", "From opening a position to closing it.", _STRATEGY, bounds=HOLDING_SECONDS
    ),
    _value("venue.balance", "{currency}", "What the account at the venue holds.", _VENUE, _CURRENCY),
)  # fmt: skip

_MARKET_DATA = (
    _count("market_data.messages", "{message}", "Frames of market data.", _VENUE, _DATA, optional=_SYMBOL),
    _times(
        "market_data.latency",
        "From the venue's event time to the frame's receipt, the clocks' offset taken out.",
        *(_VENUE, _DATA),
        bounds=LATENCY_SECONDS,
    ),
    _count(
        *("market_data.latency.negative", "{observation}"),
        *("Frames that by the venue's clock came before they were sent.", _VENUE, _DATA),
    ),
    _read(
        *("market_data.age", "s", "Time since the last frame of market data.", _VENUE, _DATA),
        optional=f"{_SYMBOL} trading.market_data.subscription",
    ),
    _count("market_data.gaps", "{gap}", "Times that frames were missing.", _VENUE, _DATA, optional=_SYMBOL),
    _count("market_data.stalls", "{stall}", "Times that a subscription went stale.", _VENUE, _DATA, optional=_SYMBOL),
    _read("market_data.stale.count", "{subscription}", "Subscriptions that are stale.", _VENUE),
    _count("market_data.errors", "{error}", "Frames that cannot be used.", _VENUE, _ERROR),
    _count("market_data.book.updates", "{update}", "Changes of books.", _VENUE, _SYMBOL),
    _of(
        *("histogram", "market_data.book.spread.bps", "{bp}", "Best ask above best bid."),
        *(_VENUE,),
        bounds=(0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500),
        optional=_SYMBOL,
    ),
    _read("clock.offset", "s", "How far the venue's clock is at least ahead of ours.", _VENUE),
    Instrument(
        *("trading.clock.steps", "counter", "{step}", "Times that the venue's clock or ours was set.", (_VENUE,)),
        observable=True,
    ),
)

_VENUES = (
    _count("venue.messages", "{message}", "Messages exchanged with a venue.", _VENUE, "network.io.direction"),
    _count("venue.io", "By", "Bytes exchanged with a venue.", _VENUE, "network.io.direction"),
    _level(
        *("venue.connection.state", "{connection}", "1 for the state of the connection, 0 for the others."),
        *(_VENUE, "trading.connection.state"),
        optional="trading.connection.name",
    ),
    _count("venue.reconnects", "{reconnect}", "Connections that were lost.", _VENUE, optional=_ERROR),
    _times("venue.connection.duration", "How long connections lasted.", _VENUE, bounds=HOLDING_SECONDS),
    _times(
        *("venue.request.duration", "From a request to the venue's answer.", _VENUE, _OPERATION),
        bounds=REQUEST_SECONDS,
        optional=_ERROR,
    ),
    _times(
        *("venue.call.duration", "From a call of the venue's API to its result, with waits and retries."),
        *(_VENUE, _OPERATION),
        bounds=REQUEST_SECONDS,
        optional=_ERROR,
    ),
    _count("venue.request.retries", "{request}", "Requests that were sent again.", _VENUE, _OPERATION, optional=_ERROR),
    _times("venue.connect.duration", "From dialling to the open connection, or the failure.", _VENUE, optional=_ERROR),
    _times("venue.message.parse.duration", "Time from a received message's text to its content.", _VENUE),
    _times("venue.message.dispatch.duration", "Time that the bot's code took for a received message.", _VENUE),
    _count("venue.rate_limit.refusals", "{request}", "Requests refused as too many.", _VENUE, _OPERATION),
    _times("venue.rate_limit.wait.duration", "Time requests waited for a rate limit.", _VENUE, optional=_OPERATION),
    _value("venue.rate_limit.usage", "{request}", "Used part of a rate limit.", _VENUE, _RATE_LIMIT),
    _value("venue.rate_limit.limit", "{request}", "A rate limit.", _VENUE, _RATE_LIMIT),
    _value("venue.rate_limit.utilization.ratio", "1", "Used share of a rate limit.", _VENUE, _RATE_LIMIT),
    _count("chain.transactions", "{transaction}", "Transactions that ended.", _CHAIN, "trading.chain.outcome"),
    _times("chain.transaction.duration", "From sending a transaction to its end.", _CHAIN, bounds=TRADE_SECONDS),
    _count("chain.gas", "{gas}", "Gas that transactions used.", _CHAIN),
    _count("chain.priority_fee", "{currency}", "What was paid to come first.", _CHAIN, _CURRENCY),
    _count("chain.compute_units", "{unit}", "Compute units that transactions used.", _CHAIN),
    _count("cache.lookups", "{lookup}", "Lookups in a cache.", "trading.cache.name", "trading.cache.hit"),
)  # fmt: skip

_RISK = (
    _count("risk.checks", "{check}", "Limits checked, by result.", *_LIMIT, "trading.risk.result"),
    _value("risk.usage", "{limit}", "How much of a limit is used.", *_LIMIT),
    _value("risk.limit", "{limit}", "How much is allowed.", *_LIMIT),
    _value("risk.utilization.ratio", "1", "Used share of a limit.", *_LIMIT),
    _value(
        *("risk.var", "{currency}", "What will not be lost with this confidence (value at risk)."),
        *("trading.risk.confidence", "trading.risk.window", _CURRENCY),
        optional=_STRATEGY,
    ),
    _value(
        *("risk.expected_shortfall", "{currency}", "Mean loss beyond the value at risk."),
        *("trading.risk.confidence", "trading.risk.window", _CURRENCY),
        optional=_STRATEGY,
    ),
    _value(
        "risk.volatility.ratio", "1", "Realised volatility.", "trading.risk.window", optional=f"{_SYMBOL} {_STRATEGY}"
    ),
    _level(
        *("circuit_breaker.state", "{breaker}", "1 for the state of a circuit breaker, 0 for the others."),
        *("trading.circuit_breaker.name", "trading.circuit_breaker.state"),
    ),
    _count(
        *("circuit_breaker.transitions", "{transition}", "Changes of a circuit breaker's state."),
        *("trading.circuit_breaker.name", "trading.circuit_breaker.previous_state", "trading.circuit_breaker.state"),
        optional="trading.event.reason",
    ),
    _read("emergency_stop.engaged", "{bot}", "1 while an emergency stop is engaged, else 0."),
    _count(
        *("emergency_stop.transitions", "{transition}", "Emergency stops, and their ends."),
        *("trading.emergency_stop.state", "trading.emergency_stop.trigger"),
    ),
    _count(
        *("emergency_stop.callbacks", "{callback}", "Callbacks of emergency stops, by what became of them."),
        "trading.callback.outcome",
    ),
    _count("halts", "{halt}", "Times that the bot stopped trading.", "trading.halt.trigger"),
    _level("state", "{bot}", "1 for what the bot may do, 0 for the others.", "trading.state.value"),
)

_OPERATIONS = (
    Instrument(
        *("trading.health.state", "up_down_counter", "{component}"),
        "1 for the state of a component, 0 for the others.",
        ("trading.health.component", "trading.health.state"),
        observable=True,
        optional=("trading.health.critical",),
    ),
    _times("health.check.duration", "How long a check took.", "trading.health.component", "trading.health.state"),
    _count(
        *("alert.notifications", "{notification}", "Notifications of alerts."),
        *("trading.alert.level", "trading.alert.channel", "trading.alert.outcome"),
    ),
    _count(
        *("alert.changes", "{alert}", "Alerts that began to fire, or were over."),
        *("trading.alert.rule", "trading.alert.level", "trading.alert.change"),
    ),
    Instrument(
        *("trading.alert.active", "up_down_counter", "{alert}", "Alerts that fire."),
        ("trading.alert.rule", "trading.alert.level"),
        observable=True,
    ),
    Instrument(
        *("trading.alert.events.dropped", "counter", "{event}", "Trading events that alerts had no room for."),
        (),
        observable=True,
    ),
    _times("alert.delivery.duration", "From a notification to its delivery.", "trading.alert.channel"),
    _count("recorder.records", "{record}", "Records written.", "trading.record.type", "trading.record.outcome"),
    _count("recorder.io", "By", "Bytes written.", "trading.record.type"),
    _count("config.reloads", "{reload}", "Changes of the configuration.", "trading.config.outcome"),
    _times(
        *("shutdown.duration", "How long a step of shutting down took."),
        *("trading.shutdown.phase", "trading.shutdown.outcome"),
    ),
    Instrument(
        *("trading.queue.depth", "up_down_counter", "{item}", "Items that wait in a queue of the bot."),
        ("queue.name",),
        observable=True,
    ),
)

TRADING: tuple[Instrument, ...] = (
    *(*_ORDERS, *_TRADES, *_MONEY, *_MARKET_DATA, *_VENUES, *_RISK, *_OPERATIONS),
)  # fmt: skip
"""The instruments of trading."""

INSTRUMENTS: dict[str, Instrument] = by_name((*TRADING, *AROUND))
"""Every instrument of the kit, by name."""
