"""Whether what the other boards show is complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.provisioning.boards import shared
from otel_trading.provisioning.boards.asked import happened, highest, per_minute, percentiles, query, rate, total
from otel_trading.provisioning.boards.shared import ANY_IS_BAD, ANY_IS_ODD, BARS, NEVER_BELOW_ZERO
from otel_trading.provisioning.colours import BAD, GOOD, WARNING
from otel_trading.provisioning.dashboard import Dashboard
from otel_trading.provisioning.links import to_runbook
from otel_trading.provisioning.model import Query, Row, Threshold
from otel_trading.provisioning.panels import stat, state_timeline, timeseries
from otel_trading.provisioning.variables import STANDARD

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOST, _COLLECTOR = to_runbook("TelemetryDropped"), to_runbook("TelemetryRefusedByBackend")
_KINDS = ("spans", "metric_points", "log_records")
_STACK = 'job=~"otelcol|prometheus|alertmanager|jaeger|loki"'


def _collector(*counters: str, by: str) -> str:
    """What the Collector counts, a second: a rate loses the names of its series, so each gets a label before."""
    rates = [f'rate(otelcol_{name}_{kind}_total{{job="otelcol"}}[$__rate_interval])' for name, kind in _each(counters)]
    items = [kind.replace("_", " ") for _, kind in _each(counters)]
    told = [
        f'label_replace(label_replace({growth}, "item", "{item}", "", ""), "counter", "{name}", "", "")'
        for growth, item, (name, _) in zip(rates, items, _each(counters), strict=True)
    ]
    return f"sum by ({by}) ({' or '.join(told)})"


def _each(counters: Iterable[str]) -> list[tuple[str, str]]:
    return [(name, kind) for name in counters for kind in _KINDS]


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
        shared.share(f"sum ({_SENT})", f"sum ({_MADE} and {_SENT})"),
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
        f"sum(up{{{_STACK}}}) / count(up{{{_STACK}}})",
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
            defaults=shared.SHARE,
            width=6,
        ),
        timeseries(
            "Event queue",
            Query(highest("trading.telemetry.buffer.utilization.ratio", "job"), "{{job}}"),
            slug="buffer",
            description="The fullest the queue of events was.",
            unit="percentunit",
            defaults=shared.SHARE,
            thresholds=shared.RISING,
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

_STACK_ROW = Row(
    "Collector and backends",
    (
        timeseries(
            "Collector, received",
            Query(_collector("receiver_accepted", by="receiver, item"), "{{receiver}} {{item}}"),
            slug="collector-accepted",
            description="Items that the Collector took, a second.",
            unit="cps",
            defaults=NEVER_BELOW_ZERO,
            links=[_COLLECTOR],
        ),
        timeseries(
            "Collector, passed on",
            Query(_collector("exporter_sent", by="exporter"), "{{exporter}}"),
            slug="collector-sent",
            description="Items that backends took, a second.",
            unit="cps",
            defaults=NEVER_BELOW_ZERO,
            links=[_COLLECTOR],
        ),
        timeseries(
            "Collector, refused and failed",
            Query(_collector("receiver_refused", "receiver_failed", by="receiver"), "refused {{receiver}}"),
            Query(_collector("exporter_send_failed", "exporter_enqueue_failed", by="exporter"), "failed {{exporter}}"),
            slug="collector-failures",
            description="Items a second that the Collector refused, which bots keep; and that it could not pass on.",
            unit="cps",
            defaults=NEVER_BELOW_ZERO,
            links=[_COLLECTOR],
        ),
        timeseries(
            "Collector, queues",
            Query(
                'max by (exporter) (otelcol_exporter_queue_size{job="otelcol"} / '
                '(otelcol_exporter_queue_capacity{job="otelcol"} > 0))',
                "{{exporter}}",
            ),
            slug="collector-queue",
            description="How full the queues on the Collector's disk are.",
            unit="percentunit",
            defaults=shared.SHARE,
            thresholds=(Threshold(0.5, WARNING), Threshold(0.9, BAD)),
            links=[_COLLECTOR],
        ),
        timeseries(
            "Memory",
            Query(f"max by (job) (process_resident_memory_bytes{{{_STACK}}})", "{{job}}"),
            Query(f"max by (job) (otelcol_process_memory_rss_bytes{{{_STACK}}})", "{{job}}"),
            slug="collector-memory",
            description="Physical memory of the Collector and the backends.",
            unit="By",
            defaults=NEVER_BELOW_ZERO,
        ),
        state_timeline(
            "Components over time",
            Query(f"1 - max by (job) (up{{{_STACK}}})", "{{job}}"),
            slug="component-states",
            states=("up", "down"),
            description="Whether the Collector and the backends answer Prometheus.",
            width=8,
            links=[to_runbook("StackComponentDown")],
        ),
        timeseries(
            "Taken by backends",
            Query("sum(rate(prometheus_tsdb_head_samples_appended_total[$__rate_interval]))", "Prometheus, samples"),
            Query("sum(rate(loki_distributor_lines_received_total[$__rate_interval]))", "Loki, lines"),
            Query('sum(rate(otelcol_receiver_accepted_spans_total{job="jaeger"}[$__rate_interval]))', "Jaeger, spans"),
            slug="backend-ingestion",
            description="What the backends take, a second.",
            unit="cps",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Series and exemplars",
            Query("sum(prometheus_tsdb_head_series)", "series"),
            Query("sum(prometheus_tsdb_exemplar_exemplars_in_storage)", "exemplars", style="right"),
            slug="prometheus-storage",
            description="What Prometheus has in memory.",
            defaults=NEVER_BELOW_ZERO,
            links=[to_runbook("TelemetryOverflow")],
        ),
        timeseries(
            "Rules",
            Query("sum(rate(prometheus_rule_evaluations_total[$__rate_interval]))", "evaluated"),
            Query("sum(rate(prometheus_rule_evaluation_failures_total[$__rate_interval]))", "failed"),
            Query("sum(rate(prometheus_rule_group_iterations_missed_total[$__rate_interval]))", "missed"),
            slug="rule-evaluation",
            description="Rules evaluated, a second, and those that failed or came too late.",
            unit="cps",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Notifications",
            Query("sum(rate(prometheus_notifications_sent_total[$__rate_interval]))", "sent to Alertmanager"),
            Query("sum(rate(prometheus_notifications_dropped_total[$__rate_interval]))", "dropped"),
            Query(
                "sum by (integration) (rate(alertmanager_notifications_failed_total[$__rate_interval])) > 0",
                "failed {{integration}}",
            ),
            slug="notifications-sent",
            description="What Prometheus told Alertmanager, and what Alertmanager could not tell anybody.",
            unit="cps",
            defaults=NEVER_BELOW_ZERO,
            links=[to_runbook("AlertsNotDelivered")],
        ),
        timeseries(
            "Watchdog",
            Query('max(ALERTS{alertname="Watchdog"})', "firing"),
            description="The alert that always fires: where it is missing, alerting is broken.",
            defaults=shared.SHARE,
            links=[to_runbook("Watchdog")],
        ),
    ),
)

BOARD = Dashboard(
    "Telemetry",
    uid="otel-trading-telemetry",
    description="Is what the other boards show complete, and do Collector and backends keep up?",
    tags=("otel-trading", "telemetry"),
    variables=STANDARD,
    panels=(*_NOW, _BOTS, _STACK_ROW),
)
