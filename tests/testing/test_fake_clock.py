from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from otel_trading.testing import Captured, FakeClock, capture


def test_the_clock_stands_still_until_it_is_moved() -> None:
    """Wall and monotonic time move together, exactly by what was said."""
    clock = FakeClock(datetime(2025, 6, 1, tzinfo=UTC))
    before = (clock.time(), clock.monotonic(), clock.perf_counter_ns())
    assert (clock.time(), clock.monotonic(), clock.perf_counter_ns()) == before
    clock.advance(0.1)
    clock.sleep(0.2)
    assert clock.now() == datetime(2025, 6, 1, tzinfo=UTC) + timedelta(milliseconds=300)
    assert clock.perf_counter_ns() - before[2] == 300_000_000
    assert clock.time_ns() == 1_748_736_000_300_000_000


def test_time_does_not_run_backwards() -> None:
    """Only the wall clock can be corrected, and no time passes then."""
    clock = FakeClock(1_000.0)
    with pytest.raises(ValueError, match="does not run backwards"):
        clock.advance(-1)
    monotonic = clock.monotonic()
    clock.step(-60)
    assert (clock.time(), clock.monotonic()) == (940.0, monotonic)


def test_everything_is_stamped_by_the_clock(telemetry: Captured) -> None:
    """Points and spans carry the test's time; the bot's own clock is the real one."""
    start = telemetry.clock.time_ns()
    counter = telemetry.meter.create_counter("bot.frames")
    counter.add(1)
    span = telemetry.tracer.start_span("tick")
    telemetry.advance(60)
    span.end()
    (point,) = telemetry.metrics["bot.frames"].points
    assert (point.raw.start_time_unix_nano, point.raw.time_unix_nano) == (start, start + 60_000_000_000)
    assert telemetry.traces[0].raw.start_time == start
    assert telemetry.traces[0].duration == 60
    assert time.time() > telemetry.clock.time()


def test_timers_of_the_handle_are_told_the_time(telemetry: Captured) -> None:
    """A timer measures what the test says has passed, on either engine."""
    with telemetry.timer("bot.decide").time():
        telemetry.advance(0.9)
    assert telemetry.metrics["bot.decide"].p99 == pytest.approx(0.9, rel=0.01)


@pytest.mark.parametrize("engine", ["native"], indirect=True)
def test_timers_are_told_the_time(telemetry: Captured) -> None:
    """A block, a token and a function are as long as the test says; afterwards timers run with the real time again."""
    fills: Any = telemetry.meter.create_histogram("trading.order.fill.duration", "s")
    with fills.time():
        telemetry.advance(0.9)
    token = fills.bind({"venue": "binance"}).time()
    telemetry.advance(3_600)
    assert token.stop() == pytest.approx(3_600)
    captured = telemetry.metrics["trading.order.fill.duration"]
    assert captured.p50 == pytest.approx(0.9, rel=0.01)
    assert captured(venue="binance").max == pytest.approx(3_600)
    telemetry.clock.step(60)
    token = fills.time()
    assert token.stop() == 0


def test_the_native_clock_runs_again_after_the_last_block() -> None:
    """Blocks within blocks hold the clock each for themselves."""
    with capture(engine="native") as outer:
        fills: Any = outer.meter.create_histogram("trading.order.fill.duration", "s")
        token = fills.time()
        outer.advance(5)
        with capture(engine="sdk") as inner:
            inner.advance(100)
        outer.advance(1)
        assert token.stop() == pytest.approx(6)
    token = fills.time()
    time.sleep(0.001)
    assert token.stop() > 0


@pytest.mark.telemetry(real_time=True)
def test_the_real_time_on_request(telemetry: Captured) -> None:
    """A test that waits for real gets real stamps, and is told that there is no clock to move."""
    telemetry.tracer.start_span("tick").end()
    assert telemetry.traces[0].raw.start_time == pytest.approx(time.time_ns(), abs=60e9)
    with pytest.raises(RuntimeError, match="uses the real time"):
        telemetry.advance(1)


def test_the_start_is_an_option() -> None:
    """The clock starts when the test says, and the clocks of telemetry are real again afterwards."""
    with capture(start=datetime(2030, 1, 1, tzinfo=UTC)) as telemetry:
        assert telemetry.clock.now() == datetime(2030, 1, 1, tzinfo=UTC)
    with capture(real_time=True) as telemetry:
        telemetry.tracer.start_span("tick").end()
        assert telemetry.traces[0].raw.start_time == pytest.approx(time.time_ns(), abs=60e9)


def test_sleeping_coroutines_take_no_time(telemetry: Captured) -> None:
    """A bot that waits, also in several tasks at once, is run in no time, and measures what it waited."""
    fills = telemetry.meter.create_histogram("trading.order.fill.duration", "s")

    async def order(delay: float) -> None:
        before = asyncio.get_running_loop().time()
        await asyncio.sleep(delay)
        fills.record(asyncio.get_running_loop().time() - before)

    async def bot() -> str:
        await asyncio.gather(order(0.25), order(3_600), order(0.9))
        return "done"

    started = telemetry.clock.monotonic()
    assert telemetry.run(bot()) == "done"
    assert telemetry.clock.monotonic() - started == 3_600
    fill = telemetry.metrics["trading.order.fill.duration"]
    assert [fill.min, fill.p50, fill.max] == pytest.approx([0.25, 0.9, 3_600], rel=0.01)


def test_timeouts_and_threads_work_in_the_loop(telemetry: Captured) -> None:
    """A timeout comes when its time has come, and what a thread computes is waited for."""

    async def bot() -> Any:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 30)
        return await asyncio.to_thread(sum, [1, 2])

    started = telemetry.clock.monotonic()
    assert telemetry.run(bot()) == 3
    assert telemetry.clock.monotonic() - started == pytest.approx(30)
