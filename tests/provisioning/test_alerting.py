from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.provisioning.files import groups_of
from otel_trading.provisioning.grafana import comparing, pulling, pushing, rendering, rules
from otel_trading.provisioning.grafana.errors import ProvisioningError
from otel_trading.provisioning.grafana.outcome import State
from tests.provisioning.conftest import VERSIONS
from tests.provisioning.samples import RULES, coded
from tests.provisioning.test_round_trip import PROJECT, reach, states

if TYPE_CHECKING:
    from otel_trading.provisioning.grafana.outcome import Outcome
    from tests.provisioning.standin import Standin

every_version = pytest.mark.parametrize("grafana", VERSIONS, indirect=True)
FILE = "grafana/alerting/rules-venues.yaml"


def changed(**more: Any) -> list[dict[str, Any]]:
    groups = copy.deepcopy(RULES)
    groups[0]["rules"][0] |= more
    return groups


def push(groups: list[dict[str, Any]] = RULES, **options: Any) -> list[Outcome]:
    return pushing.push(coded(rules=groups), reach("rules"), message="m", **options)


def pull(groups: list[dict[str, Any]] = RULES, **options: Any) -> list[Outcome]:
    return pulling.pull(coded(rules=groups), reach("rules"), **options)


@every_version
def test_rules_that_are_pushed_can_be_edited_in_grafana(grafana: Standin) -> None:
    assert states(push()) == [State.CREATED]
    there = grafana.state.rules["venue-silent"]
    assert (there["for"], there["ruleGroup"], there["provenance"]) == ("5m", "venues", "")
    assert grafana.state.folders[there["folderUID"]]["title"] == "Trading"
    before = list(grafana.written)
    assert states(push()) == [State.SAME]
    assert states(pull()) == [State.SAME]
    assert grafana.written == before


@every_version
def test_edits_of_rules_survive_rendering(grafana: Standin) -> None:
    push()
    grafana.edits_rule("venue-silent", **{"for": "10m0s"}, labels={"severity": "warning"})
    assert states(push()) == [State.REFUSED]
    assert states(pull()) == [State.EDITED]
    rendering.render(coded(rules=RULES), PROJECT)
    [group] = groups_of(FILE, Path(FILE).read_text("utf-8"))
    [rule] = group["rules"]
    assert (rule["for"], rule["labels"]) == ("10m", {"severity": "warning"})
    assert states(push()) == [State.SAME]

    newer = changed(title="VenueGone")
    assert states(pulling.pull(coded(rules=newer), reach("rules"))) == [State.SAME]
    assert states(push(newer)) == [State.CHANGED]
    there = grafana.state.rules["venue-silent"]
    assert (there["title"], there["for"], there["provenance"]) == ("VenueGone", "10m", "")
    assert not rendering.check(coded(rules=RULES), PROJECT)


def test_a_field_that_both_changed_is_a_conflict(grafana: Standin) -> None:
    push()
    grafana.edits_rule("venue-silent", **{"for": "10m"})
    [outcome] = pull(changed(**{"for": "1m"}))
    assert outcome.state is State.CONFLICT
    assert [(each.path, each.ours, each.theirs) for each in outcome.conflicts] == [
        (("rules", "venue-silent", "for"), "1m", "10m")
    ]


def test_a_rule_that_somebody_adds_or_deletes_is_an_edit(grafana: Standin) -> None:
    push()
    own = copy.deepcopy(grafana.state.rules["venue-silent"])
    grafana.state.rules["mine"] = {**own, "uid": "mine", "title": "Mine", "ruleGroup": "others"}
    del grafana.state.rules["venue-silent"]
    assert states(pull()) == [State.EDITED]
    assert states(push()) == [State.SAME]
    assert set(grafana.state.rules) == {"mine"}


