"""Limits, losses, breakers, halts."""

from __future__ import annotations

from otel_trading.provisioning.rules import stories
from otel_trading.provisioning.rules.expressions import BOT, happened
from otel_trading.provisioning.rules.model import Case, Group, Rule

_BOARD = "otel-trading-risk"
_LIMIT = "job, instance, trading_risk_limit_name, trading_risk_scope"
_USED = "trading_risk_utilization_ratio"
_POSITION = {**stories.BOT, "trading_risk_limit_name": "position_exposure", "trading_risk_scope": "symbol"}
_LOSS = {**stories.BOT, "trading_risk_limit_name": "daily_loss", "trading_risk_scope": "account"}
_BREAKER = {**stories.BOT, "trading_circuit_breaker_name": "daily"}
_CURRENCY = {**stories.BOT, "trading_currency": "USDT"}
_VAR = {**_CURRENCY, "trading_risk_confidence": "0.95", "trading_risk_window": "1d"}


def _utilization(matchers: str = "") -> str:
    return f"max by ({_LIMIT}) ({_USED}{{{matchers}}})" if matchers else f"max by ({_LIMIT}) ({_USED})"


def _state(instrument: str, label: str, value: str, by: str = BOT) -> str:
    return f'max by ({by}) ({instrument}{{{label}="{value}"}}) == 1'


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
        Rule(
            name="CircuitBreakerOpen",
            expr=_state(
                *("trading_circuit_breaker_state", "trading_circuit_breaker_state", "open"),
                f"{BOT}, trading_circuit_breaker_name",
            ),
            severity="critical",
            summary="The circuit breaker {{ $labels.trading_circuit_breaker_name }} is open.",
            description="The bot has stopped what this breaker guards.",
            dashboard=_BOARD,
            panel="breaker-states",
            cases=(
                stories.gauge(
                    *("trading_circuit_breaker_state", {**_BREAKER, "trading_circuit_breaker_state": "open"}, 0, 1),
                    told=_BREAKER,
                ),
            ),
        ),
        Rule(
            name="CircuitBreakerFlapping",
            expr=(
                happened(
                    *("trading.circuit_breaker.transitions", f"{BOT}, trading_circuit_breaker_name"),
                    window="30m",
                    matchers='trading_circuit_breaker_state="open"',
                )
                + " > 3"
            ),
            severity="warning",
            summary="The circuit breaker {{ $labels.trading_circuit_breaker_name }} opens again and again.",
            description=(
                "It opened more than three times in half an hour: what it tries after each pause does not work."
            ),
            dashboard=_BOARD,
            panel="breaker-transitions",
            cases=(
                Case(
                    series={
                        stories.series(
                            "trading_circuit_breaker_transitions_total", _BREAKER, trading_circuit_breaker_state="open"
                        ): "_x20 1x20 2x20 3x20 4x20 5x200"
                    },
                    labels=_BREAKER,
                    quiet=("15m",),
                    fires="22m",
                    resolved="1h",
                ),
            ),
        ),
        Rule(
            name="TradingHalted",
            expr=_state("trading_state", "trading_state_value", "halted"),
            severity="critical",
            summary="{{ $labels.job }} does not trade: it is halted.",
            description="The bot stopped trading, or was told to.",
            dashboard=_BOARD,
            panel="trading-states",
            cases=(
                stories.gauge(
                    "trading_state", {**stories.BOT, "trading_state_value": "halted"}, 0, 1, told=stories.BOT
                ),
            ),
        ),
        Rule(
            name="TradingReduced",
            expr=_state("trading_state", "trading_state_value", "reducing"),
            for_="2m",
            severity="warning",
            summary="{{ $labels.job }} only reduces its positions.",
            description="The bot opens nothing new.",
            dashboard=_BOARD,
            panel="trading-states",
            cases=(
                stories.gauge(
                    "trading_state", {**stories.BOT, "trading_state_value": "reducing"}, 0, 1, told=stories.BOT
                ),
            ),
        ),
        Rule(
            name="EmergencyStopEngaged",
            expr=f"max by ({BOT}) (trading_emergency_stop_engaged) == 1",
            severity="critical",
            summary="The emergency stop of {{ $labels.job }} is engaged.",
            description="Nothing is sent to venues until somebody releases it.",
            dashboard=_BOARD,
            panel="emergency-stop",
            cases=(stories.gauge("trading_emergency_stop_engaged", stories.BOT, 0, 1),),
        ),
        Rule(
            name="EmergencyStopIncomplete",
            expr=(
                happened("trading.emergency_stop.callbacks", BOT, matchers='trading_callback_outcome=~"failed|late"')
                + " > 0"
            ),
            severity="critical",
            summary="{{ $value | humanize }} callbacks of the emergency stop of {{ $labels.job }} failed or were late.",
            description=(
                "What should have happened at the emergency stop, such as cancelling orders, did not happen in time."
            ),
            dashboard=_BOARD,
            panel="emergency-stops",
            cases=(
                stories.first(
                    *("trading_emergency_stop_callbacks_total", {**stories.BOT, "trading_callback_outcome": "late"}),
                    told=stories.BOT,
                ),
            ),
        ),
        Rule(
            name="PerformanceMilestone",
            expr=(
                "floor(max by (job, instance, trading_currency) (trading_pnl_session) / 1000) "
                "> floor(max by (job, instance, trading_currency) "
                "(max_over_time(trading_pnl_session[1d] offset 5m)) / 1000) >= 0"
            ),
            severity="info",
            summary=(
                "{{ $labels.job }} has earned {{ $value }} thousand {{ $labels.trading_currency }} in this session."
            ),
            description="The session's profit passed a multiple of 1,000 for the first time in a day.",
            dashboard=_BOARD,
            panel="session-pnl",
            cases=(
                Case(
                    series={stories.series("trading_pnl_session", _CURRENCY): "900x39 1100x200"},
                    labels=_CURRENCY,
                    value="1",
                    quiet=("9m",),
                    fires="11m",
                    resolved="20m",
                ),
                Case(
                    series={stories.series("trading_pnl_session", _CURRENCY): "1100x20 900x20 1100x40"},
                    quiet=("8m", "11m", "18m"),
                    about="what was passed before today is no news",
                ),
            ),
        ),
    ),
)
