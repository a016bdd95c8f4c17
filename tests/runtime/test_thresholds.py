from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, NoReturn

import pytest

from otel_trading.runtime import Crossing, Direction, Thresholds
from otel_trading.runtime.options import MEGABYTE, RuntimeOptions
from otel_trading.runtime.troubles import Troubles
from tests.runtime.conftest import eventually

if TYPE_CHECKING:
    from tests.runtime.conftest import Captured, Start

CROSSINGS = "trading.runtime.threshold.crossings"
EXCEEDED = "trading.runtime.threshold.exceeded"
DIRECTION = "trading.runtime.threshold.direction"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def thresholds(captured: Captured, clock: Clock, caplog: pytest.LogCaptureFixture) -> Thresholds:
    """Thresholds of the requirement, with every line captured."""
    caplog.set_level(logging.INFO, "otel_trading")
    thresholds = Thresholds(captured.meter, Troubles(captured.meter), clock=clock)
    for resource, limit in RuntimeOptions().limits().items():
        thresholds.set(resource, limit)
    return thresholds


def levels(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.levelname for record in caplog.records]


def test_defaults_are_the_required_ones() -> None:
    """A gigabyte of memory, 500 descriptors, a second, 90 % of a disk."""
    options = RuntimeOptions()
    assert options.memory_threshold == 1024 * MEGABYTE
    assert (options.descriptor_threshold, options.slow_threshold, options.disk_threshold) == (500, 1.0, 0.9)


def test_crossing_is_one_warning_and_recovery_one_line(
    captured: Captured, thresholds: Thresholds, caplog: pytest.LogCaptureFixture
) -> None:
    """Above the limit, and back below 90 % of it; between the two nothing is said."""
    for megabytes in (1000, 1024, 1025, 1500, 1000, 922):
        thresholds.check("process.memory", megabytes * MEGABYTE)
    assert levels(caplog) == ["WARNING"]
    assert "process.memory is at 1,025 MB, above its threshold of 1,024 MB" in caplog.messages[0]
    assert captured.by(EXCEEDED, "trading.runtime.resource") == {"process.memory": 1}
    thresholds.check("process.memory", 921 * MEGABYTE)
    assert levels(caplog) == ["WARNING", "INFO"]
    assert "process.memory is at 921 MB again" in caplog.messages[1]
    assert captured.by(EXCEEDED, "trading.runtime.resource") == {"process.memory": 0}
    assert captured.by(CROSSINGS, DIRECTION) == {"exceeded": 1, "recovered": 1}


def test_fluttering_value_is_counted_and_does_not_flood(
    captured: Captured, thresholds: Thresholds, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning a minute at most, which says how many were kept back; who was not warned is not relieved."""
    for _ in range(10):
        thresholds.check("process.file_descriptors", 501)
        thresholds.check("process.file_descriptors", 400)
        clock.now += 1
    assert levels(caplog) == ["WARNING", "INFO"]
    assert captured.by(CROSSINGS, DIRECTION) == {"exceeded": 10, "recovered": 10}
    clock.now += 60
    thresholds.check("process.file_descriptors", 501)
    assert caplog.messages[-1].endswith("(and 9 more since the last such line)")


def test_limit_can_be_changed_and_taken_away_at_any_time(captured: Captured, thresholds: Thresholds) -> None:
    """The next value is compared with the new limit; without one nothing is compared or shown."""
    thresholds.check("process.file_descriptors", 450)
    thresholds.set("process.file_descriptors", 400, recovered=100)
    assert thresholds.limit("process.file_descriptors") == 400
    thresholds.check("process.file_descriptors", 450)
    thresholds.check("process.file_descriptors", 101)
    assert thresholds.exceeded() == (("process.file_descriptors", ""),)
    thresholds.set("process.file_descriptors", None)
    thresholds.check("process.file_descriptors", 10_000)
    assert thresholds.limit("process.file_descriptors") is None
    assert thresholds.exceeded() == ()
    assert captured.points(EXCEEDED) == []


def test_disks_have_states_of_their_own(captured: Captured, thresholds: Thresholds) -> None:
    """A full disk does not make another one full."""
    thresholds.check("disk", 0.95, "/data")
    thresholds.check("disk", 0.5, "/")
    assert thresholds.exceeded() == (("disk", "/data"),)
    assert captured.by(EXCEEDED, "trading.runtime.subject") == {"/data": 1, "/": 0}


def test_subscribers_hear_of_crossings_and_may_fail(captured: Captured, thresholds: Thresholds) -> None:
    """Each is called once for a crossing, until it is taken off; one that raises costs a count."""
    heard: list[Crossing] = []

    def broken(_: Crossing) -> NoReturn:
        raise RuntimeError("no such channel")

    thresholds.subscribe(broken)
    unsubscribe = thresholds.subscribe(heard.append)
    thresholds.check("disk", 0.95, "/data")
    thresholds.check("disk", 0.96, "/data")
    assert heard == [Crossing("disk", "/data", Direction.EXCEEDED, 0.95, 0.9)]
    unsubscribe()
    unsubscribe()
    thresholds.check("disk", 0.1, "/data")
    assert len(heard) == 1
    assert captured.by("trading.runtime.errors", "error.type") == {"RuntimeError": 2}


def test_real_memory_and_descriptors_cross_real_limits(
    captured: Captured, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Limits below what this process uses are exceeded, and after a change at run time recovered from."""
    caplog.set_level(logging.INFO, "otel_trading")
    runtime = start(process=True, memory_threshold=MEGABYTE, descriptor_threshold=1)
    assert eventually(lambda: len(runtime.thresholds.exceeded()) == 2)
    runtime.thresholds.set("process.memory", 1e15)
    assert eventually(lambda: runtime.thresholds.exceeded() == (("process.file_descriptors", ""),))
    assert (
        sum(bool(re.search(r"process\.memory is at [\d,]+ MB, above .* of 1 MB", line)) for line in caplog.messages)
        == 1
    )
    start(process=True, memory_threshold=MEGABYTE, descriptor_threshold=None)
    assert runtime.thresholds.limit("process.memory") == 1e15
    assert runtime.thresholds.exceeded() == ()
