from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
import threading
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.metrics import CallbackOptions
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

from otel_trading.metrics import event_ids
from otel_trading.metrics.event_export import EventExport
from otel_trading.metrics.events import (
    EventID,
    EventOptions,
    MetricsCollector,
    MetricType,
    correlate,
    count,
    event_id,
    event_name,
    gauge,
    measure,
    measure_async,
    observe,
    record_end,
    record_event,
    record_start,
)
from otel_trading.metrics.native.provider import NativeMeterProvider

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator, Callable, Generator, Iterator

EVERYTHING = EventOptions(sampling_threshold=0)


@pytest.fixture
def collector() -> Iterator[MetricsCollector]:
    """The collector, recording everything, from zero."""
    collector = MetricsCollector()
    collector.configure(EVERYTHING)
    collector.reset()
    yield collector
    collector.configure(EventOptions(enabled=False))
    collector.reset()


class Bracket:
    """A time that a measurement certainly covers, and one that certainly covers it."""

    def __init__(self) -> None:
        self.outer = -time.perf_counter_ns()

    def entered(self) -> None:
        self.inner = -time.perf_counter_ns()

    def leaving(self) -> None:
        self.inner += time.perf_counter_ns()

    def left(self) -> None:
        self.outer += time.perf_counter_ns()

    def holds(self, measured_ns: float) -> bool:
        return self.inner * 0.99 - 1_000 <= measured_ns <= self.outer * 1.01 + 1_000


def test_a_stage_has_percentiles_and_counts(collector: MetricsCollector) -> None:
    """A measured block shows up under its name with the documents' keys, within the time it took."""
    bracket = Bracket()
    with measure(EventID.CANDLE_PROCESSING):
        bracket.entered()
        time.sleep(0.005)
        bracket.leaving()
    bracket.left()
    stage = collector.get_statistics()["CANDLE_PROCESSING"]
    assert stage["count"] == 1
    assert stage["budget_ns"] == 50_000_000
    for key in ("p50_ns", "p95_ns", "p99_ns", "p999_ns", "mean_ns", "min_ns", "max_ns"):
        assert bracket.holds(stage[key]), key


def test_windows_show_what_happened_of_late(collector: MetricsCollector) -> None:
    """The windows of 1, 5 and 60 seconds hold what was measured before the last tick."""
    for _ in range(3):
        with measure(EventID.ORDER_FILL):
            pass
    collector.tick()
    stage = collector.get_statistics()["ORDER_FILL"]
    assert [stage["windows"][span]["count"] for span in (1, 5, 60)] == [3, 3, 3]
    assert stage["windows"][60]["max_ns"] == pytest.approx(stage["max_ns"])
    assert 0 < stage["windows"][5]["p50_ns"] <= stage["max_ns"]


def test_ends_pair_with_their_own_starts(collector: MetricsCollector) -> None:
    """Starts that end in the order they began, not the reverse, have their own durations."""
    brackets = [Bracket(), Bracket()]
    first = record_start(event_id("bot.first"))
    brackets[0].entered()
    second = record_start(event_id("bot.second"))
    brackets[1].entered()
    time.sleep(0.002)
    brackets[0].leaving()
    record_end(event_id("bot.first"), first)
    brackets[0].left()
    time.sleep(0.01)
    brackets[1].leaving()
    record_end(event_id("bot.second"), second)
    brackets[1].left()
    statistics = collector.get_statistics()
    assert brackets[0].holds(statistics["bot.first"]["max_ns"])
    assert brackets[1].holds(statistics["bot.second"]["max_ns"])