def test_groups_that_somebody_adds_are_rendered_into_a_file_of_their_own(grafana: Standin) -> None:
    second = {**copy.deepcopy(RULES[0]), "name": "orders"}
    second["rules"][0] |= {"uid": "slow", "title": "Slow"}
    both = [*RULES, second]
    push(both)
    own = copy.deepcopy(grafana.state.rules["slow"])
    grafana.state.rules["mine"] = {**own, "uid": "mine", "title": "Mine", "ruleGroup": "others"}
    grafana.edits_rule("slow", **{"for": "1h"})
    assert states(pull(both)) == [State.EDITED]
    before = Path(FILE).read_text("utf-8")
    rendering.render(coded(rules=both), PROJECT)
    assert Path(FILE).read_text("utf-8") == before == coded(rules=both).files["alerting/rules-venues.yaml"]
    found = {
        file.name: [
            (rule["uid"], rule["for"])
            for group in groups_of(file.name, file.read_text("utf-8"))
            for rule in group["rules"]
        ]
        for file in Path("grafana/alerting").iterdir()
    }
    assert found == {
        "rules-added-in-grafana.yaml": [("mine", "5m")],
        "rules-orders.yaml": [("slow", "1h")],
        "rules-venues.yaml": [("venue-silent", "5m")],
    }
    assert states(push(both)) == [State.SAME]


def test_rules_of_others_are_left_alone(grafana: Standin) -> None:
    push()
    own = copy.deepcopy(grafana.state.rules["venue-silent"])
    grafana.state.folders["theirs"] = {"id": 9, "uid": "theirs", "title": "Theirs"}
    grafana.state.rules["theirs"] = {**own, "uid": "theirs", "folderUID": "theirs"}
    assert states(pull()) == [State.SAME]


@pytest.mark.parametrize("grafana", ["9.5.21", "12.1.0"], indirect=True)
def test_rules_that_another_tool_provisioned_are_named(grafana: Standin) -> None:
    push()
    grafana.state.rules["venue-silent"]["provenance"] = "file"
    with pytest.raises(ProvisioningError, match="provisioned there from files or by another tool"):
        push(changed(title="Other"))


def test_a_group_that_a_rule_leaves_is_emptied(grafana: Standin) -> None:
    push()
    groups = copy.deepcopy(RULES)
    groups[0]["name"] = "renamed"
    assert states(push(groups)) == [State.CHANGED]
    assert {rule["ruleGroup"] for rule in grafana.state.rules.values()} == {"renamed"}


def test_a_file_and_an_answer_say_the_same() -> None:
    answered = {
        **RULES[0]["rules"][0],
        "id": 4,
        "orgID": 1,
        "updated": "2026-01-01T00:00:00Z",
        "provenance": "",
        "isPaused": False,
        "for": "300s",
        "keep_firing_for": "0s",
        "notification_settings": None,
    }
    one = rules.tree(RULES)
    other = rules.tree([{"name": "venues", "folder": "Trading", "interval": 60, "rules": [answered]}])
    assert one == other
    assert rules.tree(rules.groups(one)) == one


SLACK = {
    "uid": "ops",
    "name": "Ops",
    "type": "slack",
    "settings": {"url": "https://hooks.slack.com/services/T0/B0/abcdefghijklmnop", "recipient": "#ops"},
}
TELEGRAM = {
    "uid": "tg",
    "name": "Phone",
    "type": "telegram",
    "settings": {"bottoken": "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw", "chatid": "-100123"},
}


def contacts(**options: Any) -> list[Outcome]:
    return pulling.pull(coded(), reach("contacts"), **options)


def sent(**options: Any) -> list[Outcome]:
    return pushing.push(coded(), reach("contacts"), message="m", **options)


@pytest.fixture
def with_contacts(grafana: Standin) -> Standin:
    for point in (SLACK, TELEGRAM):
        grafana.state.contacts[str(point["uid"])] = copy.deepcopy(point)
    grafana.state.policies = {"receiver": "Ops", "group_by": ["alertname"], "routes": [{"receiver": "Phone"}]}
    grafana.state.mute_timings["maintenance"] = {"name": "maintenance", "time_intervals": [{"weekdays": ["sunday"]}]}
    grafana.state.templates["short"] = {"name": "short", "template": '{{ define "short" }}x{{ end }}', "version": "1"}
    return grafana


