"""The venues' own process: it comes up, obeys, and never outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from otel_trading.demo.venue import VenueProcess, VenueProcessError

PARENT = """
import asyncio, os, signal, sys
from otel_trading.demo.venue import VenueProcess

async def main():
    async with VenueProcess() as venues:
        print(venues.pid, flush=True)
        if sys.argv[1] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if sys.argv[1] == "raise":
            raise SystemExit(3)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_for_end(pid: int, within: float = 5.0) -> None:
    deadline = time.monotonic() + within
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(pid)


def run_parent(how: str) -> tuple[subprocess.Popen[str], int]:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, how], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    return parent, int(parent.stdout.readline())


async def test_the_child_ends_with_its_context() -> None:
    """Both venues answer while it is open; afterwards the process is gone."""
    async with VenueProcess(seed=5) as venues:
        pid = venues.pid
        async with aiohttp.ClientSession() as session:
            for url in (f"{venues.spot_url}/api/v3/ping", f"{venues.perp_url}/fapi/v1/ping"):
                async with session.get(url) as response:
                    assert await response.json() == {}
        assert is_alive(pid)
    assert not is_alive(pid)


@pytest.mark.parametrize("how", ["kill", "raise"])
def test_no_child_is_left_behind(how: str) -> None:
    """Whether the parent is killed outright or leaves with an error."""
    parent, pid = run_parent(how)
    with parent:
        parent.wait(10)
        wait_for_end(pid)
    assert parent.returncode == (-signal.SIGKILL if how == "kill" else 3)


def test_an_interrupt_for_the_parent_does_not_reach_the_child() -> None:
    """The parent decides when its venues end; they still end with it."""
    parent, pid = run_parent("stay")
    with parent:
        assert os.getsid(pid) != os.getsid(parent.pid)
        parent.terminate()
        parent.wait(10)
        wait_for_end(pid)


async def test_a_broken_recording_is_reported(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The error says that the venues did not start; the child says why."""
    broken = tmp_path / "broken.gz"
    broken.write_bytes(b"not gzip")
    with pytest.raises(VenueProcessError, match="did not start"):
        async with VenueProcess(spot=broken, perp=broken):
            pass
    assert "gzip" in capfd.readouterr().err


def test_recordings_come_in_pairs() -> None:
    """One alone is refused before anything starts."""
    with pytest.raises(ValueError, match="both recordings or neither"):
        VenueProcess(spot="spot.gz")


def test_the_command_line_refuses_one_recording() -> None:
    """And says what to do."""
    command = [sys.executable, "-m", "otel_trading.demo.venue", "--spot", "spot.gz"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "give both recordings or neither" in done.stderr


async def test_control_paths_refuse_what_they_do_not_know() -> None:
    """Each with a message that says what may be asked."""
    async with VenueProcess() as venues, aiohttp.ClientSession(venues.spot_url) as session:
        for method, path, body, message in (
            ("POST", "/control/start", {"wait_for": ["candles"]}, "wait_for may name bookTicker, trade, depth"),
            ("POST", "/control/fault", {"what": 1}, 'the body must be {"fault": "..."}'),
            ("DELETE", "/control/fault?venue=moon", None, "venue may be spot, perp"),
        ):
            async with session.request(method, path, json=body) as response:
                assert response.status == 400
                assert message in (await response.json())["error"]
