from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import SpanKind, StatusCode

from tests.tracing.finished import KNOWS_REMOTE, RANDOM, SAMPLED
from tests.tracing.finished import Resource as FinishedResource

if TYPE_CHECKING:
    from tests.tracing.conftest import MakeBench

LONG = 3_600 * 10**9
"""More than a test takes, in nanoseconds."""


def test_an_ended_span_is_exported(bench: MakeBench) -> None:
    """With everything a span has when nothing was said about it."""
    made = bench()
    before = time.time_ns()
    span = made.tracer.start_span("order")
    assert made.finished() == []
    assert span.is_recording()
    span.end()
    assert not span.is_recording()
    found = made.only()
    context = span.get_span_context()
    assert (found.trace_id, found.span_id, found.parent_id) == (context.trace_id, context.span_id, 0)
    assert (found.name, found.kind, found.status, found.message, found.state) == ("order", "INTERNAL", "UNSET", "", "")
    assert (found.attributes, found.events, found.links) == ({}, (), ())
    assert (found.dropped_attributes, found.dropped_events, found.dropped_links) == (0, 0, 0)
    assert found.flags & ~(SAMPLED | RANDOM) == KNOWS_REMOTE
    assert before - 10**9 <= found.start <= found.end <= time.time_ns() + 10**9


@pytest.mark.parametrize("kind", SpanKind)
def test_kinds(bench: MakeBench, kind: SpanKind) -> None:
    """Each kind of the API is the protocol's of the same name."""
    made = bench()
    made.tracer.start_span("a", kind=kind).end()
    with made.tracer.start_as_current_span("b", kind=kind):
        pass
    assert {span.kind for span in made.finished()} == {kind.name}


def test_a_span_that_never_ends_is_not_exported(bench: MakeBench) -> None:
    """Neither while it is held nor when it is let go."""
    made = bench()
    span: Any = made.tracer.start_span("a")
    made.tracer.start_span("b")
    assert made.finished() == []
    assert span.is_recording()
    span = None  # lets go of it
    assert made.finished() == []


def test_a_span_ends_once(bench: MakeBench) -> None:
    """The first end counts, further ones are ignored."""
    made = bench()
    span = made.tracer.start_span("a", start_time=5)
    span.end(7)
    span.end(9)
    span.end()
    assert (made.only().start, made.only().end) == (5, 7)


@pytest.mark.parametrize(("start", "end"), [(1, 2), (5, 5), (9, 3), (0, 1), (10**18, 2**63), (1, 2**64 - 1)])
def test_times_are_taken_as_they_are_given(bench: MakeBench, start: int, end: int) -> None:
    """Nanoseconds since 1970, also when they make no sense."""
    made = bench()
    made.tracer.start_span("a", start_time=start).end(end)
    with made.tracer.start_as_current_span("b", start_time=start) as span:
        span.end(end)
    assert {(found.start, found.end) for found in made.finished()} == {(start, end)}


def test_one_time_may_be_given(bench: MakeBench) -> None:
    """The other one is the clock's."""
    made = bench()
    made.tracer.start_span("a", start_time=5).end()
    made.tracer.start_span("b").end(2**62)
    found = made.named()
    now = time.time_ns()
    assert (found["a"].start, found["b"].end) == (5, 2**62)
    assert abs(found["a"].end - now) < LONG
    assert abs(found["b"].start - now) < LONG


def test_times_of_a_trace_are_in_order(bench: MakeBench) -> None:
    """A child begins and ends while its parent is open, and so do its events."""
    made = bench()
    with made.tracer.start_as_current_span("parent"):
        for number in range(50):
            with made.tracer.start_as_current_span(f"child {number}") as child:
                child.add_event("seen")
    found = made.named()
    parent, ends = found["parent"], 0
    for number in range(50):
        span = found[f"child {number}"]
        assert max(parent.start, ends) <= span.start <= span.event.time <= span.end <= parent.end
        ends = span.end


def test_nothing_changes_after_the_end(bench: MakeBench) -> None:
    """Whatever is asked of an ended span is ignored."""
    made = bench()
    span = made.tracer.start_span("a", attributes={"venue": "kalshi"})
    context = span.get_span_context()
    span.end()
    span.set_attribute("venue", "binance")
    span.set_attributes({"symbol": "BTC"})
    span.add_event("late")
    span.add_link(trace.SpanContext(1, 2, is_remote=False))
    span.record_exception(ValueError("late"))
    span.set_status(StatusCode.ERROR, "late")
    span.update_name("late")
    found = made.only()
    assert (found.name, found.attributes, found.events, found.links) == ("a", {"venue": "kalshi"}, (), ())
    assert (found.status, found.dropped_attributes) == ("UNSET", 0)
    assert span.get_span_context() == context
    assert not span.is_recording()


