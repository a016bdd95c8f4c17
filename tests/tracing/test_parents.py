from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, SpanContext, TraceFlags, TraceState

from tests.tracing.deviations import deviates
from tests.tracing.finished import KNOWS_REMOTE, RANDOM, REMOTE, SAMPLED

if TYPE_CHECKING:
    from tests.tracing.conftest import MakeBench
    from tests.tracing.engines import Name


def remote(flags: int, *, is_remote: bool = True, state: TraceState | None = None) -> SpanContext:
    """A span of somebody else."""
    return SpanContext(0xABC, 0xDEF, is_remote, TraceFlags(flags), state)


def test_the_current_span_is_the_parent(bench: MakeBench) -> None:
    """For spans that become current and those that do not; siblings have one parent."""
    made = bench()
    with made.tracer.start_as_current_span("root") as root:
        assert trace.get_current_span() is root
        made.tracer.start_span("child").end()
        with made.tracer.start_as_current_span("sibling") as sibling:
            assert trace.get_current_span() is sibling
            made.tracer.start_span("grandchild").end()
        assert trace.get_current_span() is root
    found = made.named()
    parents = {name: span.parent_id for name, span in found.items()}
    root_id = found["root"].span_id
    assert parents == {"root": 0, "child": root_id, "sibling": root_id, "grandchild": found["sibling"].span_id}
    assert len({span.trace_id for span in found.values()}) == 1


def test_roots_have_traces_of_their_own(bench: MakeBench) -> None:
    """With no current span, with an empty context and with an invalid span."""
    made = bench()
    made.tracer.start_span("a").end()
    with made.tracer.start_as_current_span("b"):
        made.tracer.start_span("c", context=Context()).end()
        made.tracer.start_span("d", context=trace.set_span_in_context(INVALID_SPAN)).end()
        with made.tracer.start_as_current_span("e", context=Context()) as inner:
            assert trace.get_current_span() is inner
    assert {span.parent_id for span in made.finished()} == {0}
    assert len({span.trace_id for span in made.finished()}) == 5


def test_an_explicit_parent(bench: MakeBench) -> None:
    """It counts instead of the current one, ended or not, and is not the current one."""
    made = bench()
    parent = made.tracer.start_span("parent")
    given = trace.set_span_in_context(parent)
    with made.tracer.start_as_current_span("current") as current:
        made.tracer.start_span("child", context=given).end()
        parent.end()
        with made.tracer.start_as_current_span("late", given) as late:
            assert trace.get_current_span() is late
        assert trace.get_current_span() is current
    found = made.named()
    assert {found["child"].parent_id, found["late"].parent_id} == {found["parent"].span_id}
    assert {found["child"].trace_id, found["late"].trace_id} == {found["parent"].trace_id}


def test_a_block_stands_on_the_current_context(bench: MakeBench) -> None:
    """An explicit context gives the parent only: what else is in it is not current inside."""
    made = bench()
    key = context.create_key("k")
    token = context.attach(context.set_value(key, "current"))
    try:
        given = context.set_value(key, "given", Context())
        with made.tracer.start_as_current_span("a", context=given) as span:
            assert context.get_value(key) == "current"
            assert trace.get_current_span(context.get_current()) is span
        assert context.get_value(key) == "current"
    finally:
        context.detach(token)


@pytest.mark.parametrize("flags", [0, SAMPLED, RANDOM, SAMPLED | RANDOM])
@pytest.mark.parametrize("is_remote", [True, False])
def test_a_parent_of_somebody_else(bench: MakeBench, engine: Name, flags: int, is_remote: bool) -> None:
    """Its trace goes on, with its tracestate; it decides whether to sample, and whether the trace id is random."""
    made = bench()
    state = TraceState([("vendor", "x"), ("a", "b")])
    parent = remote(flags, is_remote=is_remote, state=state)
    span = made.tracer.start_span("a", context=trace.set_span_in_context(NonRecordingSpan(parent)))
    ours = span.get_span_context()
    assert (ours.trace_id, ours.is_remote, ours.trace_flags, ours.trace_state) == (0xABC, False, flags, state)
    assert ours.span_id not in (0, 0xDEF)
    assert span.is_recording() == bool(flags & SAMPLED)
    span.end()
    if not flags & SAMPLED:
        assert made.finished() == []
        return
    found = made.only()
    assert (found.trace_id, found.parent_id, found.state) == (0xABC, 0xDEF, "vendor=x,a=b")
    expected = KNOWS_REMOTE | (REMOTE if is_remote else 0)
    assert found.flags == (expected | flags if deviates(engine, "trace flags") else expected)


