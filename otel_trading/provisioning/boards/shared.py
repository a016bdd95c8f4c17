"""Panels that several boards show, and what panels have in common."""

from __future__ import annotations

from otel_trading.provisioning.boards.asked import (
    count,
    happened,
    highest,
    legend,
    per_minute,
    percentiles,
    quantile,
    query,
    rate,
    state,
    total,
)
from otel_trading.provisioning.colours import BAD, BREAKER, CONNECTION, GOOD, TRADING, WARNING
from otel_trading.provisioning.links import to_board, to_runbook
from otel_trading.provisioning.model import Panel, Query, Threshold
from otel_trading.provisioning.panels import stat, state_timeline, timeseries
from otel_trading.provisioning.panels import state as state_panel

OUTCOME, BREAKER_NAME = "trading.trade.outcome", "trading.circuit_breaker.name"
VENUE, SYMBOL, STRATEGY = "trading.venue.name", "trading.instrument.symbol", "trading.strategy.name"
CURRENCY, SIDE, STAGE, LIMIT = "trading.currency", "trading.order.side", "trading.stage.name", "trading.risk.limit.name"
NOTHING = {"noValue": "none"}
NEVER_BELOW_ZERO = {"min": 0}
BARS = {"drawStyle": "bars", "fillOpacity": 70}
SHARE = {"min": 0, "max": 1}
RISING = (Threshold(0.8, WARNING), Threshold(1, BAD))
"""Shares of a limit."""
FALLING = (Threshold(0.95, WARNING), Threshold(0.99, GOOD))
"""Shares of what should be all."""
ANY_IS_BAD = (Threshold(1e-9, BAD),)
ANY_IS_ODD = (Threshold(1e-9, WARNING),)


def success_rate(width: int = 4) -> Panel:
    """Of all trades that ended, those that succeeded (requirement 003)."""
    won = happened("trading.trade.completions", trading_trade_outcome="success")
    return stat(
        "Success rate",
        f"({won} or vector(0)) / ({happened('trading.trade.completions')} > 0)",
        description="Trades that succeeded, of all that ended in the time shown.",
        unit="percentunit",
        width=width,
        base=BAD,
        defaults=NOTHING,
        thresholds=(Threshold(0.5, WARNING), Threshold(0.9, GOOD)),
        links=[to_runbook("TradeFailureRateHigh")],
    )


def session_pnl(width: int = 4) -> Panel:
    """Profit or loss of the session."""
    return stat(
        "Session P&L",
        query(total, "trading.pnl.session", CURRENCY),
        slug="session-pnl",
        description="Profit or loss since the session began, unrealised profit included.",
        unit="short",
        width=width,
        base=BAD,
        defaults={"decimals": 2},
        thresholds=(Threshold(0, GOOD),),
        links=[to_runbook("LossLimitBreach")],
    )


def profit_over_time(width: int = 12) -> Panel:
    """Realised profit (requirement 003)."""
    return timeseries(
        "Profit over time",
        Query(total("trading.pnl.realized", CURRENCY), f"realized {legend(CURRENCY)}"),
        Query(total("trading.pnl.unrealized", CURRENCY), f"unrealized {legend(CURRENCY)}"),
        description="Realised profit, net of commissions, of all that was closed; and what is open, at mid prices.",
        unit="short",
        width=width,
        links=[to_board("otel-trading-risk", "P&L and risk", "profit-over-time")],
    )


def tick_to_trade(slug: str = "tick-to-trade-p99") -> Panel:
    """The 99th percentile of tick to trade."""
    return stat(
        "Tick to trade, p99",
        quantile(0.99, "trading.tick_to_trade.duration"),
        description="From a tick's receipt to the first order it led to, 99th percentile.",
        unit="s",
        slug=slug,
        thresholds=(Threshold(0.05, WARNING), Threshold(0.25, BAD)),
        links=[to_runbook("TickToTradeSlow")],
    )


