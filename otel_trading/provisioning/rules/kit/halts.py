"""Breakers, halts and stops, and how the session goes."""

from __future__ import annotations

from otel_trading.provisioning.rules import stories
from otel_trading.provisioning.rules.expressions import BOT, happened
from otel_trading.provisioning.rules.model import Case, Rule

_BOARD = "otel-trading-risk"
_BREAKER = {**stories.BOT, "trading_circuit_breaker_name": "daily"}
_CURRENCY = {**stories.BOT, "trading_currency": "USDT"}


def _state(instrument: str, label: str, value: str, by: str = BOT) -> str:
    return f'max by ({by}) ({instrument}{{{label}="{value}"}}) == 1'


HALTS: tuple[Rule, ...] = (
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
        description=("It opened more than three times in half an hour: what it tries after each pause does not work."),
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
            stories.gauge("trading_state", {**stories.BOT, "trading_state_value": "halted"}, 0, 1, told=stories.BOT),
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
            stories.gauge("trading_state", {**stories.BOT, "trading_state_value": "reducing"}, 0, 1, told=stories.BOT),
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
        summary=("{{ $labels.job }} has earned {{ $value }} thousand {{ $labels.trading_currency }} in this session."),
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
)
