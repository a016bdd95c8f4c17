from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import sampling
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Decision, ParentBased, SamplingResult
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags, TraceState

from tests.tracing.deviations import deviates
from tests.tracing.finished import RANDOM, SAMPLED

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.tracing.conftest import MakeBench
    from tests.tracing.engines import Name


class Sampler(sampling.Sampler):
    """Decides as it is told and remembers what it was asked."""

    def __init__(self, result: Callable[..., Any] | SamplingResult | Decision) -> None:
        self.result = SamplingResult(result) if isinstance(result, Decision) else result
        self.asked: list[tuple[Any, ...]] = []

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Any = None,
        links: Any = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        self.asked.append((parent_context, trace_id, name, kind, attributes, links))
        if isinstance(self.result, SamplingResult):
            return self.result
        answer: SamplingResult = self.result(name)
        return answer

    def get_description(self) -> str:
        return "told"


def parent(flags: int, *, remote: bool) -> Context:
    """A context with a span of somebody else."""
    context = SpanContext(0xA, 0xB, remote, TraceFlags(flags), TraceState([("vendor", "x")]))
    return trace.set_span_in_context(NonRecordingSpan(context))


@pytest.mark.parametrize(("sampler", "recorded"), [(ALWAYS_ON, True), (ALWAYS_OFF, False)])
@pytest.mark.parametrize("flags", [None, 0, SAMPLED])
def test_always_on_and_off(bench: MakeBench, sampler: Any, recorded: bool, flags: int | None) -> None:
    """Whatever the parent."""
    made = bench(sampler=sampler)
    context = Context() if flags is None else parent(flags, remote=True)
    span = made.tracer.start_span("a", context, attributes={"k": 1})
    span.end()
    assert span.get_span_context().trace_flags.sampled == recorded
    assert [(found.name, found.attributes) for found in made.finished()] == ([("a", {"k": 1})] if recorded else [])


def test_a_span_that_is_dropped(bench: MakeBench) -> None:
    """It records nothing, and has ids of its own for its children and for other processes."""
    made = bench(sampler=ALWAYS_OFF)
    with made.tracer.start_as_current_span("a") as span:
        assert isinstance(span, NonRecordingSpan)
        assert trace.get_current_span() is span
        child = made.tracer.start_span("b")
    contexts = [span.get_span_context(), child.get_span_context()]
    assert all(context.is_valid for context in contexts)
    assert contexts[0].trace_id == contexts[1].trace_id
    assert contexts[0].span_id != contexts[1].span_id
    assert [context.trace_flags for context in contexts] == [RANDOM, RANDOM]
    assert [span.is_recording(), child.is_recording()] == [False, False]


def test_a_span_that_is_recorded_only(bench: MakeBench) -> None:
    """It records, and is not exported; its children are not sampled, nor is what other processes make of it."""
    made = bench(sampler=ParentBased(Sampler(Decision.RECORD_ONLY)))
    with made.tracer.start_as_current_span("a") as span:
        assert span.is_recording()
        assert not span.get_span_context().trace_flags.sampled
        assert not made.tracer.start_span("b").is_recording()
    assert not span.is_recording()
    assert made.finished() == []


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.5, 1.0])
def test_a_ratio_of_traces(bench: MakeBench, rate: float) -> None:
    """The lower 64 bits of the trace id decide."""
    sampler = sampling.TraceIdRatioBased(rate)
    made = bench(sampler=sampler)
    expected = set()
    for _ in range(400):
        span = made.tracer.start_span("a")
        span.end()
        context = span.get_span_context()
        assert context.trace_flags.sampled == (context.trace_id % 2**64 < sampler.bound)
        if context.trace_flags.sampled:
            expected.add(context.trace_id)
    assert {span.trace_id for span in made.finished()} == expected
    assert abs(len(expected) - 400 * rate) < 60


@pytest.mark.parametrize("flags", [0, SAMPLED])
@pytest.mark.parametrize("remote", [False, True])
def test_the_parent_decides(bench: MakeBench, flags: int, remote: bool) -> None:
    """``ParentBased`` asks another sampler for each kind of parent, and of all of them only that one."""
    samplers = {
        name: Sampler(SamplingResult(Decision.RECORD_AND_SAMPLE, {"sampler": name}))
        for name in (
            "root",
            "remote_parent_sampled",
            "remote_parent_not_sampled",
            "local_parent_sampled",
            "local_parent_not_sampled",
        )
    }
    made = bench(sampler=ParentBased(**samplers))
    made.tracer.start_span("a", Context()).end()
    made.tracer.start_span("b", parent(flags, remote=remote)).end()
    asked = f"{'remote' if remote else 'local'}_parent_{'sampled' if flags else 'not_sampled'}"
    found = made.named()
    assert [found[name].attributes["sampler"] for name in "ab"] == ["root", asked]
    assert [name for name, sampler in samplers.items() if sampler.asked] == ["root", asked]


def test_a_whole_trace_is_sampled_or_not(bench: MakeBench) -> None:
    """By default the root decides."""
    made = bench(sampler=ParentBased(sampling.TraceIdRatioBased(0.5)))
    for _ in range(40):
        with made.tracer.start_as_current_span("a"), made.tracer.start_as_current_span("b"):
            made.tracer.start_span("c").end()
    traces = [span.trace_id for span in made.finished()]
    assert 0 < len(traces) < 120
    assert {traces.count(trace_id) for trace_id in traces} == {3}


