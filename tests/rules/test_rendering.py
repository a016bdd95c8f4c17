"""The files: structure, traps of the formats, and one engine at a time."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from otel_trading.provisioning import Group, Rule
from otel_trading.provisioning.ids import panel_id
from otel_trading.provisioning.links import runbook
from otel_trading.provisioning.rules import grafana, rendering
from otel_trading.provisioning.rules.channels import VARIABLES
from otel_trading.provisioning.rules.kit import RULES

FILES = rendering.files()
ROOT = Path(__file__).parents[2]
ALERTS = [rule for group in RULES for rule in group.alerts]


@cache
def loaded(name: str) -> Any:
    return yaml.safe_load(FILES[name])


@cache
def grafana_rules() -> dict[str, dict[str, Any]]:
    names = [name for name in FILES if name.startswith("grafana/alerting/rules-")]
    return {rule["title"]: rule for name in names for group in loaded(name)["groups"] for rule in group["rules"]}


def test_what_is_committed_is_what_is_rendered() -> None:
    """Every file, and no other."""
    assert [name for name, text in FILES.items() if (ROOT / name).read_text("utf-8") != text] == []
    folders = ("collector/rules", "collector/rules/tests", "grafana/alerting")
    there = {str(file.relative_to(ROOT)) for folder in folders for file in (ROOT / folder).iterdir() if file.is_file()}
    assert there == set(FILES) - {"collector/alertmanager.yml"}


def test_prometheus_reads_rules_and_not_their_tests() -> None:
    """Its pattern takes the files of one folder."""
    pattern = yaml.safe_load((ROOT / "collector" / "prometheus.yml").read_text())["rule_files"]
    assert pattern == ["rules/*.yml"]
    read = [name for name in FILES if re.fullmatch(r"collector/rules/[^/]*\.yml", name)]
    assert len(read) == len([group for group in RULES if group.name != "logs"])
    for name in read:
        assert set(loaded(name)) == {"groups"}


def test_every_alert_is_rendered_for_both_engines_and_logs_for_one() -> None:
    """With the same severity and texts."""
    ours = {
        rule["alert"]: rule
        for name in FILES
        if re.fullmatch(r"collector/rules/[^/]*\.yml", name)
        for rule in loaded(name)["groups"][0]["rules"]
        if "alert" in rule
    }
    theirs = grafana_rules()
    assert set(ours) == {rule.name for rule in ALERTS if not rule.loki}
    assert set(theirs) == {rule.name for rule in ALERTS}
    for name, rule in ours.items():
        assert theirs[name]["labels"] == rule["labels"]
        assert theirs[name]["annotations"]["description" if rule["annotations"].get("description") else "runbook_url"]


def test_alerts_have_what_those_who_read_them_need() -> None:
    """A summary, a runbook and the way to the panel."""
    for group in loaded("collector/rules/orders.yml")["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                assert rule["labels"]["severity"] in {"critical", "warning", "info"}
                assert rule["annotations"]["runbook_url"] == runbook(rule["alert"])
                assert re.fullmatch(r"/d/otel-trading-[a-z-]+\?viewPanel=\d+", rule["annotations"]["dashboard"])


def test_the_page_of_runbooks_can_be_elsewhere() -> None:
    """And a rule's own address stays."""
    rule = Rule(name="Mine", expr="x > 1", severity="info", summary="Mine.", runbook="https://wiki.example.com/mine")
    text = rendering.for_prometheus([Group(name="mine", rules=(rule,))], runbooks="https://example.com/books/")
    assert "https://wiki.example.com/mine" in text["mine.yml"]
    moved = rendering.for_prometheus(RULES, runbooks="https://example.com/books/")["orders.yml"]
    assert "https://example.com/books/OrderAckSlow.md" in moved


def test_without_alerts_prometheus_keeps_the_recordings() -> None:
    """That is what it gets where Grafana alerts."""
    found = rendering.for_prometheus(RULES, alerts=False)
    rules = [rule for text in found.values() for rule in yaml.safe_load(text)["groups"][0]["rules"]]
    assert rules
    assert not [rule for rule in rules if "alert" in rule]
    assert {rule["record"] for rule in rules} == {each.name for group in RULES for each in group.recordings}


