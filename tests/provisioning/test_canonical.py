from __future__ import annotations

import copy
import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_trading.provisioning import canonical
from otel_trading.provisioning.grafana import tree as trees
from tests.provisioning.samples import BOARD, OVERVIEW
from tests.provisioning.standin.browser import decorated
from tests.provisioning.strategies import boards

if TYPE_CHECKING:
    from collections.abc import Callable


def shuffled(value: Any, seed: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        seed.shuffle(keys)
        return {key: shuffled(value[key], seed) for key in keys}
    return [shuffled(each, seed) for each in value] if isinstance(value, list) else value


@given(boards())
def test_what_is_canonical_stays_so(board: dict[str, Any]) -> None:
    once = canonical.canonical(board)
    assert canonical.canonical(once) == once
    assert canonical.text(json.loads(canonical.text(board))) == canonical.text(board)


@given(boards(), st.integers())
def test_the_order_of_keys_panels_and_queries_makes_no_difference(board: dict[str, Any], seed: int) -> None:
    other = shuffled(board, random.Random(seed))  # noqa: S311 - of a test
    other["panels"] = other["panels"][::-1]
    for panel in other["panels"]:
        if "targets" in panel:
            panel["targets"] = panel["targets"][::-1]
    assert canonical.text(other) == canonical.text(board)


@given(boards())
def test_a_save_without_a_change_makes_no_difference(board: dict[str, Any]) -> None:
    assert canonical.text(decorated(board)) == canonical.text(board)


@given(boards())
def test_a_tree_holds_all_of_a_dashboard(board: dict[str, Any]) -> None:
    assert trees.board(trees.tree(board)) == canonical.canonical(board)


@pytest.mark.parametrize("board", [BOARD, OVERVIEW], ids=["every kind", "overview"])
def test_real_dashboards_are_quiet(board: dict[str, Any]) -> None:
    text = canonical.text(board)
    assert canonical.text(json.loads(text)) == text
    assert canonical.text(decorated(board)) == text
    assert trees.board(trees.tree(board)) == json.loads(text)
    given_panels = {panel["id"]: panel for panel in board["panels"]}
    for panel in json.loads(text)["panels"]:
        assert panel["title"] == given_panels[panel["id"]]["title"]
        expressions = [target.get("expr") for target in panel.get("targets", [])]
        assert expressions == [target.get("expr") for target in given_panels[panel["id"]].get("targets", [])]


def test_a_change_of_the_dashboard_is_a_change_of_the_text() -> None:
    text = canonical.text(BOARD)
    changes: tuple[Callable[[dict[str, Any]], object], ...] = (
        lambda board: board.update(title="Other"),
        lambda board: board["panels"][0]["fieldConfig"]["defaults"].update(unit="ms"),
        lambda board: board["panels"][0]["fieldConfig"]["defaults"].update(
            thresholds={"mode": "percentage", "steps": []}
        ),
        lambda board: board["panels"][0]["gridPos"].update(w=13),
        lambda board: board["panels"][0]["targets"].append({"refId": "B", "expr": "up"}),
        lambda board: board["panels"][4]["panels"][0].update(title="Other"),
        lambda board: board["templating"]["list"].reverse(),
        lambda board: board["annotations"]["list"][0].update(enable=False),
        lambda board: board.update(graphTooltip=1),
        lambda board: board["panels"].pop(),
    )
    for change in changes:
        other = copy.deepcopy(BOARD)
        change(other)
        assert canonical.text(other) != text


def test_what_carries_no_meaning_goes() -> None:
    board = canonical.canonical(
        {
            "id": 4,
            "version": 9,
            "iteration": 3,
            "gnetId": 1,
            "__inputs": [],
            "__requires": [],
            "__elements": {},
            "meta": {"slug": "x"},
            "title": "T",
            "panels": [{"id": 1, "type": "stat", "pluginVersion": "9.5.2", "options": {"graphMode": "none"}}],
            "templating": {
                "list": [
                    {"name": "v", "type": "query", "query": "q", "current": {"value": "x"}, "options": [{"value": "x"}]}
                ]
            },
        }
    )
    assert board == {
        "title": "T",
        "panels": [{"id": 1, "type": "stat", "options": {"graphMode": "none"}}],
        "templating": {"list": [{"name": "v", "type": "query", "query": "q"}]},
    }


def test_one_true_and_one_are_told_apart() -> None:
    panel = {"id": 1, "type": "stat", "transparent": 0, "fieldConfig": {"defaults": {"max": True}}}
    assert canonical.canonical({"panels": [panel]})["panels"][0] == panel


def test_time_and_refresh_stay_only_where_they_are_asked_for() -> None:
    kept = canonical.canonical(BOARD)
    assert (kept["time"], kept["refresh"]) == ({"from": "now-1h", "to": "now"}, "10s")
    assert not {"time", "refresh"} & canonical.canonical(BOARD, with_time=False).keys()


def test_data_sources_are_named_by_the_variables_of_their_kind() -> None:
    board = copy.deepcopy(BOARD)
    board["panels"][0]["datasource"] = {"type": "prometheus", "uid": "PBFA97CFB590B2093"}
    board["panels"][0]["targets"][0]["datasource"] = {"type": "prometheus", "uid": "$prometheus"}
    board["panels"][1]["datasource"] = {"type": "datasource", "uid": "-- Mixed --"}
    made = canonical.canonical(board)["panels"]
    assert (
        made[0]["datasource"] == made[0]["targets"][0]["datasource"] == {"type": "prometheus", "uid": "${prometheus}"}
    )
    assert made[1]["datasource"]["uid"] == "-- Mixed --"
    assert made[-1]["datasource"] == {"type": "loki", "uid": "loki"}, "there is no variable for it"


def test_of_two_variables_of_a_kind_the_chosen_one_names_the_source() -> None:
    variables = [
        {"name": "one", "type": "datasource", "query": "prometheus", "current": {"value": "a"}},
        {"name": "two", "type": "datasource", "query": "prometheus", "current": {"value": "b"}},
    ]
    panels = [
        {"id": n, "type": "stat", "datasource": {"type": "prometheus", "uid": uid}} for n, uid in enumerate("bc", 1)
    ]
    made = canonical.canonical({"panels": panels, "templating": {"list": variables}})["panels"]
    assert [panel["datasource"]["uid"] for panel in made] == ["${two}", "c"]


def test_panels_without_a_number_get_one_and_keep_it() -> None:
    board = {
        "panels": [{"type": "stat", "title": "a"}, {"type": "stat", "title": "a"}, {"id": 3, "type": "stat"}, {"id": 3}]
    }
    made = canonical.canonical(board)
    numbers = [panel["id"] for panel in made["panels"]]
    assert len(set(numbers)) == 4
    assert 3 in numbers
    assert canonical.canonical(made) == made


def test_the_newer_schema_is_kept_word_for_word() -> None:
    spec = {
        "title": "T",
        "elements": {"panel-1": {"kind": "Panel", "spec": {"id": 1, "title": ""}}},
        "layout": {"kind": "TabsLayout"},
    }
    resource = {
        "apiVersion": "dashboard.grafana.app/v2",
        "kind": "Dashboard",
        "metadata": {
            "name": "t",
            "resourceVersion": "3",
            "annotations": {"grafana.app/folder": "f", "grafana.app/createdBy": "x"},
        },
        "spec": spec,
        "status": {},
    }
    made = canonical.canonical(resource)
    assert made["spec"] == spec
    assert made["metadata"] == {"name": "t", "annotations": {"grafana.app/folder": "f"}}
    assert "status" not in made


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_json_does_not_have_are_refused(number: float) -> None:
    with pytest.raises(ValueError, match="has no number"):
        canonical.canonical({"title": "T", "panels": [{"id": 1, "x": number}]})
