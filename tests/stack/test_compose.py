# There is no Docker engine where these tests run. compose-go is what `docker compose` itself loads files with.
from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from otel_trading.stack.compose import ComposeStack, why_no_engine
from otel_trading.stack.errors import StackError
from otel_trading.stack.files import config_file, files_root

COMPOSE = config_file("compose.yaml")
PASSWORD = "a-password-of-the-test"
WITHOUT_HEALTH_CHECK = {"collector"}  # nothing in its image can ask it


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("go")
    if compiler is None:
        pytest.skip("Go is not installed")
    program = tmp_path_factory.mktemp("composecheck") / "composecheck"
    settings = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false", "CGO_ENABLED": "0"}
    subprocess.run(
        [compiler, "build", "-o", str(program), "."],
        cwd=config_file("collector", "build", "composecheck"),
        env={**os.environ, **settings},
        check=True,
    )
    return program


def load(check: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([check, COMPOSE], env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def project(check: Path) -> dict[str, Any]:
    resolved: dict[str, Any] = json.loads(load(check, GRAFANA_ADMIN_PASSWORD=PASSWORD).stdout)
    return resolved


def test_all_six_services_are_there(project: dict[str, Any]) -> None:
    """Compose runs the Collector, three backends, Alertmanager and Grafana."""
    assert set(project["services"]) == {"collector", "prometheus", "alertmanager", "jaeger", "loki", "grafana"}


def test_every_image_is_pinned(project: dict[str, Any]) -> None:
    """No image can change under the same name by a tag such as latest."""
    for name, service in project["services"].items():
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"]), name


def test_every_port_is_published_on_loopback_only(project: dict[str, Any]) -> None:
    """Nothing can be reached from another machine."""
    published = [port for service in project["services"].values() for port in service["ports"]]
    assert len(published) == 9
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}


def test_every_mounted_file_is_in_the_repository_and_read_only(project: dict[str, Any]) -> None:
    """Containers read the same files as native processes, and cannot change them."""
    mounts = [v for service in project["services"].values() for v in service["volumes"] if v["type"] == "bind"]
    assert len(mounts) == 9
    for mount in mounts:
        assert Path(mount["source"]).exists(), mount
        assert Path(mount["source"]).is_relative_to(files_root().resolve()), mount
        assert mount["read_only"] is True, mount


def test_what_is_stored_is_on_named_volumes(project: dict[str, Any]) -> None:
    """Data outlives the containers."""
    for name, service in project["services"].items():
        assert [v["source"] for v in service["volumes"] if v["type"] == "volume"] == [name]
    assert set(project["volumes"]) == set(project["services"])


def test_health_is_checked_where_the_image_can(project: dict[str, Any]) -> None:
    """Every service but the Collector, whose image holds no second program, has a health check."""
    without = {name for name, service in project["services"].items() if "healthcheck" not in service}
    assert without == WITHOUT_HEALTH_CHECK


def test_containers_have_no_privileges(project: dict[str, Any]) -> None:
    """Read-only root, no capabilities, no new privileges, and they come back after a crash."""
    for name, service in project["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["restart"] == "unless-stopped", name


def test_the_file_holds_no_secret(project: dict[str, Any]) -> None:
    """The only password comes from the environment, and so do the secrets of channels where they are set."""
    settings = {
        key: value
        for service in project["services"].values()
        for key, value in (service.get("environment") or {}).items()
        if re.search("PASSWORD|TOKEN|SECRET|KEY", key)
    }
    channels = [settings.pop(name) for name in list(settings) if name.startswith("ALERT_")]
    assert set(channels) == {None}
    assert settings == {"GF_SECURITY_ADMIN_PASSWORD": PASSWORD}
    assert PASSWORD not in COMPOSE.read_text()


def test_without_the_password_nothing_is_loaded(check: Path) -> None:
    """A missing password is said by its name instead of becoming an empty one."""
    done = load(check)
    assert done.returncode == 1
    assert "GRAFANA_ADMIN_PASSWORD" in done.stderr


def test_thirty_days_are_kept_unless_told_otherwise(check: Path, project: dict[str, Any]) -> None:
    """One variable sets the retention of Prometheus, Alertmanager, Jaeger and Loki."""
    changed = load(check, GRAFANA_ADMIN_PASSWORD=PASSWORD, RETENTION_HOURS="48").stdout
    for text, hours in ((json.dumps(project), "720"), (changed, "48")):
        assert text.count(f"={hours}h") == 2
        assert len(re.findall(rf'"RETENTION_HOURS": ?"{hours}"', text)) == 2


def test_prometheus_targets_are_services_and_ports_of_the_file(project: dict[str, Any]) -> None:
    """The target files for containers name services that exist."""
    for name in ("scrape.yml", "alertmanager.yml"):
        for host in re.findall(r'"([\w.]+):\d+"', config_file("collector", "targets", name).read_text()):
            assert host in {*project["services"], "localhost"}


def test_without_docker_the_reason_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without Docker is told so."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert why_no_engine() == "docker is not on the PATH"


def test_a_docker_without_an_engine_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A client whose engine does not answer counts as no engine, with its own words."""
    client = tmp_path / "docker"
    client.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert why_no_engine() == "`docker info` says: Cannot connect to the Docker daemon"


def test_up_in_containers_asks_for_the_password_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is started before the secret is there."""
    monkeypatch.delenv("GRAFANA_ADMIN_PASSWORD", raising=False)
    with pytest.raises(StackError, match="export GRAFANA_ADMIN_PASSWORD"):
        ComposeStack().up()


def test_commands_go_to_docker_compose_with_our_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Up, status, logs and down become the compose commands one would type."""
    said = tmp_path / "said"
    client = tmp_path / "docker"
    client.write_text(f'#!/bin/sh\necho "$@" >> {said}\n')
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("GRAFANA_ADMIN_PASSWORD", PASSWORD)
    assert why_no_engine() == ""
    containers = ComposeStack()
    containers.up()
    containers.logs(["loki"], follow=True)
    containers.down(volumes=True)
    words = [line.removeprefix(f"compose --file {COMPOSE} ") for line in said.read_text().splitlines()[2:]]
    assert words == ["up --detach --wait", "logs --tail=200 --follow loki", "down --volumes"]
