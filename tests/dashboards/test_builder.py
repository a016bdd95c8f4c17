"""Boards in Python: what is completed, what is refused, where panels are, what becomes of them."""

from __future__ import annotations

from typing import Any

import pytest

from otel_trading import provisioning
from otel_trading.provisioning import (
    Annotation,
    Dashboard,
    DashboardError,
    Link,
    Query,
    Row,
    Threshold,
    UnknownUnitError,
    Variable,
    bar_gauge,
    gauge,
    heatmap,
    logs,
    stat,
    state,
    state_timeline,
    table,
    text,
    timeseries,
    traces,
)
from otel_trading.provisioning.ids import panel_id
from tests.dashboards.oracle import lost, through_the_models


def panels(*made: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = Dashboard("Test", panels=made).render()["panels"]
    return found


def one(made: Any) -> dict[str, Any]:
    [panel] = panels(made)
    return panel


def test_a_panel_is_known_by_its_slug() -> None:
    """Its number follows from the slug alone: neither its place nor its title changes it."""
    [first] = panels(timeseries("Edge", "a"))
    _, second = panels(stat("Other", "b"), timeseries("Edge of all", "a", slug="edge"))
    assert first["id"] == second["id"] == panel_id("edge")


def test_a_line_is_as_wide_as_the_board_and_as_high_as_its_highest_panel() -> None:
    """Four stats and a gauge share a line; what does not fit begins the next one."""
    made = panels(*(stat(f"S{number}", "a") for number in range(4)), gauge("G", "a"), timeseries("T", "a"))
    places = [panel["gridPos"] for panel in made]
    assert [place["y"] for place in places] == [0, 0, 0, 0, 0, 6]
    assert {place["h"] for place in places[:5]} == {6}
    assert sum(place["w"] for place in places[:5]) == 24
    assert places[5] == {"x": 0, "y": 6, "w": 24, "h": 8}


def test_rows_follow_each_other_and_hide_what_is_collapsed() -> None:
    """A collapsed row keeps its panels inside, as Grafana does, and takes one line."""
    inside = Row("Hidden", (timeseries("A", "a"),), collapsed=True)
    head, below, shown = panels(inside, Row("Shown", (timeseries("B", "b"),)))
    assert [panel["title"] for panel in head["panels"]] == ["A"]
    assert (head["gridPos"]["y"], below["gridPos"]["y"], shown["gridPos"]["y"]) == (0, 1, 2)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Dashboard("T", panels=[stat("A", "a"), stat("A", "b")]), "2 panels with the slug 'a'"),
        (lambda: Dashboard("T", uid="With Blanks"), "'With Blanks' is no uid"),
        (lambda: Dashboard("T", uid="x" * 41), "at most 40"),
        (lambda: Dashboard("T", panels=[Row("R", ()), stat("A", "a")]), "panel 'a' comes after a row"),
        (lambda: Dashboard("!"), "'' is no uid"),
    ],
)
def test_boards_that_grafana_could_not_tell_apart_are_refused(make: Any, told: str) -> None:
    """With the board, the slug, and what to do."""
    with pytest.raises(DashboardError, match=told):
        make()


def test_panels_that_would_show_nonsense_are_refused() -> None:
    """Unknown units, states without a colour, slugs that are none, and widths beyond the board."""
    with pytest.raises(UnknownUnitError, match=r"'seconds' is not a unit.*Allowed are"):
        stat("A", "a", unit="seconds")
    with pytest.raises(UnknownUnitError, match="the nearest is percentunit"):
        stat("A", Query("a", unit="percentunits"))
    with pytest.raises(ValueError, match="panel 'a': 'sleeping' has no colour"):
        state("A", "a", states=("sleeping",))
    with pytest.raises(ValueError, match="'My Slug' is no slug of panel 'A'"):
        stat("A", "a", slug="My Slug")
    with pytest.raises(ValueError, match="width of 25; allowed are 1 to 24"):
        stat("A", "a", width=25)


def test_units_of_instruments_become_grafanas() -> None:
    """As the conventions write them."""
    names = {"s": "s", "By": "bytes", "1": "percentunit", "{order}": "short", "{bp}": "suffix: bp", "": "short"}
    assert {name: one(stat("A", "a", unit=name))["fieldConfig"]["defaults"]["unit"] for name in names} == names


def test_thresholds_are_steps_and_lines() -> None:
    """The lowest step has no value; on time series they are drawn."""
    made = one(timeseries("A", "a", thresholds=[Threshold(1, "orange"), Threshold(2, "red")]))
    defaults = made["fieldConfig"]["defaults"]
    assert [step["value"] for step in defaults["thresholds"]["steps"]] == [None, 1, 2]
    assert defaults["custom"]["thresholdsStyle"] == {"mode": "dashed"}


