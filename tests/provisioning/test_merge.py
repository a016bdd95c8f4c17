from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given

from otel_trading.provisioning.grafana import patch
from otel_trading.provisioning.grafana import tree as trees
from otel_trading.provisioning.grafana.merge import Conflict, Prefer, merge
from otel_trading.provisioning.grafana.overrides import Doubt, Overrides, Trouble
from otel_trading.provisioning.grafana.patch import ABSENT
from otel_trading.provisioning.ids import panel_id
from tests.provisioning.samples import BOARD, Dashboard, at
from tests.provisioning.strategies import TREES, boards

Tree = dict[str, Any]


@given(TREES, TREES)
def test_what_only_grafana_changed_is_taken(base: Tree, theirs: Tree) -> None:
    assert merge(base, base, theirs).tree == theirs
    assert not merge(base, base, theirs).conflicts


@given(TREES, TREES)
def test_what_only_the_code_changed_is_taken(base: Tree, ours: Tree) -> None:
    assert merge(base, ours, base).tree == ours
    assert not merge(base, ours, base).conflicts


@given(TREES, TREES)
def test_what_both_changed_alike_is_taken(base: Tree, both: Tree) -> None:
    assert merge(base, both, both).tree == both
    assert not merge(base, both, both).conflicts


@given(TREES, TREES, TREES)
def test_a_merge_without_conflicts_is_the_same_from_both_sides(base: Tree, ours: Tree, theirs: Tree) -> None:
    there, back = merge(base, ours, theirs), merge(base, theirs, ours)
    assert len(there.conflicts) == len(back.conflicts)
    if not there.conflicts:
        assert patch.same(there.tree, back.tree)


@given(TREES, TREES, TREES)
def test_preferring_a_side_leaves_no_conflict_and_loses_no_edit_of_it(base: Tree, ours: Tree, theirs: Tree) -> None:
    made = merge(base, ours, theirs, Prefer.GRAFANA)
    assert not made.conflicts
    for conflict in merge(base, ours, theirs).conflicts:
        value: Any = made.tree
        for key in conflict.path:
            value = value.get(key, ABSENT) if isinstance(value, dict) else ABSENT
        assert patch.same(value, conflict.theirs)


@given(TREES, TREES)
def test_a_patch_makes_one_tree_of_the_other(before: Tree, after: Tree) -> None:
    assert patch.same(patch.applied(patch.made(before, after), before), after)
    assert patch.made(before, before) == {}


@given(boards(), boards())
def test_kept_edits_make_of_the_code_what_was_wanted(code: Tree, wanted: Tree) -> None:
    ours, theirs = trees.tree(code), trees.tree(wanted)
    kept = Overrides.between(ours, theirs)
    assert patch.same(kept.applied(ours), theirs)
    assert not kept.doubts(ours)


def three(change_ours: Any, change_theirs: Any) -> tuple[Tree, tuple[Conflict, ...]]:
    ours, theirs = copy.deepcopy(BOARD), copy.deepcopy(BOARD)
    change_ours(ours)
    change_theirs(theirs)
    made = merge(trees.tree(BOARD), trees.tree(ours), trees.tree(theirs))
    return trees.board(made.tree), made.conflicts


def test_different_fields_of_one_panel_are_merged() -> None:
    board, conflicts = three(
        lambda ours: at(ours, "latency").update(title="Latency of orders"),
        lambda theirs: at(theirs, "latency")["fieldConfig"]["defaults"].update(unit="ms"),
    )
    assert not conflicts
    assert at(board, "latency")["title"] == "Latency of orders"
    assert at(board, "latency")["fieldConfig"]["defaults"]["unit"] == "ms"


def test_one_field_that_both_changed_is_a_conflict_that_names_it() -> None:
    _, conflicts = three(
        lambda ours: at(ours, "latency")["fieldConfig"]["defaults"].update(unit="µs"),
        lambda theirs: at(theirs, "latency")["fieldConfig"]["defaults"].update(unit="ms"),
    )
    where = ("panels", str(panel_id("latency")), "fieldConfig", "defaults", "unit")
    assert conflicts == (Conflict(where, "s", "µs", "ms"),)


def test_a_field_that_goes_and_its_neighbour_that_changes_are_no_conflict() -> None:
    board, conflicts = three(
        lambda ours: at(ours, "latency")["fieldConfig"]["defaults"].update(min=0),
        lambda theirs: at(theirs, "latency")["fieldConfig"]["defaults"].pop("unit"),
    )
    assert not conflicts
    assert at(board, "latency")["fieldConfig"]["defaults"] == {"min": 0}


def test_queries_are_merged_by_their_letter() -> None:
    board, conflicts = three(
        lambda ours: at(ours, "latency")["targets"][0].update(expr="other"),
        lambda theirs: at(theirs, "latency")["targets"].insert(0, {"refId": "B", "expr": "up"}),
    )
    assert not conflicts
    assert [target["expr"] for target in at(board, "latency")["targets"]] == ["other", "up"]


