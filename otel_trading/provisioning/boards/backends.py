"""Collector and backends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.provisioning.boards import terms
from otel_trading.provisioning.boards.terms import NEVER_BELOW_ZERO
from otel_trading.provisioning.colours import BAD, WARNING
from otel_trading.provisioning.links import to_runbook
from otel_trading.provisioning.model import Query, Row, Threshold
from otel_trading.provisioning.panels import state_timeline, timeseries

if TYPE_CHECKING:
    from collections.abc import Iterable

_COLLECTOR = to_runbook("TelemetryRefusedByBackend")
_KINDS = ("spans", "metric_points", "log_records")
STACK = 'job=~"otelcol|prometheus|alertmanager|jaeger|loki"'
"""What of all series is the Collector's and the backends'."""


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


BACKENDS = Row(
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
            defaults=terms.SHARE,
            thresholds=(Threshold(0.5, WARNING), Threshold(0.9, BAD)),
            links=[_COLLECTOR],
        ),
        timeseries(
            "Memory",
            Query(f"max by (job) (process_resident_memory_bytes{{{STACK}}})", "{{job}}"),
            Query(f"max by (job) (otelcol_process_memory_rss_bytes{{{STACK}}})", "{{job}}"),
            slug="collector-memory",
            description="Physical memory of the Collector and the backends.",
            unit="By",
            defaults=NEVER_BELOW_ZERO,
        ),
        state_timeline(
            "Components over time",
            Query(f"1 - max by (job) (up{{{STACK}}})", "{{job}}"),
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
            defaults=terms.SHARE,
            links=[to_runbook("Watchdog")],
        ),
    ),
)