def test_remote_is_only_the_first(bench: MakeBench) -> None:
    """The parent of a grandchild is here."""
    made = bench()
    parent = trace.set_span_in_context(NonRecordingSpan(remote(SAMPLED)))
    with made.tracer.start_as_current_span("a", parent):
        made.tracer.start_span("b").end()
    assert {name: span.flags & REMOTE for name, span in made.named().items()} == {"a": REMOTE, "b": 0}


@pytest.mark.parametrize(("trace_id", "span_id"), [(0, 5), (5, 0), (2**128, 5), (5, 2**64), (-1, 5)])
def test_an_invalid_parent_is_none(bench: MakeBench, trace_id: int, span_id: int) -> None:
    """The span is the root of a new trace."""
    made = bench()
    parent = NonRecordingSpan(SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(0)))
    made.tracer.start_span("a", context=trace.set_span_in_context(parent)).end()
    assert made.only().parent_id == 0
    assert made.only().trace_id not in (0, trace_id)


def test_ids_of_all_lengths(bench: MakeBench) -> None:
    """From one bit to all of them."""
    made = bench()
    for trace_id, span_id in ((1, 1), (2**127, 2**63), (2**128 - 1, 2**64 - 1)):
        parent = NonRecordingSpan(SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(SAMPLED)))
        made.tracer.start_span("a", context=trace.set_span_in_context(parent)).end()
        assert (made.finished()[-1].trace_id, made.finished()[-1].parent_id) == (trace_id, span_id)


def test_use_span(bench: MakeBench) -> None:
    """It makes any span current, again and again, and ends it only when told."""
    made = bench()
    span = made.tracer.start_span("a")
    for _ in range(2):
        with trace.use_span(span) as used:
            assert used is span
            assert trace.get_current_span() is span
            made.tracer.start_span("child").end()
        assert trace.get_current_span() is INVALID_SPAN
    assert span.is_recording()
    with trace.use_span(span, end_on_exit=True):
        pass
    assert not span.is_recording()
    assert {found.parent_id for found in made.finished() if found.name == "child"} == {span.get_span_context().span_id}


def test_an_ended_span_may_be_current(bench: MakeBench) -> None:
    """Spans started then are its children."""
    made = bench()
    span = made.tracer.start_span("a")
    span.end()
    with trace.use_span(span):
        made.tracer.start_span("b").end()
    assert made.named()["b"].parent_id == span.get_span_context().span_id


def test_contexts_are_attached_and_detached_by_hand(bench: MakeBench) -> None:
    """A span that was attached is current until it is detached, in whatever order spans end."""
    made = bench()
    first, second = made.tracer.start_span("first"), made.tracer.start_span("second")
    tokens = [context.attach(trace.set_span_in_context(span)) for span in (first, second)]
    first.end()
    second.end()
    made.tracer.start_span("third").end()
    context.detach(tokens[1])
    made.tracer.start_span("fourth").end()
    context.detach(tokens[0])
    made.tracer.start_span("fifth").end()
    found = made.named()
    parents = [found[name].parent_id for name in ("third", "fourth", "fifth")]
    assert parents == [found["second"].span_id, found["first"].span_id, 0]


def test_blocks_that_do_not_nest(bench: MakeBench) -> None:
    """Each restores what was current when it was entered, whatever is current now."""
    made = bench()

    def cross() -> None:
        first, second = made.tracer.start_as_current_span("first"), made.tracer.start_as_current_span("second")
        outer = first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert trace.get_current_span() is INVALID_SPAN
        second.__exit__(None, None, None)
        assert trace.get_current_span() is outer

    contextvars.copy_context().run(cross)
    assert made.names() == ["first", "second"]


def test_a_copied_context(bench: MakeBench) -> None:
    """What runs in it sees the span that was current, and what it makes current is not seen outside."""
    made = bench()

    def inside() -> Any:
        seen = trace.get_current_span()
        context.attach(trace.set_span_in_context(made.tracer.start_span("left open")))
        return seen

    with made.tracer.start_as_current_span("a") as span:
        copied = contextvars.copy_context()
        assert copied.run(inside) is span
        assert trace.get_current_span() is span
    assert contextvars.Context().run(trace.get_current_span) is INVALID_SPAN


def test_other_values_of_the_context_stay(bench: MakeBench) -> None:
    """A block adds its span to what is there."""
    made = bench()
    key = context.create_key("k")
    token = context.attach(context.set_value(key, 5))
    with made.tracer.start_as_current_span("a"):
        assert context.get_value(key) == 5
    context.detach(token)
    assert context.get_value(key) is None


def test_suppressed_instrumentation_suppresses_no_spans(bench: MakeBench) -> None:
    """It is for instrumentations to obey; the tracer records."""
    made = bench()
    with suppress_instrumentation(), made.tracer.start_as_current_span("a"):
        made.tracer.start_span("b").end()
    assert made.names() == ["a", "b"]
