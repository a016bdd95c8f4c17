from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from otel_trading.stack.backends import Backend, Prometheus
from otel_trading.stack.binaries import cache_directory, find_binary, find_tool
from otel_trading.stack.files import CHECKOUT, PACKAGED, config_file
from tests.stack.link_files import files_of_the_stack
from tests.stack.sending import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from otel_trading.stack import Stack

AGENT = config_file("collector", "agent.yaml")


def run(program: Path | None, *arguments: str, **environment: str) -> str:
    assert program is not None
    done = subprocess.run([program, *arguments], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def agent() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(AGENT.read_text())
    return loaded


@pytest.mark.stack
def test_the_collector_accepts_its_configuration(backends: None, tmp_path: Path) -> None:
    """The Collector itself validates agent.yaml."""
    run(find_binary("collector"), "validate", f"--config={AGENT}", COLLECTOR_DATA=str(tmp_path))


@pytest.mark.stack
def test_promtool_accepts_prometheus_yml_and_its_rules(backends: None) -> None:
    """Promtool finds the configuration and every rule valid."""
    told = run(
        find_tool("promtool", cache_directory()), "check", "config", str(config_file("collector", "prometheus.yml"))
    )
    assert told.count("rules found") == len(list(config_file("collector", "rules").glob("*.yml")))


@pytest.mark.stack
def test_amtool_accepts_alertmanager_yml(backends: None) -> None:
    """Amtool finds the configuration valid."""
    run(find_tool("amtool", cache_directory()), "check-config", str(config_file("collector", "alertmanager.yml")))


@pytest.mark.stack
def test_loki_accepts_its_configuration(backends: None, tmp_path: Path) -> None:
    """Loki itself verifies loki.yaml."""
    file = config_file("collector", "loki.yaml")
    run(
        find_binary("loki"),
        f"-config.file={file}",
        "-config.expand-env=true",
        "-verify-config",
        LOKI_DATA=str(tmp_path),
    )


@pytest.mark.stack
def test_prometheus_parses_what_spans_lead_to(stack: Stack) -> None:
    """No data source holds an expression that Prometheus refuses; those of boards are asked in tests/dashboards."""
    prometheus = Prometheus(stack.urls["prometheus"])
    sources = yaml.safe_load(config_file("grafana", "provisioning", "datasources", "stack.yaml").read_text())
    expressions = [
        query["query"].replace("$$__tags", 'job="x"').replace("$$__rate_interval", "5m")
        for source in sources["datasources"]
        for query in source["jsonData"].get("tracesToMetrics", {}).get("queries", [])
    ]
    assert len(expressions) > 2
    for expression in expressions:
        assert prometheus.query(expression) == []


@pytest.mark.stack
def test_prometheus_scrapes_every_component(stack: Stack) -> None:
    """All five components are targets, and up."""
    jobs = {"otelcol", "prometheus", "alertmanager", "jaeger", "loki"}
    prometheus = Prometheus(stack.urls["prometheus"])
    seen = eventually(lambda: jobs <= {s["metric"]["job"] for s in prometheus.query("up == 1")})
    assert seen, prometheus.query("up")


@pytest.mark.stack
def test_prometheus_knows_alertmanager_and_its_watchdog_arrives(stack: Stack) -> None:
    """An alert that always fires reaches Alertmanager."""
    alertmanager = Backend(stack.urls["alertmanager"])
    names = eventually(
        lambda: [alert["labels"]["alertname"] for alert in alertmanager.get("/api/v2/alerts")], seconds=60
    )
    assert "Watchdog" in names


def test_the_agent_has_nothing_that_loses_data_on_kill() -> None:
    """No batch processor, no tail sampling; every queue is on disk, batches itself and never gives up."""
    configuration = agent()
    kinds = {name.split("/")[0] for name in configuration["processors"]}
    assert not kinds & {"batch", "tail_sampling", "groupbytrace"}
    for name, exporter in configuration["exporters"].items():
        queue = exporter["sending_queue"]
        assert queue["storage"] == "file_storage/queue", name
        assert queue["sizer"] == "items", name
        assert queue["batch"]["max_size"] > 0, name
        assert exporter["retry_on_failure"]["max_elapsed_time"] == "0s", name
    assert configuration["exporters"]["otlp_http/prometheus"]["sending_queue"]["num_consumers"] == 1
    assert configuration["service"]["pipelines"]["metrics"]["processors"][-1] == "deltatocumulative"


def test_every_pipeline_of_the_bot_is_limited_and_redacted() -> None:
    """Memory is guarded first, and nothing that comes over OTLP leaves without redaction."""
    for name, pipeline in agent()["service"]["pipelines"].items():
        assert pipeline["processors"][0] == "memory_limiter", name
        if "otlp" in pipeline["receivers"]:
            assert any(processor.startswith("redaction") for processor in pipeline["processors"]), name


@pytest.mark.parametrize("name", ["agent.yaml", "jaeger.yaml", "loki.yaml"])
def test_listeners_are_on_loopback_unless_told_otherwise(name: str) -> None:
    """Every address to listen on is LISTEN_HOST, 127.0.0.1 by default."""
    text = config_file("collector", name).read_text()
    listening = re.findall(r"(?:endpoint|host|http_listen_address): *\"?(\$\{\S*?\}|\S+?)[:\"},]", text)
    hosts = [host for host in listening if "LISTEN" in host or host[0].isdigit()]
    assert hosts
    assert "0.0.0.0" not in text
    assert len(re.findall("LISTEN_HOST", text)) == len(re.findall("LISTEN_HOST:-127.0.0.1", text))


def test_prometheus_keeps_what_only_a_setting_keeps() -> None:
    """Late samples, exemplars, scopes and the resource attributes that dashboards use survive."""
    configuration = yaml.safe_load(config_file("collector", "prometheus.yml").read_text())
    assert configuration["storage"]["tsdb"]["out_of_order_time_window"] == "24h"
    assert configuration["storage"]["exemplars"]["max_exemplars"] >= 100_000
    assert configuration["otlp"]["promote_scope_metadata"] is True
    assert {"service.namespace", "service.version", "deployment.environment.name"} <= set(
        configuration["otlp"]["promote_resource_attributes"]
    )


def test_a_wheel_gets_every_file_of_the_stack() -> None:
    """The package holds a link to each configuration file, so that a wheel holds the file."""
    linked = {file.relative_to(PACKAGED): file.resolve() for file in PACKAGED.rglob("*") if file.is_symlink()}
    wanted = {file.relative_to(CHECKOUT): file for file in files_of_the_stack()}
    assert linked == wanted, "run: python -m tests.stack.link_files"


def test_the_manifest_of_the_collector_and_its_modules_agree() -> None:
    """Every component of manifest.yaml is required by go.mod in that version."""
    folder = config_file("collector", "build", "otelcol")
    modules = set(re.findall(r"^\t(\S+ v\S+)$", (folder / "go.mod").read_text(), re.MULTILINE))
    listed = re.findall(r"gomod: (\S+ v\S+)", (folder / "manifest.yaml").read_text())
    assert len(listed) > 30
    assert not set(listed) - modules
