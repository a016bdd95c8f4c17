"""``otel-trading demo`` as its user runs it: a process of its own."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.demo.running import find
from tests.demo.venue.venue_clients import recordings

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = [sys.executable, "-c", "from otel_trading.cli import main; main()", "demo"]
NOWHERE = ["--endpoint", "http://127.0.0.1:9", "--ops-port", "0"]
FRAMES = {
    "spot": {"bookTicker": 28040, "trade": 9757, "depth": 3451},
    "perp": {"bookTicker": 66089, "trade": 21313, "depth": 6551},
}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@contextmanager
def started(cache: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "OTEL_TRADING_CACHE": str(cache), "COLUMNS": "200"}
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def run(cache: Path, *arguments: str, timeout: float = 120.0) -> tuple[int, str, str]:
    with started(cache, *arguments) as process:
        output, errors = process.communicate(timeout=timeout)
        return process.returncode, output, errors


def venues_of(pid: int) -> list[str]:
    """The command lines of venue processes that belong to a demo."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if "otel_trading.demo.venue" in words and str(pid) in words:
            found.append(" ".join(words))
    return found


def test_both_recordings_at_full_speed_arrive_frame_by_frame(cache: Path, tmp_path: Path) -> None:
    """Every one of the 135,201 frames is counted by venue and stream, and the bot trades on them."""
    files, target = recordings(), tmp_path / "summary.json"
    arguments = ["--spot", str(files["spot"]), "--perp", str(files["perp"]), "--speed", "max"]
    code, output, errors = run(cache, *arguments, "--summary-json", str(target), *NOWHERE, timeout=240.0)
    assert code == 0, errors
    summary = json.loads(target.read_text())
    assert summary["messages_by_stream"] == FRAMES
    assert summary["messages"] == {"spot": 41248, "perp": 93953}
    assert summary["orders"] > 0
    assert summary["fills"] > 0
    assert summary["ended"] == "end of recording"
    assert summary["market"]["source"] == "recording"
    assert "135,201" in output


def test_the_generated_market_is_traded_at_once(cache: Path, tmp_path: Path) -> None:
    """Within twenty seconds there are trades, and the summary holds every figure."""
    target = tmp_path / "summary.json"
    code, output, errors = run(cache, "--seconds", "20", "--summary-json", str(target), *NOWHERE)
    assert code == 0, errors
    summary: dict[str, Any] = json.loads(target.read_text())
    assert summary["trades"] >= 1
    assert summary["orders"] >= 2
    assert summary["fills"] >= 2
    assert isinstance(summary["pnl"], float)
    assert 0.0 < summary["tick_to_trade"]["p50"] <= summary["tick_to_trade"]["p99"] < 1.0
    assert 0.0 < summary["ack"]["spot"]["p50"] < 1.0
    assert 20.0 <= summary["duration_seconds"] < 25.0
    assert (summary["ended"], summary["market"]) == ("time", {"source": "generated", "seed": 3, "speed": 1.0})
    assert len(summary["trace_ids"]["slowest"]) == 32
    assert set(summary["trace_ids"]["recent"]) >= {summary["trace_ids"]["last"]}
    for account in summary["telemetry"]["signals"].values():
        assert account["emitted"] == account["sent"] + account["dropped"] + account["pending"] > 0
    assert "make stack" in output
    assert "tick to trade p50" in output


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_with_the_summary(cache: Path, tmp_path: Path, how: signal.Signals) -> None:
    """The exit status is 0, nothing of it goes on running, and nothing stays in the cache."""
    target = tmp_path / "summary.json"
    with started(cache, "--summary-json", str(target), *NOWHERE) as process:
        _wait_for(lambda: list(cache.glob("demo/*.json")))
        time.sleep(2.0)
        assert venues_of(process.pid)
        process.send_signal(how)
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert json.loads(target.read_text())["ended"] == "interrupt"
    assert "P&L" in output
    assert not venues_of(process.pid)
    assert not list(cache.glob("demo/*.json"))


def test_a_fault_is_switched_on_from_another_terminal(cache: Path, tmp_path: Path) -> None:
    """The running demo is found, what is active is said, and the summary names the fault."""
    target = tmp_path / "summary.json"
    with started(cache, "--summary-json", str(target), *NOWHERE) as process:
        _wait_for(lambda: list(cache.glob("demo/*.json")))
        code, output, _ = run(cache, "fault", "silent:perp:2s")
        assert (code, output) == (0, f"demo {process.pid}: silent:perp:2s\n")
        assert find(cache).pid == process.pid
        code, output, _ = run(cache, "fault", "--clear")
        assert (code, output) == (0, f"demo {process.pid}: no faults\n")
        code, _, errors = run(cache, "fault", "silent:kraken")
        assert code == 1
        assert "cannot read the fault 'silent:kraken'; allowed are disconnect:VENUE" in errors
        assert run(cache, "fault", "slow_ack:spot:5ms:60s")[0] == 0
        time.sleep(3.0)  # the demo asks its venues once a second
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert "slow_ack:spot:5ms:60s" in json.loads(target.read_text())["faults"]


