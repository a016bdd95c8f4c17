# Grafana is no Go module and no package of the registries the tests may use: what is checked here is the structure
# of its files; that every PromQL expression parses is checked by Prometheus itself in test_configuration.py.
from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from otel_trading.stack.files import config_file

SOURCES = config_file("grafana", "provisioning", "datasources", "stack.yaml")
BOARDS = sorted(config_file("grafana", "dashboards").glob("*.json"))


def board() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(config_file("grafana", "dashboards", "overview.json").read_text())
    return loaded


def panels() -> list[dict[str, Any]]:
    return [panel for panel in board()["panels"] if panel["type"] != "row"]


def sources() -> dict[str, dict[str, Any]]:
    return {source["uid"]: source for source in yaml.safe_load(SOURCES.read_text())["datasources"]}


def test_data_sources_have_the_uids_that_links_use() -> None:
    """Every data source that another one names exists."""
    named = set(re.findall(r"datasourceUid: (\w+)", SOURCES.read_text()))
    assert named == {"jaeger", "loki", "prometheus"}
    assert named <= set(sources())


def test_dollars_meant_for_the_browser_are_escaped() -> None:
    """A single dollar is an environment variable of compose.yaml; all others are doubled."""
    single = re.findall(
        r"(?<!\$)\$(?!\$)\{?(\w+)", SOURCES.read_text().replace("A single $ ", "").split("apiVersion")[1]
    )
    assert set(single) == {"PROMETHEUS_URL", "LOKI_URL", "JAEGER_URL", "ALERTMANAGER_URL"}
    environment = yaml.safe_load(config_file("compose.yaml").read_text())["services"]["grafana"]["environment"]
    assert set(single) <= set(environment)


def test_metrics_traces_and_logs_lead_to_each_other() -> None:
    """Exemplars open traces, log lines open traces, spans open log lines and metrics."""
    found = sources()
    assert found["prometheus"]["jsonData"]["exemplarTraceIdDestinations"][0]["name"] == "trace_id"
    assert found["loki"]["jsonData"]["derivedFields"][0]["matcherType"] == "label"
    to_logs = found["jaeger"]["jsonData"]["tracesToLogsV2"]
    assert to_logs["spanStartTimeShift"].startswith("-")
    assert found["jaeger"]["jsonData"]["tracesToMetrics"]["queries"]


@pytest.mark.parametrize("file", BOARDS, ids=lambda file: file.name)
def test_dashboards_are_canonical_json(file: Any) -> None:
    """Keys are sorted and the file ends with a newline, so that a change shows as itself."""
    text = file.read_text()
    assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def test_every_panel_says_what_it_shows_and_in_which_unit() -> None:
    """Title, description, unit and at least one query on every panel; ids are unique."""
    ids = [panel["id"] for panel in board()["panels"]]
    assert len(ids) == len(set(ids))
    for panel in panels():
        assert panel["title"], panel
        assert len(panel["description"]) > 20, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]


def test_panels_name_data_sources_by_variable_only() -> None:
    """No panel is tied to one installation's data source."""
    variables = {variable["name"] for variable in board()["templating"]["list"] if variable["type"] == "datasource"}
    assert variables == {"prometheus", "loki", "jaeger"}
    for panel in panels():
        for target in panel["targets"]:
            assert target["datasource"]["uid"].strip("${}") in variables, panel["title"]


def test_counters_are_seen_through_rate_or_increase() -> None:
    """A counter is never shown raw, and a rate always spans Grafana's own interval."""
    for panel in panels():
        for target in panel["targets"]:
            expression = target.get("expr", "")
            for counter in re.finditer(r"\w+_total\b", expression):
                assert re.search(r"(rate|increase)\($", expression[: counter.start()]), expression
            assert all(window in {"$__rate_interval", "$__range"} for window in re.findall(r"\[(.+?)\]", expression))


def test_latency_panels_show_exemplars() -> None:
    """One quantile of each latency panel asks for exemplars."""
    for title in ("Tick to trade", "Order acknowledgement by venue"):
        [panel] = [panel for panel in panels() if panel["title"] == title]
        assert [target["refId"] for target in panel["targets"] if target.get("exemplar")] == ["B"]


def test_panels_do_not_overlap() -> None:
    """Every panel has its own place within 24 columns."""
    taken: set[tuple[int, int]] = set()
    for panel in board()["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_the_dashboard_asks_only_for_metrics_that_exist_by_convention() -> None:
    """Names begin with the conventions' namespaces."""
    for panel in panels():
        for target in panel["targets"]:
            if target["datasource"]["type"] == "prometheus":
                names = re.findall(r"\b(?:trading|otelcol)_\w+(?=\{)", target["expr"])
                assert names, target["expr"]
