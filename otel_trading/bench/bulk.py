"""Rows on export: many series collected and encoded, each contender in a process of its own."""

from __future__ import annotations

import json
import os
import statistics
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from otel_trading.bench import fresh
from otel_trading.bench.contenders import CONTENDERS, OURS, PROMETHEUS, SDK, NotThereError
from otel_trading.bench.model import Column, Goal, Outcome, Row, Section

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.bench.model import Bench
    from otel_trading.bench.timing import Clock

BULK = Section(
    "Export of many series",
    (
        Column("series", "series"),
        Column("cpu_ms", "CPU ms"),
        Column("series_us", "µs/series", 2),
        Column("gil_ms", "GIL ms", 2),
        Column("bytes", "B/series"),
    ),
    "collected and encoded; GIL: the longest time for which another thread could not run",
)

_CHILD = "import sys; from otel_trading.bench.bulk import child; child(sys.argv[1], int(sys.argv[2]))"
_RUNS = 5
_SLOW = {PROMETHEUS: 10}
"""Who takes so long that it gets only this fraction of the series."""


def bulk(name: str, *, goals: tuple[Goal, ...]) -> Row:
    """A row of ``Effort.series`` series."""
    return Row(name, BULK, _collected, goals)


def child(who: str, series: int) -> None:
    """Measure one contender in this process, and print its figures."""
    collect = CONTENDERS[who]("http://127.0.0.1:1").encoder(series)
    size, cpu, holds = collect(), [], []
    for _ in range(_RUNS):
        started = time.process_time_ns()
        collect()
        cpu.append(time.process_time_ns() - started)
        holds.append(longest_hold(collect))
    figures = {
        "series": series,
        "cpu_ms": min(cpu) / 1e6,
        "series_us": min(cpu) / 1e3 / series,
        "gil_ms": statistics.median(holds) / 1e6,
        "bytes": size / series,
    }
    sys.stdout.write(json.dumps(figures) + "\n")


def longest_hold(job: Callable[[], object]) -> int:
    """Nanoseconds for which ``job``, in this thread, kept another thread from running at most.

    The other thread does nothing but look at the clock. What the operating system does is not the job's: a gap counts
    only as far as this thread used the CPU meanwhile, and without the time that the other one waited for a processor.
    """
    mine = time.pthread_getcpuclockid(threading.get_ident())
    waited = Waited()
    watch = Watch(time.perf_counter_ns, lambda: time.clock_gettime_ns(mine), waited)
    watcher = threading.Thread(target=watch.run, daemon=True)
    watcher.start()
    watch.started.wait()
    job()
    watch.ended = True
    watcher.join()
    waited.close()
    return watch.longest


@dataclass(slots=True)
class Watch:
    """Looks at two clocks, the wall's and the watched thread's, until ``ended``; keeps the longest common gap.

    ``waited`` is how long the one who looks has waited for a processor; it is taken off the wall's.
    """

    wall: Clock
    cpu: Clock
    waited: Clock
    longest: int = 0
    ended: bool = False
    started: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        waited, wall, cpu = self.waited(), self.wall(), self.cpu()
        self.started.set()
        while not self.ended:
            # the waiting time first: its system call may have to wait for the GIL, the clocks' do not
            waited_now, wall_now, cpu_now = self.waited(), self.wall(), self.cpu()
            self.longest = max(self.longest, min(wall_now - wall - (waited_now - waited), cpu_now - cpu))
            waited, wall, cpu = waited_now, wall_now, cpu_now


class Waited:
    """Nanoseconds for which the thread that asks first could have run but had no processor; 0 where nobody tells."""

    def __init__(self) -> None:
        self._file: int | None = None

    def __call__(self) -> int:
        try:
            if self._file is None:
                self._file = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
            return int(os.pread(self._file, 100, 0).split()[1])
        except OSError:
            return 0

    def close(self) -> None:
        """Forget the thread."""
        if self._file is not None:
            os.close(self._file)


def _collected(bench: Bench) -> Outcome:
    outcome = Outcome()
    for who in (OURS, PROMETHEUS, SDK):
        try:
            bench.contender(who)
            outcome.figures[who] = fresh.run(_CHILD, who, str(bench.effort.series // _SLOW.get(who, 1)))
        except NotThereError as error:
            outcome.left_out[who] = str(error)
        except RuntimeError as error:
            outcome.failed[who] = str(error)
    return outcome
