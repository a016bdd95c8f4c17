"""Timing to be trusted on a noisy machine: short repeats in turn, minimum and median, the empty loop taken off."""

from __future__ import annotations

import gc
import statistics
import timeit
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SLICE_SECONDS = 0.001_2
"""Shorter than a scheduler's slice: a repeat is either undisturbed, or the minimum leaves it out."""


_TRIAL = 50


@dataclass(frozen=True, slots=True)
class Cost:
    """Nanoseconds a call, net of the empty loop."""

    minimum: float
    median: float


def measure(calls: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, Cost]:
    """The cost of each call; all are timed in turn in every repeat."""
    timers = {"": timeit.Timer("pass")} | {name: timeit.Timer("f()", globals={"f": f}) for name, f in calls.items()}
    loops = {name: _loops(timer) for name, timer in timers.items()}
    taken: dict[str, list[float]] = {name: [] for name in timers}
    gc.disable()
    try:
        for _ in range(repeats):
            for name, timer in timers.items():
                taken[name].append(timer.timeit(loops[name]) / loops[name] * 1e9)
    finally:
        gc.enable()
    empty = min(taken.pop(""))
    return {name: Cost(min(times) - empty, statistics.median(times) - empty) for name, times in taken.items()}


def _loops(timer: timeit.Timer) -> int:
    elapsed = timer.timeit(_TRIAL)
    return max(1, int(_TRIAL * SLICE_SECONDS / max(elapsed, 1e-9)))
