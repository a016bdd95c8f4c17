"""The bot's process: CPU, memory, threads, and whether its event loops answer."""

from __future__ import annotations

import gc
import os
import threading
import time
from typing import TYPE_CHECKING

from otel_trading.ops.cockpit.values import Tree, known, number, words

if TYPE_CHECKING:
    from otel_trading.runtime import Runtime

_STATM = "/proc/self/statm"
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4_096
_RESIDENT = 1
"""The place of the resident pages among the figures of ``/proc/self/statm``."""


class Process:
    """Reads what the system says of the process, which takes some 30 µs."""

    def __init__(self) -> None:
        self._before: tuple[float, float] | None = None
        self.cpu: float | None = None
        """CPUs in use: 1.0 is one of them all the time."""
        self.memory: int | None = None
        """Bytes of physical memory."""

    def measure(self) -> None:
        """Look, about once a second."""
        now, used = time.monotonic(), time.process_time()
        before, self._before = self._before, (now, used)
        if before is not None and now > before[0]:
            self.cpu = (used - before[1]) / (now - before[0])
        self.memory = _resident()

    def section(self) -> Tree:
        """What is known of it."""
        load = os.getloadavg() if hasattr(os, "getloadavg") else (None,)
        return known(
            pid=os.getpid(),
            cpu=number(self.cpu, 3),
            cpus=os.cpu_count(),
            memory=self.memory,
            threads=threading.active_count(),
            load=number(load[0], 2),
            collections=sum(each["collections"] for each in gc.get_stats()),
        )


def loops(runtime: Runtime) -> Tree:
    """By how many seconds each event loop is late at this moment, and from when on it counts as stalled."""
    threshold = runtime.options.stall_threshold
    return {
        words(thread, 60) or "-": {"late": round(max(0.0, late), 3), "stalled": late > threshold}
        for thread, late in runtime.loops.overdue().items()
    }


def _resident() -> int | None:
    try:
        with open(_STATM, encoding="ascii") as file:  # noqa: PTH123 - a path made anew each second is no gain
            return int(file.read().split()[_RESIDENT]) * _PAGE
    except (OSError, ValueError, IndexError):
        return None
