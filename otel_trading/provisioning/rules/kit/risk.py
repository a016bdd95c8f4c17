"""Limits, losses, breakers, halts."""

from __future__ import annotations

from otel_trading.provisioning.rules import stories
from otel_trading.provisioning.rules.expressions import happened
from otel_trading.provisioning.rules.kit.halts import HALTS
from otel_trading.provisioning.rules.model import Case, Group, Rule

_BOARD = "otel-trading-risk"
_LIMIT = "job, instance, trading_risk_limit_name, trading_risk_scope"
_USED = "trading_risk_utilization_ratio"
_POSITION = {**stories.BOT, "trading_risk_limit_name": "position_exposure", "trading_risk_scope": "symbol"}
_LOSS = {**stories.BOT, "trading_risk_limit_name": "daily_loss", "trading_risk_scope": "account"}
_CURRENCY = {**stories.BOT, "trading_currency": "USDT"}
_VAR = {**_CURRENCY, "trading_risk_confidence": "0.95", "trading_risk_window": "1d"}


def _utilization(matchers: str = "") -> str:
    return f"max by ({_LIMIT}) ({_USED}{{{matchers}}})" if matchers else f"max by ({_LIMIT}) ({_USED})"


RISK = Group(
    name="risk",
    rules=(
        Rule(
            name="PositionBreach",
            expr=_utilization('trading_risk_limit_name=~".*(position|exposure|notional).*"') + " > 1.1",
            severity="critical",
            summary=(
                "{{ $labels.trading_risk_limit_name }} ({{ $labels.trading_risk_scope }}) is at "
                "{{ $value | humanizePercentage }} of its limit."
            ),
            description="A position or an exposure is more than a tenth above its limit.",
            dashboard=_BOARD,
            panel="limit-utilization",
            cases=(
                stories.gauge(_USED, _POSITION, 0.9, 1.2, value="120%"),
                Case(
                    series={stories.series(_USED, _LOSS): "2x40", stories.series(_USED, _POSITION): "1.1x40"},
                    quiet=("5m",),
                    about="other limits, and a position a tenth above its limit, are not its business",
                ),
            ),
        ),
        Rule(
            name="LossLimitBreach",
            expr=_utilization('trading_risk_limit_name=~".*loss.*"') + " > 1",
            severity="critical",
            summary=(
                "{{ $labels.trading_risk_limit_name }}: {{ $value | humanizePercentage }} of what may be lost is lost."
            ),
            description="The loss of the day or of the session is above its limit.",
            dashboard=_BOARD,
            panel="session-pnl-over-time",
            cases=(
                stories.gauge(_USED, _LOSS, 0.5, 1.04, value="104%"),
                Case(
                    series={stories.series(_USED, _LOSS): "1x40"},
                    quiet=("5m",),
                    about="a loss that reaches its limit is not above it",
                ),
            ),
        ),
        Rule(
            name="LimitBreach",
            expr=_utilization() + " > 1",
            for_="1m",
            severity="warning",
            summary="{{ $labels.trading_risk_limit_name }} is at {{ $value | humanizePercentage }} of its limit.",
            description="A risk limit is passed; correlated exposure, turnover and order rates count, too.",
            dashboard=_BOARD,
            panel="limit-usage",
            cases=(
                stories.gauge(
                    _USED,
                    {**stories.BOT, "trading_risk_limit_name": "correlated_exposure", "trading_risk_scope": "account"},
                    *(0.5, 1.05),
                    value="105%",
                ),
            ),
        ),
        Rule(
            name="ApproachingLimits",
            expr=f"({_utilization()} > 0.85) <= 1",
            for_="1m",
            severity="warning",
            summary="{{ $labels.trading_risk_limit_name }} is used to {{ $value | humanizePercentage }}.",
            description="More than 85 % of a limit are used, and it is not passed.",
            dashboard=_BOARD,
            panel="limit-utilization",
            cases=(
                stories.gauge(_USED, _POSITION, 0.5, 0.9, value="90%"),
                Case(
                    series={stories.series(_USED, _POSITION): "0.9x2 1.5x40"},
                    quiet=("5m",),
                    about="what is passed is no longer approached",
                ),
            ),
        ),
        Rule(
            name="RiskChecksRefuse",
            expr=happened("trading.risk.checks", _LIMIT, window="5m", matchers='trading_risk_result="refused"')
            + " > 0",
            severity="warning",
            summary=(
                "{{ $labels.trading_risk_limit_name }} refused orders {{ $value | humanize }} times in five minutes."
            ),
            description="The bot wanted what its limits forbid.",
            dashboard=_BOARD,
            panel="risk-checks",
            cases=(
                stories.first(
                    "trading_risk_checks_total", {**_POSITION, "trading_risk_result": "refused"}, told=_POSITION
                ),
                Case(
                    series={
                        stories.series("trading_risk_checks_total", _POSITION, trading_risk_result="passed"): "0+5x40"
                    },
                    quiet=("5m",),
                    about="checks that pass are fine",
                ),
            ),
        ),
        Rule(
            name="ValueAtRiskHigh",
            expr=(
                "max by (job, instance, trading_currency, trading_risk_confidence) (trading_risk_var) "
                "/ on (job, instance, trading_currency) group_left () "
                "(sum by (job, instance, trading_currency) (trading_venue_balance) > 0) > 0.02"
            ),
            for_="1m",
            severity="warning",
            summary="{{ $value | humanizePercentage }} of the capital in {{ $labels.trading_currency }} is at risk.",
            description="The value at risk is above 2 % of the balances in its currency.",
            dashboard=_BOARD,
            panel="var",
            cases=(
                stories.gauge(
                    *("trading_risk_var", _VAR, 100, 300),
                    told={**_CURRENCY, "trading_risk_confidence": "0.95"},
                    value="3%",
                    beside={
                        stories.series("trading_venue_balance", _CURRENCY, trading_venue_name="kraken"): "6000x200",
                        stories.series("trading_venue_balance", _CURRENCY, trading_venue_name="binance"): "4000x200",
                    },
                ),
                Case(
                    series={
                        stories.series("trading_risk_var", _VAR): "300x40",
                        stories.series("trading_venue_balance", _CURRENCY, trading_venue_name="kraken"): "0x40",
                    },
                    quiet=("5m",),
                    about="an empty account is no division by zero",
                ),
            ),
        ),
        Rule(
            name="PositionDrift",
            expr=(
                "max by (job, instance, trading_venue_name, trading_instrument_symbol) "
                "(abs(trading_position_drift)) > 0"
            ),
            for_="1m",
            severity="warning",
            summary=(
                "{{ $labels.trading_venue_name }} holds another position in "
                "{{ $labels.trading_instrument_symbol }} than the bot."
            ),
            description="The venue's position and the bot's have differed for a minute.",
            dashboard=_BOARD,
            panel="position-drift",
            cases=(
                stories.gauge(
                    "trading_position_drift", {**stories.VENUE, "trading_instrument_symbol": "BTC/USDT"}, 0, -0.3
                ),
            ),
        ),
        *HALTS,
    ),
)
