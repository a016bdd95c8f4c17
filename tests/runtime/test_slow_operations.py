from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING

import pytest

from otel_trading.runtime import watch_slow
from otel_trading.runtime.slow import SlowOperations, WatchSlow

if TYPE_CHECKING:
    from tests.runtime.conftest import Captured, Start

DURATION = "trading.stage.duration"
SLOW = "trading.runtime.slow_operations"
STAGE = "trading.stage.name"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def operations(captured: Captured, clock: Clock) -> SlowOperations:
    return SlowOperations(captured.meter, clock=clock)


@pytest.fixture
def watch(operations: SlowOperations, clock: Clock) -> WatchSlow:
    """One second is slow."""
    return WatchSlow("rebalance", 1.0, lambda: operations, clock)


def test_slow_block_is_measured_counted_and_logged(
    captured: Captured, watch: WatchSlow, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """At the threshold nothing is slow, above it one line says how slow."""
    for seconds in (0.25, 1.0, 1.5):
        with watch:
            clock.now += seconds
    (duration,) = captured.points(DURATION)
    assert (duration.count, duration.sum, duration.attributes) == (3, 2.75, {STAGE: "rebalance"})
    assert captured.by(SLOW, STAGE) == {"rebalance": 1}
    (line,) = caplog.messages
    assert "slow operation: rebalance took 1500 ms, above its threshold of 1000 ms" in line


def test_slow_operations_do_not_flood(
    captured: Captured, watch: WatchSlow, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A line a minute for a name, which says how many were kept back."""
    for _ in range(41):
        with watch:
            clock.now += 1.5
    assert len(caplog.messages) == 2
    assert caplog.messages[1].endswith("(and 39 more since the last such line)")
    assert captured.by(SLOW, STAGE) == {"rebalance": 41}


def test_failure_is_measured_with_its_kind(captured: Captured, watch: WatchSlow, clock: Clock) -> None:
    """The exception goes on to the caller, and its type is an attribute."""
    with pytest.raises(KeyError), watch:
        clock.now += 2
        raise KeyError("no such pair")

    @watch
    def fails() -> None:
        raise ValueError("no price")

    with pytest.raises(ValueError, match="no price"):
        fails()
    assert {point.attributes["error.type"]: point.sum for point in captured.points(DURATION)} == {
        "KeyError": 2,
        "ValueError": 0,
    }
    assert [point.attributes["error.type"] for point in captured.points(SLOW)] == ["KeyError"]


def test_decorated_function_stays_what_it_was(captured: Captured, watch: WatchSlow, clock: Clock) -> None:
    """Name, arguments and result are the function's; every call is measured, also a recursive one."""

    @watch
    def countdown(number: int) -> int:
        """Count down."""
        clock.now += 1
        return countdown(number - 1) if number else 7

    assert (countdown(2), countdown.__name__, countdown.__doc__) == (7, "countdown", "Count down.")
    (duration,) = captured.points(DURATION)
    assert (duration.count, duration.sum) == (3, 1 + 2 + 3)


async def test_overlapping_tasks_have_times_of_their_own(captured: Captured, watch: WatchSlow, clock: Clock) -> None:
    """A coroutine function stays one, and what two of its calls take is not mixed up."""
    release = asyncio.Event()

    @watch
    async def place(*, wait: bool) -> str:
        if wait:
            await release.wait()
        return "placed"

    assert inspect.iscoroutinefunction(place)
    long = asyncio.create_task(place(wait=True))
    await asyncio.sleep(0)
    clock.now += 3
    assert await place(wait=False) == "placed"
    release.set()
    assert await long == "placed"
    (duration,) = captured.points(DURATION)
    assert (duration.min, duration.max) == (0, 3)


async def test_cancelled_coroutine_is_measured(captured: Captured, watch: WatchSlow, clock: Clock) -> None:
    """A cancellation ends the operation, and reaches the task."""

    @watch
    async def forever() -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(forever())
    await asyncio.sleep(0)
    clock.now += 2
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert captured.points(SLOW)[0].attributes["error.type"] == "CancelledError"


def test_decorator_made_before_telemetry_starts_reports_once_it_has(captured: Captured, start: Start) -> None:
    """Modules are imported before ``configure()``: until then calls are only calls, and after a stop again."""

    @watch_slow("rebalance")
    def rebalance() -> int:
        return 7

    assert rebalance() == 7
    runtime = start()
    assert rebalance() == 7
    assert captured.total(DURATION) == 1
    runtime.stop()
    assert rebalance() == 7
    assert captured.total(DURATION) == 1


def test_threshold_for_all_can_be_changed(captured: Captured, start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """The option holds where nothing else is said, also when it changes."""
    start(slow_threshold=3600)
    with caplog.at_level(logging.WARNING, "otel_trading"):
        with watch_slow("decide"), watch_slow("rebalance", threshold=0):
            pass
        assert captured.by(SLOW, STAGE) == {"rebalance": 1}
        start(slow_threshold=0)
        with watch_slow("decide"):
            pass
    assert captured.by(SLOW, STAGE) == {"rebalance": 1, "decide": 1}
