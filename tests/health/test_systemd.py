"""Telling systemd, over a real socket of datagrams."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from otel_trading.health.monitor import HealthMonitor
from otel_trading.health.surroundings import Surroundings
from otel_trading.health.systemd import Systemd
from otel_trading.ops.thread import OpsThread
from otel_trading.runtime.loop import LoopState
from tests.core.started_bots import StartedBot
from tests.health.conftest import eventually, settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Manager:
    """What systemd is for a service: a socket, and what came in."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.got: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.settimeout(0.05)
        self._over = False
        self._thread = threading.Thread(target=self._take)
        self._thread.start()

    def _take(self) -> None:
        while not self._over:
            with contextlib.suppress(TimeoutError):
                lines = self._socket.recv(65_536).decode().splitlines()
                self.got.extend(lines)

    def close(self) -> None:
        self._over = True
        self._thread.join()
        self._socket.close()

    def count(self, line: str) -> int:
        """How often a line came in."""
        return self.got.count(line)

    def last_status(self) -> str:
        """What it would show."""
        return next((line for line in reversed(self.got) if line.startswith("STATUS=")), "")


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    """One that listens at a path, or at an abstract address."""
    address = f"{tmp_path}/notify" if request.param == "path" else f"@otel-trading-test-{os.getpid()}-{tmp_path.name}"
    made = Manager(address)
    yield made
    made.close()