def test_one_object_measures_overlapping_tasks(collector: MetricsCollector) -> None:
    """A measure object that several tasks share gives each of them its own time."""
    shared = measure(EventID.ORDER_EXECUTION)

    async def task(bracket: Bracket, entered: asyncio.Event, leave: asyncio.Event) -> None:
        with shared:
            bracket.entered()
            entered.set()
            await leave.wait()
            bracket.leaving()
        bracket.left()

    async def overlap() -> tuple[Bracket, Bracket]:
        events = [asyncio.Event() for _ in range(4)]
        long, short = Bracket(), Bracket()
        first = asyncio.create_task(task(long, events[0], events[1]))
        await events[0].wait()
        await asyncio.sleep(0.01)
        short = Bracket()
        second = asyncio.create_task(task(short, events[2], events[3]))
        await events[2].wait()
        events[1].set()
        await first
        await asyncio.sleep(0.03)
        events[3].set()
        await second
        return long, short

    first, second = asyncio.run(overlap())
    stage = collector.get_statistics()["ORDER_EXECUTION"]
    assert stage["count"] == 2
    durations = stage["min_ns"], stage["max_ns"]
    assert any(first.holds(one) and second.holds(other) for one, other in (durations, durations[::-1]))
    assert collector.health()["open"] == 0


def test_one_object_nests_within_a_task(collector: MetricsCollector) -> None:
    """Entering an active measure object again in the same task measures the inner block, then the outer."""
    shared = measure(EventID.ORDER_EXECUTION)
    outer = Bracket()
    with shared:
        outer.entered()
        inner = Bracket()
        with shared, shared:
            inner.entered()
            inner.leaving()
        inner.left()
        time.sleep(0.01)
        outer.leaving()
    outer.left()
    stage = collector.get_statistics()["ORDER_EXECUTION"]
    assert stage["count"] == 3
    assert outer.holds(stage["max_ns"])
    assert inner.holds(stage["min_ns"])


def test_one_object_is_used_by_threads(collector: MetricsCollector) -> None:
    """Threads that enter and leave one measure object all the time lose no measurement and leave none open."""
    shared = measure(EventID.EVENT_BUS_HANDLE)

    def work() -> None:
        for _ in range(500):
            with shared:
                time.sleep(0)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert collector.get_statistics()["EVENT_BUS_HANDLE"]["count"] == 2_000
    health = collector.health()
    assert (health["open"], health["unmatched_ends"]) == (0, 0)


def test_an_exception_passes_and_is_measured(collector: MetricsCollector) -> None:
    """What a measured block or function raises is not touched, and its time is recorded."""

    @measure(EventID.SIGNAL_GENERATION)
    def fails() -> None:
        raise LookupError("on purpose")

    with pytest.raises(LookupError, match="on purpose"):
        fails()
    with pytest.raises(LookupError, match="too"), measure(EventID.SIGNAL_GENERATION):
        raise LookupError("too")
    assert collector.get_statistics()["SIGNAL_GENERATION"]["count"] == 2


async def test_decorated_functions_stay_what_they_are(collector: MetricsCollector) -> None:
    """Coroutine functions, generators, methods and plain functions keep their kind, name and signature."""

    class Bot:
        @measure_async(EventID.CANDLE_PROCESSING)
        async def on_candle(self, candle: int) -> int:
            """Double."""
            return candle * 2

        @measure(EventID.SIGNAL_GENERATION)
        def signal(self, candle: int) -> int:
            return candle + 1

    @measure_async(EventID.ORDER_FILL)
    def fills(limit: int) -> Generator[int, int, None]:
        received = yield 0
        yield received + limit

    assert inspect.iscoroutinefunction(Bot.on_candle)
    assert (Bot.on_candle.__name__, Bot.on_candle.__doc__) == ("on_candle", "Double.")
    assert list(inspect.signature(Bot.signal).parameters) == ["self", "candle"]
    assert inspect.isgeneratorfunction(fills)
    assert (await Bot().on_candle(21), Bot().signal(1)) == (42, 2)
    generator: Any = fills(5)
    assert (next(generator), generator.send(7)) == (0, 12)
    generator.close()
    counts = {name: stage["count"] for name, stage in collector.get_statistics().items()}
    assert counts == {"CANDLE_PROCESSING": 1, "SIGNAL_GENERATION": 1, "ORDER_FILL": 1}