def test_a_fault_is_switched_on_at_its_time(cache: Path, tmp_path: Path) -> None:
    """Given with the command, some seconds into the run."""
    target = tmp_path / "summary.json"
    faults = ["--fault", "disconnect:spot@1500ms", "--fault", "slow_ack:perp:10ms"]
    code, _, errors = run(cache, "--seconds", "4", *faults, "--summary-json", str(target), "--quiet", *NOWHERE)
    assert code == 0, errors
    summary = json.loads(target.read_text())
    assert summary["faults"] == ["slow_ack:perp:10ms", "disconnect:spot"]
    assert summary["reconnects"]["spot"] >= 1
    assert summary["reconnects"]["perp"] == 0


def test_without_a_demo_there_is_nothing_to_break(cache: Path) -> None:
    """One clear message; a demo that was killed is not taken for a running one."""
    folder = cache / "demo"
    folder.mkdir(parents=True)
    (folder / "1.json").write_text(json.dumps({"pid": 2**22 + 1, "url": "http://127.0.0.1:9"}))
    code, _, errors = run(cache, "fault", "silent:perp")
    assert (code, errors) == (1, "Error: no demo is running; start one in another terminal: otel-trading demo\n")
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--speed", "fast"], ["--speed", "'fast'", "a number above 0 and max"]),
        (["--speed", "0"], ["--speed", "'0'", "a number above 0 and max"]),
        (["--seconds", "-1"], ["--seconds", "-1.0", "a number above 0"]),
        (["--seconds", "nan"], ["--seconds", "nan", "a number above 0"]),
        (["--endpoint", "collector"], ["--endpoint", "'collector'", "http://127.0.0.1:4318"]),
        (["--fault", "silent:kraken"], ["--fault", "'silent:kraken'", "VENUE is spot or perp"]),
        (["--ops-port", "70000"], ["--ops-port", "70000", "0<=x<=65535"]),
        (["--spot", __file__], ["--perp", "both recordings"]),
        (["--spot", "/nowhere.gz", "--perp", __file__], ["--spot", "/nowhere.gz", "does not exist"]),
        (["--summary-json", "/nowhere/summary.json"], ["--summary-json", "/nowhere/summary.json", "folder"]),
        (["--spot", __file__, "--perp", __file__], ["not a recording"]),
    ],
)
def test_bad_options_are_named_with_what_is_allowed(cache: Path, arguments: list[str], words: list[str]) -> None:
    """Before anything is started, and without a traceback."""
    code, _, errors = run(cache, *arguments, timeout=60.0)
    assert code != 0
    assert "Traceback" not in errors
    assert not [word for word in words if word not in errors], errors


def test_a_taken_port_stops_nothing(cache: Path, tmp_path: Path) -> None:
    """The demo says that /metrics is not served, and trades."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, _, errors = run(cache, "--seconds", "2", "--endpoint", "http://127.0.0.1:9", "--ops-port", port)
    assert code == 0
    assert f"ops_port={port}" in errors


def _wait_for(condition: Any, within: float = 30.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_in_a_terminal_there_is_a_live_table_with_keys(cache: Path) -> None:
    """A key switches a fault on, another one ends the run with the summary."""
    import pty

    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))
    own_terminal = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); " + COMMAND[2]
    environment = {**os.environ, "OTEL_TRADING_CACHE": str(cache), "TERM": "xterm-256color"}
    command = [sys.executable, "-c", own_terminal, "demo", *NOWHERE]
    with subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
    ) as process:
        os.close(slave)
        screen = _Screen(master)
        try:
            screen.wait_for("spot connected")
            os.write(master, b"s")
            screen.wait_for("silent:perp:10s")
            screen.wait_for("perp: no data for 2 s")
            os.write(master, b"q")
            screen.wait_for("ended by interrupt")
            screen.wait_for("make stack")
            assert process.wait(30) == 0
        finally:
            process.kill()
            os.close(master)
    assert not venues_of(process.pid)


@pytest.mark.parametrize("after", [0.0, 2.0], ids=["connecting", "trading"])
def test_venues_that_die_end_the_run(cache: Path, after: float) -> None:
    """With one clear message and a status that is not 0."""
    with started(cache, *NOWHERE) as process:
        _wait_for(lambda: list(cache.glob("demo/*.json")))
        time.sleep(after)
        for folder in Path("/proc").iterdir():
            with suppress(OSError):
                words = (folder / "cmdline").read_bytes().decode().split("\0")
                if "otel_trading.demo.venue" in words and str(process.pid) in words:
                    os.kill(int(folder.name), signal.SIGKILL)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "Error: the venues do not answer any more" in errors
    assert "Traceback" not in errors
    assert not list(cache.glob("demo/*.json"))


class _Screen:
    """What a program wrote to its terminal."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._text = ""

    def wait_for(self, words: str, within: float = 30.0) -> None:
        deadline = time.monotonic() + within
        while words not in self._text:
            assert time.monotonic() < deadline, self._text[-3000:]
            if select.select([self._terminal], [], [], 0.2)[0]:
                try:
                    self._text += os.read(self._terminal, 65536).decode(errors="replace")
                except OSError:
                    assert words in self._text, self._text[-3000:]


def test_without_telemetry_there_is_no_trace_to_look_for(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bot trades, and the summary names no trace."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    target = cache.parent / "summary.json"
    code, output, errors = run(cache, "--seconds", "16", "--summary-json", str(target), *NOWHERE)
    assert code == 0, errors
    summary = json.loads(target.read_text())
    assert summary["trades"] >= 1
    assert summary["trace_ids"] == {"first": None, "last": None, "slowest": None, "recent": []}
    assert "Find it with" not in output