def test_what_a_sampler_is_asked(bench: MakeBench) -> None:
    """The context, kind, attributes and links as the bot gave them, with the trace id the span will have."""
    sampler = Sampler(Decision.RECORD_AND_SAMPLE)
    made = bench(sampler=sampler)
    context, attributes, links = parent(SAMPLED, remote=True), {"k": object()}, [Link(SpanContext(1, 2, False))]
    made.tracer.start_span("a", context, SpanKind.CLIENT, attributes, links).end()  # type: ignore[arg-type]
    with made.tracer.start_as_current_span("b") as current:
        made.tracer.start_span("c").end()
    (first, second, third) = sampler.asked
    assert first[:4] == (context, 0xA, "a", SpanKind.CLIENT)
    assert first[0] is context
    assert first[4] == attributes
    assert list(first[5]) == links
    trace_id = current.get_span_context().trace_id
    assert [(asked[0], asked[1], asked[2], asked[3], asked[4]) for asked in (second, third)] == [
        (None, trace_id, "b", SpanKind.INTERNAL, None),
        (None, trace_id, "c", SpanKind.INTERNAL, None),
    ]
    assert [list(asked[5]) for asked in (second, third)] == [[], []]


def test_a_sampler_has_the_last_word_on_attributes(bench: MakeBench) -> None:
    """A span starts with those of its answer: what it leaves out is lost."""
    added = SamplingResult(Decision.RECORD_AND_SAMPLE, {"rate": 0.5, "legs": ["a"]})
    for result, expected in ((added, {"rate": 0.5, "legs": ("a",)}), (Decision.RECORD_AND_SAMPLE, {})):
        made = bench(sampler=Sampler(result))
        made.tracer.start_span("a", attributes={"k": 1}).end()
        assert made.only().attributes == expected


@pytest.mark.parametrize("decision", Decision)
def test_a_sampler_has_the_last_word_on_the_tracestate(bench: MakeBench, decision: Decision) -> None:
    """It may change it, or lose it; the children of the span get what it said."""
    state = TraceState([("ot", "th:8"), ("vendor", "x")])
    made = bench(sampler=ParentBased(ALWAYS_ON, remote_parent_sampled=Sampler(SamplingResult(decision, {}, state))))
    with made.tracer.start_as_current_span("a", parent(SAMPLED, remote=True)) as span:
        assert span.get_span_context().trace_state == state
        assert made.tracer.start_span("b").get_span_context().trace_state == state
    expected = ["ot=th:8,vendor=x"] if decision is Decision.RECORD_AND_SAMPLE else []
    assert [found.state for found in made.finished()] == expected
    silent = bench(sampler=Sampler(decision))
    span = silent.tracer.start_span("a", parent(SAMPLED, remote=True))
    assert dict(span.get_span_context().trace_state) == {}


ENVIRONMENT = {
    "always_on": 20,
    "always_off": 0,
    "traceidratio 1": 20,
    "traceidratio 0": 0,
    "parentbased_always_on": 10,
    "parentbased_always_off": 10,
    "parentbased_traceidratio 0": 10,
    "PARENTBASED_ALWAYS_OFF": 10,
    "": 10,
}


@pytest.mark.parametrize("given", ENVIRONMENT)
def test_the_sampler_of_the_environment(bench: MakeBench, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """It holds where no other was given; by default the parent decides and roots are sampled."""
    name, _, argument = given.partition(" ")
    if name:
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", name)
    if argument:
        monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", argument)
    made = bench()
    for _ in range(10):
        made.tracer.start_span("sampled", parent(SAMPLED, remote=True)).end()
        made.tracer.start_span("not sampled", parent(0, remote=True)).end()
    assert len(made.finished()) == ENVIRONMENT[given]
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    explicit = bench(sampler=ALWAYS_ON)
    explicit.tracer.start_span("a").end()
    assert len(explicit.finished()) == 1


def fails(_: str) -> SamplingResult:
    raise ZeroDivisionError


@pytest.mark.parametrize("result", [fails, lambda _: None, lambda _: "yes"], ids=["raises", "none", "text"])
def test_a_sampler_that_fails(bench: MakeBench, engine: Name, messages: list[str], result: Any) -> None:
    """It costs no span on ours: the bot goes on, the span is recorded as it was given, and one message says so."""
    made = bench(sampler=Sampler(result))
    if not deviates(engine, "failing samplers"):
        with pytest.raises((ZeroDivisionError, AttributeError)):
            made.tracer.start_span("a")
        assert made.finished() == []
        return
    for _ in range(3):
        with made.tracer.start_as_current_span("a", attributes={"k": 1}):
            made.tracer.start_span("b").end()
    assert made.names() == ["a"] * 3 + ["b"] * 3
    assert {span.attributes.get("k") for span in made.finished() if span.name == "a"} == {1}
    assert len(messages) == 1


def test_a_disabled_sdk(bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """``OTEL_SDK_DISABLED`` makes no spans, and everything can be called."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    made = bench()
    with made.tracer.start_as_current_span("a") as span:
        assert not span.is_recording()
        span.set_attribute("k", 1)
        made.tracer.start_span("b").end()
    assert made.finished() == []
