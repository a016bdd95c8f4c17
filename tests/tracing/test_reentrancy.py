from __future__ import annotations

import gc
import sys
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.context import get_current
from opentelemetry.trace import Link, SpanContext, TraceState

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.tracing.conftest import MakeBench
    from tests.tracing.engines import Bench


class Acts:
    """A value whose text takes more than printing."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act

    def __str__(self) -> str:
        self._act()
        return "told"


class ActsError(Exception):
    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self._act = act

    def __str__(self) -> str:
        self._act()
        return "told"


def test_a_value_may_record_spans_of_its_own(bench: MakeBench) -> None:
    """While it is turned into text for another: both arrive, and the other has its value."""
    made = bench()
    value: Any = Acts(lambda: made.tracer.start_span("from the value", attributes={"k": 1}).end())
    with made.tracer.start_as_current_span("a", attributes={"k": value}) as span:
        span.set_attribute("l", value)
        span.add_event("e", {"k": value})
    found = [span for span in made.finished() if span.name == "a"]
    assert found[0].attributes == {"k": "told", "l": "told"}
    assert found[0].event.attributes == {"k": "told"}
    assert made.names().count("from the value") == 3


def test_an_exception_may_record_spans_of_its_own(bench: MakeBench) -> None:
    """The same for its text."""
    made = bench()
    with pytest.raises(ActsError), made.tracer.start_as_current_span("a"):
        raise ActsError(lambda: made.tracer.start_span("from the exception").end())
    assert "from the exception" in made.names()
    found = next(span for span in made.finished() if span.name == "a")
    assert (found.message, found.event.attributes["exception.message"]) == ("ActsError: told", "told")


CHANGES: dict[str, Callable[[Any], object]] = {
    "attribute": lambda span: span.set_attribute("inner", 1),
    "same attribute": lambda span: span.set_attribute("k", "inner"),
    "many attributes": lambda span: span.set_attributes({f"inner {number}": number for number in range(200)}),
    "event": lambda span: span.add_event("inner", {"k": 1}),
    "exception": lambda span: span.record_exception(ValueError("inner")),
    "status": lambda span: span.set_status(trace.StatusCode.OK),
    "name": lambda span: span.update_name("inner"),
    "end": lambda span: span.end(5),
    "reading": lambda span: (dict(span.attributes), span.events, span.name, repr(span)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_value_may_change_its_own_span(native: MakeBench, change: str) -> None:
    """Nothing hangs and nothing breaks; the SDK waits for itself for ever."""
    made = native()
    span = made.tracer.start_span("a", attributes={"first": 1})
    value: Any = Acts(lambda: CHANGES[change](span))
    span.set_attribute("k", value)
    span.set_attributes({"l": value, "m": [value, {"n": value}]})
    span.add_event("e", {"k": value})
    span.add_link(trace.SpanContext(1, 2, is_remote=False), {"k": value})
    span.record_exception(ActsError(lambda: CHANGES[change](span)), {"k": value})
    span.end()
    found = made.only()
    assert found.attributes.get("first", 1) == 1
    if change != "end":
        assert [event.attributes["k"] for event in found.events if event.name == "e"] == ["told"]
    else:
        assert (found.end, found.events) == (5, ())


def churn(made: Bench, number: int, current: list[trace.Span]) -> None:
    """A span with everything, and garbage in cycles."""
    with made.tracer.start_as_current_span(f"{number}", attributes={"k": [number], "l": {"m": number}}) as span:
        current[0] = span
        cycle: list[Any] = [span]
        cycle.append(cycle)
        span.set_attributes({f"{key}": str(key) for key in range(10)})
        span.add_event("e", {"k": number})
        span.set_status(trace.StatusCode.ERROR, f"{number}")


def test_garbage_collections_in_between(native: MakeBench) -> None:
    """One at any allocation may run code that changes the current span, starts spans and lets go of others."""
    made = native()
    seen = [0]
    current = [made.tracer.start_span("never ended")]
    start = made.tracer.start_span

    # no instances of Python classes in here: CPython 3.11 crashes when a collection while it makes one uses others
    def collected(phase: str, _: object) -> None:
        seen[0] += 1
        current[0].set_attribute("collected", seen[0])
        current[0].add_event("collected")
        start("collected", attributes={"k": [1]}).end()

    before = gc.get_threshold()
    gc.callbacks.append(collected)
    gc.set_threshold(2)
    try:
        for number in range(500):
            churn(made, number, current)
    finally:
        gc.callbacks.remove(collected)
        gc.set_threshold(*before)
    spans = made.finished()
    assert sum(span.name == "collected" for span in spans) == seen[0] > 0
    found = {span.name: span for span in spans if span.name != "collected"}
    assert sorted(map(int, found)) == list(range(500))
    for name, span in found.items():
        assert span.attributes["k"] == (int(name),)
        assert span.attributes["l"] == {"m": int(name)}
        assert {f"{key}" for key in range(10)} < span.attributes.keys()
        assert [event.attributes for event in span.events if event.name == "e"] == [{"k": int(name)}]


def test_a_collection_while_a_block_ends(native: MakeBench) -> None:
    """Code that it runs may read the current context: what it read is not the current one after the block."""
    made = native()
    others = [ContextVar[int](f"{number}") for number in range(40)]
    stale: list[object] = []

    def collected(*_: object) -> None:
        get_current()

    def work() -> None:
        for other in others:  # enough that to take a variable out of the context allocates what is collected
            other.set(1)
        for _ in range(300):
            with made.tracer.start_as_current_span("a"):
                pass
            if get_current():
                stale.append(1)

    before = gc.get_threshold()
    gc.callbacks.append(collected)
    try:
        for threshold in range(1, 60):
            gc.set_threshold(threshold)
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
    finally:
        gc.callbacks.remove(collected)
        gc.set_threshold(*before)
    assert not stale


def test_finalizers_in_between(native: MakeBench) -> None:
    """An object that is let go may touch the span whose attribute it was."""
    made = native()

    class Last(list[int]):
        def __del__(self) -> None:
            span.set_attribute("finalized", value=True)
            span.add_event("finalized")

    span = made.tracer.start_span("a")
    span.set_attribute("k", Last([1]))
    span.set_attribute("k", Last([2]))
    span.add_event("e", {"k": Last([3])})
    span.end()
    found = made.only()
    assert (found.attributes, len(found.events)) == ({"k": (2,), "finalized": True}, 4)


def test_threads_that_end_spans_while_others_are_written(native: MakeBench) -> None:
    """Writing a link runs Python code, so another thread may end a span meanwhile; both arrive whole."""
    made = native()
    linked = Link(SpanContext(5, 6, is_remote=True, trace_state=TraceState([("vendor", "x")])), {"leg": "a"})
    each = 400

    def work(thread: int) -> None:
        for number in range(each):
            links = [linked] * 3 if thread % 2 else []
            made.tracer.start_span(f"{thread} {number}", links=links, attributes={"number": number}).end()

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    found = made.named()
    assert len(found) == 4 * each
    for name, span in found.items():
        worker, number = map(int, name.split())
        assert span.attributes == {"number": number}
        assert [link.state for link in span.links] == (["vendor=x"] * 3 if worker % 2 else [])
