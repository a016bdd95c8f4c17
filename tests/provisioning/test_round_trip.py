from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings

from otel_trading.provisioning import canonical
from otel_trading.provisioning.grafana import comparing, pulling, pushing, rendering
from otel_trading.provisioning.grafana.client import Client, Place
from otel_trading.provisioning.grafana.dashboards import Dashboards
from otel_trading.provisioning.grafana.errors import ProvisioningError
from otel_trading.provisioning.grafana.folders import Folders
from otel_trading.provisioning.grafana.instance import instance
from otel_trading.provisioning.grafana.merge import Prefer
from otel_trading.provisioning.grafana.outcome import State
from otel_trading.provisioning.grafana.project import Project
from otel_trading.provisioning.ids import panel_id
from tests.provisioning.conftest import CLASSIC, VERSIONS
from tests.provisioning.samples import OVERVIEW, Dashboard, at, coded, same
from tests.provisioning.strategies import boards

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.provisioning.grafana.outcome import Outcome
    from tests.provisioning.standin import Standin

every_version = pytest.mark.parametrize("grafana", VERSIONS, indirect=True)
every_classic_version = pytest.mark.parametrize("grafana", CLASSIC, indirect=True)
PROJECT = Project(Path("grafana"))


def unchanged(_: object) -> None:
    """Do nothing."""


def reach(*parts: str, dry_run: bool = False, legacy: bool = False) -> pulling.Reach:
    client = Client(Place.of(os.environ), pause=unchanged)
    dashboards = Dashboards(client, instance(client), legacy=legacy)
    return pulling.Reach(dashboards, Folders(client), PROJECT, frozenset(parts or ("dashboards",)), dry_run)


def push(*dashboards: Dashboard, **options: Any) -> list[State]:
    return [each.state for each in pushing.push(coded(*dashboards), reach(), message="m", **options)]


def pull(*dashboards: Dashboard, **options: Any) -> list[Outcome]:
    return pulling.pull(coded(*dashboards), reach(), **options)


def states(found: list[Outcome]) -> list[State]:
    return [each.state for each in found]


def rendered(dashboard: Dashboard) -> dict[str, Any]:
    rendering.render(coded(dashboard), PROJECT)
    board: dict[str, Any] = canonical.canonical(json.loads(Path("grafana/dashboards/bot.json").read_text("utf-8")))
    return board


@every_version
def test_what_is_pushed_is_there_and_the_next_push_is_quiet(grafana: Standin) -> None:
    dashboard = Dashboard()
    assert push(dashboard) == [State.CREATED]
    there = grafana.state.boards["bot"]
    assert canonical.canonical({**there.classic, "uid": "bot"}) == canonical.canonical(dashboard.board)
    assert grafana.state.folders[there.folder]["title"] == "Trading"
    assert there.messages == ["m"]
    before = list(grafana.written)
    assert push(dashboard) == [State.SAME]
    assert states(pull(dashboard)) == [State.SAME]
    assert grafana.written == before
    assert not Path("grafana/overrides").exists()


@every_version
def test_a_save_without_a_change_is_quiet(grafana: Standin) -> None:
    push(Dashboard())
    grafana.saves("bot", unchanged)
    assert states(pull(Dashboard())) == [State.SAME]
    assert push(Dashboard()) == [State.SAME]
    assert not Path("grafana/overrides").exists()


