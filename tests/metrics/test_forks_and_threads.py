from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import Counter, Histogram, UpDownCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader

from otel_trading.metrics.native import Aggregation, NativeMeterProvider, NativeReader
from tests.forks import WAIT, in_child

if TYPE_CHECKING:
    from collections.abc import Callable

DELTA: dict[type, AggregationTemporality] = dict.fromkeys(
    (Counter, Histogram, UpDownCounter), AggregationTemporality.DELTA
)
THREADS, TIMES = 4, 5_000


def points(reader: NativeReader) -> dict[str, list[tuple[Any, ...]]]:
    """All points by metric."""
    return {name: list(found) for _, name, *_, found in reader.collect(WAIT).metrics()}


def hammer(work: Callable[[int], None], beside: Callable[[], object], times: int = TIMES) -> None:
    """Work in several threads, doing something else meanwhile."""

    def repeat(number: int) -> None:
        for _ in range(times):
            work(number)

    threads = [threading.Thread(target=repeat, args=(number,)) for number in range(THREADS)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            beside()
        for thread in threads:
            thread.join(WAIT)
    finally:
        sys.setswitchinterval(before)


def test_totals_are_exact_while_snapshots_are_taken() -> None:
    """Threads measure, bound and not, while deltas are collected: every measurement is in exactly one of them."""
    readers = [NativeReader(temporality="delta", histogram=Aggregation("exponential")) for _ in range(2)]
    total = NativeReader(histogram=Aggregation("explicit", (1.0, 2.0)))
    provider = NativeMeterProvider([*readers, total])
    meter = provider.get_meter("bot")
    counter: Any = meter.create_counter("frames")
    histogram: Any = meter.create_histogram("decide")
    up_down: Any = meter.create_up_down_counter("open")
    handles = [(counter.bind({"t": n}), histogram.bind({"t": n})) for n in range(THREADS)]
    sums: list[dict[str, Any]] = [{"frames": 0, "decide": 0, "buckets": 0, "sum": 0.0} for _ in readers]

    def work(number: int) -> None:
        counter.add(1, {"t": number})
        handles[number][0].add(2)
        histogram.record(1.5, {"t": number})
        handles[number][1].record(3.0)
        up_down.add(1)
        up_down.add(-1)

    def collect() -> None:
        for reader, seen in zip(readers, sums, strict=True):
            found = points(reader)
            seen["frames"] += sum(point[3] for point in found.get("frames", ()))
            for point in found.get("decide", ()):
                seen["decide"] += point[3]
                seen["sum"] += point[4]
                seen["buckets"] += sum(point[9][1])

    hammer(work, collect)
    collect()
    assert provider.dropped() == {}
    measured = THREADS * TIMES
    expected = {"frames": 3 * measured, "decide": 2 * measured, "buckets": 2 * measured, "sum": 4.5 * measured}
    assert sums == [expected, expected]
    everything = points(total)
    assert sum(point[3] for point in everything["frames"]) == 3 * measured
    assert [point[8] for point in everything["decide"]] == [(0, TIMES, TIMES)] * THREADS
    assert everything["open"][0][3] == 0


def test_nothing_is_lost_to_garbage_collections() -> None:
    """Python code that a garbage collection runs, at whatever allocation, lets other threads measure."""
    reader = NativeReader()
    provider = NativeMeterProvider([reader], cardinality_limit=1_000_000)
    counter: Any = provider.get_meter("bot").create_counter("frames")
    turns = [0] * THREADS

    def work(number: int) -> None:
        turns[number] += 1
        counter.add(1, {"thread": number, "turn": turns[number]})
        counter.add(1, {"thread": number, "turns": [turns[number]]})

    def collected(phase: str, _: object) -> None:
        counter.add(1, {"phase": phase})
        time.sleep(0)

    before = gc.get_threshold()
    gc.callbacks.append(collected)
    gc.set_threshold(5)
    try:
        hammer(work, lambda: reader.collect(WAIT), times=500)
    finally:
        gc.callbacks.remove(collected)
        gc.set_threshold(*before)
    assert provider.dropped() == {}
    found = points(reader)["frames"]
    by_threads = [point[3] for point in found if "thread" in point[0]]
    assert (len(by_threads), sum(by_threads)) == (2 * THREADS * 500,) * 2


def test_the_core_runs_no_python_code() -> None:
    """Neither a measurement with plain attributes nor a collection does: other threads would measure meanwhile."""
    reader = NativeReader(histogram=Aggregation("exponential"))
    meter = NativeMeterProvider([reader]).get_meter("bot")
    counter, histogram = meter.create_counter("frames"), meter.create_histogram("decide")
    counter.add(1, {"legs": ["a", None, {"side": "buy"}], "raw": b"x"})
    collection = reader._collection
    assert collection is not None
    ran: list[str] = []

    def called(frame: Any, event: str, _: object) -> None:
        if event == "call":
            ran.append(frame.f_code.co_name)

    sys.setprofile(called)
    try:
        for value in ("kalshi", "größe", 1, 1.5, True):
            counter.add(1, {"value": value})
            histogram.record(1.5, {"value": value})
        collected = len(collection.core.collect())
    finally:
        sys.setprofile(None)
    assert collected == 11
    assert ran == []


def test_threads_may_make_what_others_use() -> None:
    """The same instruments and series, asked for by all threads at once, exist once; none is lost."""
    reader = NativeReader()
    provider = NativeMeterProvider([reader])
    made: list[set[int]] = [set() for _ in range(THREADS)]
    rounds = [0] * THREADS

    def work(number: int) -> None:
        turn = rounds[number] = rounds[number] + 1
        name = f"thing.{turn % 50}"
        counter = provider.get_meter(f"library{turn % 3}").create_counter(name)
        made[number].add(id(counter))
        counter.add(1, {"turn": turn % 7})

    hammer(work, provider.force_flush)
    assert set.union(*made) == made[0]
    assert len(made[0]) == 150
    assert sum(point[3] for _, _, *_, found in reader.collect().metrics() for point in found) == THREADS * TIMES


def test_readers_come_and_go_while_threads_measure() -> None:
    """Exchanging readers costs no measurement."""
    stays = NativeReader()
    provider = NativeMeterProvider([stays])
    counter: Any = provider.get_meter("bot").create_counter("frames")
    bound = counter.bind({"t": "bound"})

    def work(number: int) -> None:
        counter.add(1, {"t": number})
        bound.add(1)

    def exchange() -> None:
        reader = NativeReader(temporality="delta", histogram=Aggregation("exponential"))
        provider.add_metric_reader(reader)
        reader.collect(WAIT)
        provider.remove_metric_reader(reader)

    hammer(work, exchange)
    assert provider.dropped() == {}
    assert sum(point[3] for point in points(stays)["frames"]) == 2 * THREADS * TIMES


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
def test_a_forked_child_begins_at_zero(temporality: Any) -> None:
    """The child reports only what it measured, from its own start; the parent goes on as if nothing had been."""
    reader = NativeReader(temporality=temporality, histogram=Aggregation("exponential"))
    provider = NativeMeterProvider(
        [reader], {"service.instance.id": "parent", "service.name": "bot"}, callback_timeout=WAIT
    )
    meter = provider.get_meter("bot")
    counter: Any = meter.create_counter("frames")
    histogram: Any = meter.create_histogram("decide")
    bound = counter.bind({"venue": "kalshi"})
    meter.create_observable_gauge("pid", [lambda _: [Observation(os.getpid())]])
    bound.add(5)
    histogram.record(2)
    before = points(reader)
    bound.add(1)

    def child() -> Any:
        idle = points(reader)
        bound.add(10)
        counter.add(20, {"venue": "kalshi"})
        histogram.record(4)
        meter.create_counter("new").add(1)
        return idle, points(reader), os.getpid(), provider._reporter.sdk.attributes["service.instance.id"]

    idle, seen, pid, instance = in_child(child)
    assert set(idle) == {"pid"}
    assert [(point[0], point[3]) for point in seen["frames"]] == [({"venue": "kalshi"}, 30)]
    assert seen["frames"][0][1] > before["frames"][0][2]
    assert [point[3:7] for point in seen["decide"]] == [(1, 4.0, 4.0, 4.0)]
    assert [point[3] for point in seen["pid"]] == [pid]
    assert [point[3] for point in seen["new"]] == [1]
    assert instance != "parent"
    bound.add(1)
    after = points(reader)
    assert after["frames"][0][3] == (7 if temporality == "cumulative" else 2)
    assert after["pid"][0][3] == os.getpid()
    assert provider._reporter.sdk.attributes["service.instance.id"] == "parent"


def test_a_fork_in_the_middle_of_everything() -> None:
    """Forks while others measure, collect, create and hang in callbacks: each child works, the parent is exact."""
    readers: list[Any] = [InMemoryMetricReader(DELTA), NativeReader(histogram=Aggregation("exponential"))]
    provider = NativeMeterProvider(readers, callback_timeout=0.02)
    meter = provider.get_meter("bot")
    counter: Any = meter.create_counter("frames")
    gate = threading.Event()
    parent = os.getpid()
    meter.create_observable_gauge("hangs", [lambda _: [Observation(int(os.getpid() != parent or gate.wait(WAIT)))]])
    stop = threading.Event()
    measured = [0]
    sent = [0]

    def measure() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            meter.create_counter(f"made.{number % 20}").add(1, {"n": number % 50})
            counter.add(1)
            measured[0] += 1

    def collect() -> None:
        while not stop.is_set():
            data = readers[0].get_metrics_data()
            sent[0] += frames(data)
            readers[1].collect(WAIT)

    threads = [threading.Thread(target=work, daemon=True) for work in (measure, collect)]
    for thread in threads:
        thread.start()

    def child() -> Any:
        provider._observer.patience = WAIT
        counter.add(3)
        counter.add(4)
        values = points(readers[1])
        return frames(readers[0].get_metrics_data()), values["frames"][0][3], [point[3] for point in values["hangs"]]

    try:
        for _ in range(20):
            assert in_child(child) == (7, 7, [1])
    finally:
        stop.set()
        gate.set()
        for thread in threads:
            thread.join(WAIT)
    sent[0] += frames(readers[0].get_metrics_data())
    assert sent[0] == measured[0] == points(readers[1])["frames"][0][3] > 0


def frames(data: Any) -> int:
    """The value of the counter ``frames`` in what an SDK reader got."""
    metrics = [metric for scope in data.resource_metrics[0].scope_metrics for metric in scope.metrics] if data else []
    return sum(point.value for metric in metrics if metric.name == "frames" for point in metric.data.data_points)


def test_neither_importing_nor_making_a_provider_imports_the_sdk() -> None:
    """With our own readers and rules the SDK is not needed, and no thread is started before the first collection."""
    source = """
import sys, threading
import otel_trading._native
import otel_trading.metrics.native as native
from opentelemetry.metrics import Observation
reader = native.NativeReader()
provider = native.NativeMeterProvider([reader], views=[native.Rule(instrument="b", name="c")], callback_timeout=30)
meter = provider.get_meter("bot")
meter.create_counter("a").add(1)
meter.create_histogram("b", "s").record(1, {"legs": ["x"]})
meter.create_observable_gauge("d", [lambda _: [Observation(1)]])
assert threading.active_count() == 1
assert len(reader.collect()) == 3
provider.shutdown()
print([name for name in sys.modules if name.startswith("opentelemetry.sdk")])
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False, timeout=WAIT)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_process_may_end_while_a_callback_hangs() -> None:
    """A hanging callback neither keeps the interpreter from ending nor costs the other metrics of the last push."""
    source = """
import time
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
from otel_trading.metrics.native import NativeMeterProvider
exporter = ConsoleMetricExporter(formatter=lambda data: data.to_json(indent=None))
reader = PeriodicExportingMetricReader(exporter, 3_600_000)
provider = NativeMeterProvider([reader], callback_timeout=0.05, shutdown_on_exit=True)
meter = provider.get_meter("bot")
meter.create_observable_gauge("hangs", [lambda _: time.sleep(3_600)])
meter.create_counter("frames").add(3)
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False, timeout=WAIT)
    assert '"frames"' in done.stdout
    assert done.stderr.count("\n") == 1
    assert "'hangs' takes longer than 0.05 s" in done.stderr