async def test_decorated_async_generators_are_delegated_to(collector: MetricsCollector) -> None:
    """Sending, throwing and closing reach a measured async generator; its whole life is one measurement."""
    closed = []

    @measure_async(EventID.EVENT_BUS_PUBLISH)
    async def stream() -> AsyncIterator[Any]:
        try:
            try:
                received = yield "first"
                yield received
            except LookupError:
                yield "caught"
        finally:
            closed.append(True)

    assert inspect.isasyncgenfunction(stream)
    generator: Any = stream()
    assert await anext(generator) == "first"
    assert await generator.asend("sent") == "sent"
    assert await generator.athrow(LookupError()) == "caught"
    await generator.aclose()
    assert [item async for item in stream()] == ["first", None]
    assert closed == [True, True]
    assert collector.get_statistics()["EVENT_BUS_PUBLISH"]["count"] == 2


def test_counters_gauges_and_histograms(collector: MetricsCollector) -> None:
    """Amounts add up, gauges keep the last value, observed values have quantiles and may be negative."""
    ticks, pnl = event_id("bot.ticks"), event_id("bot.pnl")
    count(ticks)
    count(ticks, 2)
    count(event=ticks, amount=Decimal("0.5"))  # type: ignore[arg-type]
    record_event(ticks)
    for depth in (5, 3):
        gauge(EventID.QUEUE_BACKLOG, depth)
    for value in (-2.0, 0, 1.0):
        observe(pnl, value)
    statistics = collector.get_statistics()
    assert (statistics["bot.ticks"]["total"], statistics["bot.ticks"]["count"]) == (4.5, 4)
    assert statistics["QUEUE_BACKLOG"]["last"] == 3
    seen = statistics["bot.pnl"]
    assert (seen["min"], seen["p50"], seen["max"], seen["mean"]) == (-2.0, 0.0, 1.0, pytest.approx(-1 / 3))


@pytest.mark.parametrize("value", [None, "1", float("nan"), float("inf"), 10**400, object(), -1])
def test_unusable_values_are_counted_and_never_raised(collector: MetricsCollector, value: Any) -> None:
    """A value that is no number, or negative for a counter, costs itself."""
    count(1, value)
    assert collector.health()["invalid"] == 1
    assert collector.get_statistics() == {}


@pytest.mark.parametrize("event", [None, "candle", -1, 1_024, 2**70, 1.5])
def test_unusable_events_are_counted_and_never_raised(collector: MetricsCollector, event: Any) -> None:
    """An id that is none costs the measurement only."""
    record_end(event, record_start(event))
    record_event(event)
    gauge(event, 1.0)
    with measure(event):
        pass
    assert collector.health()["invalid"] >= 4
    assert collector.get_statistics() == {}


def test_an_end_without_its_start_is_counted(collector: MetricsCollector) -> None:
    """Ends of unknown, ended or other stages' starts make no duration."""
    token = record_start(EventID.ORDER_FILL)
    record_end(EventID.ORDER_EXECUTION, token)
    record_end(EventID.ORDER_FILL, token)
    record_end(EventID.ORDER_FILL, token)
    record_end(EventID.ORDER_FILL, 10**9)
    record_end(EventID.ORDER_FILL, "token")  # type: ignore[arg-type]
    assert collector.get_statistics()["ORDER_FILL"]["count"] == 1
    assert collector.health()["unmatched_ends"] == 3


def test_off_records_nothing_and_starts_give_no_token(collector: MetricsCollector) -> None:
    """The switch makes all calls no-ops; switched on again, recording goes on."""
    collector.enabled = False
    assert record_start(EventID.ORDER_FILL) == 0
    record_end(EventID.ORDER_FILL, 0)
    count(1)
    gauge(7, 1)
    observe(8, 1)
    with measure(2):
        pass
    assert (collector.get_statistics(), collector.current_rate) == ({}, 0.0)
    collector.enabled = True
    count(event_id("bot.ticks"))
    assert collector.get_statistics()["bot.ticks"]["total"] == 1