def ack() -> Panel:
    """The 99th percentile of acknowledgements."""
    return stat(
        "Acknowledgement, p99",
        quantile(0.99, "trading.order.ack.duration"),
        description="From an order's submission to the venue's answer, 99th percentile.",
        unit="s",
        slug="ack-p99",
        thresholds=(Threshold(0.25, WARNING), Threshold(1, BAD)),
        links=[to_runbook("OrderAckSlow")],
    )


def ack_latency(width: int = 8) -> Panel:
    """Acknowledgements by venue."""
    return timeseries(
        "Order acknowledgement",
        *percentiles("trading.order.ack.duration", VENUE, quantiles=(0.5, 0.99)),
        slug="ack-latency",
        description="From an order's submission to the venue's answer. A diamond is one order: it opens its trace.",
        unit="s",
        width=width,
        defaults=NEVER_BELOW_ZERO,
        links=[to_runbook("OrderAckSlow")],
    )


def fill_latency(width: int = 8) -> Panel:
    """Fills by venue."""
    return timeseries(
        "Submission to last fill",
        *percentiles("trading.order.fill.duration", VENUE, quantiles=(0.5, 0.99)),
        slug="fill-latency",
        description="From an order's submission to its last fill, by venue.",
        unit="s",
        width=width,
        defaults=NEVER_BELOW_ZERO,
    )


def trade_latency(slug: str, title: str, width: int = 8) -> Panel:
    """How long trades take (requirement 003: execution latency, p95)."""
    return timeseries(
        title,
        *percentiles("trading.trade.duration", STRATEGY, quantiles=(0.5, 0.95)),
        slug=slug,
        description="From the tick to the end of the trade it led to. A diamond is one trade: it opens its trace.",
        unit="s",
        width=width,
        defaults=NEVER_BELOW_ZERO,
        links=[to_runbook("TradeSlow")],
    )


def market_data_latency(width: int = 8) -> Panel:
    """How old market data is when it comes."""
    return timeseries(
        "Market data latency",
        *percentiles("trading.market_data.latency", VENUE, quantiles=(0.5, 0.99)),
        description="From the venue's event time to the frame's receipt, the clocks' offset taken out.",
        unit="s",
        width=width,
        defaults=NEVER_BELOW_ZERO,
        links=[to_runbook("FeedLatencyHigh")],
    )


def breaker_status(width: int = 4) -> Panel:
    """The worst state of all breakers (requirement 003)."""
    return state_panel(
        "Circuit breakers",
        state("trading.circuit_breaker.state", "trading.circuit_breaker.state", BREAKER),
        slug="breaker-status",
        states=BREAKER,
        description="The worst state of all circuit breakers; none where the bot has none.",
        width=width,
        defaults=NOTHING,
        links=[to_runbook("CircuitBreakerOpen")],
    )


def trading_states(width: int = 12) -> Panel:
    """What each bot may do, over time."""
    return state_timeline(
        "What bots may do",
        Query(may_trade("job"), "{{job}}"),
        slug="trading-states",
        states=TRADING,
        description="Trading, only closing positions, or halted; by bot.",
        width=width,
        height=6,
        links=[to_runbook("TradingHalted")],
    )


def connections(slug: str, title: str, width: int = 12) -> Panel:
    """The connections to venues, over time."""
    attributes = (VENUE, "trading.connection.name")
    asked = state("trading.venue.connection.state", "trading.connection.state", CONNECTION, *attributes)
    return state_timeline(
        title,
        Query(asked, legend(*attributes)),
        slug=slug,
        states=CONNECTION,
        description="Each connection to a venue: connected, connecting or lost.",
        width=width,
        height=6,
        links=[to_runbook("VenueConnectionLost")],
    )


def outcomes(width: int = 8) -> Panel:
    """How trades end."""
    return timeseries(
        "Trades by outcome",
        query(per_minute, "trading.trade.completions", OUTCOME),
        slug="trade-outcomes",
        stacked=True,
        description="Trades that ended a minute: success, partial (one leg was taken back), timeout, failed.",
        unit="cpm",
        width=width,
        defaults=NEVER_BELOW_ZERO,
        custom=BARS,
    )


