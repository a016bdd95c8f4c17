"""Groups as Prometheus reads them, and promtool's tests of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from otel_trading.provisioning.ids import panel_id
from otel_trading.provisioning.links import DOCS
from otel_trading.provisioning.rules import durations
from otel_trading.provisioning.rules.documents import dump
from otel_trading.provisioning.rules.model import Case, Group, Recording, Rule
from otel_trading.provisioning.rules.scaling import scaled, scaled_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

RUNBOOKS = f"{DOCS}/runbooks"
_PLACE = re.compile(r"{{\s*\$labels\.(\w+)\s*}}")
_VALUE = re.compile(r"{{\s*\$value[^}]*}}")
_NO_DATA = "1h"
_USUAL = "15s"


def told_with(rule: Rule, runbooks: str = RUNBOOKS) -> dict[str, str]:
    """What is told with an alert; links are relative to Grafana, and to the folder of the runbooks."""
    told = {"summary": rule.summary, "description": rule.description}
    told["runbook_url"] = rule.runbook or f"{runbooks.rstrip('/')}/{rule.name}.md"
    if rule.dashboard:
        told["dashboard"] = f"/d/{rule.dashboard}?viewPanel={panel_id(rule.panel)}"
    return {name: text for name, text in told.items() if text}


def rules_file(group: Group, *, alerts: bool = True, scale: float = 1.0, runbooks: str = RUNBOOKS) -> str:
    """The file of a group.

    Args:
        group: the group.
        alerts: whether its alerts are among them; without, somebody else alerts.
        scale: what every window and duration is multiplied with, to see rules fire soon; 1 is what they mean.
        runbooks: where the pages of the runbooks are.

    """
    rules: list[dict[str, Any]] = []
    for each in group.rules:
        if isinstance(each, Recording):
            rules.append(_recording(each, scale))
        elif alerts and not each.loki:
            rules.append(_alert(each, scale, runbooks))
    found: dict[str, Any] = {"name": group.name}
    usual = "" if scale == 1 else _USUAL
    if interval := scaled_duration(group.interval or usual, scale):
        found["interval"] = interval
    return dump({"groups": [{**found, "rules": rules}]})


def cases_file(group: Group, runbooks: str = RUNBOOKS) -> str:
    """Promtool's tests of a group whose file is in the folder above."""
    tests = [_no_data(group, runbooks), *_tests(group, runbooks)]
    # promtool evaluates all groups at this interval, whatever theirs is
    every = group.interval or _USUAL
    return dump({"rule_files": [f"../{group.name}.yml"], "evaluation_interval": every, "tests": tests})


def _recording(rule: Recording, scale: float) -> dict[str, Any]:
    found: dict[str, Any] = {"record": rule.name, "expr": scaled(rule.expr, scale)}
    return {**found, "labels": dict(rule.labels)} if rule.labels else found


def _alert(rule: Rule, scale: float, runbooks: str) -> dict[str, Any]:
    found: dict[str, Any] = {"alert": rule.name, "expr": scaled(rule.expr, scale)}
    if durations.seconds(rule.for_):
        found["for"] = scaled_duration(rule.for_, scale)
    if durations.seconds(rule.keep_firing_for):
        found["keep_firing_for"] = scaled_duration(rule.keep_firing_for, scale)
    labels = {"severity": rule.severity, **rule.labels}
    return {**found, "labels": labels, "annotations": told_with(rule, runbooks)}


def _no_data(group: Group, runbooks: str) -> dict[str, Any]:
    fired = [
        {
            "eval_time": _NO_DATA,
            "alertname": rule.name,
            "exp_alerts": [_expected(rule, {}, "", runbooks)] if rule.always else [],
        }
        for rule in group.alerts
        if not rule.loki
    ]
    return {"name": "without any data", "interval": "1m", "input_series": [], "alert_rule_test": fired}


def _tests(group: Group, runbooks: str) -> list[dict[str, Any]]:
    return [
        _test(rule, case, runbooks) for rule in group.alerts if not rule.loki for case in rule.cases
    ]  # fmt: skip


def _test(rule: Rule, case: Case, runbooks: str) -> dict[str, Any]:
    expected: dict[str, list[dict[str, Any]]] = {moment: [] for moment in case.quiet}
    if case.fires is not None:
        seen = [_expected(rule, case.labels, case.value, runbooks)]
        seen += [_expected(rule, labels, value, runbooks) for labels, value in case.others]
        expected[case.fires] = seen
    if case.resolved is not None:
        expected[case.resolved] = []
    moments = sorted(expected, key=durations.seconds)
    found: dict[str, Any] = {
        "name": f"{rule.name}: {case.about}",
        "interval": case.interval,
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "alert_rule_test": [
            {"eval_time": moment, "alertname": rule.name, "exp_alerts": expected[moment]} for moment in moments
        ],
    }
    if case.expressions:
        moment = case.fires or case.quiet[0]
        found["promql_expr_test"] = [
            {
                "expr": expr,
                "eval_time": moment,
                "exp_samples": [{"labels": at, "value": is_} for at, is_ in values.items()],
            }
            for expr, values in case.expressions.items()
        ]
    return found


def _expected(rule: Rule, labels: Mapping[str, str], value: str, runbooks: str) -> dict[str, Any]:
    told = told_with(rule, runbooks)
    summary = _PLACE.sub(lambda place: labels.get(place[1], ""), told["summary"])
    told["summary"] = _VALUE.sub(lambda _: value, summary)
    return {"exp_labels": {"severity": rule.severity, **rule.labels, **labels}, "exp_annotations": told}
