"""Whether what the other boards show is complete."""

from __future__ import annotations

from otel_trading.provisioning.boards import backends, terms
from otel_trading.provisioning.boards.asked import happened, highest, per_minute, percentiles, query, rate, total
from otel_trading.provisioning.boards.terms import ANY_IS_BAD, ANY_IS_ODD, BARS, NEVER_BELOW_ZERO
from otel_trading.provisioning.colours import BAD, GOOD, WARNING
from otel_trading.provisioning.dashboard import Dashboard
from otel_trading.provisioning.links import to_runbook
from otel_trading.provisioning.model import Query, Row, Threshold
from otel_trading.provisioning.panels import stat, timeseries
from otel_trading.provisioning.variables import STANDARD

_LOST = to_runbook("TelemetryDropped")


_MADE, _SENT = (happened(f"trading.telemetry.{name}", "signal") for name in ("events", "sent"))
_NOW = (
    stat(
        "Dropped",
        f"{happened('trading.telemetry.dropped')} or vector(0)",
        slug="dropped-now",
        description="Items that the bots lost in the time shown.",
        width=6,
        thresholds=ANY_IS_BAD,
        links=[_LOST],
    ),
    stat(
        "Delivered",
        terms.share(f"sum ({_SENT})", f"sum ({_MADE} and {_SENT})"),
        slug="delivery-ratio",
        description="Items that receivers confirmed, of all that were handed to telemetry in the time shown.",
        unit="percentunit",
        width=6,
        base=BAD,
        thresholds=(Threshold(0.9, WARNING), Threshold(0.98, GOOD)),
        defaults={"max": 1},
    ),
    stat(
        "In the spool",
        total("trading.telemetry.spool.size"),
        slug="spool-now",
        description="Bytes of requests that wait on the bots' disks, because no receiver takes them.",
        unit="By",
        width=6,
        thresholds=ANY_IS_ODD,
        links=[to_runbook("TelemetrySpoolOld")],
    ),
    stat(
        "Components",
        f"sum(up{{{backends.STACK}}}) / count(up{{{backends.STACK}}})",
        slug="components-up",
        description="Share of Collector and backends that answer.",
        unit="percentunit",
        width=6,
        base=BAD,
        thresholds=(Threshold(1, GOOD),),
        links=[to_runbook("StackComponentDown")],
    ),
)

_BOTS = Row(
    "In the bots",
    (
        timeseries(
            "Items",
            Query(rate("trading.telemetry.events", "signal"), "made {{signal}}"),
            Query(rate("trading.telemetry.sent", "signal"), "confirmed {{signal}}"),
            slug="events",
            description="Items handed to telemetry, and items that receivers confirmed, a second.",
            unit="cps",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Dropped by reason",
            query(rate, "trading.telemetry.dropped", "signal", "reason"),
            slug="dropped",
            description="Items that were lost, a second.",
            unit="cps",
            defaults=NEVER_BELOW_ZERO,
            links=[_LOST],
        ),
        timeseries(
            "On their way",
            query(total, "trading.telemetry.pending", "signal", "place"),
            slug="pending",
            description="Items that wait, in memory and in the spool.",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Spool",
            query(total, "trading.telemetry.spool.size", "signal"),
            slug="spool-size",
            description="Bytes of requests that wait on disk.",
            unit="By",
            defaults=NEVER_BELOW_ZERO,
            links=[to_runbook("TelemetrySpoolOld")],
        ),
        timeseries(
            "Oldest in the spool",
            query(highest, "trading.telemetry.spool.age", "signal"),
            slug="spool-age",
            description="Age of the oldest request that waits on disk.",
            unit="s",
            defaults=NEVER_BELOW_ZERO,
            links=[to_runbook("TelemetrySpoolOld")],
        ),
        timeseries(
            "Sent again",
            Query(rate("trading.telemetry.retried", "signal"), "again {{signal}}"),
            Query(rate("trading.telemetry.repeated", "signal"), "perhaps twice {{signal}}"),
            slug="retries",
            description="Items that were sent again for want of an answer, and those that may have arrived twice.",
            unit="cps",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Requests",
            *percentiles("trading.telemetry.export.duration", "signal", quantiles=(0.5, 0.99)),
            slug="export-duration",
            description="Duration of requests to receivers.",
            unit="s",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Bytes",
            query(rate, "trading.telemetry.exported.size", "signal"),
            slug="export-size",
            description="Bytes sent, before compression, a second.",
            unit="By/s",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Of processes before",
            query(rate, "trading.telemetry.recovered", "signal"),
            slug="recovered",
            description="Items that a process before this one left in the spool, delivered or dropped, a second.",
            unit="cps",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Recorded share of events",
            Query(total("trading.telemetry.sampling.ratio", "job", fold="min"), "{{job}}"),
            slug="sampling",
            description="Share of events that is measured; less than all above the threshold of the bot.",
            unit="percentunit",
            defaults=terms.SHARE,
            width=6,
        ),
        timeseries(
            "Event queue",
            Query(highest("trading.telemetry.buffer.utilization.ratio", "job"), "{{job}}"),
            slug="buffer",
            description="The fullest the queue of events was.",
            unit="percentunit",
            defaults=terms.SHARE,
            thresholds=terms.RISING,
            width=6,
        ),
        timeseries(
            "Too many series",
            Query(rate("trading.telemetry.overflow", "job"), "{{job}}"),
            slug="overflow",
            description="Measurements a second that went to one series, because their instrument has too many.",
            unit="cps",
            defaults=NEVER_BELOW_ZERO,
            width=6,
            links=[to_runbook("TelemetryOverflow")],
        ),
        timeseries(
            "Secrets masked",
            query(per_minute, "trading.telemetry.redactions", "kind"),
            slug="redactions",
            description="Secrets that were masked, a minute, by what they are.",
            unit="cpm",
            defaults=NEVER_BELOW_ZERO,
            custom=BARS,
            width=6,
        ),
        timeseries(
            "Traces kept and left out",
            query(rate, "trading.telemetry.traces.decisions", "decision", "reason"),
            slug="trace-decisions",
            stacked=True,
            description="Spans a second of traces that were kept or left out, and why.",
            unit="cps",
            defaults=NEVER_BELOW_ZERO,
            width=24,
        ),
    ),
)


BOARD = Dashboard(
    "Telemetry",
    uid="otel-trading-telemetry",
    description="Is what the other boards show complete, and do Collector and backends keep up?",
    tags=("otel-trading", "telemetry"),
    variables=STANDARD,
    panels=(*_NOW, _BOTS, backends.BACKENDS),
)