@every_version
def test_edits_survive_rendering_and_the_code_stays_the_source(grafana: Standin) -> None:
    dashboard = Dashboard()
    push(dashboard)

    def edit(board: dict[str, Any]) -> None:
        at(board, "latency")["fieldConfig"]["defaults"]["unit"] = "ms"
        at(board, "queue")["title"] = "Backlog"
        at(board, "limits")["gridPos"] = {"x": 3, "y": 40, "w": 9, "h": 5}
        board["panels"].remove(at(board, "orders"))
        board["panels"].append(
            {"id": 77, "type": "stat", "title": "Mine", "gridPos": {"x": 0, "y": 70, "w": 6, "h": 4}}
        )
        board["title"] = "My bot"
        board["templating"]["list"].append({"name": "symbol", "type": "textbox", "query": "BTC"})
        board["annotations"]["list"].append({"name": "Deploys", "enable": True, "expr": "deploys"})

    grafana.saves("bot", edit)
    edited = copy.deepcopy(grafana.state.boards["bot"].classic)
    [outcome] = pull(dashboard)
    assert outcome.state is State.EDITED
    assert same(rendered(dashboard), {**edited, "uid": "bot", "time": dashboard.board["time"], "refresh": "10s"})
    assert same(dashboard.board, Dashboard().board), "the code is not touched"
    before = list(grafana.written)
    assert push(dashboard) == [State.SAME]
    assert states(pull(dashboard)) == [State.SAME]
    assert grafana.written == before
    assert not rendering.check(coded(dashboard), PROJECT)

    dashboard.at("latency")["title"] = "Latency of orders"
    made = rendered(dashboard)
    assert at(made, "latency")["title"] == "Latency of orders"
    assert at(made, "latency")["fieldConfig"]["defaults"]["unit"] == "ms"
    assert push(dashboard) == [State.CHANGED]
    assert states(pull(dashboard)) == [State.SAME]


@every_classic_version
def test_both_sides_change_different_things(grafana: Standin) -> None:
    dashboard = Dashboard()
    push(dashboard)
    grafana.saves("bot", lambda board: at(board, "latency").update(title="Mine"))
    dashboard.at("latency")["fieldConfig"]["defaults"]["unit"] = "ms"
    dashboard.board["panels"].append(
        {"id": 5, "type": "stat", "title": "Code's", "gridPos": {"x": 0, "y": 80, "w": 4, "h": 4}}
    )
    assert states(pull(dashboard)) == [State.EDITED]
    assert push(dashboard) == [State.CHANGED]
    there = canonical.canonical(grafana.state.boards["bot"].classic)
    assert at(there, "latency")["title"] == "Mine"
    assert at(there, "latency")["fieldConfig"]["defaults"]["unit"] == "ms"
    assert 5 in {panel["id"] for panel in there["panels"]}


@every_version
def test_both_sides_change_one_field(grafana: Standin) -> None:
    dashboard = Dashboard()
    push(dashboard)
    grafana.saves("bot", lambda board: at(board, "latency").update(title="Grafana's"))
    dashboard.at("latency")["title"] = "Code's"
    [outcome] = pull(dashboard)
    assert outcome.state is State.CONFLICT
    [conflict] = outcome.conflicts
    assert conflict.path == ("panels", str(panel_id("latency")), "title")
    assert (conflict.base, conflict.ours, conflict.theirs) == ("Latency", "Code's", "Grafana's")
    assert not Path("grafana/overrides").exists()
    assert push(dashboard) == [State.REFUSED]
    assert states(pull(dashboard, prefer=Prefer.GRAFANA)) == [State.EDITED]
    assert at(rendered(dashboard), "latency")["title"] == "Grafana's"
    assert push(dashboard) == [State.SAME]


def test_a_change_of_the_code_beneath_a_kept_edit_is_a_conflict(grafana: Standin) -> None:
    dashboard = Dashboard()
    push(dashboard)
    grafana.saves("bot", lambda board: at(board, "latency").update(title="Grafana's"))
    pull(dashboard)
    dashboard.at("latency")["title"] = "Code's"
    [outcome] = pull(dashboard)
    assert [(each.base, each.ours, each.theirs) for each in outcome.conflicts] == [("Latency", "Code's", "Grafana's")]
    assert rendering.check(coded(dashboard), PROJECT)
    pull(dashboard, prefer=Prefer.CODE)
    assert push(dashboard) == [State.CHANGED]
    assert at(canonical.canonical(grafana.state.boards["bot"].classic), "latency")["title"] == "Code's"


