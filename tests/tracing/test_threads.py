from __future__ import annotations

import contextvars
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from opentelemetry import context, trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.tracing.conftest import MakeBench

THREADS, TIMES = 4, 500


def in_thread(work: Callable[[], Any]) -> Any:
    """What the work returns in a thread of its own."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(work).result(60)


def hammer(work: Callable[[int], None]) -> None:
    """Work in several threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(THREADS) as executor:
            list(executor.map(work, range(THREADS)))
    finally:
        sys.setswitchinterval(before)


def test_a_new_thread_has_no_current_span(bench: MakeBench) -> None:
    """Its spans are roots, unless it is given the context."""
    made = bench()

    def attached(given: context.Context) -> None:
        token = context.attach(given)
        made.tracer.start_span("attached").end()
        context.detach(token)
        made.tracer.start_span("detached").end()

    with made.tracer.start_as_current_span("root"):
        assert in_thread(trace.get_current_span) is trace.INVALID_SPAN
        in_thread(lambda: made.tracer.start_span("bare").end())
        given, copied = context.get_current(), contextvars.copy_context()
        in_thread(lambda: attached(given))
        in_thread(lambda: copied.run(lambda: made.tracer.start_span("copied").end()))
        in_thread(lambda: made.tracer.start_span("explicit", context=given).end())
    found = made.named()
    children = {name for name, span in found.items() if span.parent_id == found["root"].span_id}
    assert children == {"attached", "copied", "explicit"}
    assert {found["bare"].parent_id, found["detached"].parent_id} == {0}


def test_threads_have_current_spans_of_their_own(bench: MakeBench) -> None:
    """Each sees its own while all have one."""
    made = bench()
    barrier = threading.Barrier(THREADS)

    def work(number: int) -> None:
        with made.tracer.start_as_current_span(f"{number}") as span:
            barrier.wait(60)
            assert trace.get_current_span() is span
            made.tracer.start_span(f"child of {number}").end()
            barrier.wait(60)

    hammer(work)
    found = made.named()
    for number in range(THREADS):
        assert found[f"child of {number}"].parent_id == found[f"{number}"].span_id


def test_nothing_is_lost_or_mixed_up(bench: MakeBench) -> None:
    """Threads start and end spans at once: each arrives once, whole, with its own parent."""
    made = bench()

    def work(thread: int) -> None:
        for turn in range(TIMES):
            with made.tracer.start_as_current_span("parent", attributes={"thread": thread, "turn": turn}):
                with made.tracer.start_as_current_span("child") as child:
                    child.set_attributes({"thread": thread, "turn": turn})
                child.add_event("late")

    hammer(work)
    spans = made.finished()
    assert len(spans) == len({span.span_id for span in spans}) == 2 * THREADS * TIMES
    of = {span.span_id: span.attributes for span in spans}
    children = [span for span in spans if span.name == "child"]
    assert len({tuple(span.attributes.values()) for span in children}) == THREADS * TIMES
    assert all(of[span.parent_id] == span.attributes for span in children)
    assert all(span.events == () for span in children)


def test_one_span_in_several_threads(bench: MakeBench) -> None:
    """All add to it, and it ends once: nothing that was in time is lost."""
    made = bench()
    span = made.tracer.start_span("a")

    def work(thread: int) -> None:
        for turn in range(25):
            span.set_attribute(f"{thread} {turn}", turn)
            span.add_event(f"{thread} {turn}")

    hammer(work)
    hammer(lambda _: span.end())
    found = made.only()
    expected = {f"{thread} {turn}": turn for thread in range(THREADS) for turn in range(25)}
    assert found.attributes == expected
    assert sorted(event.name for event in found.events) == sorted(expected)


def test_spans_end_while_others_add_to_them(bench: MakeBench) -> None:
    """What is added after the end is ignored, what comes before is kept: nothing breaks in between."""
    made = bench()
    for _ in range(50):
        span = made.tracer.start_span("a")
        start = threading.Barrier(THREADS)

        def work(thread: int, span: trace.Span = span, start: threading.Barrier = start) -> None:
            start.wait(60)
            if thread == 0:
                span.end()
            for turn in range(20):
                span.set_attribute(f"{thread}", turn)
                span.add_event("e", {"turn": turn})
                span.update_name("b")

        hammer(work)
    found = made.finished()
    assert len(found) == 50
    assert all(set(one.attributes) <= {"1", "2", "3"} for one in found)
    assert all(set(event.attributes) == {"turn"} for one in found for event in one.events)


def test_tracers_are_made_by_all_threads_at_once(bench: MakeBench) -> None:
    """Whoever asks gets one that works, for the scope that was asked for."""
    made = bench()

    def work(thread: int) -> None:
        for turn in range(50):
            made.provider.get_tracer(f"library {turn}", "1.0").start_span(f"{thread} {turn}").end()

    hammer(work)
    found = made.named()
    assert len(found) == 50 * THREADS
    assert all(span.scope.name == f"library {name.split()[1]}" for name, span in found.items())


def test_spans_are_collected_while_they_end(bench: MakeBench) -> None:
    """Taking what ended so far, again and again, takes each once."""
    made = bench()
    done = threading.Event()

    def collect() -> None:
        while not done.is_set():
            made.finished()

    collector = threading.Thread(target=collect)
    collector.start()

    def work(thread: int) -> None:
        for turn in range(TIMES):
            made.tracer.start_span(f"{thread} {turn}", attributes={"turn": turn}).end()

    hammer(work)
    done.set()
    collector.join(60)
    assert len(made.named()) == THREADS * TIMES
