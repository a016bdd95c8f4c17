"""Telemetry itself, as the bot sees it."""

from __future__ import annotations

from otel_trading.provisioning.rules import stories
from otel_trading.provisioning.rules.expressions import BOT, happened
from otel_trading.provisioning.rules.model import Group, Rule

_BOARD = "otel-trading-telemetry"
_SIGNAL = {**stories.BOT, "signal": "logs"}

TELEMETRY = Group(
    name="telemetry",
    rules=(
        Rule(
            name="TelemetryDropped",
            expr=f"{happened('trading.telemetry.dropped', f'{BOT}, signal, reason')} > 0",
            severity="warning",
            summary="{{ $labels.job }} lost {{ $value | humanize }} of its {{ $labels.signal }}: {{ $labels.reason }}.",
            description="What was lost is on no dashboard, and no rule saw it.",
            dashboard=_BOARD,
            panel="dropped",
            cases=(
                stories.first("trading_telemetry_dropped_total", {**_SIGNAL, "reason": "queue_full"}),
                stories.again("trading_telemetry_dropped_total", {**_SIGNAL, "reason": "queue_full"}, value="1.026"),
            ),
        ),
        Rule(
            name="TelemetrySpoolOld",
            expr=f"max by ({BOT}, signal) (trading_telemetry_spool_age_seconds) > 300",
            for_="1m",
            severity="warning",
            summary=(
                "The {{ $labels.signal }} of {{ $labels.job }} have waited for "
                "{{ $value | humanizeDuration }} to be delivered."
            ),
            description="The Collector does not take them; they wait on disk as long as there is room.",
            dashboard=_BOARD,
            panel="spool-age",
            cases=(stories.gauge("trading_telemetry_spool_age_seconds", _SIGNAL, 0, 400, value="6m 40s"),),
        ),
        Rule(
            name="TelemetryBufferFull",
            expr=f"max by ({BOT}) (trading_telemetry_buffer_utilization_ratio) > 0.9",
            for_="1m",
            severity="warning",
            summary="The event queue of {{ $labels.job }} was {{ $value | humanizePercentage }} full.",
            description="When it is full, measurements are lost.",
            dashboard=_BOARD,
            panel="buffer",
            cases=(stories.gauge("trading_telemetry_buffer_utilization_ratio", stories.BOT, 0.1, 0.95, value="95%"),),
        ),
        Rule(
            name="TelemetryOverflow",
            expr=f"{happened('trading.telemetry.overflow', BOT)} > 0",
            severity="warning",
            summary="{{ $labels.job }} has more series than its metrics may have.",
            description=(
                "Further values of attributes are lumped together: totals are right, what is by venue or symbol is not."
            ),
            dashboard=_BOARD,
            panel="overflow",
            cases=(stories.first("trading_telemetry_overflow_total", stories.BOT),),
        ),
        Rule(
            name="TelemetrySampled",
            expr=f"min by ({BOT}) (trading_telemetry_sampling_ratio) < 1",
            for_="3m",
            severity="info",
            summary="{{ $labels.job }} records only {{ $value | humanizePercentage }} of its events.",
            description="Sampling is on: rare events may be missing.",
            dashboard=_BOARD,
            panel="sampling",
            cases=(stories.gauge("trading_telemetry_sampling_ratio", stories.BOT, 1, 0.1, value="10%"),),
        ),
        Rule(
            name="SecretsMasked",
            expr=f"{happened('trading.telemetry.redactions', f'{BOT}, kind')} > 0",
            severity="info",
            summary="{{ $labels.job }} masked {{ $value | humanize }} secrets: {{ $labels.kind }}.",
            description=(
                "Code writes secrets into logs or attributes. They did not leave the process, and should not "
                "have come so far."
            ),
            dashboard=_BOARD,
            panel="redactions",
            cases=(stories.first("trading_telemetry_redactions_total", {**stories.BOT, "kind": "api_key"}),),
        ),
    ),
)
