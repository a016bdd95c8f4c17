"""Pauses of the garbage collector.

A collection can begin at any allocation, also inside a metrics engine that holds a lock. So the callback records
nothing: it leaves a number in a list made before, and the runtime thread records it later.
"""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

from opentelemetry.metrics import Observation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.metrics import CallbackOptions, Meter

CAPACITY = 8192
"""Pauses kept between two drains, a power of two; far more than a second can hold at usual rates."""

_GENERATION = "cpython.gc.generation"
_GENERATION_BITS = 2
_STATISTICS = (
    ("cpython.gc.collections", "collections", "{collection}", "Collections, by generation."),
    ("cpython.gc.collected_objects", "collected", "{object}", "Objects collected, by generation."),
    ("cpython.gc.uncollectable_objects", "uncollectable", "{object}", "Objects that cannot be collected."),
)


class GarbageWatch:
    """Measures every collection as ``trading.runtime.gc.duration``."""

    def __init__(self, meter: Meter, clock_ns: Callable[[], int] = time.perf_counter_ns) -> None:
        self.duration = meter.create_histogram(
            "trading.runtime.gc.duration", "s", "Time the interpreter stood still for a garbage collection."
        )
        self._lost = meter.create_counter(
            "trading.runtime.gc.dropped", "{pause}", "Pauses that came faster than they were recorded."
        )
        self._ring = [0] * CAPACITY
        self._callback, self._written = _recorder(self._ring, clock_ns)
        self._attributes = [{_GENERATION: generation} for generation in range(1 << _GENERATION_BITS)]
        self._read = 0
        for name, key, unit, description in _STATISTICS:
            meter.create_observable_counter(name, [_statistic(key)], unit, description)

    def install(self) -> None:
        """Measure from now on; a second time does nothing."""
        if self._callback not in gc.callbacks:
            self._read = self._written()
            gc.callbacks.append(self._callback)

    def remove(self) -> None:
        """Measure no more; what is measured already is recorded."""
        if self._callback in gc.callbacks:
            gc.callbacks.remove(self._callback)
            self.drain()

    def drain(self) -> None:
        """Record what was measured since the last time; not for two threads at once."""
        written = self._written()
        lost = max(0, written - self._read - CAPACITY)
        if lost:
            self._lost.add(lost)
        for position in range(self._read + lost, written):
            pause = self._ring[position % CAPACITY]
            generation = self._attributes[pause & ((1 << _GENERATION_BITS) - 1)]
            self.duration.record((pause >> _GENERATION_BITS) * 1e-9, generation)
        self._read = written

    def restart_in_child(self) -> None:
        """Leave to the parent what it measured and did not record yet."""
        self._read = self._written()


def _recorder(
    ring: list[int], clock_ns: Callable[[], int]
) -> tuple[Callable[[str, dict[str, int]], None], Callable[[], int]]:
    """The callback, and how many pauses it left in the ring.

    Both phases of a collection come from one thread and no other collection begins between them. All the callback
    makes is an int, which is nothing the collector tracks: it cannot set off a collection of its own.
    """
    mask = len(ring) - 1
    started = written = 0

    def on_collection(phase: str, info: dict[str, int]) -> None:
        nonlocal started, written
        if phase == "start":
            started = clock_ns()
        elif started:
            ring[written & mask] = clock_ns() - started << _GENERATION_BITS | info["generation"]
            written += 1
            started = 0

    return on_collection, lambda: written


def _statistic(key: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_: CallbackOptions) -> Iterable[Observation]:
        return [
            Observation(statistics[key], {_GENERATION: generation})
            for generation, statistics in enumerate(gc.get_stats())
        ]

    return observe