def test_a_kept_edit_can_win_over_a_change_of_the_code(grafana: Standin) -> None:
    dashboard = Dashboard()
    push(dashboard)
    grafana.saves("bot", lambda board: at(board, "latency").update(title="Grafana's"))
    pull(dashboard)
    dashboard.at("latency")["title"] = "Code's"
    assert states(pull(dashboard, prefer=Prefer.GRAFANA)) == [State.SAME]
    assert states(pull(dashboard)) == [State.SAME]
    assert at(rendered(dashboard), "latency")["title"] == "Grafana's"
    assert not rendering.check(coded(dashboard), PROJECT)


def test_preferring_the_code_keeps_no_edit(grafana: Standin) -> None:
    dashboard = Dashboard()
    push(dashboard)
    grafana.saves("bot", lambda board: at(board, "latency").update(title="Grafana's"))
    dashboard.at("latency")["title"] = "Code's"
    pull(dashboard, prefer=Prefer.CODE)
    assert not Path("grafana/overrides/bot.json").exists()
    assert push(dashboard) == [State.CHANGED]
    assert at(canonical.canonical(grafana.state.boards["bot"].classic), "latency")["title"] == "Code's"


@every_classic_version
def test_an_edit_that_was_not_pulled_is_not_pushed_over(grafana: Standin) -> None:
    push(Dashboard())
    grafana.saves("bot", lambda board: at(board, "latency").update(title="Mine"))
    before = list(grafana.written)
    assert push(Dashboard()) == [State.REFUSED]
    assert grafana.written == before
    assert push(Dashboard(), overwrite=True) == [State.CHANGED]
    assert at(grafana.state.boards["bot"].classic, "latency")["title"] == "Latency"


def test_a_change_of_the_code_that_was_rendered_but_not_pushed_is_no_edit(grafana: Standin) -> None:
    dashboard = Dashboard()
    rendering.render(coded(dashboard), PROJECT)
    push(dashboard)
    dashboard.at("latency")["title"] = "Newer"
    rendering.render(coded(dashboard), PROJECT)
    assert states(pull(dashboard)) == [State.SAME]
    assert at(rendered(dashboard), "latency")["title"] == "Newer"


def test_edits_of_a_dashboard_that_came_from_files_are_found_without_a_push(grafana: Standin) -> None:
    dashboard = Dashboard()
    rendering.render(coded(dashboard), PROJECT)
    push(dashboard)
    Path("grafana/base/bot.json").unlink()
    grafana.saves("bot", lambda board: at(board, "latency").update(title="Mine"))
    dashboard.at("latency")["description"] = "The code's."
    assert states(pull(dashboard)) == [State.EDITED]
    made = at(rendered(dashboard), "latency")
    assert (made["title"], made["description"]) == ("Mine", "The code's.")


@every_version
def test_somebody_saves_while_it_is_being_pushed(grafana: Standin) -> None:
    dashboard = Dashboard()
    push(dashboard)
    dashboard.at("latency")["title"] = "Newer"
    grafana.before_save = lambda: grafana.saves("bot", lambda board: at(board, "orders").update(title="Mine"))
    [outcome] = pushing.push(coded(dashboard), reach(), message="m")
    assert outcome.state is State.REFUSED
    assert "pull, then push again" in outcome.details[0]
    assert at(grafana.state.boards["bot"].classic, "orders")["title"] == "Mine"


@every_version
def test_a_dashboard_that_was_deleted_in_grafana_is_told_and_pushed_again(grafana: Standin) -> None:
    push(Dashboard())
    del grafana.state.boards["bot"]
    [outcome] = pull(Dashboard())
    assert outcome.state is State.MISSING
    assert "is no longer in Grafana" in outcome.details[0]
    assert push(Dashboard()) == [State.CREATED]


@every_version
def test_a_dashboard_that_left_the_code_is_deleted_when_that_is_asked_for(grafana: Standin) -> None:
    other = Dashboard()
    other.board["uid"] = "other"
    push(Dashboard(), other)
    assert push(Dashboard()) == [State.SAME, State.MISSING]
    assert set(grafana.state.boards) == {"bot", "other"}
    grafana.saves("other", lambda board: board.update(title="Mine"))
    assert push(Dashboard(), delete=True) == [State.SAME, State.REFUSED]
    assert push(Dashboard(), delete=True, overwrite=True) == [State.SAME, State.REMOVED]
    assert set(grafana.state.boards) == {"bot"}
    assert push(Dashboard()) == [State.SAME]


