"""Single keys that switch faults on, where the demo has a terminal to read them from."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
import tty
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry.instrumentation.utils import suppress_http_instrumentation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.demo.runner import Run

FAULTS = {
    "d": "disconnect:perp",
    "s": "silent:perp:10s",
    "a": "slow_ack:spot:500ms:10s",
    "r": "reject:perp:1:10s",
    "k": "clock_skew:perp:-1270ms:10s",
}
HINT = "faults: d disconnect, s silent, a slow ack, r rejects, k clock skew, c clear · q ends the run"


@contextmanager
def pressed(run: Run) -> Iterator[bool]:
    """Act on keys while the block runs; yields whether there are any."""
    if not _in_foreground():
        yield False
        return
    loop, terminal = asyncio.get_running_loop(), sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tasks: set[asyncio.Task[None]] = set()

    def read() -> None:
        for key in os.read(terminal, 64).decode(errors="ignore"):
            if key == "q":
                run.stop()
            elif key in FAULTS or key == "c":
                task = asyncio.create_task(_act(run, key))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

    tty.setcbreak(terminal)
    loop.add_reader(terminal, read)
    try:
        yield True
    finally:
        loop.remove_reader(terminal)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _in_foreground() -> bool:
    """Whether there is a terminal, and it is ours to read from."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        return os.getpgrp() == os.tcgetpgrp(sys.stdin.fileno())
    except OSError:
        return False


async def _act(run: Run, key: str) -> None:
    if run.venues is None or not run.venues.urls:
        return
    if key == "c":
        with suppress_http_instrumentation():
            await run.venues.switch_off()
    else:
        await run.switch_on(FAULTS[key])
