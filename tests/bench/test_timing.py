"""The statistics of ``otel_trading.bench`` under a clock that the tests move."""

from __future__ import annotations

import asyncio
import gc

import pytest

from otel_trading.bench.bulk import Watch
from otel_trading.bench.contenders import NONE, OURS
from otel_trading.bench.ticks import Taken, body, figures_of, quantile
from otel_trading.bench.timing import Call, compiled_loop, cost, measure, names_in

READING_NS = 1_000


class FakeClock:
    """Time passes only when it is read, and when something is said to take time."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        self.now += READING_NS
        return self.now

    def spend(self, nanoseconds: int) -> None:
        self.now += nanoseconds


def test_a_call_is_worth_what_it_takes_beyond_the_empty_loop_and_the_clock() -> None:
    """Warm and cold figures are the statement's own nanoseconds: 100 of them, and 2,000 the first time after a walk."""
    clock = FakeClock()
    cache = {"cold": False}

    def statement() -> None:
        clock.spend(2_000 if cache["cold"] else 100)
        cache["cold"] = False

    costs = measure(
        {"it": Call("f()", {"f": statement})}, 4, 9, clock=clock, between=lambda: cache.update({"cold": True})
    )
    assert costs["it"].minimum == pytest.approx(100, rel=0.01)
    assert costs["it"].median == pytest.approx(100, rel=0.01)
    assert costs["it"].cold == 2_000


def test_disturbed_repeats_leave_the_minimum_alone_and_outliers_the_median() -> None:
    """One repeat in three is disturbed: neither figure moves; the clock's own outlier does not either."""
    calm = cost([10.0, 10.0, 900.0], [50.0, 50.0, 7_000.0], [1.0, 1.0, 400.0], [40.0, 40.0, 9_000.0])
    assert (calm.minimum, calm.median, calm.cold) == (9.0, 9.0, 10.0)


def test_cold_is_left_out_where_nobody_asked_for_it() -> None:
    """Without cold samples there is no cold figure."""
    assert measure({"it": Call()}, 1, clock=FakeClock())["it"].cold is None


def test_contenders_take_turns() -> None:
    """A cold sample is a call after the same call and a walk; each contender has one a round, and so has the clock."""
    seen: list[str] = []
    calls = {name: Call("f(n)", {"f": seen.append, "n": name}) for name in ("one", "two")}
    measure(calls, 1, 2, clock=FakeClock(), between=lambda: seen.append("walk"))
    assert seen[seen.index("walk") - 1 :] == ["one", "walk", "one", "two", "walk", "two", "walk"] * 2


def test_statements_may_await_what_goes_on_at_once() -> None:
    """A coroutine that suspends cannot be timed and says so; one that does not is timed like a call."""
    clock = FakeClock()

    async def step() -> None:
        clock.spend(300)

    loop = compiled_loop(Call("await step()", {"step": step}))
    assert loop(10, clock) == 10 * 300 + READING_NS
    suspending = compiled_loop(Call("await sleep(0)", {"sleep": asyncio.sleep}))
    with pytest.raises(RuntimeError, match="suspends"):
        suspending(1, clock)


@pytest.mark.parametrize("collecting", [True, False])
def test_garbage_collection_is_left_as_it_was(*, collecting: bool) -> None:
    """Collection rests while measuring, also when a statement fails, and is then what it was before."""
    during: list[bool] = []
    try:
        gc.enable() if collecting else gc.disable()
        measure({"it": Call("f(on())", {"f": during.append, "on": gc.isenabled})}, 1, clock=FakeClock())
        with pytest.raises(ZeroDivisionError):
            measure({"it": Call("1 / 0")}, 1, clock=FakeClock())
        assert gc.isenabled() == collecting
    finally:
        gc.enable()
    assert not any(during)


def test_names_of_a_statement_are_what_it_needs() -> None:
    """What a statement assigns is its own; attributes and keywords are no names."""
    assert names_in("started = now(); timer.record(now() - started, attributes=labels)") == ["now", "timer", "labels"]
    assert names_in("await work(2.5)") == ["work"]
    assert names_in("with timer.time(): pass") == ["timer"]


def test_quantiles_are_values_that_were_measured() -> None:
    """The nearest rank, so p99.9 of a thousand ticks is the last but one."""
    values = list(range(1, 1_001))
    assert [quantile(values, of) for of in (0.05, 0.5, 0.99, 0.999, 1.0)] == [50, 500, 990, 999, 1_000]
    assert quantile([7], 0.05) == 7


def test_overhead_is_what_a_tick_gains() -> None:
    """Hot ticks are compared at the fifth percentile, paced ones at the median; both as a share of a millisecond."""
    plain, ours = Taken([10_000] * 95 + [90_000] * 5, [20.0]), Taken([12_500] * 40 + [15_000] * 60, [26.0])
    hot = figures_of({NONE: plain, OURS: ours}, paced=False)
    assert hot[OURS]["added_us"] == pytest.approx(2.5)
    assert hot[OURS]["overhead_percent"] == pytest.approx(0.25)
    assert hot[NONE]["p99_us"] == 90
    assert "cpu_added_us" not in hot[OURS]
    paced = figures_of({NONE: plain, OURS: ours}, paced=True)
    assert paced[OURS]["added_us"] == pytest.approx(5.0)
    assert paced[OURS]["cpu_added_us"] == pytest.approx(6.0)


def test_a_tick_runs_all_its_measurements() -> None:
    """The body of a tick is its work and every statement, with the names each of them asks for."""
    seen: list[int] = []
    body(Call("add(1)\nwith held: add(2)", {"add": seen.append, "held": memoryview(b"")}))()
    assert seen == [1, 2]


def test_a_hold_counts_only_as_far_as_the_watched_thread_worked() -> None:
    """A gap is no hold while the job slept, nor while the watcher had no processor; the longest of the rest is kept."""
    walls = iter([0, 10, 5_010, 5_020, 5_520, 9_520])
    processors = iter([0, 10, 20, 30, 430, 4_430])
    waits = iter([0, 0, 0, 0, 0, 3_950])
    watch = Watch(lambda: next(walls), lambda: 0, lambda: next(waits))

    def cpu() -> int:
        value = next(processors)
        watch.ended = value == 4_430
        return value

    watch.cpu = cpu
    watch.run()
    assert watch.longest == 400
