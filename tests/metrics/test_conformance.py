from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings

from tests.metrics.compare import compare, flat
from tests.metrics.engines import provider
from tests.metrics.sequences import Program, programs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.metrics.export import MetricsData


@pytest.fixture(autouse=True, scope="module")
def silent_sdk() -> Iterator[None]:
    """The SDK logs each value it refuses."""
    loggers = [logging.getLogger("opentelemetry.sdk"), logging.getLogger("opentelemetry.attributes")]
    for logger in loggers:
        logger.disabled = False
        logger.setLevel(logging.CRITICAL)
    yield
    for logger in loggers:
        logger.setLevel(logging.NOTSET)


def magnitude(program: Program) -> float:
    """The sum of the magnitudes of all values a program measures."""
    measured = [value for step in program.steps for value in step.values]
    measured += [value for step in program.steps for value, _ in step.observed]
    return math.fsum(abs(float(value)) for value in measured if math.isfinite(value))


@settings(max_examples=300)
@given(programs())
def test_both_engines_collect_the_same_points(program: Program) -> None:
    """Whatever is measured, observed and collected, by whichever readers and views: the points are the SDK's."""
    expected, actual = program.run(provider, "sdk"), program.run(provider, "native")
    assert [reader for reader, _ in expected] == [reader for reader, _ in actual]
    for number, ((_, sdk), (_, ours)) in enumerate(zip(expected, actual, strict=True)):
        found = compare(sdk, ours, magnitude(program))
        assert not found, f"collection {number}:\n" + "\n".join(found)


@settings(max_examples=100)
@given(programs())
def test_times_are_in_order(program: Program) -> None:
    """A point ends after it begins and after the one before; cumulative ones keep their beginning, deltas touch."""
    seen: dict[object, tuple[int | None, int]] = {}
    for reader, data in program.run(provider, "native"):
        for key, (metric, point) in flat(data).items():
            start, end = point.start_time_unix_nano, point.time_unix_nano
            assert end > 0
            assert start is None or 0 < start <= end
            before = seen.get((reader, key))
            if before is not None:
                assert end >= before[1]
                of_deltas = getattr(metric.data, "aggregation_temporality", None) is not None and is_delta(metric.data)
                assert start is None or start >= before[1] if of_deltas else start == before[0]
            seen[reader, key] = (start, end)


def is_delta(data: object) -> bool:
    """Whether the points of a metric are deltas."""
    return bool(getattr(data, "aggregation_temporality", 0) == 1)


def test_the_comparison_can_fail() -> None:
    """One more measurement, or another type of attribute, is a difference."""

    def collected(*values: float, key: Any = 1) -> MetricsData | None:
        from tests.metrics.engines import Bench

        bench = Bench("sdk")
        for value in values:
            bench.meter.create_counter("a").add(value, {"k": key})
            bench.meter.create_histogram("b").record(value, {"k": key})
        return bench.data()

    assert compare(collected(1, 2), collected(1, 2), 3) == []
    assert len(compare(collected(1, 2), collected(1, 2.5), 3)) == 4
    assert len(compare(collected(1), collected(1, key=True), 3)) == 1
    assert len(compare(collected(1), None, 3)) == 1