def test_sampled_counts_are_unbiased_and_pairs_stay_whole(collector: MetricsCollector) -> None:
    """At a rate of 0.2 weights add up to what was offered, and no start is separated from its end."""
    collector.configure(EventOptions(sampling_rate=0.2, sampling_threshold=0, sampling_seed=7))
    offered = 20_000
    for _ in range(offered):
        record_end(EventID.ORDER_FILL, record_start(EventID.ORDER_FILL))
    counted = collector.get_statistics()["ORDER_FILL"]["count"]
    assert abs(counted - offered) < 6 * (offered * 5) ** 0.5
    health = collector.health()
    assert (health["offered"], health["open"], health["unmatched_ends"]) == (offered, 0, 0)
    assert 0.75 * offered < health["skipped"] < 0.85 * offered


def test_the_same_seed_samples_the_same(collector: MetricsCollector) -> None:
    """With a seed, which events are taken is repeatable."""

    def pattern(seed: int) -> list[bool]:
        collector.configure(EventOptions(sampling_rate=0.5, sampling_threshold=0, sampling_seed=seed, buffer_size=256))
        return [record_start(1) > 0 for _ in range(64)]

    first = pattern(1)
    assert pattern(2) != first
    assert pattern(1) == first


def test_the_rate_falls_under_load_and_never_below_a_tenth(collector: MetricsCollector) -> None:
    """Far more events than the threshold a second lower the rate in force, not the base rate."""
    collector.configure(EventOptions(sampling_threshold=1.0))
    count(1)
    collector.tick()
    for _ in range(5_000):
        count(1)
    time.sleep(0.11)
    collector.tick()
    assert collector.current_rate == pytest.approx(0.1, abs=0.001)
    assert collector.sampling_rate == 1.0


def test_rates_change_at_run_time(collector: MetricsCollector) -> None:
    """The sampling rate can be set at any time; one that is no share is refused."""
    collector.sampling_rate = 0.0
    assert record_start(1) == 0
    collector.sampling_rate = 1.0
    assert record_start(1) > 0
    with pytest.raises(ValueError, match="between 0 and 1"):
        collector.sampling_rate = 1.5


def test_a_full_queue_counts_each_lost_event(collector: MetricsCollector) -> None:
    """What does not fit is dropped and counted exactly, and what was accepted is kept."""
    collector.configure(EventOptions(buffer_size=64, sampling_threshold=0))
    for _ in range(1_000):
        count(event_id("bot.ticks"))
    assert collector.get_statistics()["bot.ticks"]["total"] == 64
    health = collector.health()
    assert (health["dropped"], health["capacity"], health["utilization"]) == (936, 64, 1.0)


def test_another_buffer_size_loses_nothing(collector: MetricsCollector) -> None:
    """A queue of another size takes over while measurements are under way."""
    token = record_start(EventID.ORDER_FILL)
    count(event_id("bot.ticks"))
    collector.configure(EventOptions(buffer_size=256, sampling_threshold=0))
    record_end(EventID.ORDER_FILL, token)
    count(event_id("bot.ticks"))
    statistics = collector.get_statistics()
    assert (statistics["ORDER_FILL"]["count"], statistics["bot.ticks"]["total"]) == (1, 2)
    assert collector.health()["capacity"] == 256


