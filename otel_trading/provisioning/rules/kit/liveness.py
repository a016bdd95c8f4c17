"""Whether the bot lives.

Over OTLP nothing says that a series has ended: an instant query finds its last sample for five more minutes. So the
time of the last sample is recorded, and compared with the clock.
"""

from __future__ import annotations

from otel_trading.provisioning.rules import stories
from otel_trading.provisioning.rules.expressions import BOT, happened, measured
from otel_trading.provisioning.rules.model import Case, Recording, Rule

_BOARD = "otel-trading-health"
_STACK = "otelcol|prometheus|alertmanager|jaeger|loki"
_SEEN = "trading:bot_last_seen:timestamp"
_ENDED = "trading:bot_ended:bool"
_COMPONENT = {**stories.BOT, "trading_health_component": "redis"}
_BEATS = stories.series("trading_telemetry_events_total", stories.BOT, signal="metrics")
_NEXT = {**stories.BOT, "instance": "two"}
_NEXT_BEATS = stories.series("trading_telemetry_events_total", _NEXT, signal="metrics")
_GOODBYE = stories.series(
    "trading_shutdown_duration_seconds_count",
    stories.BOT,
    trading_shutdown_phase="disconnect",
    trading_shutdown_outcome="done",
)  # fmt: skip


def _gone(within: str, compared: str) -> str:
    last = f"last_over_time({_SEEN}[{within}])"
    return (
        f"time() - {last} > 45 and {last} {compared} on (job) group_left () max by (job) ({last}) "
        f"unless on ({BOT}) last_over_time({_ENDED}[{within}])"
    )


def _health(state: str, more: str = "") -> str:
    by = f"{BOT}, trading_health_component"
    return f'max by ({by}) (trading_health_state{{trading_health_state="{state}"{more}}}) == 1'


