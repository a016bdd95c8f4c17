"""The same rules for Grafana's own engine, and whom Grafana tells.

Grafana expands ``$`` in these files, in some places and not in others; so nothing here has one but what is meant: the
variables of secrets. Summaries use the templates' fields instead of their variables.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from otel_trading.provisioning.ids import panel_id
from otel_trading.provisioning.rules import durations
from otel_trading.provisioning.rules.alertmanager import TEMPLATES
from otel_trading.provisioning.rules.channels import CHANNELS, Channel
from otel_trading.provisioning.rules.documents import dump
from otel_trading.provisioning.rules.maintenance import DEFAULT, Window, windows
from otel_trading.provisioning.rules.prometheus import RUNBOOKS, told_with

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from otel_trading.provisioning.rules.model import Group, Rule

FOLDER = "otel-trading"
PROMETHEUS, LOKI, EXPRESSION = "prometheus", "loki", "__expr__"
_INTERVAL = "10s"
_LOOKBACK_SECONDS = 600
_BELOW_ALL = -1e99
_SEVERITIES = ("critical", "warning", "info")


def rule_uid(name: str) -> str:
    """The identifier of a rule, the same for ever; Grafana allows forty characters.

    >>> rule_uid("BotGone")
    'ot-botgone-7f1ca5'
    """
    digest = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"ot-{name.lower()[:30]}-{digest}"


def files(
    groups: Iterable[Group], environment: Mapping[str, str] | None = None, runbooks: str = RUNBOOKS
) -> dict[str, str]:
    """The files of ``provisioning/alerting`` by name.

    Args:
        groups: the rules.
        environment: the variables: contact points are those whose variables are set; all, where it is not given.
        runbooks: where the pages of the runbooks are.

    """
    channels = [each for each in CHANNELS if environment is None or each.taken(environment)]
    calm = windows((environment or {}).get("ALERT_MAINTENANCE") or DEFAULT)
    found = {f"rules-{group.name}.yaml": _rules(group, runbooks) for group in groups if group.alerts}
    return {
        **found,
        "contact-points.yaml": dump({"apiVersion": 1, "contactPoints": _contact_points(channels)}),
        "mute-times.yaml": dump({"apiVersion": 1, "muteTimes": [_mute(window) for window in calm]}),
        "policies.yaml": dump({"apiVersion": 1, "policies": [_policies(calm, channels)]}),
        "templates.yaml": dump({"apiVersion": 1, "templates": _templates()}),
    }


def _rules(group: Group, runbooks: str) -> str:
    rules = [_rule(rule, runbooks) for rule in group.alerts]
    found = {"orgId": 1, "name": group.name, "folder": FOLDER, "interval": group.interval or _INTERVAL, "rules": rules}
    return dump({"apiVersion": 1, "groups": [found]})


def _rule(rule: Rule, runbooks: str) -> dict[str, Any]:
    told = {name: _fields(text) for name, text in told_with(rule, runbooks).items()}
    found: dict[str, Any] = {
        "uid": rule_uid(rule.name),
        "title": rule.name,
        "condition": "C",
        "data": [_query(rule), _threshold()],
        "for": rule.for_,
    }
    if durations.seconds(rule.keep_firing_for):
        found["keepFiringFor"] = rule.keep_firing_for
    if rule.dashboard:
        found |= {"dashboardUid": rule.dashboard, "panelId": panel_id(rule.panel)}
        told |= {"__dashboardUid__": rule.dashboard, "__panelId__": str(panel_id(rule.panel))}
    # an expression that holds nowhere has no series: that is what well means, and not that data is missing
    found |= {"noDataState": "OK", "execErrState": "Error"}
    return {**found, "labels": {"severity": rule.severity, **rule.labels}, "annotations": told}


def _query(rule: Rule) -> dict[str, Any]:
    uid = LOKI if rule.loki else PROMETHEUS
    model: dict[str, Any] = {
        "refId": "A",
        "datasource": {"type": uid, "uid": uid},
        "expr": rule.expr,
        "instant": True,
        "range": False,
        "intervalMs": 1000,
        "maxDataPoints": 43200,
    }
    if rule.loki:
        model |= {"queryType": "instant"}
    return {
        "refId": "A",
        "datasourceUid": uid,
        "relativeTimeRange": {"from": _LOOKBACK_SECONDS, "to": 0},
        "model": model,
    }


def _threshold() -> dict[str, Any]:
    """Fires for every series that A returns, also where its value is 0: the comparison is in the expression."""
    any_number = {"type": "gt", "params": [_BELOW_ALL]}
    condition = {"evaluator": any_number, "operator": {"type": "and"}, "query": {"params": ["C"]}}
    return {
        "refId": "C",
        "datasourceUid": EXPRESSION,
        "relativeTimeRange": {"from": _LOOKBACK_SECONDS, "to": 0},
        "model": {
            "refId": "C",
            "type": "threshold",
            "datasource": {"type": EXPRESSION, "uid": EXPRESSION},
            "expression": "A",
            "conditions": [condition],
        },
    }


def _fields(text: str) -> str:
    """A text of Prometheus' templates for Grafana's: fields in place of variables."""
    text = re.sub(r"\$labels\.(\w+)", r".Labels.\1", text)
    return re.sub(r"{{\s*\$value([^}]*)}}", r"{{ .Values.A.Value\1}}", text)


def _contact_points(channels: list[Channel]) -> list[dict[str, Any]]:
    points = []
    for severity in (*_SEVERITIES, "watchdog"):
        receivers = [_contact(channel, severity) for channel in channels if severity in channel.severities]
        if receivers:
            points.append({"orgId": 1, "name": f"otel-trading-{severity}", "receivers": receivers})
    return points


def _contact(channel: Channel, severity: str) -> dict[str, Any]:
    kind, settings = channel.grafana
    own = {
        name: f'{{{{ template "otel-trading.{value}" . }}}}' if value in TEMPLATES else value
        for name, value in settings.items()
    }
    found = {"uid": f"ot-{channel.name}-{severity}", "type": kind, "settings": own}
    return {**found, "disableResolveMessage": True} if channel.name == "watchdog" else found


def _policies(calm: list[Window], channels: list[Channel]) -> dict[str, Any]:
    there = {severity for channel in channels for severity in channel.severities}
    routes: list[dict[str, Any]] = []
    if "watchdog" in there:
        often = {"group_wait": "1s", "group_interval": "1m", "repeat_interval": "1m"}
        routes.append(
            {"receiver": "otel-trading-watchdog", "object_matchers": [["alertname", "=", "Watchdog"]], **often}
        )
    for severity in _SEVERITIES:
        if severity not in there:
            continue
        at = {"receiver": f"otel-trading-{severity}"}
        routes += [
            {
                **at,
                "object_matchers": [["severity", "=", severity], ["trading_venue_name", "=", window.venue]],
                "mute_time_intervals": [window.name],
            }
            for window in calm
        ]
        routes.append({**at, "object_matchers": [["severity", "=", severity]]})
    return {
        "orgId": 1,
        "receiver": "grafana-default-email",
        "group_by": ["grafana_folder", "alertname", "job", "trading_venue_name"],
        "group_wait": "10s",
        "group_interval": "1m",
        "repeat_interval": "4h",
        **({"routes": routes} if routes else {}),
    }


def _mute(window: Window) -> dict[str, Any]:
    interval: dict[str, Any] = {"times": [{"start_time": window.start, "end_time": window.end}]}
    if window.days:
        interval["weekdays"] = [window.days]
    return {"orgId": 1, "name": window.name, "time_intervals": [{**interval, "location": window.location}]}


def _templates() -> list[dict[str, Any]]:
    return [
        {
            "orgId": 1,
            "name": f"otel-trading.{name}",
            "template": f'{{{{ define "otel-trading.{name}" }}}}{text}{{{{ end }}}}',
        }
        for name, text in TEMPLATES.items()
    ]
