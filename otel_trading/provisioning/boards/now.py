"""Numbers that several boards show at their top."""

from __future__ import annotations

from otel_trading.provisioning.boards.asked import (
    happened,
    quantile,
    query,
    rate,
    state,
    total,
)
from otel_trading.provisioning.boards.terms import (
    CURRENCY,
    NOTHING,
)
from otel_trading.provisioning.colours import BAD, BREAKER, GOOD, WARNING
from otel_trading.provisioning.links import to_runbook
from otel_trading.provisioning.model import Panel, Threshold
from otel_trading.provisioning.panels import stat
from otel_trading.provisioning.panels import state as state_panel


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