def test_a_secret_that_somebody_typed_into_a_dashboard_stays_out_of_the_files(
    grafana: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "Zk3vQ9xLw2Rt7Yp1Bn6Mc8Hd4Js0Fg5A"
    dashboard = Dashboard()
    push(dashboard)
    link = {"title": "Feed", "url": f"https://feed.example/?token={secret}"}
    grafana.saves("bot", lambda board: board.update(links=[link]))
    [outcome] = pull(dashboard)
    assert "set BOT_LINKS_FEED_URL" in outcome.details[-1]
    rendering.render(coded(dashboard), PROJECT)
    assert not [file for file in Path().rglob("*.json") if secret in file.read_text("utf-8")]
    assert push(dashboard) == [State.SAME]
    dashboard.at("limits")["title"] = "Newer"
    with pytest.raises(ProvisioningError, match="not set in the environment: BOT_LINKS_FEED_URL"):
        push(dashboard)
    monkeypatch.setenv("BOT_LINKS_FEED_URL", secret)
    assert push(dashboard) == [State.CHANGED]
    assert grafana.state.boards["bot"].classic["links"] == [link]
    assert push(dashboard) == [State.SAME]


@pytest.mark.parametrize("grafana", ["11.6.4", "12.1.0"], indirect=True)
def test_folders_are_made_and_moves_between_them_are_edits(grafana: Standin) -> None:
    dashboard = Dashboard(folder="Trading/Venues")
    push(dashboard)
    grafana.state.folders["mine"] = {"id": 50, "uid": "mine", "title": "Mine"}
    grafana.state.boards["bot"].folder = "mine"
    grafana.state.boards["bot"].version += 1
    assert states(pull(dashboard)) == [State.EDITED]
    assert push(dashboard) == [State.SAME]
    assert grafana.state.boards["bot"].folder == "mine"


@pytest.mark.parametrize("grafana", ["9.5.21"], indirect=True)
def test_folders_in_folders_need_a_newer_grafana(grafana: Standin) -> None:
    with pytest.raises(Exception, match="keeps none in folders"):
        push(Dashboard(folder="Trading/Venues"))


def test_dashboards_that_people_made_are_told(grafana: Standin) -> None:
    push(Dashboard())
    folder = grafana.state.boards["bot"].folder
    grafana.state.boards["mine"] = copy.deepcopy(grafana.state.boards["bot"])
    grafana.state.boards["mine"].uid, grafana.state.boards["mine"].folder = "mine", folder
    found = pull(Dashboard())
    assert [each.subject for each in found] == ["dashboard bot", "dashboard mine"]
    assert "was made in Grafana" in found[1].details[0]


def newer(standin: Standin, change: Callable[[dict[str, Any]], object]) -> None:
    standin.saves("bot", lambda board: at(board, "latency").update(title="Mine"))
    native = standin.state.boards["bot"].native
    assert native is not None
    change(native)


@pytest.mark.parametrize("grafana", ["13.3.0"], indirect=True)
@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda spec: spec.update(layout={"kind": "TabsLayout", "spec": {"tabs": []}}), "tabs"),
        (lambda spec: spec.update(layout={"kind": "AutoGridLayout", "spec": {}}), "auto grid"),
        (lambda spec: spec["layout"]["spec"]["items"][0]["spec"].update(conditionalRendering={"x": 1}), "conditional"),
        (lambda spec: spec["variables"].append({"kind": "SwitchVariable", "spec": {}}), "SwitchVariable"),
        (lambda spec: spec["elements"].update(more={"kind": "Panel"}), "1 of"),
    ],
)
def test_a_dashboard_that_only_the_newer_schema_expresses_is_not_converted(
    grafana: Standin, change: Callable[[dict[str, Any]], object], named: str
) -> None:
    push(Dashboard())
    newer(grafana, change)
    before = list(grafana.written)
    for found in (pull(Dashboard()), pushing.push(coded(Dashboard()), reach(), message="m", overwrite=True)):
        assert states(found) == [State.REFUSED]
        assert named in found[0].details[0]
        assert "not converted" in found[0].details[0]
    [compared] = comparing.compare(coded(Dashboard()), reach())
    assert compared.outcome.state is State.REFUSED
    assert grafana.written == before


