"""How many items wait in the bot's queues."""

from __future__ import annotations

import asyncio
import gc
import queue
from collections import deque
from typing import TYPE_CHECKING, Any, Literal

import pytest

from otel_trading.metrics.event_ids import EventID
from otel_trading.metrics.events import gauge
from otel_trading.testing import capture
from otel_trading.testing.errors import NotCapturedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.testing import Captured

DEPTH = "trading.queue.depth"


@pytest.fixture(params=["native", "sdk"])
def telemetry(request: pytest.FixtureRequest) -> Iterator[Captured]:
    """Captured, on each engine."""
    with capture(engine=request.param) as captured:
        yield captured


def depth(telemetry: Captured, name: str) -> float | None:
    """What is told of a queue."""
    try:
        return telemetry.metrics[DEPTH].where(queue_name=name).value
    except NotCapturedError:
        return None


class Sized:
    """Something of the bot's with a length."""

    def __len__(self) -> int:
        return 7


@pytest.mark.parametrize(
    "of", [asyncio.Queue, asyncio.PriorityQueue, queue.Queue, queue.SimpleQueue, queue.LifoQueue, deque, list, set]
)
def test_queues_of_all_kinds(telemetry: Captured, of: Any) -> None:
    """Their depth at each time metrics are read."""
    watched = of()
    put = next(getattr(watched, name) for name in ("put_nowait", "append", "add") if hasattr(watched, name))
    telemetry.watch_queue("orders", watched)
    assert depth(telemetry, "orders") == 0
    for number in range(3):
        put(number)
    assert depth(telemetry, "orders") == 3


def test_a_queue_that_is_gone_is_told_no_more(telemetry: Captured) -> None:
    """Nobody keeps it alive."""
    watched: Any = deque([1])
    telemetry.watch_queue("quotes", watched)
    assert depth(telemetry, "quotes") == 1
    del watched
    gc.collect()
    assert depth(telemetry, "quotes") is None


def test_watching_can_be_ended(telemetry: Captured) -> None:
    """Also of what is held; twice does nothing."""
    watched = [1, 2]
    stop = telemetry.watch_queue("list", watched)
    assert depth(telemetry, "list") == 2
    stop()
    stop()
    assert depth(telemetry, "list") is None


def test_queues_of_one_name_are_added_up(telemetry: Captured) -> None:
    """And one that is watched again counts once, under its last name."""
    first, second = deque([1]), deque([1, 2])
    stop = telemetry.watch_queue("symbols", first)
    telemetry.watch_queue("symbols", second)
    assert depth(telemetry, "symbols") == 3
    telemetry.watch_queue("books", first)
    assert (depth(telemetry, "symbols"), depth(telemetry, "books")) == (2, 1)
    stop()  # of the first watching, which is over
    assert depth(telemetry, "books") == 1


def test_the_event_bus_is_told_beside_them(telemetry: Captured) -> None:
    """One instrument, on either engine, whatever is watched first."""
    own = Sized()
    telemetry.watch_queue("own", own)
    gauge(EventID.QUEUE_BACKLOG, 12)
    assert (depth(telemetry, "own"), depth(telemetry, "event_bus")) == (7, 12)
    assert telemetry.metrics[DEPTH].unit == "{item}"


def test_what_is_no_queue_does_no_harm(telemetry: Captured) -> None:
    """Nothing is raised into the bot; one that fails costs itself."""

    class Broken:
        def qsize(self) -> int:
            raise NotImplementedError

    broken, fine = Broken(), deque([1])
    telemetry.watch_queue("number", 5)()
    telemetry.watch_queue("broken", broken)
    telemetry.watch_queue("fine", fine)
    assert (depth(telemetry, "fine"), depth(telemetry, "broken"), depth(telemetry, "number")) == (1, None, None)


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_the_next_capture_knows_none(engine: Literal["native", "sdk"]) -> None:
    """Queues of another test are not told."""
    held = [1]
    with capture(engine=engine) as first:
        first.watch_queue("held", held)
        assert depth(first, "held") == 1
    with capture(engine=engine) as second:
        assert depth(second, "held") is None
        second.watch_queue("held", held)
        assert depth(second, "held") == 1