def test_contact_points_come_without_their_secrets(with_contacts: Standin) -> None:
    assert {each.subject for each in contacts() if each.state is State.EDITED} == {
        "templates",
        "mute-timings",
        "contact-points",
        "policies",
    }
    for file in Path("grafana").rglob("*.json"):
        for secret in ("abcdefghijklmnop", "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"):
            assert secret not in file.read_text("utf-8")
    kept = json.loads(Path("grafana/contacts/contact-points.json").read_text("utf-8"))
    assert kept["needs"] == ["OPS_SETTINGS_URL", "TG_SETTINGS_BOTTOKEN"]
    assert kept["contact-points"]["ops"]["settings"] == {"recipient": "#ops", "url": "${OPS_SETTINGS_URL}"}
    assert set(states(contacts())) == {State.SAME}
    assert set(states(sent())) == {State.SAME}
    assert not with_contacts.written


def test_a_missing_secret_is_named_and_nothing_is_sent(with_contacts: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    contacts()
    with_contacts.state.contacts.clear()
    with pytest.raises(ProvisioningError, match="not set in the environment: OPS_SETTINGS_URL, TG_SETTINGS_BOTTOKEN"):
        sent(overwrite=True)
    assert not with_contacts.written
    monkeypatch.setenv("OPS_SETTINGS_URL", "https://hooks.slack.com/services/new")
    monkeypatch.setenv("TG_SETTINGS_BOTTOKEN", "1:new")
    sent(overwrite=True)
    assert with_contacts.state.contacts["ops"]["settings"]["url"] == "https://hooks.slack.com/services/new"
    assert with_contacts.state.contacts["ops"]["provenance"] == ""


def test_an_edit_of_a_contact_point_is_merged_with_one_of_the_file(with_contacts: Standin) -> None:
    contacts()
    with_contacts.state.contacts["ops"]["settings"]["recipient"] = "#trading"
    file = Path("grafana/contacts/contact-points.json")
    file.write_text(file.read_text("utf-8").replace("-100123", "-100999"), "utf-8")
    assert State.REFUSED in states(sent())
    assert State.EDITED in states(contacts())
    kept = json.loads(file.read_text("utf-8"))["contact-points"]
    assert kept["ops"]["settings"]["recipient"] == "#trading"
    assert kept["tg"]["settings"]["chatid"] == "-100999"


def test_a_placeholder_that_somebody_chose_stays(with_contacts: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    contacts()
    file = Path("grafana/contacts/contact-points.json")
    own = (
        file.read_text("utf-8")
        .replace("TG_SETTINGS_BOTTOKEN", "TELEGRAM_TOKEN")
        .replace('"-100123"', '"${TELEGRAM_CHAT}"')
    )
    file.write_text(own, "utf-8")
    monkeypatch.setenv("TELEGRAM_CHAT", "-100123")
    contacts(prefer="code")
    kept = json.loads(file.read_text("utf-8"))
    assert kept["contact-points"]["tg"]["settings"] == {"bottoken": "${TELEGRAM_TOKEN}", "chatid": "${TELEGRAM_CHAT}"}


def test_what_is_deleted_from_the_file_is_deleted_there(with_contacts: Standin) -> None:
    contacts()
    file = Path("grafana/contacts/contact-points.json")
    kept = json.loads(file.read_text("utf-8"))
    with_contacts.state.policies["routes"] = []
    contacts()
    del kept["contact-points"]["tg"]
    file.write_text(json.dumps(kept), "utf-8")
    [outcome] = [each for each in sent() if each.subject == "contact-points"]
    assert outcome.details == ("tg: deleted",)
    assert set(with_contacts.state.contacts) == {"ops"}


def test_a_secret_that_was_changed_is_sent_when_that_is_asked_for(
    with_contacts: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    contacts()
    monkeypatch.setenv("OPS_SETTINGS_URL", "https://hooks.slack.com/services/rotated")
    monkeypatch.setenv("TG_SETTINGS_BOTTOKEN", "2:rotated")
    assert set(states(sent())) == {State.SAME}
    sent(secrets=True)
    assert with_contacts.state.contacts["tg"]["settings"]["bottoken"] == "2:rotated"


def test_differences_of_contact_points_are_told(with_contacts: Standin) -> None:
    contacts()
    with_contacts.state.contacts["ops"]["settings"]["recipient"] = "#trading"
    found = {each.outcome.subject: each for each in comparing.compare(coded(), reach("contacts"))}
    [difference] = found["contact-points"].differences
    assert (difference.path, str(difference.who)) == (("ops", "settings", "recipient"), "Grafana")
    assert found["policies"].outcome.state is State.SAME