@pytest.mark.parametrize("grafana", ["13.3.0"], indirect=True)
def test_a_dashboard_of_the_newer_schema_can_be_kept_as_it_is(grafana: Standin) -> None:
    push(Dashboard())
    newer(grafana, lambda spec: spec.update(layout={"kind": "TabsLayout", "spec": {"tabs": []}}))
    assert states(pull(Dashboard(), as_stored=True)) == [State.STORED]
    file = Path("grafana/as-stored/bot.json")
    assert '"TabsLayout"' in file.read_text("utf-8")
    assert push(Dashboard()) == [State.SAME, State.SAME]
    file.write_text(file.read_text("utf-8").replace('"title": "Bot"', '"title": "Tabbed"'), "utf-8")
    assert push(Dashboard()) == [State.SAME, State.CHANGED]
    native = grafana.state.boards["bot"].native
    assert native is not None
    assert (native["title"], native["layout"]["kind"]) == ("Tabbed", "TabsLayout")
    assert states(pull(Dashboard())) == [State.SAME]

    native["title"] = "Theirs"
    grafana.state.boards["bot"].version += 1
    assert push(Dashboard()) == [State.SAME, State.REFUSED]
    assert states(pull(Dashboard())) == [State.STORED]
    assert '"title": "Theirs"' in file.read_text("utf-8")
    native["title"] = "Theirs again"
    file.write_text(file.read_text("utf-8").replace("Theirs", "Mine"), "utf-8")
    assert states(pull(Dashboard())) == [State.REFUSED]
    assert '"title": "Mine"' in file.read_text("utf-8")


def test_older_versions_refuse_the_newer_schema(grafana: Standin) -> None:
    file = Path("grafana/as-stored/bot.json")
    file.parent.mkdir(parents=True)
    file.write_text('{"apiVersion": "dashboard.grafana.app/v2", "metadata": {"name": "bot"}, "spec": {}}', "utf-8")
    [_, outcome] = pushing.push(coded(Dashboard()), reach(), message="m")
    assert outcome.state is State.REFUSED
    assert "it is not converted" in outcome.details[0]


@every_classic_version
def test_a_dry_run_changes_nothing_anywhere(grafana: Standin) -> None:
    assert [each.state for each in pushing.push(coded(), reach(dry_run=True), message="m")] == [State.CREATED]
    assert not grafana.written
    push(Dashboard())
    base = Path("grafana/base/bot.json").read_text("utf-8")
    grafana.saves("bot", lambda board: at(board, "latency").update(title="Mine"))
    assert states(pulling.pull(coded(), reach(dry_run=True))) == [State.EDITED]
    assert Path("grafana/base/bot.json").read_text("utf-8") == base
    assert not Path("grafana/overrides").exists()


@pytest.mark.parametrize("grafana", ["12.1.0", "13.3.0"], indirect=True)
def test_the_legacy_api_can_be_asked_for(grafana: Standin) -> None:
    pushing.push(coded(), reach(legacy=True), message="m")
    assert "POST /api/dashboards/db" in grafana.written


def test_a_difference_says_which_side_made_it(grafana: Standin) -> None:
    dashboard = Dashboard()
    push(dashboard)
    grafana.saves(
        "bot", lambda board: (at(board, "latency").update(title="Mine"), at(board, "orders").update(title="Mine"))
    )
    dashboard.at("orders")["title"] = "Code's"
    dashboard.at("limits")["title"] = "Code's"
    [compared] = comparing.compare(coded(dashboard), reach())
    who = {(one.path[1], one.path[-1]): str(one.who) for one in compared.differences}
    assert who == {
        (str(panel_id("latency")), "title"): "Grafana",
        (str(panel_id("orders")), "title"): "both",
        (str(panel_id("limits")), "title"): "code",
    }


