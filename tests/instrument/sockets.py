"""What telemetry tells of connections, for tests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.testing import capture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from otel_trading.instrument.instrumentor import Instrumentor
    from otel_trading.testing import Captured

LONG = 60.0


@pytest.fixture
def telemetry() -> Iterator[Captured]:
    """By the real time."""
    with capture(real_time=True) as captured:
        yield captured


@pytest.fixture
def instrumented(telemetry: Captured, instrumentor: Instrumentor) -> Instrumentor:
    """It is instrumented, and reports to what is captured."""
    instrumentor.instrument()
    return instrumentor


def taken_back(instrumentor: Instrumentor) -> Iterator[Instrumentor]:
    """It, for a fixture: after the test it is taken back."""
    yield instrumentor
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()


def total(telemetry: Captured, metric: str, **attributes: Any) -> int:
    """A counter's total, or how many measurements a histogram has; 0 where there is none."""
    if metric not in telemetry.metrics:
        return 0
    chosen = [point for point in telemetry.metrics[metric].points if _has(point.attributes, attributes)]
    return int(sum(point.distribution.count if point.distribution else point.value or 0 for point in chosen))


def _has(found: Any, wanted: dict[str, Any]) -> bool:
    return all(found.get(name.replace("_", ".")) == value for name, value in wanted.items())


def frames_received(telemetry: Captured) -> int:
    """Messages that came from venues."""
    return total(telemetry, "trading.venue.messages", network_io_direction="receive")


def frames_sent(telemetry: Captured) -> int:
    """Messages that went to venues."""
    return total(telemetry, "trading.venue.messages", network_io_direction="transmit")


def failed_connects(telemetry: Captured) -> int:
    """Connections that did not come about."""
    if "trading.venue.connect.duration" not in telemetry.metrics:
        return 0
    points = telemetry.metrics["trading.venue.connect.duration"].points
    return sum(point.distribution.count for point in points if point.distribution and "error.type" in point.attributes)


def states(telemetry: Captured) -> dict[str, int]:
    """How many connections have each state."""
    found: dict[str, int] = {}
    if "trading.venue.connection.state" in telemetry.metrics:
        for point in telemetry.metrics["trading.venue.connection.state"].points:
            state = point.attributes["trading.connection.state"]
            found[state] = found.get(state, 0) + int(point.value or 0)
    return {state: count for state, count in found.items() if count}


def until(condition: Callable[[], Any], seconds: float = LONG) -> None:
    """Wait for something that other threads do."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it took too long"
        time.sleep(0.005)
