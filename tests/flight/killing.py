"""Killing bots at any moment: the same moments each time, several bots at once."""

from __future__ import annotations

import os
import random
import signal
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from otel_trading import _native
from tests.flight.conftest import environment, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KILLS = int(os.environ.get("FLIGHT_KILLS", "60"))
_AT_ONCE = 3

Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class Killed:
    """A bot that was killed: the two numbers in its shared memory, and what it recorded."""

    counters: tuple[int, int]
    recording: _native.Recording


def outcomes(
    kill: Callable[[Path, float], Outcome], place: Path, *, seed: int, kills: int, longest: float
) -> list[Outcome]:
    """What becomes of so many bots, each killed within ``longest`` seconds in a folder of its own."""
    delays = random.Random(seed)  # noqa: S311 - the same moments each time
    moments = [delays.uniform(0, longest) for _ in range(kills)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        seen = list(pool.map(lambda each: kill(place / str(each[0]), each[1]), enumerate(moments)))
    assert len(seen) == kills
    return seen


def killed(program: str, place: Path, moment: float, *arguments: object) -> Killed:
    """Kill a bot so many seconds after it has begun; nothing in its recording may be damaged."""
    counters, folder = place / "counters", place / "flight"
    counters.write_bytes(bytes(16))
    folder.mkdir()
    command = [sys.executable, "-m", program, str(folder), str(counters), *map(str, arguments)]
    bot = subprocess.Popen(command, env=environment())
    until(lambda: any(counters.read_bytes()[:8]), 30)
    time.sleep(moment)
    bot.send_signal(signal.SIGKILL)
    assert bot.wait(10) == -signal.SIGKILL
    first, second = struct.unpack("QQ", counters.read_bytes())
    (path,) = folder.iterdir()
    recording = _native.Recording(path)
    assert recording.damage == []
    return Killed((first, second), recording)
