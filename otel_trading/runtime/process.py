"""The bot's own process: CPU, memory, threads, descriptors, context switches."""

from __future__ import annotations

import os
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from otel_trading.runtime.readings import Observations, Psutil, Row, by, one

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.runtime.thresholds import Thresholds

_MODE = "cpu.mode"

SUSTAINED = 60.0
"""Seconds over which CPU is compared with its threshold: a burst, as when a bot loads its history, is no trouble."""

_DESCRIPTORS = Path("/proc/self/fd")
_MOST_DESCRIPTORS = 2_000
"""So many take about a millisecond to look at."""

ROWS = (
    Row("process.cpu.time", "counter", "s", "CPU seconds of the process, by mode."),
    Row("process.cpu.utilization", "gauge", "1", "CPU time of the process, as a share of the CPUs it may use."),
    Row("process.memory.usage", "up_down_counter", "By", "Physical memory in use by the process."),
    Row("process.memory.virtual", "up_down_counter", "By", "Virtual memory of the process."),
    Row("process.thread.count", "up_down_counter", "{thread}", "Threads of the process."),
    Row("process.open_file_descriptor.count", "up_down_counter", "{file_descriptor}", "Open file descriptors."),
    Row("process.socket.count", "up_down_counter", "{socket}", "Open sockets of the process."),
    Row("process.open_file.count", "up_down_counter", "{file}", "Open files of the process, devices left out."),
    Row("process.context_switches", "counter", "{context_switch}", "Context switches of the process, by type."),
)


class ProcessSampler:
    """Reads the process's resources through psutil, and compares them with their thresholds."""

    def __init__(
        self,
        psutil: Psutil,
        thresholds: Thresholds,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._process = psutil.Process()
        self._thresholds = thresholds
        self._clock = clock
        self._cpu_before: tuple[float, float, float] | None = None
        self._cpu_history: deque[tuple[float, float]] = deque()

    def cpu(self) -> dict[str, Observations]:
        """CPU time, and its share since the last call; the first call has nothing to compare with."""
        now, times = self._clock(), self._process.cpu_times()
        readings = {"process.cpu.time": by(_MODE, {"user": times.user, "system": times.system})}
        before, self._cpu_before = self._cpu_before, (now, times.user, times.system)
        self._compare_cpu(now, times.user + times.system)
        if before is None or now <= before[0]:
            return readings
        elapsed = now - before[0]
        user, system = max(0.0, times.user - before[1]), max(0.0, times.system - before[2])
        share = elapsed * usable_cpus()
        return {**readings, "process.cpu.utilization": by(_MODE, {"user": user / share, "system": system / share})}

    def _compare_cpu(self, now: float, used: float) -> None:
        history = self._cpu_history
        history.append((now, used))
        while len(history) > 1 and now - history[1][0] >= SUSTAINED:
            history.popleft()
        since, used_before = history[0]
        if now - since >= SUSTAINED:
            self._thresholds.check("process.cpu", (used - used_before) / (now - since))

    def memory(self) -> dict[str, Observations]:
        """Physical and virtual memory."""
        memory = self._process.memory_info()
        self._thresholds.check("process.memory", memory.rss)
        return {"process.memory.usage": one(memory.rss), "process.memory.virtual": one(memory.vms)}

    def threads(self) -> dict[str, Observations]:
        """Threads, also those that Python knows nothing of."""
        return {"process.thread.count": one(self._process.num_threads())}

    def descriptors(self) -> dict[str, Observations]:
        """Open file descriptors."""
        count = self._process.num_fds()
        self._thresholds.check("process.file_descriptors", count)
        return {"process.open_file_descriptor.count": one(count), **_by_kind(count)}

    def context_switches(self) -> dict[str, Observations]:
        """How often the process gave the CPU away, and how often it was taken."""
        switches = self._process.num_ctx_switches()
        counts = {"voluntary": switches.voluntary, "involuntary": switches.involuntary}
        return {"process.context_switches": by("process.context_switch.type", counts)}


def _by_kind(count: int) -> dict[str, Observations]:
    """Sockets and files among the descriptors, where the system lists them and they are not too many to look at."""
    if count > _MOST_DESCRIPTORS or not _DESCRIPTORS.is_dir():
        return {}
    sockets = files = 0
    for descriptor in _DESCRIPTORS.iterdir():
        try:
            target = os.readlink(descriptor)  # noqa: PTH115 - what it points to may be no path
        except OSError:  # closed meanwhile
            continue
        sockets += target.startswith("socket:")
        files += target.startswith("/") and not target.startswith(("/dev/", "/proc/"))
    return {"process.socket.count": one(sockets), "process.open_file.count": one(files)}


def usable_cpus() -> int:
    """CPUs this process may run on.

    >>> usable_cpus() >= 1
    True
    """
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
