from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry import baggage, context, propagate, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.trace import sampling
from opentelemetry.trace import TraceState, format_span_id, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tests.tracing.finished import REMOTE

if TYPE_CHECKING:
    from tests.tracing.conftest import MakeBench

W3C = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_the_current_span_is_injected(bench: MakeBench) -> None:
    """Sampled and random, as two W3C headers; the global propagator does the same."""
    made = bench()
    with made.tracer.start_as_current_span("a") as span:
        carrier: dict[str, str] = {}
        W3C.inject(carrier)
        globally: dict[str, str] = {}
        propagate.inject(globally)
    found = span.get_span_context()
    expected = f"00-{format_trace_id(found.trace_id)}-{format_span_id(found.span_id)}-03"
    assert carrier == globally == {"traceparent": expected}


def test_an_ended_span_can_be_injected(bench: MakeBench) -> None:
    """From an explicit context, too."""
    made = bench()
    span = made.tracer.start_span("a")
    span.end()
    carrier: dict[str, str] = {}
    W3C.inject(carrier, trace.set_span_in_context(span))
    assert carrier["traceparent"].split("-")[2] == format_span_id(span.get_span_context().span_id)


@pytest.mark.parametrize("flags", ["01", "03"])
def test_a_trace_goes_on(bench: MakeBench, flags: str) -> None:
    """What was extracted is the parent, its tracestate and baggage go on, and its flags."""
    made = bench()
    carrier = {
        "traceparent": f"00-{TRACE}-{SPAN}-{flags}",
        "tracestate": "vendor=x, other=y",
        "baggage": "desk=7,side=buy",
    }
    extracted = W3C.extract(carrier)
    onwards: dict[str, str] = {}
    with made.tracer.start_as_current_span("a", context=extracted) as span:
        token = context.attach(trace.set_span_in_context(span, extracted))
        assert baggage.get_baggage("desk") == "7"
        W3C.inject(onwards)
        context.detach(token)
    found = made.only()
    assert (format_trace_id(found.trace_id), format_span_id(found.parent_id)) == (TRACE, SPAN)
    assert found.state == "vendor=x,other=y"
    assert found.flags & REMOTE
    assert onwards == {
        "traceparent": f"00-{TRACE}-{format_span_id(found.span_id)}-{flags}",
        "tracestate": "vendor=x,other=y",
        "baggage": "desk=7,side=buy",
    }


@pytest.mark.parametrize("flags", ["00", "02"])
def test_a_trace_that_is_not_sampled_goes_on_unsampled(bench: MakeBench, flags: str) -> None:
    """Nothing is recorded, and the next one in line is told so, with an id of ours."""
    made = bench()
    extracted = W3C.extract({"traceparent": f"00-{TRACE}-{SPAN}-{flags}", "tracestate": "vendor=x"})
    carrier: dict[str, str] = {}
    with made.tracer.start_as_current_span("a", context=extracted) as span:
        assert not span.is_recording()
        made.tracer.start_span("b").end()
        W3C.inject(carrier)
    assert made.finished() == []
    parts = carrier["traceparent"].split("-")
    assert (parts[1], parts[3], carrier["tracestate"]) == (TRACE, flags, "vendor=x")
    assert parts[2] != SPAN


def test_unknown_flags_do_not_go_on(bench: MakeBench) -> None:
    """Only those that are known do."""
    made = bench()
    extracted = W3C.extract({"traceparent": f"00-{TRACE}-{SPAN}-ff"})
    span = made.tracer.start_span("a", context=extracted)
    assert span.get_span_context().trace_flags == 3
    span.end()
    assert made.only().parent_id == int(SPAN, 16)


def test_nothing_to_extract_is_a_new_trace(bench: MakeBench) -> None:
    """An extracted context is not the current one: with no headers, and with wrong ones, it is empty."""
    made = bench()
    with made.tracer.start_as_current_span("current"):
        for number, parent in enumerate(({}, {"traceparent": "nonsense"}, {"traceparent": f"00-{'0' * 32}-{SPAN}-01"})):
            made.tracer.start_span(f"root {number}", context=W3C.extract(parent)).end()
        made.tracer.start_span("child", context=W3C.extract({}, context.get_current())).end()
    found = made.named()
    assert [found[f"root {number}"].parent_id for number in range(3)] == [0, 0, 0]
    assert found["child"].parent_id == found["current"].span_id


def test_baggage_is_there_in_blocks_and_not_on_spans(bench: MakeBench) -> None:
    """It belongs to the context."""
    made = bench()
    token = context.attach(baggage.set_baggage("desk", "7"))
    with made.tracer.start_as_current_span("a"):
        assert baggage.get_all() == {"desk": "7"}
    context.detach(token)
    assert made.only().attributes == {}


def test_a_long_tracestate_is_kept(bench: MakeBench) -> None:
    """All 32 members, in their order."""
    made = bench()
    state = TraceState([(f"vendor{number}", "v" * 200) for number in range(32)])
    parent = trace.SpanContext(1, 2, is_remote=True, trace_flags=trace.TraceFlags(1), trace_state=state)
    with made.tracer.start_as_current_span("a", trace.set_span_in_context(trace.NonRecordingSpan(parent))) as span:
        assert span.get_span_context().trace_state is state
        made.tracer.start_span("b").end()
    assert {span.state for span in made.finished()} == {state.to_header()}


def test_two_services(bench: MakeBench) -> None:
    """Over the wire and back: one trace through two providers."""
    client, server = bench(), bench()
    wire: dict[str, str] = {}
    with client.tracer.start_as_current_span("client", kind=trace.SpanKind.CLIENT):
        W3C.inject(wire)
    with server.tracer.start_as_current_span("server", W3C.extract(wire), trace.SpanKind.SERVER):
        server.tracer.start_span("query").end()
    (sent,), served = client.finished(), server.named()
    assert served["server"].parent_id == sent.span_id
    assert served["query"].parent_id == served["server"].span_id
    assert {span.trace_id for span in served.values()} == {sent.trace_id}


def test_spans_of_both_engines_in_one_trace(bench: MakeBench) -> None:
    """A span of a provider may be the parent of another provider's."""
    from tests.tracing.engines import Bench

    made, sdk = bench(), Bench("sdk", sampler=sampling.DEFAULT_ON)
    with made.tracer.start_as_current_span("a"), sdk.tracer.start_as_current_span("b"):
        made.tracer.start_span("c", context=Context(context.get_current())).end()
    found = made.named()
    (between,) = sdk.finished()
    assert between.parent_id == found["a"].span_id
    assert found["c"].parent_id == between.span_id
    assert {span.trace_id for span in found.values()} == {between.trace_id}
    sdk.provider.shutdown()