def test_limits_are_dashed_and_red() -> None:
    """A query of the style says so to the series of its own letter."""
    made = one(timeseries("A", "used", Query("limit", style="limit")))
    [override] = made["fieldConfig"]["overrides"]
    assert override["matcher"] == {"id": "byFrameRefID", "options": "B"}
    assert {"id": "color", "value": {"mode": "fixed", "fixedColor": "red"}} in override["properties"]


def test_series_of_states_have_the_colours_of_states() -> None:
    """By the last label of the legend."""
    made = one(timeseries("A", Query("sum by (trading_trade_outcome) (a)", "{{trading_trade_outcome}}")))
    colours = {
        each["matcher"]["options"]: each["properties"][0]["value"]["fixedColor"]
        for each in made["fieldConfig"]["overrides"]
    }
    assert colours == {
        "/\\bsuccess$/": "green",
        "/\\bpartial$/": "orange",
        "/\\btimeout$/": "purple",
        "/\\bfailed$/": "red",
    }


def test_every_kind_of_panel_is_one_that_grafana_knows() -> None:
    """All of them on one board, read into Grafana's models and written again, lose nothing."""
    board = Dashboard(
        "All",
        description="One of each.",
        panels=[
            timeseries("T", Query("a", "{{job}}", exemplars=True), stacked=True, unit="s", links=[Link("L", "/x")]),
            *(stat("S", "a"), gauge("G", "a", high=5), bar_gauge("B", "a"), heatmap("H", "a", unit="s")),
            *(state("W", "a", states=("up", "down")), state_timeline("Y", "a", states=("up", "down"))),
            table("R", "a", columns={"job": "bot", "Value": "value"}),
            *(logs("L", '{service_name="a"}'), traces("J", operation="order", tags="error=true"), text("M", "# Hi")),
        ],
        variables=[*provisioning.variables.TRADING, Variable("q", "Find", "textbox")],
        annotations=[Annotation("Halts", "a", "{{job}}", "red")],
        links=[Link("Docs", "https://example.com")],
    )
    rendered = board.render()
    assert not list(lost(rendered, through_the_models(rendered)))
    kinds = [panel["type"] for panel in rendered["panels"]]
    assert kinds == [
        *("timeseries", "stat", "gauge", "bargauge", "heatmap", "stat", "state-timeline", "table", "logs", "table"),
        "text",
    ]
    assert [each["datasource"]["uid"] for each in rendered["panels"][:-1]] == [
        *("${prometheus}",) * 8,
        *("${loki}", "${jaeger}"),
    ]


def test_a_table_keeps_its_columns_in_order() -> None:
    """Others are left out, and these are renamed."""
    made = one(table("A", "a", columns={"severity": "how bad", "job": "bot"}))
    chosen, ordered = made["transformations"]
    assert chosen["options"]["include"]["names"] == ["severity", "job"]
    assert ordered["options"] == {
        "indexByName": {"severity": 0, "job": 1},
        "renameByName": {"severity": "how bad", "job": "bot"},
    }
    assert (made["targets"][0]["format"], made["targets"][0]["instant"]) == ("table", True)


def test_links_keep_time_and_choices() -> None:
    """A link to a panel of another board."""
    from otel_trading.provisioning.links import runbook, to_board

    link = to_board("otel-trading-risk", "Risk", "drawdown")
    assert link.url == (
        f"/d/otel-trading-risk?${{__url_time_range}}&${{__all_variables}}&viewPanel=panel-{panel_id('drawdown')}"
    )
    assert runbook("x").endswith("/docs/runbooks/x.md")


def test_the_package_exports_what_it_says() -> None:
    """Every name is there, and nothing else is said to be."""
    assert sorted(provisioning.__all__) == provisioning.__all__
    assert set(provisioning.__all__) == set(provisioning._HOMES)
    for name in provisioning.__all__:
        assert getattr(provisioning, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Dashbord'"):
        getattr(provisioning, "Dashbord")  # noqa: B009 - a name that is not there


def test_rendering_is_plain_and_repeatable() -> None:
    """Twice the same, and changing what was rendered does not change the board."""
    board = Dashboard("T", panels=[timeseries("A", "a")])
    before = board.render()
    before["panels"][0]["options"]["legend"]["calcs"].append("min")
    before["panels"].clear()
    assert len(board.render()["panels"]) == 1
    assert board.render()["panels"][0]["options"]["legend"]["calcs"] == ["lastNotNull", "max"]