def test_the_name_may_change(bench: MakeBench) -> None:
    """The last one before the end counts."""
    made = bench()
    span = made.tracer.start_span("a")
    span.update_name("b")
    span.update_name("größe 📈")
    span.end()
    made.tracer.start_span("").end()
    assert made.names() == ["", "größe 📈"]


def test_the_context_of_a_span_is_stable(bench: MakeBench) -> None:
    """It is the same before and after the end, valid, local, sampled and random."""
    made = bench()
    span = made.tracer.start_span("a")
    context = span.get_span_context()
    assert isinstance(context, trace.SpanContext)
    assert context.is_valid
    assert not context.is_remote
    assert context.trace_flags == SAMPLED | RANDOM
    assert (context.trace_flags.sampled, context.trace_flags.random_trace_id) == (True, True)
    assert isinstance(context.trace_state, trace.TraceState)
    span.set_attribute("a", 1)
    span.end()
    assert span.get_span_context() == context


def test_a_span_is_a_context_manager(bench: MakeBench) -> None:
    """It hands itself out and ends, and is not the current one."""
    made = bench()
    span = made.tracer.start_span("a")
    with span as entered:
        assert entered is span
        assert trace.get_current_span() is trace.INVALID_SPAN
        assert span.is_recording()
    assert not span.is_recording()
    assert made.names() == ["a"]


def test_a_span_may_end_before_its_block(bench: MakeBench) -> None:
    """What the block does later is ignored, an exception included."""
    made = bench()
    with pytest.raises(ValueError, match="late"), made.tracer.start_as_current_span("a") as current:
        current.end(7)
        raise ValueError("late")
    with pytest.raises(ValueError, match="late"), made.tracer.start_span("b") as span:
        span.end(7)
        raise ValueError("late")
    assert {(found.end, found.status, found.events) for found in made.finished()} == {(7, "UNSET", ())}


def test_a_block_may_leave_its_span_open(bench: MakeBench) -> None:
    """With ``end_on_exit=False`` an exception is recorded all the same."""
    made = bench()
    with made.tracer.start_as_current_span("a", end_on_exit=False) as quiet:
        pass
    with pytest.raises(ValueError, match="x"), made.tracer.start_as_current_span("b", end_on_exit=False) as loud:
        raise ValueError("x")
    assert made.finished() == []
    assert quiet.is_recording()
    quiet.end()
    loud.end()
    assert {name: span.status for name, span in made.named().items()} == {"a": "UNSET", "b": "ERROR"}


def test_a_block_starts_its_span_when_it_is_entered(bench: MakeBench) -> None:
    """Not when it is made: a block that is never entered is no span."""
    made = bench()
    block = made.tracer.start_as_current_span("a")
    made.tracer.start_as_current_span("never")
    between = made.tracer.start_span("b")
    with between, trace.use_span(between), block:
        pass
    found = made.named()
    assert sorted(found) == ["a", "b"]
    assert found["a"].parent_id == found["b"].span_id
    assert found["a"].start >= found["b"].start


def test_scopes(bench: MakeBench) -> None:
    """A span says which library started it."""
    made = bench()
    made.provider.get_tracer("library", "2.0", "https://example.com/scope", {"team": "desk"}).start_span("a").end()
    made.provider.get_tracer("library").start_span("b").end()
    made.tracer.start_span("c").end()
    made.provider.get_tracer("library", "2.0", "https://example.com/scope", {"team": "desk"}).start_span("d").end()
    scopes = {name: span.scope for name, span in made.named().items()}
    assert (scopes["a"].name, scopes["a"].version) == ("library", "2.0")
    assert (scopes["a"].schema, scopes["a"].attributes) == ("https://example.com/scope", {"team": "desk"})
    assert (scopes["b"].name, scopes["b"].version, scopes["b"].schema) == ("library", "", "")
    assert (scopes["c"].name, scopes["c"].version) == ("bot", "1.0")
    assert scopes["d"] == scopes["a"]


@pytest.mark.parametrize("name", ["", None])
def test_a_tracer_without_a_name_works(bench: MakeBench, messages: list[str], name: Any) -> None:
    """What it records is not lost; that nobody can tell whose it is, is said."""
    made = bench()
    made.provider.get_tracer(name).start_span("a").end()
    assert made.only().scope.name == ""
    assert len(messages) == 1


def test_the_resource(bench: MakeBench) -> None:
    """It comes with every span, its schema included, and the provider shows it."""
    resource = Resource({"service.name": "bot", "legs": ["a", "b"], "n": 1}, "https://example.com/resource")
    made = bench(resource=resource)
    made.tracer.start_span("a").end()
    attributes = {"service.name": "bot", "legs": ("a", "b"), "n": 1}
    assert made.only().resource == FinishedResource(attributes, "https://example.com/resource")
    assert made.provider.resource.attributes["service.name"] == "bot"