LIVENESS: tuple[Rule | Recording, ...] = (
    Recording(name=_SEEN, expr=f"max by ({BOT}) (timestamp(trading_telemetry_events_total))"),
    Recording(
        name=_ENDED,
        expr=f"group by ({BOT}) (trading_shutdown_duration_seconds or trading_shutdown_duration_seconds_count)",
    ),
    Rule(
        name="BotGone",
        expr=_gone("6h", "=="),
        for_="15s",
        severity="critical",
        summary="{{ $labels.job }} has said nothing for {{ $value | humanizeDuration }}.",
        description=(
            "It did not shut down: it was killed, crashed, hangs, or cannot reach the Collector. No other run "
            "of it reports."
        ),
        dashboard=_BOARD,
        panel="bots-up",
        cases=(
            Case(
                series={_BEATS: "1+1x20", _NEXT_BEATS: "_x60 1+1x60"},
                labels=stories.BOT,
                value="2m 0s",
                quiet=("4m", "5m45s"),
                fires="7m",
                resolved="16m",
                about="killed, noticed within two minutes, and over when it is started anew",
            ),
            Case(
                series={_BEATS: "1+1x20 stale"},
                labels=stories.BOT,
                value="3h 0m 0s",
                quiet=("5m45s",),
                fires="3h5m",
                about="scraped, so that the series ends at once, and still gone hours later",
            ),
            Case(
                series={_BEATS: "1+1x20", _GOODBYE: "_x19 1x1"},
                quiet=("4m", "7m", "1h"),
                about="it shut down as it should",
            ),
            Case(
                series={_BEATS: "1+1x20 _x3 24+1x40"},
                quiet=("5m30s", "10m"),
                about="three exports that are missing are none too few",
            ),
            Case(
                series={
                    _BEATS: "1+1x20",
                    _GOODBYE: "_x19 1x1",
                    _NEXT_BEATS: "_x21 1+1x20",
                },
                labels=_NEXT,
                value="1m 45s",
                quiet=("8m",),
                fires="12m",
                about="deployed anew and then killed: the shutdown of the run before does not count",
            ),
        ),
    ),
    Rule(
        name="BotCrashed",
        expr=_gone("1h", "<"),
        for_="15s",
        severity="warning",
        summary="A run of {{ $labels.job }} ended without shutting down, {{ $value | humanizeDuration }} ago.",
        description="Another run of it reports: it was started anew, or several run at a time and one is gone.",
        dashboard=_BOARD,
        panel="bot-restarts",
        cases=(
            Case(
                series={_BEATS: "1+1x20", _NEXT_BEATS: "_x24 1+1x300"},
                labels=stories.BOT,
                value="4m 0s",
                quiet=("4m", "6m"),
                fires="9m",
                resolved="1h10m",
            ),
            Case(
                series={_BEATS: "1+1x20", _GOODBYE: "_x19 1x1", _NEXT_BEATS: "_x24 1+1x60"},
                quiet=("9m", "15m"),
                about="a deployment",
            ),
        ),
    ),
    Rule(
        name="ScrapeFailing",
        expr=f'up{{job!~"{_STACK}"}} == 0',
        for_="1m",
        severity="critical",
        summary="{{ $labels.job }} ({{ $labels.instance }}) does not answer Prometheus.",
        description="A bot that is scraped and not sent for is not there, or its port is not reachable.",
        dashboard=_BOARD,
        panel="bots-up",
        cases=(
            stories.gauge("up", stories.BOT, 1, 0),
            Case(
                series={stories.series("up", job="loki", instance="a"): "0x40"},
                quiet=("5m",),
                about="not the stack's own",
            ),
        ),
    ),
    Rule(
        name="ServiceDown",
        expr=_health("down", ', trading_health_critical!="false"'),
        for_="30s",
        severity="critical",
        summary="{{ $labels.trading_health_component }} of {{ $labels.job }} is down.",
        description="A component that the bot cannot do without has been down for 30 s.",
        dashboard=_BOARD,
        panel="health-states",
        cases=(
            stories.gauge(
                *(
                    "trading_health_state",
                    {**_COMPONENT, "trading_health_state": "down", "trading_health_critical": "true"},
                ),
                *(0, 1),
                told=_COMPONENT,
            ),
            Case(
                series={
                    stories.series(
                        "trading_health_state",
                        _COMPONENT,
                        trading_health_state="down",
                        trading_health_critical="false",
                    ): "1x40"
                },
                quiet=("5m",),
                about="what the bot can do without is something else",
            ),
        ),
    ),
    Rule(
        name="DependencyDown",
        expr=_health("down", ', trading_health_critical="false"'),
        for_="1m",
        severity="warning",
        summary="{{ $labels.trading_health_component }} of {{ $labels.job }} is down; the bot goes on without it.",
        description="A component that is not critical has been down for a minute.",
        dashboard=_BOARD,
        panel="health-states",
        cases=(
            stories.gauge(
                *(
                    "trading_health_state",
                    {**_COMPONENT, "trading_health_state": "down", "trading_health_critical": "false"},
                ),
                *(0, 1),
                told=_COMPONENT,
            ),
        ),
    ),
    Rule(
        name="ServiceDegraded",
        expr=_health("degraded"),
        for_="3m",
        severity="warning",
        summary="{{ $labels.trading_health_component }} of {{ $labels.job }} is degraded.",
        description="It works, slower or less reliably than it should.",
        dashboard=_BOARD,
        panel="health-states",
        cases=(
            stories.gauge(
                "trading_health_state", {**_COMPONENT, "trading_health_state": "degraded"}, 0, 1, told=_COMPONENT
            ),
        ),
    ),
    Rule(
        name="ShutdownIncomplete",
        expr=(
            measured(
                *("trading.shutdown.duration", f"{BOT}, trading_shutdown_phase"),
                matchers='trading_shutdown_outcome=~"failed|timeout|abandoned"',
            )
            + " > 0"
        ),
        severity="warning",
        summary="{{ $labels.job }} ended without finishing {{ $labels.trading_shutdown_phase }}.",
        description="A step of the shutdown failed or ran out of time: orders or positions may be left over.",
        dashboard=_BOARD,
        panel="shutdowns",
        cases=(
            stories.first(
                "trading_shutdown_duration_seconds_count",
                {**stories.BOT, "trading_shutdown_phase": "cancel_orders", "trading_shutdown_outcome": "timeout"},
                told={**stories.BOT, "trading_shutdown_phase": "cancel_orders"},
            ),
        ),
    ),
    Rule(
        name="ConfigurationRefused",
        expr=happened("trading.config.reloads", BOT, matchers='trading_config_outcome="refused"') + " > 0",
        severity="warning",
        summary="{{ $labels.job }} refused a changed configuration.",
        description="The bot goes on with what it had; the change is not in force.",
        dashboard=_BOARD,
        panel="config-reloads",
        cases=(
            stories.first(
                "trading_config_reloads_total", {**stories.BOT, "trading_config_outcome": "refused"}, told=stories.BOT
            ),
        ),
    ),
)
