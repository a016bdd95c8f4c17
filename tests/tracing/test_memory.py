from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import Link, SpanContext

from tests.tracing.engines import provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.trace import Tracer

    from tests.tracing.engines import Name

MANY = 100_000
SPARE = 200
"""Blocks of memory and objects that come and go without us."""


class Unwatched:
    """An engine whose spans are thrown away when they have ended."""

    def __init__(self, engine: Name) -> None:
        self._engine = engine
        self.provider: Any = provider(engine)
        self.tracer: Tracer = self.provider.get_tracer("bot")

    def left_behind(self, work: Callable[[], object], times: int) -> int:
        """How many more blocks of memory and tracked objects there are after work was done often."""
        for _ in range(2_000):
            work()
        before = self._measured()
        for turn in range(times):
            work()
            if turn % 5_000 == 0:
                self.empty()
        after = self._measured()
        return max(now - then for now, then in zip(after, before, strict=True))

    def empty(self) -> bool:
        """Throw away what ended; whether there was anything, where that can be told."""
        return self._engine == "sdk" or sum(map(len, self.provider.drain())) > 0

    def _measured(self) -> tuple[int, int]:
        self.empty()
        gc.collect()
        return sys.getallocatedblocks(), len(gc.get_objects())


@pytest.fixture
def unwatched(engine: Name) -> Iterator[Unwatched]:
    """Give an engine without exporters."""
    made = Unwatched(engine)
    yield made
    made.provider.shutdown()


def test_ended_spans_leave_nothing_behind(unwatched: Unwatched) -> None:
    """100,000 of them, with attributes, events and links."""
    link = SpanContext(1, 2, is_remote=False)

    def work() -> None:
        with unwatched.tracer.start_as_current_span("a", attributes={"venue": "kalshi"}, links=[Link(link)]) as span:
            span.add_event("e", {"k": 1})

    assert unwatched.left_behind(work, MANY) < SPARE


def test_texts_that_are_always_new_leave_nothing_behind(unwatched: Unwatched) -> None:
    """Names, values, events and tracestates of their own for each span."""
    turn = iter(range(10**9))

    def work() -> None:
        number = next(turn)
        span = unwatched.tracer.start_span(f"span {number}", attributes={"id": f"order {number}"})
        span.add_event(f"event {number}")
        span.set_status(trace.StatusCode.ERROR, f"error {number}")
        span.end()

    assert unwatched.left_behind(work, 20_000) < SPARE


def test_spans_that_never_end_leave_nothing_behind(unwatched: Unwatched) -> None:
    """They are let go, and others can be recorded afterwards."""
    assert unwatched.left_behind(lambda: unwatched.tracer.start_span("never"), 50_000) < SPARE
    unwatched.empty()
    unwatched.tracer.start_span("a").end()
    assert unwatched.empty()


def test_exceptions_leave_nothing_behind(unwatched: Unwatched) -> None:
    """Neither they nor the frames they passed."""

    class Big:
        alive = 0

        def __init__(self) -> None:
            Big.alive += 1

        def __del__(self) -> None:
            Big.alive -= 1

    def work() -> None:
        held = Big()
        try:
            with unwatched.tracer.start_as_current_span("a"), unwatched.tracer.start_span("b"):
                raise ValueError(held)
        except ValueError:
            pass

    work()
    assert Big.alive == 0
    assert unwatched.left_behind(work, 2_000) < SPARE


def test_a_span_is_freed_at_once(unwatched: Unwatched) -> None:
    """Without waiting for the garbage collector: ended or not, current once or a parent."""
    gc.collect()
    gc.disable()
    try:
        with unwatched.tracer.start_as_current_span("a", attributes={"k": [1]}) as span:
            child = unwatched.tracer.start_span("b")
            child.add_event("e", {"k": 1})
        references = [weakref.ref(span), weakref.ref(child), weakref.ref(unwatched.tracer.start_span("c"))]
        child.end()
        del span, child
        assert [reference() for reference in references] == [None, None, None]
    finally:
        gc.enable()


def test_values_are_let_go(unwatched: Unwatched) -> None:
    """What was given as attributes is copied, not held."""

    class Held(list[int]):
        pass

    span = unwatched.tracer.start_span("a")
    values = [Held([1]), Held([2]), Held([3])]
    references = [weakref.ref(value) for value in values]
    span.set_attribute("k", values[0])
    span.add_event("e", {"k": values[1]})
    span.set_attributes({"l": values[2]})
    del values
    assert [reference() for reference in references] == [None, None, None]
    span.end()


def test_cancelled_tasks_leave_nothing_behind(unwatched: Unwatched) -> None:
    """Nor do their contexts."""

    async def hang() -> None:
        with unwatched.tracer.start_as_current_span("a"), unwatched.tracer.start_as_current_span("b"):
            await asyncio.Event().wait()

    async def cancelled() -> None:
        tasks = [asyncio.create_task(hang()) for _ in range(100)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    def loop() -> None:
        asyncio.run(cancelled())

    for _ in range(5):
        loop()
    before = unwatched._measured()
    for _ in range(50):
        loop()
    after = unwatched._measured()
    assert max(now - then for now, then in zip(after, before, strict=True)) < SPARE


def test_tracers_of_one_scope_leave_nothing_behind(unwatched: Unwatched) -> None:
    """A bot may ask for its tracer at every call."""

    def work() -> None:
        unwatched.provider.get_tracer("library", "1.0", None, {"team": "desk"}).start_span("a").end()

    assert unwatched.left_behind(work, 5_000) < SPARE


def test_providers_leave_nothing_behind(engine: Name) -> None:
    """Neither shut down nor just let go."""

    def work(*, end: bool) -> weakref.ref[Any]:
        made = provider(engine)
        made.get_tracer("bot").start_span("a").end()
        if end:
            made.shutdown()
        return weakref.ref(made)

    references = [work(end=number % 2 == 0) for number in range(20)]
    gc.collect()
    assert [reference() for reference in references] == [None] * 20
