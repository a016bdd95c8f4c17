"""Panels that several boards show."""

from __future__ import annotations

from otel_trading.provisioning.boards.asked import (
    highest,
    legend,
    per_minute,
    percentiles,
    query,
    rate,
    state,
    total,
)
from otel_trading.provisioning.boards.terms import (
    BARS,
    CURRENCY,
    LIMIT,
    NEVER_BELOW_ZERO,
    OUTCOME,
    RISING,
    STRATEGY,
    VENUE,
    may_trade,
)
from otel_trading.provisioning.colours import BAD, CONNECTION, TRADING
from otel_trading.provisioning.links import to_board, to_runbook
from otel_trading.provisioning.model import Panel, Query, Threshold
from otel_trading.provisioning.panels import state_timeline, timeseries


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


def seldom(title: str, slug: str, description: str, *queries: Query, runbook: str = "", width: int = 8) -> Panel:
    """What happens seldom, as bars; a minute."""
    links = [to_runbook(runbook)] if runbook else []
    return timeseries(
        title,
        *queries,
        slug=slug,
        description=description,
        unit="cpm",
        defaults=NEVER_BELOW_ZERO,
        custom=BARS,
        width=width,
        links=links,
    )
