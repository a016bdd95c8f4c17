"""What is earned, and what could be lost."""

from __future__ import annotations

from otel_trading.provisioning.boards import now, shared, terms
from otel_trading.provisioning.boards.asked import highest, legend, per_minute, percentiles, query, state, total
from otel_trading.provisioning.boards.terms import BARS, CURRENCY, LIMIT, NEVER_BELOW_ZERO, STRATEGY, SYMBOL, VENUE
from otel_trading.provisioning.colours import BAD, BREAKER, GOOD
from otel_trading.provisioning.dashboard import Dashboard
from otel_trading.provisioning.links import to_runbook
from otel_trading.provisioning.model import Query, Row, Threshold
from otel_trading.provisioning.panels import stat, state_timeline, table, timeseries
from otel_trading.provisioning.panels import state as state_panel
from otel_trading.provisioning.variables import TRADING

_SCOPE, _BREAKER = "trading.risk.scope", "trading.circuit_breaker.name"
_LOSSES, _LIMITS = to_runbook("LossLimitBreach"), to_runbook("ApproachingLimits")
_PNL = total("trading.pnl.session", CURRENCY)
_DRAWDOWN = f"clamp_min(max_over_time(({_PNL})[$__range:$__interval]) - {_PNL}, 0)"

_NOW = (
    now.session_pnl(),
    stat(
        "Realized P&L",
        query(total, "trading.pnl.realized", CURRENCY),
        slug="realized-pnl",
        description="Profit of what was closed, net of commissions, since the bots started.",
        base=BAD,
        thresholds=(Threshold(0, GOOD),),
        defaults={"decimals": 2},
    ),
    stat(
        "Unrealized P&L",
        query(total, "trading.pnl.unrealized", CURRENCY),
        slug="unrealized-pnl",
        description="What is open at mid prices, less what it cost.",
        base=BAD,
        thresholds=(Threshold(0, GOOD),),
        defaults={"decimals": 2},
    ),
    stat(
        "Drawdown",
        Query(_DRAWDOWN, legend(CURRENCY)),
        slug="drawdown-now",
        description="How far the session's profit is below the highest it was in the time shown.",
        base="blue",
        defaults={"decimals": 2},
        links=[_LOSSES],
    ),
    now.breaker_status(),
    state_panel(
        "Emergency stop",
        highest("trading.emergency_stop.engaged"),
        states=("released", "engaged"),
        description="Whether an emergency stop is engaged.",
        links=[to_runbook("EmergencyStopEngaged")],
    ),
)

_MONEY = Row(
    "Profit and loss",
    (
        shared.profit_over_time(),
        timeseries(
            "Session P&L over time",
            query(total, "trading.pnl.session", STRATEGY, CURRENCY),
            Query(
                f"-1 * {total('trading.risk.limit', LIMIT, trading_risk_limit_name='daily_loss')}",
                "daily loss limit",
                style="limit",
            ),
            slug="session-pnl-over-time",
            description="Profit or loss since the session began, and the bot's own limit of a day's loss.",
            width=12,
            links=[_LOSSES],
        ),
        timeseries(
            "P&L by strategy and venue",
            query(total, "trading.pnl.realized", STRATEGY, VENUE, CURRENCY),
            slug="pnl-by-strategy",
            description="Realised profit, net of commissions, since the bots started.",
        ),
        timeseries(
            "Drawdown over time",
            Query(_DRAWDOWN, legend(CURRENCY)),
            slug="drawdown",
            description="How far the session's profit is below the highest it was so far.",
            defaults=NEVER_BELOW_ZERO,
            links=[_LOSSES],
        ),
        timeseries(
            "Won and lost",
            Query(per_minute("trading.trade.profit", CURRENCY), f"won {legend(CURRENCY)}"),
            Query(f"-1 * {per_minute('trading.trade.loss', CURRENCY)}", f"lost {legend(CURRENCY)}"),
            slug="trade-results",
            description="What the trades that won earned, and what those that lost cost, a minute.",
            custom=BARS,
        ),
        timeseries(
            "Result of a trade",
            *percentiles("trading.trade.edge", STRATEGY, CURRENCY, quantiles=(0.1, 0.5, 0.9)),
            slug="trade-edge",
            description="What single trades earned, below zero for losses: 10th, 50th and 90th percentile.",
        ),
        timeseries(
            "Balance",
            query(total, "trading.venue.balance", VENUE, CURRENCY),
            description="What the accounts at the venues hold.",
        ),
        timeseries(
            "Time positions are held",
            *percentiles("trading.position.holding.duration", STRATEGY, quantiles=(0.5, 0.95)),
            slug="holding-duration",
            description="From opening a position to closing it.",
            unit="s",
            defaults=NEVER_BELOW_ZERO,
        ),
    ),
)

_POSITIONS = Row(
    "Positions",
    (
        timeseries(
            "Position",
            query(total, "trading.position.quantity", VENUE, SYMBOL),
            slug="position-quantity",
            width=6,
            description="Positions, below zero when short.",
            links=[to_runbook("PositionDrift")],
        ),
        timeseries(
            "Value of positions",
            query(total, "trading.position.notional", VENUE, SYMBOL, CURRENCY),
            Query(
                total("trading.risk.limit", LIMIT, trading_risk_limit_name="position_exposure"),
                "limit",
                style="limit",
            ),
            slug="position-notional",
            width=6,
            description="What positions are worth, and the bot's own limit of it.",
            links=[_LIMITS],
        ),
        timeseries(
            "Positions that are not zero",
            query(total, "trading.position.active", VENUE, STRATEGY),
            slug="positions-active",
            width=6,
            description="How many positions are open.",
            unit="{position}",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Drift",
            query(total, "trading.position.drift", VENUE, SYMBOL),
            slug="position-drift",
            width=6,
            description="What the venue holds, less what the bot believes: anything but zero is wrong.",
            links=[to_runbook("PositionDrift")],
        ),
    ),
)