def test_a_bot_is_ready_pings_and_ends(manager: Manager) -> None:
    """READY once, a status at each change, pings, STOPPING."""
    systemd = Systemd({"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "200000"})
    monitor, thread = HealthMonitor(systemd=systemd), OpsThread()
    monitor.apply(settings(health_interval=0.02))
    monitor.not_ready("warming up")
    thread.house([monitor])
    assert eventually(lambda: manager.count("WATCHDOG=1") > 2)
    assert manager.count("READY=1") == 0
    assert manager.last_status() == "STATUS=healthy, not ready: warming up"
    monitor.ready()
    assert eventually(lambda: manager.count("READY=1"))
    monitor.component("model", critical=True).down("no\nweights")
    assert eventually(lambda: manager.last_status() == "STATUS=down, not ready: model is down: no weights")
    with monitor.reloading():
        assert eventually(lambda: manager.count("RELOADING=1"))
        assert any(line.startswith("MONOTONIC_USEC=") for line in manager.got)
    assert eventually(lambda: manager.count("READY=1") == 2)
    pings = manager.count("WATCHDOG=1")
    assert eventually(lambda: manager.count("WATCHDOG=1") > pings)  # down is no reason to be restarted
    monitor.shutting_down("SIGTERM")
    monitor.shutting_down("again")
    assert thread.close(30)
    assert eventually(lambda: manager.last_status() == "STATUS=it ends: SIGTERM")
    assert (manager.count("STOPPING=1"), manager.count("READY=1")) == (1, 2)


@pytest.mark.parametrize("checked", [True, False])
def test_a_stuck_loop_ends_the_pings(checked: bool, tmp_path: Path) -> None:
    """While it is stuck, if that is wanted; they go on when it answers again."""
    manager = Manager(f"{tmp_path}/notify")
    loops = [LoopState("MainThread", 0.0, ())]
    systemd = Systemd({"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "100000"})
    monitor, thread = HealthMonitor(Surroundings(loops=lambda: loops), systemd=systemd), OpsThread()
    monitor.apply(settings(health_interval=0.02, health_watchdog_loops=checked))
    thread.house([monitor])
    try:
        assert eventually(lambda: manager.count("WATCHDOG=1"))
        loops[0] = LoopState("MainThread", 60.0, ("bot.py:7 decide",))
        assert eventually(lambda: "stuck for 60.0 s in bot.py:7 decide" in manager.last_status())
        time.sleep(0.1)
        before = manager.count("WATCHDOG=1")
        time.sleep(0.3)
        assert (manager.count("WATCHDOG=1") == before) is checked
        loops[0] = LoopState("MainThread", 0.0, ())
        assert eventually(lambda: manager.count("WATCHDOG=1") > before)
    finally:
        assert thread.close(30)
        manager.close()


def test_nobody_is_told_where_nobody_listens(tmp_path: Path) -> None:
    """No socket, one that is gone, one that is full, an address that cannot be: nothing raises or waits."""
    assert not Systemd({}).notify("READY=1")
    assert not Systemd({"NOTIFY_SOCKET": "vsock:2:1"}).on
    assert not Systemd({"NOTIFY_SOCKET": f"{tmp_path}/gone"}).notify("READY=1")
    assert not Systemd({"NOTIFY_SOCKET": "/" + "x" * 200}).notify("READY=1")
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as full:
        full.bind(f"{tmp_path}/full")
        systemd = Systemd({"NOTIFY_SOCKET": f"{tmp_path}/full"})
        assert not all(systemd.notify("READY=1") for _ in range(100_000))


def test_the_watchdog_is_for_the_process_that_is_watched() -> None:
    """Not for a child of it; and nonsense is none."""
    here = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "30000000"}
    assert Systemd({**here, "WATCHDOG_PID": str(os.getpid())}).period == 30
    assert Systemd({**here, "WATCHDOG_PID": "1"}).period is None
    assert Systemd({**here, "WATCHDOG_USEC": "soon"}).period is None
    assert Systemd({**here, "WATCHDOG_USEC": "0"}).period is None
    assert Systemd({"WATCHDOG_USEC": "30000000"}).period is None


def test_it_says_what_systemds_own_tool_says(tmp_path: Path) -> None:
    """The same datagrams as systemd-notify sends."""
    tool = shutil.which("systemd-notify")
    if tool is None:
        pytest.skip("systemd-notify is not installed; run: apt-get install systemd")
    manager = Manager(f"{tmp_path}/notify")
    try:
        subprocess.run(
            [tool, "--no-block", "--ready", "--status=healthy"],
            env={"NOTIFY_SOCKET": manager.address},
            check=True,
            timeout=60,
        )
        assert eventually(lambda: len(manager.got) >= 2)
        theirs, manager.got = sorted(line for line in manager.got if line.startswith(("READY", "STATUS"))), []
        Systemd({"NOTIFY_SOCKET": manager.address}).notify("READY=1", "STATUS=healthy")
        assert eventually(lambda: sorted(manager.got) == theirs)
    finally:
        manager.close()


def test_a_real_bot_tells_its_manager(tmp_path: Path) -> None:
    """From its environment: ready, pings, none while its loop is stuck, and the end. A child of it is silent."""
    manager = Manager(f"{tmp_path}/notify")
    source = """
import asyncio, os, sys, time
import otel_trading as ot
telemetry = ot.configure(traces_exporter="none", metrics_exporter="none", logs_exporter="none",
                         health_interval=0.05, health_stuck_after=1.0)
async def main():
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    time.sleep(4)
    print("answers again", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
asyncio.run(main())
if os.fork() == 0:
    time.sleep(0.5)
    os._exit(0)
os.wait()
telemetry.shutdown()
"""
    variables = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "200000"}
    try:
        with StartedBot(source, tmp_path, **variables) as bot:
            assert bot.process.stdin is not None
            bot.ready()
            assert eventually(lambda: manager.count("READY=1") == 1 and manager.count("WATCHDOG=1") > 2)
            print(file=bot.process.stdin, flush=True)
            assert eventually(lambda: "stuck for" in manager.last_status())
            time.sleep(0.3)
            before = manager.count("WATCHDOG=1")
            time.sleep(0.5)
            assert manager.count("WATCHDOG=1") == before
            assert bot.line() == "answers again"
            assert eventually(lambda: manager.count("WATCHDOG=1") > before)
            print(file=bot.process.stdin, flush=True)
            assert bot.ended()[0] == 0
        assert eventually(lambda: manager.count("STOPPING=1"))
        assert (manager.count("STOPPING=1"), manager.count("READY=1")) == (1, 1)
    finally:
        manager.close()


def test_pings_end_with_the_resident() -> None:
    """Nothing of it stays behind."""
    monitor = HealthMonitor(systemd=Systemd({}))

    async def run() -> None:
        living = asyncio.create_task(monitor.live())
        await asyncio.sleep(0.05)
        living.cancel()
        await asyncio.wait({living})
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(run())
