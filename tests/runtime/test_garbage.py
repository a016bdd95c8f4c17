from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

import pytest

from otel_trading.runtime import garbage
from otel_trading.runtime.garbage import GarbageWatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.runtime.conftest import Captured, Start

GENERATION = "cpython.gc.generation"


@pytest.fixture
def watch(captured: Captured) -> Iterator[GarbageWatch]:
    """Measured are the collections of the test only."""
    watch = GarbageWatch(captured.meter)
    gc.disable()
    watch.install()
    yield watch
    watch.remove()
    gc.enable()


def counts(captured: Captured) -> dict[int, int]:
    return {point.attributes[GENERATION]: point.count for point in captured.points("trading.runtime.gc.duration")}


def test_every_collection_is_one_pause_of_its_generation(captured: Captured, watch: GarbageWatch) -> None:
    """Real collections are measured one by one, and none lasts longer than all of them together."""
    started = time.perf_counter()
    for generation, times in ((0, 3), (1, 2), (2, 1)):
        for _ in range(times):
            gc.collect(generation)
    elapsed = time.perf_counter() - started
    watch.drain()
    points = captured.points("trading.runtime.gc.duration")
    assert counts(captured) == {0: 3, 1: 2, 2: 1}
    assert 0 < sum(point.sum for point in points) <= elapsed
    assert all(point.min > 0 for point in points)


def test_nothing_is_recorded_during_a_collection(captured: Captured, watch: GarbageWatch) -> None:
    """A collection may begin while the metrics engine holds its lock: what it took is recorded later."""
    gc.collect()
    assert counts(captured) == {}
    watch.drain()
    watch.drain()
    assert counts(captured) == {2: 1}


def test_callback_makes_nothing_the_collector_tracks(watch: GarbageWatch) -> None:
    """Ten thousand calls do not bring the next collection nearer."""
    callback = gc.callbacks[-1]
    info = {"generation": 0, "collected": 0, "uncollectable": 0}
    before = gc.get_count()[0]
    for _ in range(10_000):
        callback("start", info)
        callback("stop", info)
    assert gc.get_count()[0] - before < 10


def test_pauses_beyond_the_ring_are_counted(captured: Captured, watch: GarbageWatch) -> None:
    """When more pauses come between two drains than are kept, the oldest are lost and their number is reported."""
    callback = gc.callbacks[-1]
    for generation in [1] * 5 + [0] * garbage.CAPACITY:
        callback("start", {})
        callback("stop", {"generation": generation})
    watch.drain()
    assert counts(captured) == {0: garbage.CAPACITY}
    assert captured.total("trading.runtime.gc.dropped") == 5


def test_end_of_a_collection_that_began_before_is_ignored(captured: Captured, watch: GarbageWatch) -> None:
    """The callback may be installed in the middle of a collection."""
    gc.callbacks[-1]("stop", {"generation": 2})
    watch.drain()
    assert counts(captured) == {}


def test_removal_takes_the_callback_out_and_loses_nothing(captured: Captured, start: Start) -> None:
    """Once stopped, collections are not measured, and what was measured before is recorded."""
    before = list(gc.callbacks)
    runtime = start(gc=True)
    start(gc=True, interval=9)
    assert len(gc.callbacks) == len(before) + 1
    gc.collect()
    runtime.stop()
    assert gc.callbacks == before
    recorded = counts(captured)
    gc.collect()
    assert counts(captured) == recorded
    assert recorded[2] >= 1


def test_collectors_own_statistics_are_counters(captured: Captured, watch: GarbageWatch) -> None:
    """Collections and objects by generation are what ``gc.get_stats`` says."""
    statistics = gc.get_stats()
    for name, key in (("collections", "collections"), ("collected_objects", "collected")):
        values = captured.by(f"cpython.gc.{name}", GENERATION)
        assert values == {generation: each[key] for generation, each in enumerate(statistics)}
    assert captured.total("cpython.gc.uncollectable_objects") == sum(each["uncollectable"] for each in statistics)