_RISK = Row(
    "Limits and risk",
    (
        shared.limit_utilization(),
        timeseries(
            "Limits and what is used of them",
            Query(highest("trading.risk.usage", LIMIT, _SCOPE), f"used {legend(LIMIT, _SCOPE)}"),
            Query(highest("trading.risk.limit", LIMIT, _SCOPE), f"limit {legend(LIMIT, _SCOPE)}", style="limit"),
            slug="limit-usage",
            description="How much of each limit is used, and each limit as a dashed line.",
            links=[_LIMITS],
        ),
        table(
            "Limits now",
            highest("trading.risk.utilization.ratio", LIMIT, _SCOPE),
            slug="limits",
            columns={"trading_risk_limit_name": "limit", "trading_risk_scope": "scope", "Value": "used"},
            description="Used share of each of the bot's own limits.",
            unit="percentunit",
            width=8,
            thresholds=terms.RISING,
            links=[_LIMITS],
        ),
        timeseries(
            "Checks of limits",
            query(per_minute, "trading.risk.checks", LIMIT, "trading.risk.result"),
            slug="risk-checks",
            width=6,
            stacked=True,
            description="Limits checked, a minute, by result.",
            unit="cpm",
            defaults=NEVER_BELOW_ZERO,
            custom=BARS,
        ),
        timeseries(
            "Value at risk",
            query(highest, "trading.risk.var", "trading.risk.confidence", "trading.risk.window", CURRENCY),
            slug="var",
            width=6,
            description="What will not be lost, with this confidence, within this time.",
        ),
        timeseries(
            "Expected shortfall",
            query(
                *(highest, "trading.risk.expected_shortfall"),
                *("trading.risk.confidence", "trading.risk.window", CURRENCY),
            ),
            width=6,
            description="The mean of the losses beyond the value at risk.",
        ),
        timeseries(
            "Volatility",
            query(highest, "trading.risk.volatility.ratio", SYMBOL, "trading.risk.window"),
            width=6,
            description="Realised volatility, by the window it is measured over.",
            unit="percentunit",
            defaults=NEVER_BELOW_ZERO,
        ),
    ),
)

_STATES = Row(
    "Breakers, halts and stops",
    (
        state_timeline(
            "Circuit breakers over time",
            Query(
                state("trading.circuit_breaker.state", "trading.circuit_breaker.state", BREAKER, _BREAKER),
                legend(_BREAKER),
            ),
            slug="breaker-states",
            states=BREAKER,
            description="Each circuit breaker: closed, half open or open.",
            height=6,
            links=[to_runbook("CircuitBreakerOpen")],
        ),
        shared.trading_states(),
        timeseries(
            "Breaker trips",
            query(per_minute, "trading.circuit_breaker.transitions", _BREAKER, "trading.circuit_breaker.state"),
            slug="breaker-transitions",
            description="Changes of circuit breakers, a minute, by the state they changed to.",
            unit="cpm",
            defaults=NEVER_BELOW_ZERO,
            custom=BARS,
            width=6,
            links=[to_runbook("CircuitBreakerOpen")],
        ),
        timeseries(
            "Halts",
            query(per_minute, "trading.halts", "trading.halt.trigger"),
            description="Times that a bot stopped trading, a minute, and what made it.",
            unit="cpm",
            defaults=NEVER_BELOW_ZERO,
            custom=BARS,
            width=6,
            links=[to_runbook("TradingHalted")],
        ),
        timeseries(
            "Emergency stops",
            query(
                *(per_minute, "trading.emergency_stop.transitions"),
                *("trading.emergency_stop.state", "trading.emergency_stop.trigger"),
            ),
            Query(
                per_minute("trading.emergency_stop.callbacks", "trading.callback.outcome"),
                f"callback {legend('trading.callback.outcome')}",
            ),
            description="Emergency stops and their ends, a minute, and what became of their callbacks.",
            unit="cpm",
            defaults=NEVER_BELOW_ZERO,
            custom=BARS,
            width=6,
            links=[to_runbook("EmergencyStopEngaged")],
        ),
        timeseries(
            "Strategies that failed",
            query(per_minute, "trading.strategy.failures", STRATEGY, "error.type"),
            slug="strategy-failures",
            description="Errors that ended a strategy's work, a minute.",
            unit="cpm",
            defaults=NEVER_BELOW_ZERO,
            custom=BARS,
            width=6,
            links=[to_runbook("StrategyFailed")],
        ),
    ),
)

BOARD = Dashboard(
    "P&L and risk",
    uid="otel-trading-risk",
    description="What is earned, what is held, how near are the limits, and what stops the bots?",
    tags=("otel-trading", "risk"),
    variables=TRADING,
    panels=(*_NOW, _MONEY, _POSITIONS, _RISK, _STATES),
)
