from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from otel_trading.stack import Ports, Stack, StackError, StartError
from otel_trading.stack.backends import Backend
from otel_trading.stack.binaries import cache_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.stack


class Shell:
    def __init__(self, folder: Path, ports: Ports) -> None:
        self.data = folder
        own = {"OTEL_TRADING_STACK_DATA": str(folder), "OTEL_TRADING_CACHE": str(cache_directory()), "COLUMNS": "120"}
        self.environment = {**os.environ, **ports.environment(), **own}

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("otel-trading")), *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )

    def processes(self) -> list[int]:
        marker = f"COLLECTOR_DATA={self.data}/collector".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if marker in (process / "environ").read_bytes().split(b"\0"):
                    found.append(int(process.name))
            except OSError:
                continue
        return found


@pytest.fixture
def shell(backends: None, tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path, Ports.free())
    yield made
    made("stack", "down")


def test_up_status_doctor_logs_and_down_leave_no_process(shell: Shell) -> None:
    """A whole session of the command line, each command its own process."""
    up = shell("stack", "up", "--native")
    assert up.returncode == 0, up.stderr
    assert "collector: ready" in up.stderr
    assert len(shell.processes()) == 5

    again = shell("stack", "up", "--native")
    assert again.returncode == 0, again.stderr
    assert "starting" not in again.stderr

    assert shell("stack", "status").returncode == 0
    status = {part["name"]: part for part in json.loads(shell("stack", "status", "--json").stdout)}
    assert {name for name, part in status.items() if part["state"] == "ready"} >= {"collector", "loki"}

    doctor = shell("doctor")
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr

    assert "Everything is ready" in shell("stack", "logs", "collector").stdout

    os.kill(status["loki"]["pid"], signal.SIGKILL)
    time.sleep(0.2)
    broken = shell("stack", "status")
    assert broken.returncode == 1
    assert "stopped" in broken.stdout

    down = shell("stack", "down")
    assert down.returncode == 0
    assert shell.processes() == []
    assert "Nothing was running" in shell("stack", "down").stderr
    assert (shell.data / "prometheus").exists()
    shell("stack", "down", "--volumes")
    assert not (shell.data / "prometheus").exists()


def test_a_taken_port_stops_up_before_anything_is_started(shell: Shell) -> None:
    """One clear message, no traceback, no half a stack."""
    port = int(shell.environment["LOKI_PORT"])
    with socket.create_server(("127.0.0.1", port)):
        up = shell("stack", "up", "--native")
    assert up.returncode == 1
    assert f"Error: port {port} is taken by" in up.stderr
    assert "LOKI_PORT" in up.stderr
    assert shell.processes() == []


def test_compose_without_an_engine_says_why(shell: Shell, tmp_path: Path) -> None:
    """Asking for containers where there are none is answered with the reason."""
    shell.environment["PATH"] = str(tmp_path)
    done = shell("stack", "status", "--compose")
    assert done.returncode == 1
    assert "no Docker engine: docker is not on the PATH" in done.stderr


def test_a_component_that_cannot_start_shows_the_end_of_its_log(backends: None, tmp_path: Path) -> None:
    """The reason is on the screen, not only in a file."""
    broken = Stack(ports=Ports.free(), data_dir=tmp_path, settings={"COLLECTOR_MEMORY_MIB": "much"})
    try:
        with pytest.raises(StartError, match=r"(?s)collector ended.*limit_mib"):
            broken.up(["collector"])
    finally:
        broken.down()


def test_two_ups_at_once_start_one_stack(shell: Shell) -> None:
    """The second waits for the first, and finds everything running."""
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: shell("stack", "up", "--native"), range(2)))
    assert [up.returncode for up in done] == [0, 0], [up.stderr for up in done]
    assert len(shell.processes()) == 5


GRAFANA = """#!{python}
import http.server, json, os, sys
if sys.argv[1:] == ["--version"]:
    sys.exit(print("grafana version 13.3.0"))
assert sys.argv[1:] == ["server"]
class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(dict(os.environ)).encode()
        self.send_response(200 if self.path == "/api/health" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
address = os.environ["GF_SERVER_HTTP_ADDR"], int(os.environ["GF_SERVER_HTTP_PORT"])
http.server.HTTPServer(address, Healthy).serve_forever()
"""


def test_a_grafana_on_the_path_is_started_with_our_provisioning(
    backends: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets the password, the provisioning folder and the addresses of the backends, and is stopped with them."""
    program = tmp_path / "grafana"
    program.write_text(GRAFANA.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    stack = Stack(ports=Ports.free(), data_dir=tmp_path / "data")
    monkeypatch.delenv("GRAFANA_ADMIN_PASSWORD", raising=False)
    assert {s.name: s.detail for s in stack.status()}["grafana"] == "set GRAFANA_ADMIN_PASSWORD to start it"
    monkeypatch.setenv("GRAFANA_ADMIN_PASSWORD", "a-password")
    try:
        stack.up(["grafana"])
        seen = Backend(stack.urls["grafana"]).get("/api/health")
    finally:
        stack.down()
    assert seen["GF_SECURITY_ADMIN_PASSWORD"] == "a-password"
    assert Path(seen["GF_PATHS_PROVISIONING"], "datasources", "stack.yaml").is_file()
    assert Path(seen["DASHBOARDS_PATH"], "overview.json").is_file()
    assert seen["LOKI_URL"] == stack.urls["loki"]
    assert stack.pid("grafana") is None


def test_a_component_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    """The message lists those that do."""
    with pytest.raises(StackError, match=r"no component 'mimir'; there are jaeger, loki"):
        Stack(ports=Ports.free(), data_dir=tmp_path).stop("mimir")


def test_everything_listens_on_loopback_only(own_stack: Stack) -> None:
    """No component opens a port that another machine can reach."""
    pids = {pid for part in own_stack.status() if (pid := part.pid)}
    inodes = {
        opened.removeprefix("socket:[").removesuffix("]")
        for pid in pids
        for descriptor in Path(f"/proc/{pid}/fd").iterdir()
        if (opened := str(descriptor.readlink())).startswith("socket:")
    }
    addresses = {
        row.split()[1].rpartition(":")[0]
        for table in ("tcp", "tcp6")
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        if row.split()[3] == "0A" and row.split()[9] in inodes
    }
    assert addresses == {"0100007F"}
