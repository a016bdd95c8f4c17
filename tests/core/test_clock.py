from __future__ import annotations

import time

import pytest

from otel_trading._native import Clock, monotonic_ns, wall_ns


def test_clock_agrees_with_the_wall_clock() -> None:
    """now_ns() is Unix time in nanoseconds."""
    assert Clock().now_ns() == pytest.approx(time.time_ns(), abs=5_000_000)
    assert wall_ns() == pytest.approx(time.time_ns(), abs=5_000_000)


def test_clock_advances_with_the_monotonic_clock() -> None:
    """Two readings differ by what the monotonic clock says, whatever the wall clock does."""
    clock = Clock()
    before, start = clock.now_ns(), monotonic_ns()
    time.sleep(0.01)
    after, end = clock.now_ns(), monotonic_ns()
    assert after - before == pytest.approx(end - start, abs=1_000_000)


def test_clock_without_a_step_has_nothing_to_follow() -> None:
    """resync() returns 0 as long as the wall clock was not stepped."""
    assert Clock().resync() == 0
