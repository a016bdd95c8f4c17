from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import Link, SpanContext, TraceFlags, TraceState

from tests.tracing.compare import exact
from tests.tracing.deviations import deviates
from tests.tracing.finished import KNOWS_REMOTE, RANDOM, REMOTE, SAMPLED

if TYPE_CHECKING:
    from tests.tracing.conftest import MakeBench
    from tests.tracing.engines import Name

THERE = SpanContext(0xA, 0xB, is_remote=False, trace_flags=TraceFlags(SAMPLED))
STATE = TraceState([("vendor", "x"), ("other", "y")])
FAR = SpanContext(0xC, 0xD, is_remote=True, trace_flags=TraceFlags(SAMPLED | RANDOM), trace_state=STATE)


def test_events_keep_their_order(bench: MakeBench) -> None:
    """With names, attributes and the time of the call."""
    made = bench()
    before = time.time_ns()
    with made.tracer.start_as_current_span("a") as span:
        span.add_event("sent")
        span.add_event("acknowledged", {"venue": "kalshi", "legs": [1, 2]})
        span.add_event("", {})
        span.add_event("größe", attributes=None, timestamp=None)
    found = made.only()
    assert [event.name for event in found.events] == ["sent", "acknowledged", "", "größe"]
    assert [event.attributes for event in found.events] == [{}, {"venue": "kalshi", "legs": (1, 2)}, {}, {}]
    times = [event.time for event in found.events]
    assert times == sorted(times)
    assert before - 10**9 <= times[0] <= times[-1] <= time.time_ns() + 10**9
    assert {event.dropped for event in found.events} == {0}


@pytest.mark.parametrize("timestamp", [0, 1, 2**63, 2**64 - 1])
def test_the_time_of_an_event_may_be_given(bench: MakeBench, timestamp: int) -> None:
    """It is taken as it is, and does not change the order."""
    made = bench()
    span = made.tracer.start_span("a")
    span.add_event("now")
    span.add_event("then", {"a": 1}, timestamp)
    span.end()
    assert [event.name for event in made.only().events] == ["now", "then"]
    assert made.only().events[1].time == timestamp


def test_what_an_event_was_given_may_change_afterwards(bench: MakeBench) -> None:
    """Attributes are copied, at every depth."""
    made = bench()
    legs: list[Any] = [1]
    given: dict[str, Any] = {"legs": legs, "nested": {"legs": legs}}
    span = made.tracer.start_span("a", attributes=given, links=[Link(THERE, given)])
    span.add_event("e", given)
    legs.append(2)
    given["more"] = 1
    span.end()
    found, expected = made.only(), {"legs": (1,), "nested": {"legs": (1,)}}
    assert [found.attributes, found.event.attributes, found.links[0].attributes] == [expected] * 3


def test_links_at_the_start_and_later(bench: MakeBench, engine: Name) -> None:
    """In this order, with attributes, flags and tracestate of what they point to."""
    made = bench()
    span = made.tracer.start_span("a", links=[Link(THERE), Link(FAR, {"why": "retry"})])
    span.add_link(FAR)
    span.add_link(THERE, {"why": "fill"})
    span.end()
    found = made.only().links
    assert [(link.trace_id, link.span_id) for link in found] == [(0xA, 0xB), (0xC, 0xD), (0xC, 0xD), (0xA, 0xB)]
    assert [exact(link.attributes) for link in found] == [
        exact(given) for given in ({}, {"why": "retry"}, {}, {"why": "fill"})
    ]
    flags, states = ([KNOWS_REMOTE, KNOWS_REMOTE | REMOTE], ["", ""])
    if deviates(engine, "trace flags"):
        flags = [KNOWS_REMOTE | SAMPLED, KNOWS_REMOTE | REMOTE | SAMPLED | RANDOM]
    if deviates(engine, "tracestate of links"):
        states = ["", "vendor=x,other=y"]
    assert [link.flags for link in found] == [flags[0], flags[1], flags[1], flags[0]]
    assert [link.state for link in found] == [states[0], states[1], states[1], states[0]]


def test_a_link_to_a_span_of_our_own(bench: MakeBench) -> None:
    """Linking is not being a child, and the other span may be open."""
    made = bench()
    with made.tracer.start_as_current_span("a") as first:
        context = trace.set_span_in_context(trace.INVALID_SPAN)
        made.tracer.start_span("b", context, links=[Link(first.get_span_context())]).end()
    found = made.named()
    (link,) = found["b"].links
    assert (link.trace_id, link.span_id) == (found["a"].trace_id, found["a"].span_id)
    assert found["b"].parent_id == 0
    assert found["b"].trace_id != found["a"].trace_id


def test_links_to_nothing(bench: MakeBench) -> None:
    """An invalid link is left out, unless it has attributes or a tracestate; it is not counted as dropped."""
    made = bench()
    stateful = SpanContext(0, 0, is_remote=False, trace_state=STATE)
    links = [
        Link(trace.INVALID_SPAN_CONTEXT),
        Link(trace.INVALID_SPAN_CONTEXT, {}),
        Link(trace.INVALID_SPAN_CONTEXT, {"why": "unknown"}),
        Link(stateful),
        Link(SpanContext(5, 0, is_remote=False)),
        Link(None),  # type: ignore[arg-type]
    ]
    made.tracer.start_span("start", links=links).end()
    later = made.tracer.start_span("later")
    for link in links:
        later.add_link(link.context, link.attributes)
    later.end()
    for span in made.finished():
        assert [(link.trace_id, link.span_id, link.attributes) for link in span.links] == [
            (0, 0, {"why": "unknown"}),
            (0, 0, {}),
        ]
        assert span.dropped_links == 0


@pytest.mark.parametrize("links", [None, (), [], [None]])
def test_no_links(bench: MakeBench, links: Any) -> None:
    """None at all, in each way to say so."""
    made = bench()
    made.tracer.start_span("a", links=links).end()
    with made.tracer.start_as_current_span("b", links=links):
        pass
    assert [span.links for span in made.finished()] == [(), ()]


@pytest.mark.parametrize("kind", [tuple, list, iter, lambda links: (link for link in links), dict.fromkeys])
def test_links_may_be_any_iterable(bench: MakeBench, kind: Any) -> None:
    """Tuples, lists, iterators, generators."""
    made = bench()
    made.tracer.start_span("a", links=kind([Link(THERE), Link(FAR)])).end()
    assert [link.span_id for link in made.only().links] == [0xB, 0xD]


def test_a_link_may_be_used_again(bench: MakeBench, engine: Name) -> None:
    """By spans with other limits, too; the SDK changes the link it is given."""
    from opentelemetry.sdk.trace import SpanLimits

    attributes = {"a": 1, "b": 2}
    link = Link(THERE, attributes)
    found = []
    for limit in (1, 2):
        made = bench(span_limits=SpanLimits(max_link_attributes=limit))
        made.tracer.start_span("a", links=[link]).end()
        found.append(made.only().links[0].attributes)
    unchanged = deviates(engine, "links stay as they are")
    assert found == [{"b": 2}, attributes if unchanged else {"b": 2}]
    assert (link.attributes is attributes) == unchanged
