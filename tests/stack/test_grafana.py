# Grafana is no Go module and no package of the registries the tests may use: what is checked here is the structure
# of its data sources; that every PromQL expression parses is checked by Prometheus itself in test_configuration.py.
from __future__ import annotations

import re
from typing import Any

import yaml

from otel_trading.provisioning import datasources
from otel_trading.stack.files import config_file

SOURCES = config_file("grafana", "provisioning", "datasources", "stack.yaml")


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


def test_data_sources_are_those_that_are_rendered() -> None:
    """The files are what Python makes of them."""
    for path, text in datasources.files().items():
        assert config_file(*path.split("/")).read_text() == text
        assert yaml.safe_load(text)["apiVersion"] == 1