def test_threads_and_a_reader_lose_nothing(collector: MetricsCollector) -> None:
    """Totals are exact while several threads record and another reads all the time."""
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            collector.tick()

    def write() -> None:
        for _ in range(20_000):
            count(event_id("bot.ticks"))

    threads = [threading.Thread(target=write) for _ in range(4)]
    reader = threading.Thread(target=read)
    for thread in (reader, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    reader.join()
    total = collector.get_statistics()["bot.ticks"]["total"]
    assert total + collector.health()["dropped"] == 80_000


def test_budgets_are_counted_exactly_and_told_once(
    collector: MetricsCollector, caplog: pytest.LogCaptureFixture
) -> None:
    """Every measurement over its budget counts; the log hears of it at a bounded rate."""
    collector.set_budget(EventID.ORDER_FILL, 1e-9)
    collector.set_budget(EventID.ORDER_EXECUTION, None)
    with caplog.at_level(logging.WARNING, "otel_trading.events"):
        for _ in range(3):
            for _ in range(5):
                for stage in (EventID.ORDER_FILL, EventID.ORDER_EXECUTION):
                    with measure(stage):
                        pass
            collector.tick()
    assert collector.get_statistics()["ORDER_FILL"]["violations"] == 15
    assert collector.get_statistics()["ORDER_EXECUTION"]["violations"] == 0
    assert len(caplog.records) == 1
    assert "order_fill took up to" in caplog.text


async def test_a_trace_is_followed_across_tasks(collector: MetricsCollector) -> None:
    """Stages in tasks that began inside ``correlate`` belong to the trace; other traces are kept apart."""

    async def stage(event: EventID) -> None:
        with measure(event):
            await asyncio.sleep(0)

    async def trade(candle: int) -> None:
        with correlate(candle):
            for event in list(EventID)[:4]:
                await asyncio.create_task(stage(event))

    await asyncio.gather(*(trade(candle) for candle in range(1, 41)))
    chains = collector.chains()
    assert {name: chain["count"] for name, chain in chains.items()} == {
        "candle_processing -> signal_generation": 40,
        "signal_generation -> order_execution": 40,
        "order_execution -> order_fill": 40,
        "candle_processing => order_fill": 40,
    }
    assert collector.health()["chains_completed"] == 40
    story = collector.explain(7)
    assert story is not None
    assert [time.stage for time in story] == [event.stage for event in list(EventID)[:4]]
    assert all(early.first_ns <= late.first_ns for early, late in itertools.pairwise(story))
    assert collector.explain(1_000) is None


def test_without_correlate_the_current_span_is_the_trace(collector: MetricsCollector) -> None:
    """Events inside a span are found by its trace id, as a number and as hex; events outside by none."""
    tracer = TracerProvider().get_tracer("test")
    record_event(EventID.CANDLE_PROCESSING)
    with tracer.start_as_current_span("tick") as span:
        record_event(EventID.CANDLE_PROCESSING)
        with tracer.start_as_current_span("order"):
            record_event(EventID.ORDER_EXECUTION)
        with correlate("order 42"):
            record_event(EventID.ORDER_FILL)
    trace_id = span.get_span_context().trace_id
    for known_as in (trace_id, f"{trace_id:032x}"):
        story = collector.explain(known_as)
        assert story is not None
        assert [(time.stage, time.events) for time in story] == [("candle_processing", 1), ("order_execution", 1)]
    story = collector.explain("order 42")
    assert story is not None
    assert [time.stage for time in story] == ["order_fill"]


def test_many_contexts_are_kept_apart(collector: MetricsCollector) -> None:
    """More traces than are remembered at a time each get their own events."""
    for _ in range(3):
        for trace in range(1, 101):
            with correlate(trace):
                record_event(EventID.ORDER_FILL)
    stories = [collector.explain(trace) for trace in range(1, 101)]
    assert all(story is not None and story[0].events == 3 for story in stories)


def test_a_fork_starts_at_zero_and_takes_nothing_away(
    bot: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """The child counts from zero, an end of the parent's start is nobody's there; the parent keeps everything."""
    source = """
import os
from otel_trading.metrics.events import *
collector = MetricsCollector()
collector.configure(EventOptions(sampling_threshold=0))
count(100, 5)
collector.tick()
token = record_start(EventID.ORDER_FILL)
child = os.fork()
if child:
    os.waitpid(child, 0)
record_end(EventID.ORDER_FILL, token)
count(100, 1)
statistics, health = collector.get_statistics(), collector.health()
counted = statistics["event_100"]["total"]
fills = statistics.get("ORDER_FILL", {}).get("count", 0)
print("child" if child == 0 else "parent", counted, fills, health["unmatched_ends"], flush=True)
"""
    result = bot(source)
    assert sorted(result.stdout.splitlines()) == ["child 1.0 0 1", "parent 6.0 1 0"], result.stderr


def test_reset_counts_from_zero(collector: MetricsCollector) -> None:
    """After a reset nothing is known, and a measurement that was under way still ends."""
    token = record_start(EventID.ORDER_FILL)
    count(1)
    collector.reset()
    assert collector.get_statistics() == {}
    assert collector.health()["offered"] == 0
    record_end(EventID.ORDER_FILL, token)
    assert collector.get_statistics()["ORDER_FILL"]["count"] == 1


def test_ids_by_name_are_stable_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names keep their ids; when there are too many, the rest share one that says so."""
    monkeypatch.setattr(event_ids, "_names", event_ids._Names())
    ids = [event_id(f"stage.{number}") for number in range(2_000)]
    assert ids[:2] == [64, 65]
    assert [event_id(f"stage.{number}") for number in range(2_000)] == ids
    assert len(set(ids)) == 961
    assert event_name(ids[-1]) == "overflow"


def test_kinds_and_ids_are_the_documents() -> None:
    """The numbers of kinds and stages are those of the requirement."""
    assert [kind.name for kind in MetricType] == ["START", "END", "COUNTER_INC", "GAUGE_SET", "HISTOGRAM_OBS"]
    assert [int(kind) for kind in MetricType] == [0, 1, 2, 3, 4]
    assert [int(event) for event in EventID] == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    "wrong",
    [
        {"sampling_rate": 1.1},
        {"sampling_rate": float("nan")},
        {"sampling_threshold": float("nan")},
        {"buffer_size": 1},
        {"aggregation_interval_ms": 0},
        {"export_interval_s": -1},
        {"sla_thresholds": {"ORDER_FILL": "5 parsecs"}},
        {"sla_thresholds": {"ORDER_FILL": 0}},
    ],
)
def test_wrong_options_are_refused(wrong: dict[str, Any]) -> None:
    """An option that makes no sense is refused where it is given."""
    with pytest.raises(ValueError, match=r"."):
        EventOptions(**wrong)


def durations(reader: InMemoryMetricReader) -> dict[str, Any]:
    """The metrics by name, each with its points."""
    data = reader.get_metrics_data()
    assert data is not None
    metrics = data.resource_metrics[0].scope_metrics[0].metrics
    return {metric.name: list(metric.data.data_points) for metric in metrics}


@pytest.mark.parametrize("engine", ["sdk", "native"])
def test_durations_are_exported_on_both_engines(collector: MetricsCollector, engine: str) -> None:
    """Stages arrive as ``trading.stage.duration``, each duration once, with queue depth and sampling beside it."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader]) if engine == "sdk" else NativeMeterProvider([reader])
    export = EventExport(collector, provider.get_meter("test"))
    for stage, times in ((EventID.ORDER_FILL, 3), (EventID.ORDER_EXECUTION, 2)):
        for _ in range(times):
            with measure(stage):
                pass
    gauge(EventID.QUEUE_BACKLOG, 12)
    for _ in range(2):
        points = durations(reader)
        stages = {point.attributes["trading.stage.name"]: point for point in points["trading.stage.duration"]}
        assert {name: point.count for name, point in stages.items()} == {"order_fill": 3, "order_execution": 2}
    seen = collector.get_statistics()["ORDER_FILL"]
    assert stages["order_fill"].sum == pytest.approx(seen["mean_ns"] * 3 / 1e9, rel=0.006)
    assert [seen.value for seen in export.depth(CallbackOptions())] == [12]
    assert points["trading.telemetry.sampling.ratio"][0].value == 1.0
    assert 0 <= points["trading.telemetry.buffer.utilization.ratio"][0].value < 0.1
    options = CallbackOptions()
    counted = {str(seen.attributes): seen.value for seen in export.violations(options)}
    assert counted == {"{'trading.stage.name': 'order_execution'}": 0}
    assert [seen.value for seen in export.offered(options)] == [6]
    assert [seen.value for seen in export.dropped(options)] == [0]
    provider.shutdown()


def test_export_can_be_switched_off_apart_from_recording(collector: MetricsCollector) -> None:
    """Without export_enabled nothing leaves, and the statistics are there all the same."""
    collector.configure(EventOptions(sampling_threshold=0, export_enabled=False))
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    EventExport(collector, provider.get_meter("test"))
    with measure(EventID.ORDER_FILL):
        pass
    assert "trading.stage.duration" not in durations(reader)
    assert collector.get_statistics()["ORDER_FILL"]["count"] == 1
    provider.shutdown()