def test_grafana_asks_and_compares() -> None:
    """A is an instant query of the right source, C fires for each series that it gives, zero among them."""
    for rule in ALERTS:
        found = grafana_rules()[rule.name]
        query, threshold = found["data"]
        assert (query["refId"], threshold["refId"], found["condition"]) == ("A", "C", "C")
        assert query["datasourceUid"] == ("loki" if rule.loki else "prometheus")
        assert query["model"]["expr"] == rule.expr
        assert query["model"]["instant"] is True
        assert threshold["model"]["expression"] == "A"
        assert threshold["model"]["conditions"][0]["evaluator"] == {"type": "gt", "params": [-1e99]}
        assert (found["noDataState"], found["execErrState"]) == ("OK", "Error")
        assert found["for"] == rule.for_


def test_grafana_links_alerts_to_panels() -> None:
    """By the numbers that the boards have."""
    for rule in ALERTS:
        found = grafana_rules()[rule.name]
        assert found["dashboardUid"] == found["annotations"]["__dashboardUid__"] == rule.dashboard
        assert found["panelId"] == int(found["annotations"]["__panelId__"]) == panel_id(rule.panel)


def test_identifiers_are_short_and_different() -> None:
    """Grafana allows forty characters."""
    uids = [found["uid"] for found in grafana_rules().values()]
    assert len(set(uids)) == len(uids) == len(ALERTS)
    assert all(re.fullmatch(r"[a-z0-9-]{1,40}", uid) for uid in uids)


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("grafana/alerting/")])
def test_grafana_expands_nothing_but_the_variables_of_channels(name: str) -> None:
    """A dollar anywhere else would be taken for a variable and vanish."""
    assert set(re.findall(r"\$\w*", FILES[name])) <= {f"${variable}" for variable in VARIABLES}


def test_grafana_tells_only_whom_there_is() -> None:
    """A contact point whose variable is missing would keep Grafana from starting."""
    some = grafana.files(RULES, {"ALERT_SLACK_WEBHOOK_URL": "https://hooks.example.com/x"})
    points = yaml.safe_load(some["contact-points.yaml"])["contactPoints"]
    assert {point["name"] for point in points} == {f"otel-trading-{s}" for s in ("critical", "warning", "info")}
    assert {receiver["type"] for point in points for receiver in point["receivers"]} == {"slack"}
    assert "hooks.example.com" not in "".join(some.values())
    routes = yaml.safe_load(some["policies.yaml"])["policies"][0]["routes"]
    assert {route["receiver"] for route in routes} == {point["name"] for point in points}
    nobody = grafana.files(RULES, {})
    assert yaml.safe_load(nobody["contact-points.yaml"])["contactPoints"] == []
    assert "routes" not in yaml.safe_load(nobody["policies.yaml"])["policies"][0]


def test_grafana_knows_every_kind_of_contact_point() -> None:
    """With the settings that each needs."""
    points = loaded("grafana/alerting/contact-points.yaml")["contactPoints"]
    settings = {r["uid"]: (r["type"], set(r["settings"])) for point in points for r in point["receivers"]}
    assert {kind for kind, _ in settings.values()} == {"slack", "telegram", "discord", "pagerduty", "email", "webhook"}
    assert settings["ot-telegram-critical"][1] >= {"bottoken", "chatid"}
    assert settings["ot-pagerduty-critical"][1] >= {"integrationKey", "severity"}
    assert settings["ot-email-critical"][1] >= {"addresses"}
    muted = {interval["name"] for interval in loaded("grafana/alerting/mute-times.yaml")["muteTimes"]}
    routes = loaded("grafana/alerting/policies.yaml")["policies"][0]["routes"]
    assert {name for route in routes for name in route.get("mute_time_intervals", [])} == muted
    assert [t["name"] for t in loaded("grafana/alerting/templates.yaml")["templates"]] == [
        "otel-trading.title",
        "otel-trading.text",
    ]


def test_in_quick_motion_windows_shrink() -> None:
    """And every group is evaluated often."""
    quick = rendering.for_prometheus(RULES, scale=0.1)
    for text in quick.values():
        group = yaml.safe_load(text)["groups"][0]
        assert group["interval"] in {"1500ms", "6s"}
    assert "[30s]" in quick["orders.yml"]
    assert "[5m]" not in quick["orders.yml"].replace("[6m]", "")
