"""Whether bots, their process and their machine are well, and who was told."""

from __future__ import annotations

from otel_trading.provisioning.boards import process, shared
from otel_trading.provisioning.boards.asked import (
    BOTS,
    legend,
    per_minute,
    percentiles,
    query,
    rate,
    state,
    total,
)
from otel_trading.provisioning.boards.terms import NEVER_BELOW_ZERO
from otel_trading.provisioning.colours import BAD, HEALTH
from otel_trading.provisioning.dashboard import Dashboard
from otel_trading.provisioning.links import page, to_runbook
from otel_trading.provisioning.model import Link, Query, Row, Threshold
from otel_trading.provisioning.panels import stat, state_timeline, table, timeseries
from otel_trading.provisioning.panels import state as state_panel
from otel_trading.provisioning.variables import STANDARD

_COMPONENT, _LEVEL, _CHANNEL = "trading.health.component", "trading.alert.level", "trading.alert.channel"
_RULE = "trading.alert.rule"
_BOT_INFO = f'target_info{{telemetry_sdk_language="python", {BOTS}}}'


_NOW = (
    state_panel(
        "Health",
        state("trading.health.state", "trading.health.state", HEALTH),
        slug="health-now",
        states=HEALTH,
        description="The worst of all components that the bots watch.",
        width=6,
        links=[to_runbook("ServiceDown")],
    ),
    stat(
        "The bots' own alerts",
        f"{total('trading.alert.active')} or vector(0)",
        slug="alerts-now",
        description="Alerts of the bots themselves that fire.",
        unit="{alert}",
        width=6,
        thresholds=(Threshold(1, BAD),),
    ),
    stat(
        "Bots",
        f"count({_BOT_INFO})",
        slug="bots-up",
        description="Bots that send telemetry.",
        width=6,
        base=BAD,
        thresholds=(Threshold(1, "green"),),
        links=[to_runbook("BotGone")],
    ),
    stat(
        "Starts",
        f"count(count_over_time({_BOT_INFO}[$__range]))",
        slug="bot-restarts",
        description="Bots that were started, or already ran, in the time shown: more than run now were started again.",
        width=6,
        base="blue",
    ),
)

_HEALTH = Row(
    "Health",
    (
        state_timeline(
            "Components",
            Query(
                state("trading.health.state", "trading.health.state", HEALTH, "job", _COMPONENT),
                f"{{{{job}}}} {legend(_COMPONENT)}",
            ),
            slug="health-states",
            states=HEALTH,
            description="Each component of each bot: healthy, degraded or down.",
            width=16,
            links=[to_runbook("ServiceDown")],
        ),
        timeseries(
            "Checks",
            *percentiles("trading.health.check.duration", _COMPONENT, quantiles=(0.99,)),
            slug="check-duration",
            description="How long the checks of components took, 99th percentile.",
            unit="s",
            defaults=NEVER_BELOW_ZERO,
        ),
    ),
)

