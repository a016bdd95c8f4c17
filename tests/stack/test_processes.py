from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from otel_trading.stack.errors import PortTakenError, StackError, StartError
from otel_trading.stack.ports import Ports, check_free, listener_of
from otel_trading.stack.process import ProcessRecord, start_detached, tail

if TYPE_CHECKING:
    from pathlib import Path

STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.05; done"


def program(name: str) -> str:
    found = shutil.which(name)
    assert found is not None
    return found


def start(tmp_path: Path, *command: str) -> ProcessRecord:
    return start_detached(command, environment=dict(os.environ), log=tmp_path / "out.log")


def test_a_process_runs_in_its_own_session_and_stops_on_sigterm(tmp_path: Path) -> None:
    """It would survive the terminal, and ends when asked."""
    record = start(tmp_path, program("sleep"), "60")
    assert record.is_alive()
    assert os.getsid(record.pid) == record.pid
    assert record.stop(grace_seconds=5) is True
    assert not record.is_alive()


def test_a_process_that_ignores_sigterm_is_killed_after_its_grace(tmp_path: Path) -> None:
    """Stopping always ends, and tells that force was needed."""
    record = start(tmp_path, program("sh"), "-c", STUBBORN)
    while "ready" not in tail(tmp_path / "out.log"):
        time.sleep(0.01)
    assert record.stop(grace_seconds=0.3) is False
    assert not record.is_alive()


@pytest.mark.parametrize("change", [{"started": 1}, {"program": "/bin/other"}])
def test_a_process_that_only_has_the_same_id_is_left_alone(tmp_path: Path, change: dict[str, int | str]) -> None:
    """After a reboot an old record may carry somebody else's process id."""
    record = start(tmp_path, program("sleep"), "60")
    foreign = replace(record, **change)  # type: ignore[arg-type]
    assert not foreign.is_alive()
    foreign.send(signal.SIGKILL)
    assert record.is_alive()
    record.stop(grace_seconds=5)


def test_a_record_survives_being_written_and_read(tmp_path: Path) -> None:
    """Another command finds the process again."""
    record = start(tmp_path, program("sleep"), "60")
    record.save(tmp_path / "sleep.json")
    found = ProcessRecord.load(tmp_path / "sleep.json")
    assert found == record
    assert 0 <= record.running_seconds() < 30
    record.stop(grace_seconds=5)


@pytest.mark.parametrize("text", ["", "{}", "no json", '{"pid": 1}'])
def test_an_unreadable_record_is_no_record(tmp_path: Path, text: str) -> None:
    """Half a file, or another version's, is not an error."""
    (tmp_path / "x.json").write_text(text)
    assert ProcessRecord.load(tmp_path / "x.json") is None


def test_a_program_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    """The message names the program."""
    with pytest.raises(StartError, match="cannot execute /no/such/program"):
        start(tmp_path, "/no/such/program")


def test_output_is_appended_and_a_large_log_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs do not grow without end over restarts."""
    monkeypatch.setattr("otel_trading.stack.process.LOG_KEPT_BYTES", 10)
    (tmp_path / "out.log").write_text("more than ten bytes\n")
    record = start(tmp_path, program("sh"), "-c", "echo new; sleep 60")
    while not (tmp_path / "out.log").read_text():
        time.sleep(0.01)
    assert (tmp_path / "out.log").read_text() == "new\n"
    assert (tmp_path / "out.log.1").read_text() == "more than ten bytes\n"
    record.stop(grace_seconds=5)


def test_a_taken_port_is_reported_with_its_owner_and_its_variable() -> None:
    """The message names the port, who listens and what to set."""
    ports = Ports.free()
    with socket.create_server(("127.0.0.1", ports.prometheus)):
        with pytest.raises(
            PortTakenError, match=rf"port {ports.prometheus} is taken by .*pid {os.getpid()}.*PROM_PORT"
        ):
            check_free(ports, ["loki", "prometheus"])
        assert f"(pid {os.getpid()})" in (listener_of(ports.prometheus) or "")
    check_free(ports, ["loki", "prometheus"])
    assert listener_of(ports.prometheus) is None


def test_all_taken_ports_are_reported_at_once() -> None:
    """One message is enough to fix them all."""
    ports = Ports.free()
    with (
        socket.create_server(("127.0.0.1", ports.loki)),
        socket.create_server(("127.0.0.1", ports.grafana)),
        pytest.raises(PortTakenError, match=r"(?s)LOKI_PORT.*GRAFANA_PORT"),
    ):
        check_free(ports, ["loki", "prometheus", "grafana"])


@pytest.mark.parametrize("text", ["x", "0", "65536", "-1", "80.5"])
def test_a_port_variable_must_hold_a_port(text: str) -> None:
    """Nonsense is refused with the variable's name."""
    with pytest.raises(StackError, match="AM_PORT"):
        Ports.from_environment({"AM_PORT": text})


def test_free_ports_are_distinct_and_their_variables_give_them_back() -> None:
    """What the configuration files are told is what was chosen."""
    ports = Ports.free()
    assert len(set(ports.environment().values())) == len(ports.environment())
    assert Ports.from_environment(ports.environment()) == ports