def test_both_may_add_panels_and_variables() -> None:
    new = {"type": "stat", "title": "New", "gridPos": {"x": 0, "y": 60, "w": 6, "h": 4}}
    board, conflicts = three(
        lambda ours: (
            ours["panels"].append({"id": 5, **new}),
            ours["templating"]["list"].append({"name": "a", "type": "textbox"}),
        ),
        lambda theirs: (
            theirs["panels"].append({"id": 6, **new}),
            theirs["templating"]["list"].insert(1, {"name": "b", "type": "textbox"}),
        ),
    )
    assert not conflicts
    assert {5, 6} <= {panel["id"] for panel in board["panels"]}
    assert [variable["name"] for variable in board["templating"]["list"]] == ["prometheus", "b", "venue", "a"]


def test_a_panel_removed_here_and_changed_there_is_a_conflict() -> None:
    _, conflicts = three(
        lambda ours: ours["panels"].remove(at(ours, "orders")), lambda theirs: at(theirs, "orders").update(title="Mine")
    )
    assert [(conflict.path, conflict.ours) for conflict in conflicts] == [(("panels", str(panel_id("orders"))), ABSENT)]


def test_a_removed_panel_stays_removed() -> None:
    board, conflicts = three(
        lambda ours: ours.update(title="Other"), lambda theirs: theirs["panels"].remove(at(theirs, "orders"))
    )
    assert not conflicts
    assert panel_id("orders") not in {panel["id"] for panel in board["panels"]}


def test_a_place_is_taken_as_a_whole() -> None:
    _, conflicts = three(
        lambda ours: at(ours, "orders")["gridPos"].update(x=0),
        lambda theirs: at(theirs, "orders")["gridPos"].update(y=50),
    )
    assert [conflict.path[-1] for conflict in conflicts] == ["gridPos"]


def test_what_is_in_a_collapsed_row_is_merged_as_elsewhere() -> None:
    def opened(theirs: Tree) -> None:
        row = at(theirs, "more")
        theirs["panels"] += row.pop("panels")
        row["collapsed"] = False

    board, conflicts = three(lambda ours: at(ours, "queue").update(title="Backlog"), opened)
    assert not conflicts
    assert "panels" not in at(board, "more")
    assert next(panel for panel in board["panels"] if panel["id"] == panel_id("queue"))["title"] == "Backlog"


def edits(change: Any) -> tuple[Dashboard, Overrides]:
    dashboard = Dashboard()
    wanted = dashboard.render()
    change(wanted)
    return dashboard, Overrides.between(trees.tree(dashboard.board), trees.tree(wanted))


def test_an_edit_of_a_panel_that_went_is_orphaned_and_not_applied() -> None:
    dashboard, kept = edits(lambda board: at(board, "orders").update(title="Mine"))
    dashboard.board["panels"].remove(dashboard.at("orders"))
    code = trees.tree(dashboard.board)
    assert [(doubt.trouble, doubt.path) for doubt in kept.doubts(code)] == [
        (Trouble.ORPHANED, ("panels", str(panel_id("orders"))))
    ]
    assert kept.applied(code) == code


def test_a_change_of_the_code_beneath_an_edit_is_noticed() -> None:
    dashboard, kept = edits(lambda board: at(board, "orders").update(title="Mine"))
    dashboard.at("orders")["title"] = "The code's"
    path = ("panels", str(panel_id("orders")), "title")
    assert kept.doubts(trees.tree(dashboard.board)) == [Doubt(Trouble.OVERTAKEN, path, "Mine", "Orders", "The code's")]


def test_an_edit_that_the_code_took_over_is_needless() -> None:
    dashboard, kept = edits(lambda board: at(board, "orders").update(title="Mine", description="d"))
    dashboard.at("orders")["title"] = "Mine"
    code = trees.tree(dashboard.board)
    assert [doubt.trouble for doubt in kept.doubts(code)] == [Trouble.NEEDLESS]
    assert kept.pruned(code).changes == {"panels": {str(panel_id("orders")): {"description": "d"}}}


def test_edits_are_kept_by_the_names_of_panels(tmp_path: Any) -> None:
    _, kept = edits(
        lambda board: (at(board, "orders").update(title="Mine"), board["panels"].append({"id": 9, "type": "stat"}))
    )
    file = tmp_path / "bot.json"
    file.write_text(kept.text(Dashboard().slugs()), "utf-8")
    assert '"orders": {' in file.read_text("utf-8")
    assert '"#9": {' in file.read_text("utf-8")
    assert Overrides.read(file) == kept


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"changes": 1, "instead of": {}}'])
def test_a_broken_file_of_edits_is_named(tmp_path: Any, text: str) -> None:
    file = tmp_path / "bot.json"
    file.write_text(text, "utf-8")
    with pytest.raises(Exception, match=r"bot\.json holds no kept edits"):
        Overrides.read(file)