def opportunities(width: int = 8) -> Panel:
    """Opportunities found."""
    return timeseries(
        "Opportunities",
        query(rate, "trading.opportunity.detections", STRATEGY, "trading.opportunity.route"),
        description="Opportunities found, by strategy and by what would be done where.",
        unit="ops",
        width=width,
        defaults=NEVER_BELOW_ZERO,
    )


def opportunity_edge(width: int = 8) -> Panel:
    """What opportunities should earn."""
    return timeseries(
        "Edge of opportunities",
        *percentiles("trading.opportunity.edge.bps", STRATEGY, quantiles=(0.5, 0.9)),
        slug="opportunity-edge",
        description="What opportunities should earn, in basis points: median and 90th percentile.",
        unit="bp",
        width=width,
    )


def limit_utilization(width: int = 8) -> Panel:
    """Used shares of the bot's own limits."""
    attributes = (LIMIT, "trading.risk.scope")
    return timeseries(
        "Used share of limits",
        query(highest, "trading.risk.utilization.ratio", *attributes),
        slug="limit-utilization",
        description="How much of each of the bot's own limits is used: at 100 % it refuses.",
        unit="percentunit",
        width=width,
        defaults=NEVER_BELOW_ZERO,
        thresholds=RISING,
        links=[to_runbook("ApproachingLimits")],
    )


def data_age(width: int = 8) -> Panel:
    """How long no market data came."""
    return timeseries(
        "Age of market data",
        query(highest, "trading.market_data.age", VENUE, "trading.market_data.type"),
        slug="data-age",
        description="Time since the last frame, of the quietest subscription of each venue and type.",
        unit="s",
        width=width,
        defaults=NEVER_BELOW_ZERO,
        thresholds=(Threshold(5, BAD),),
        links=[to_runbook("MarketDataStale")],
    )


def execution_reports(slug: str, title: str, width: int = 8) -> Panel:
    """What venues report of orders."""
    return timeseries(
        title,
        query(per_minute, "trading.execution.reports", "trading.order.status"),
        slug=slug,
        stacked=True,
        description="What venues reported of orders a minute, by where the orders then were in their life.",
        unit="cpm",
        width=width,
        defaults=NEVER_BELOW_ZERO,
        custom=BARS,
        links=[to_runbook("OrderRejectRateHigh")],
    )


def frames_rate() -> Panel:
    """Market data a second."""
    return stat(
        "Frames per second",
        rate("trading.market_data.messages"),
        slug="frames-rate",
        description="Frames of market data from all venues, a second.",
        unit="cps",
        base=BAD,
        thresholds=(Threshold(0.1, GOOD),),
        links=[to_runbook("MarketDataStale")],
    )


def active_positions() -> Panel:
    """Positions that are not zero."""
    return stat(
        "Active positions",
        total("trading.position.active"),
        slug="positions-active",
        description="Positions that are not zero, on all venues.",
        unit="{position}",
        base="blue",
    )


def may_trade(*by: str) -> str:
    """What bots may do; of one that never said so, whether an emergency stop is engaged."""
    said = state("trading.state", "trading.state.value", TRADING, *by)
    return f"{said} or 2 * {highest('trading.emergency_stop.engaged', *by)}"


def share(part: str, whole: str) -> str:
    """A part of a whole; nothing where there is no whole, and nought where there is no part.

    >>> share("a", "b")
    '(a or b * 0) / (b > 0)'
    """
    return f"({part} or {whole} * 0) / ({whole} > 0)"


def within_budget(*by: str) -> str:
    """The share of measurements of stages that kept their budget."""
    late = rate("trading.stage.budget.violations", *by)
    measured = count("trading.stage.duration", *by)
    return f"1 - clamp_max(({late}) / (({measured}) > 0), 1)"