_ALERTS = Row(
    "Alerts",
    (
        table(
            "Rules that fire",
            'max by (alertname, severity, job) (ALERTS{alertstate="firing", severity!="none"})',
            slug="alerts-firing",
            columns={"severity": "severity", "alertname": "rule", "job": "job"},
            description="Rules of Prometheus that fire now; Alertmanager tells whom it should.",
            width=8,
            links=[Link("All alerts", page("rules"))],
        ),
        timeseries(
            "Alerts of the bots",
            query(total, "trading.alert.active", _RULE, _LEVEL),
            slug="alerts-active",
            description="Alerts of the bots themselves that fire.",
            unit="{alert}",
            defaults=NEVER_BELOW_ZERO,
        ),
        shared.seldom(
            *("Alerts that began and ended", "alert-changes", "Alerts of the bots that began to fire, or were over."),
            query(per_minute, "trading.alert.changes", _RULE, "trading.alert.change"),
        ),
        shared.seldom(
            *("Notifications", "notifications", "Notifications of the bots, a minute, by what became of them."),
            query(per_minute, "trading.alert.notifications", _CHANNEL, "trading.alert.outcome"),
            width=6,
        ),
        shared.seldom(
            *("Notifications that failed", "notification-failures", "Notifications that did not arrive, a minute."),
            query(
                per_minute,
                "trading.alert.notifications",
                _CHANNEL,
                _LEVEL,
                trading_alert_outcome="!sent|suppressed",
            ),
            runbook="AlertsNotDelivered",
            width=6,
        ),
        timeseries(
            "Delivery",
            *percentiles("trading.alert.delivery.duration", _CHANNEL, quantiles=(0.5, 0.99)),
            slug="delivery-duration",
            description="From a notification to its delivery.",
            unit="s",
            defaults=NEVER_BELOW_ZERO,
            width=6,
        ),
        shared.seldom(
            *("Events alerts had no room for", "alert-events-dropped"),
            "Trading events that came faster than rules were judged, a minute.",
            Query(per_minute("trading.alert.events.dropped"), "dropped"),
            width=6,
        ),
    ),
)


_OPERATIONS = Row(
    "Operations",
    (
        table(
            "Versions",
            f"max by (job, service_version, host_name, process_pid, telemetry_distro_version) ({_BOT_INFO})",
            slug="versions",
            columns={
                "job": "bot",
                "service_version": "version",
                "host_name": "host",
                "process_pid": "process",
                "telemetry_distro_version": "otel-trading",
            },
            description="Which version of which bot runs where.",
            width=12,
        ),
        shared.seldom(
            *("Configuration changed", "config-reloads", "Changes of the configuration, a minute, by outcome."),
            query(per_minute, "trading.config.reloads", "trading.config.outcome"),
            width=6,
        ),
        timeseries(
            "Shutting down",
            *percentiles("trading.shutdown.duration", "trading.shutdown.phase", quantiles=(0.99,)),
            slug="shutdowns",
            description="How long steps of shutting down took.",
            unit="s",
            defaults=NEVER_BELOW_ZERO,
            width=6,
        ),
        timeseries(
            "Ops server",
            *percentiles("trading.ops.request.duration", "http.route", quantiles=(0.99,)),
            slug="ops-requests",
            description="How long requests to the ops server took, 99th percentile.",
            unit="s",
            defaults=NEVER_BELOW_ZERO,
            width=6,
        ),
        shared.seldom(
            *("Refused by the ops server", "ops-refusals", "Requests refused and changes asked for, a minute."),
            Query(
                per_minute("trading.ops.refusals", "trading.ops.refusal"),
                f"refused {legend('trading.ops.refusal')}",
            ),
            query(per_minute, "trading.ops.changes", "trading.ops.change", "trading.ops.outcome"),
            width=6,
        ),
        timeseries(
            "Records written",
            query(rate, "trading.recorder.records", "trading.record.type", "trading.record.outcome"),
            Query(
                rate("trading.recorder.io", "trading.record.type"),
                f"bytes {legend('trading.record.type')}",
                style="right",
                unit="By/s",
            ),
            slug="recorder",
            description="Records written, and their bytes, a second.",
            unit="cps",
            defaults=NEVER_BELOW_ZERO,
            width=6,
        ),
        timeseries(
            "Databases",
            *percentiles("db.client.operation.duration", "db.system.name", "db.operation.name", quantiles=(0.5, 0.99)),
            slug="database",
            description="How long databases took: a trade that is not written within a second is late.",
            unit="s",
            defaults=NEVER_BELOW_ZERO,
            thresholds=(Threshold(1, BAD),),
            width=6,
        ),
    ),
)

BOARD = Dashboard(
    "Health and alerts",
    uid="otel-trading-health",
    description="Are the bots, their processes and their machines well, what fires, and who was told?",
    tags=("otel-trading", "health"),
    variables=STANDARD,
    panels=(*_NOW, _HEALTH, _ALERTS, process.PROCESS, _OPERATIONS),
)