def test_time_is_taken_only_when_it_is_asked_for(grafana: Standin) -> None:
    push(Dashboard())
    grafana.saves("bot", lambda board: board.update(time={"from": "now-7d", "to": "now"}, refresh="1m"))
    assert states(pull(Dashboard())) == [State.SAME]
    assert states(pull(Dashboard(), with_time=True)) == [State.EDITED]
    assert rendered(Dashboard())["time"] == {"from": "now-7d", "to": "now"}


def test_a_new_range_of_time_in_the_code_is_pushed(grafana: Standin) -> None:
    dashboard = Dashboard()
    push(dashboard)
    grafana.saves("bot", lambda board: board.update(time={"from": "now-7d", "to": "now"}))
    assert push(dashboard) == [State.SAME]
    dashboard.board["refresh"] = "1m"
    assert push(dashboard) == [State.CHANGED]
    assert grafana.state.boards["bot"].classic["refresh"] == "1m"


def test_what_a_grafana_adds_that_nobody_knows_of_is_no_edit(grafana: Standin) -> None:
    def migrated(board: dict[str, Any]) -> None:
        at(board, "latency")["options"] = {"ofTheNextVersion": {"mode": "auto"}}
        board["ofTheNextVersion"] = True

    dashboard = Dashboard()
    grafana.state.migrates = migrated
    assert push(dashboard) == [State.CREATED]
    assert push(dashboard) == [State.SAME]
    assert states(pull(dashboard)) == [State.SAME]
    assert [each.outcome.state for each in comparing.compare(coded(dashboard), reach())] == [State.SAME]
    assert not Path("grafana/overrides").exists()
    grafana.saves("bot", lambda board: at(board, "orders").update(title="Mine"))
    assert states(pull(dashboard)) == [State.EDITED]
    assert json.loads(Path("grafana/overrides/bot.json").read_text("utf-8"))["changes"] == {
        "panels": {"orders": {"title": "Mine"}}
    }
    assert push(dashboard) == [State.SAME]
    dashboard.at("limits")["title"] = "Code's"
    assert push(dashboard) == [State.CHANGED]
    assert push(dashboard) == [State.SAME]


@every_version
def test_the_overview_goes_round(grafana: Standin) -> None:
    overview = Dashboard(copy.deepcopy(OVERVIEW))
    assert push(overview) == [State.CREATED]
    grafana.saves(overview.uid, unchanged)
    assert states(pull(overview)) == [State.SAME]
    assert push(overview) == [State.SAME]


@every_version
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(boards())
def test_any_dashboard_goes_round(grafana: Standin, board: dict[str, Any]) -> None:
    grafana.state.boards.clear()
    Path("grafana/base/made-up.json").unlink(missing_ok=True)
    dashboard = Dashboard(board)
    assert push(dashboard) == [State.CREATED]
    there = reach()
    stored = there.dashboards.read("made-up")
    assert stored is not None
    assert same(stored.board, dashboard.board)
    grafana.saves("made-up", unchanged)
    assert states(pull(dashboard)) == [State.SAME]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(boards(), boards())
def test_any_edit_is_there_after_the_next_rendering(
    grafana: Standin, board: dict[str, Any], edit: dict[str, Any]
) -> None:
    grafana.state.boards.clear()
    for name in ("base", "overrides", "dashboards"):
        Path(f"grafana/{name}/made-up.json").unlink(missing_ok=True)
    dashboard = Dashboard(board)
    push(dashboard)
    grafana.state.boards["made-up"].classic = copy.deepcopy(edit)
    grafana.saves("made-up", unchanged)
    pull(dashboard)
    rendering.render(coded(dashboard), PROJECT)
    made = json.loads(Path("grafana/dashboards/made-up.json").read_text("utf-8"))
    assert same(made, edit)
    assert push(dashboard) == [State.SAME]
    assert not rendering.check(coded(dashboard), PROJECT)
