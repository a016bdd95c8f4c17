"""The way of telemetry from the Collector on, and the dead man's switch."""

from __future__ import annotations

from otel_trading.provisioning.rules import stories
from otel_trading.provisioning.rules.model import WATCHDOG_SEVERITY, Case, Group, Rule

_BOARD = "otel-trading-telemetry"
_EXPORTER = {"exporter": "otlp_http/prometheus"}
_QUEUE = {"exporter": "otlp_http/loki"}
_ITEMS = ("spans", "metric_points", "log_records")


def _lost(ways: tuple[str, ...], by: str) -> str:
    """What counters of the Collector grew by; each keeps its name as a label, or those with the same labels meet."""
    names = [f"otelcol_{way}_{items}_total" for way in ways for items in _ITEMS]
    grown = [f'label_replace(increase({name}[10m]), "counter", "{name}", "", "")' for name in names]
    return f"sum by ({by}) (" + " or ".join(grown) + ") > 0"


STACK = Group(
    name="stack",
    rules=(
        Rule(
            name="Watchdog",
            expr="vector(1)",
            severity=WATCHDOG_SEVERITY,
            summary="Always firing: where it stops arriving, alerting is broken.",
            dashboard=_BOARD,
            panel="watchdog",
            always=True,
            cases=(Case(series={}, fires="30m", about="it fires whatever happens"),),
        ),
        Rule(
            name="StackComponentDown",
            expr='up{job=~"otelcol|prometheus|alertmanager|jaeger|loki"} == 0',
            for_="1m",
            severity="critical",
            summary="{{ $labels.job }} does not answer Prometheus.",
            description="A part of the stack is down, or its metrics are not reachable.",
            dashboard=_BOARD,
            panel="components-up",
            cases=(
                stories.gauge("up", {"job": "loki", "instance": "a"}, 1, 0, resolved="11m"),
                Case(
                    series={stories.series("up", job="other", instance="a"): "0x40"},
                    quiet=("5m",),
                    about="somebody else's",
                ),
            ),
        ),
        Rule(
            name="TelemetryRefusedByBackend",
            expr=_lost(("exporter_send_failed", "exporter_enqueue_failed"), "exporter"),
            severity="critical",
            summary=(
                "{{ $labels.exporter }} lost {{ $value | humanize }} items: refused by the backend, or by a full "
                "queue; the Collector's log says which."
            ),
            dashboard=_BOARD,
            panel="collector-failures",
            cases=(
                Case(
                    series={
                        stories.series("otelcol_exporter_send_failed_metric_points_total", _EXPORTER): "0x4 40x80",
                        stories.series("otelcol_exporter_enqueue_failed_metric_points_total", _EXPORTER): "0x84",
                    },
                    labels=_EXPORTER,
                    value="40",
                    quiet=("1m",),
                    fires="2m",
                    resolved="20m",
                ),
                Case(
                    series={
                        stories.series(
                            "otelcol_exporter_enqueue_failed_log_records_total", _EXPORTER
                        ): "5x79 9x1 0x120",
                    },
                    labels=_EXPORTER,
                    value="4.103",
                    quiet=("15m",),
                    fires="20m15s",
                    resolved="35m",
                    about="a full queue, and a Collector that starts anew",
                ),
            ),
        ),
        Rule(
            name="TelemetryQueueFilling",
            expr="max by (exporter) (otelcol_exporter_queue_size / (otelcol_exporter_queue_capacity > 0)) > 0.5",
            for_="5m",
            severity="warning",
            summary=(
                "The queue to {{ $labels.exporter }} is {{ $value | humanizePercentage }} full; a full one "
                "refuses new data."
            ),
            dashboard=_BOARD,
            panel="collector-queue",
            cases=(
                Case(
                    series={
                        stories.series("otelcol_exporter_queue_size", _QUEUE): "0x3 300000x10 0x5",
                        stories.series("otelcol_exporter_queue_capacity", _QUEUE): "500000x20",
                    },
                    interval="1m",
                    labels=_QUEUE,
                    value="60%",
                    quiet=("5m",),
                    fires="10m",
                    resolved="16m",
                ),
                Case(
                    series={
                        stories.series("otelcol_exporter_queue_size", _QUEUE): "10x40",
                        stories.series("otelcol_exporter_queue_capacity", _QUEUE): "0x40",
                    },
                    quiet=("9m",),
                    about="a queue without capacity is no division by zero",
                ),
            ),
        ),
        Rule(
            name="CollectorRefusesTelemetry",
            expr=_lost(("receiver_refused",), "receiver"),
            severity="warning",
            summary="The Collector refused {{ $value | humanize }} items at {{ $labels.receiver }}.",
            description="It is out of memory or its queue is full; the bot keeps and repeats what was refused.",
            dashboard=_BOARD,
            panel="collector-accepted",
            cases=(
                stories.failing(
                    "otelcol_receiver_refused_spans_total",
                    {"receiver": "otlp"},
                    value="100",
                    values="0x19 100x20 100x100",
                ),
            ),
        ),
        Rule(
            name="PrometheusRulesFail",
            expr="sum by (rule_group) (increase(prometheus_rule_evaluation_failures_total[10m])) > 0",
            severity="critical",
            summary="Rules of {{ $labels.rule_group }} cannot be evaluated.",
            description="A rule that fails does not alert.",
            dashboard=_BOARD,
            panel="rule-evaluation",
            cases=(
                stories.failing(
                    "prometheus_rule_evaluation_failures_total",
                    {"job": "prometheus", "rule_group": "orders"},
                    told={"rule_group": "orders"},
                ),
            ),
        ),
        Rule(
            name="PrometheusDropsAlerts",
            expr=(
                "sum by (instance) (increase(prometheus_notifications_dropped_total[10m])) > 0 "
                "or sum by (instance) (increase(prometheus_notifications_errors_total[10m])) > 0"
            ),
            for_="1m",
            severity="critical",
            summary="Alerts do not get from Prometheus to Alertmanager.",
            description="Nobody is told of what fires; this one arrives where another way leads to you, or not at all.",
            dashboard=_BOARD,
            panel="notifications-sent",
            cases=(
                stories.failing(
                    "prometheus_notifications_errors_total",
                    {"instance": "p", "alertmanager": "a"},
                    told={"instance": "p"},
                    fires="8m",
                ),
            ),
        ),
        Rule(
            name="PrometheusConfigurationRefused",
            expr="max by (instance) (prometheus_config_last_reload_successful) == 0",
            for_="1m",
            severity="warning",
            summary="Prometheus did not take its new configuration.",
            description="It goes on with the old one; rules that were changed are not in force.",
            dashboard=_BOARD,
            panel="rule-evaluation",
            cases=(stories.gauge("prometheus_config_last_reload_successful", {"instance": "p"}, 1, 0),),
        ),
        Rule(
            name="AlertmanagerDeliveryFails",
            expr="sum by (integration) (increase(alertmanager_notifications_failed_total[10m])) > 0",
            severity="critical",
            summary="Alertmanager cannot deliver to {{ $labels.integration }}.",
            description=(
                "The receiver is not reachable, or refuses what it gets: a token that expired, a channel that is gone."
            ),
            dashboard=_BOARD,
            panel="notifications-sent",
            cases=(
                stories.failing(
                    "alertmanager_notifications_failed_total",
                    {"integration": "slack", "reason": "clientError"},
                    told={"integration": "slack"},
                ),
            ),
        ),
        Rule(
            name="AlertmanagerConfigurationRefused",
            expr="max by (instance) (alertmanager_config_last_reload_successful) == 0",
            for_="1m",
            severity="critical",
            summary="Alertmanager did not take its new configuration.",
            description="It goes on with the old routes and receivers.",
            dashboard=_BOARD,
            panel="notifications-sent",
            cases=(stories.gauge("alertmanager_config_last_reload_successful", {"instance": "a"}, 1, 0),),
        ),
        Rule(
            name="LokiDiscardsLines",
            expr="sum by (reason) (increase(loki_discarded_samples_total[10m])) > 0",
            severity="warning",
            summary="Loki discarded {{ $value | humanize }} lines: {{ $labels.reason }}.",
            description="They are older than Loki takes, too long, or too many at a time.",
            dashboard=_BOARD,
            panel="backend-ingestion",
            cases=(
                stories.failing(
                    "loki_discarded_samples_total", {"reason": "rate_limited"}, value="50", values="0x19 50x120"
                ),
            ),
        ),
    ),
)
