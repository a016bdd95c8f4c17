from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, StaticSampler
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode

from tests.tracing.compare import exact
from tests.tracing.deviations import deviates
from tests.tracing.finished import finished

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context

    from tests.tracing.conftest import MakeBench
    from tests.tracing.engines import Name

LINK = SpanContext(1, 2, is_remote=True)


class Processor(SpanProcessor):
    """Remembers what it was called with, and does what it is told."""

    def __init__(
        self,
        on_start: Callable[[Any, Any], None] | None = None,
        on_end: Callable[[Any], None] | None = None,
        log: list[str] | None = None,
        name: str = "",
    ) -> None:
        self.started: list[Any] = []
        self.ended: list[ReadableSpan] = []
        self.calls = log if log is not None else []
        self._on_start, self._on_end, self._name = on_start, on_end, name

    def on_start(self, span: Any, parent_context: Context | None = None) -> None:
        self.started.append((span, parent_context))
        self.calls.append(f"{self._name}start {span.name}")
        if self._on_start:
            self._on_start(span, parent_context)

    def _on_ending(self, span: Any) -> None:
        self.calls.append(f"{self._name}ending {span.name}")

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)
        self.calls.append(f"{self._name}end {span.name}")
        if self._on_end:
            self._on_end(span)

    def shutdown(self) -> None:
        self.calls.append(f"{self._name}shutdown")

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        self.calls.append(f"{self._name}flush {timeout_millis > 0}")
        return self._name != "slow "


def test_processors_are_called_in_their_order(bench: MakeBench) -> None:
    """For each span: when it starts, is about to end, and has ended."""
    log: list[str] = []
    made = bench()
    for name in ("first ", "second "):
        made.provider.add_span_processor(Processor(log=log, name=name))
    with made.tracer.start_as_current_span("a"):
        made.tracer.start_span("b").end()
    steps = ["start a", "start b", "ending b", "end b", "ending a", "end a"]
    assert log == [f"{name} {step}" for step in steps for name in ("first", "second")]


def test_a_processor_sees_a_span_start(bench: MakeBench) -> None:
    """With everything it was started with, recording, and not yet current."""
    made, processor = bench(), Processor(lambda *_: seen.append(trace.get_current_span()))
    seen: list[trace.Span] = []
    made.provider.add_span_processor(processor)
    context = trace.set_span_in_context(trace.NonRecordingSpan(SpanContext(1, 2, True, trace.TraceFlags(1))))
    attributes = {"legs": [1]}
    with made.tracer.start_as_current_span("a", context, SpanKind.CLIENT, attributes, [Link(LINK)], 5) as started:
        made.tracer.start_span("b").end()
    span: Any = processor.started[0][0]
    assert [span] == [started]
    assert processor.started[0][1] is context
    assert processor.started[1][1] is None
    assert seen == [trace.INVALID_SPAN, started]
    assert (span.name, span.kind, span.start_time, span.end_time is None) == ("a", SpanKind.CLIENT, 5, False)
    assert (dict(span.attributes), span.links[0].context) == ({"legs": (1,)}, LINK)
    assert (span.parent.span_id, span.context) == (2, started.get_span_context())
    assert (span.resource.attributes["service.name"], span.instrumentation_scope.name) == ("test-bot", "bot")


def test_a_processor_may_change_a_span_that_starts(bench: MakeBench) -> None:
    """It is a span like any other there."""
    made = bench()

    def change(span: Any, _: object) -> None:
        assert span.is_recording()
        span.set_attribute("bot.run", "r1")
        span.set_attributes({"k": 2})
        span.add_event("started")
        span.add_link(LINK)
        span.update_name(f"my {span.name}")
        span.set_status(StatusCode.OK)

    made.provider.add_span_processor(Processor(change))
    made.tracer.start_span("a", attributes={"k": 1}).end()
    found = made.only()
    assert (found.name, found.attributes, found.status) == ("my a", {"bot.run": "r1", "k": 2}, "OK")
    assert (found.event.name, len(found.links)) == ("started", 1)


def test_a_processor_sees_an_ended_span(bench: MakeBench) -> None:
    """Everything is readable, nothing can be changed, and it stays as it is."""
    made, processor = bench(), Processor()
    made.provider.add_span_processor(processor)
    with made.tracer.start_as_current_span("a", kind=SpanKind.SERVER, links=[Link(LINK, {"why": "x"})]) as span:
        span.set_attributes({"k": 1, "legs": ["a", "b"]})
        span.add_event("e", {"n": 1}, 5)
        span.set_status(StatusCode.ERROR, "no funds")
    (ended,) = processor.ended
    found = made.only()
    assert isinstance(ended, ReadableSpan)
    assert (ended.name, ended.kind, ended.context) == ("a", SpanKind.SERVER, span.get_span_context())
    assert ended.get_span_context() == ended.context
    assert (ended.start_time, ended.end_time, ended.parent) == (found.start, found.end, None)
    assert dict(ended.attributes or {}) == {"k": 1, "legs": ("a", "b")}
    (event,), (link,) = ended.events, ended.links
    assert (event.name, event.timestamp, dict(event.attributes or {})) == ("e", 5, {"n": 1})
    assert (link.context, dict(link.attributes or {})) == (LINK, {"why": "x"})
    assert (ended.status.status_code, ended.status.description) == (StatusCode.ERROR, "no funds")
    assert isinstance(ended.status, Status)
    assert (ended.dropped_attributes, ended.dropped_events, ended.dropped_links) == (0, 0, 0)
    assert ended.resource.attributes["service.name"] == "test-bot"
    assert ended.instrumentation_scope is not None
    assert (ended.instrumentation_scope.name, ended.instrumentation_scope.version) == ("bot", "1.0")
    with pytest.raises(TypeError):
        ended.attributes["k"] = 2  # type: ignore[index]
    told = json.loads(ended.to_json())
    assert (told["name"], told["attributes"], told["status"]["status_code"]) == (
        "a",
        {"k": 1, "legs": ["a", "b"]},
        "ERROR",
    )


def test_the_parent_of_an_ended_span(bench: MakeBench) -> None:
    """It is the context of the span, or of the remote one."""
    made, processor = bench(), Processor()
    made.provider.add_span_processor(processor)
    remote = SpanContext(1, 2, is_remote=True, trace_flags=trace.TraceFlags(1))
    with made.tracer.start_as_current_span("a", trace.set_span_in_context(trace.NonRecordingSpan(remote))) as span:
        made.tracer.start_span("b").end()
    child, root = processor.ended
    assert (child.parent, root.parent) == (span.get_span_context(), remote)


def test_what_a_processor_sees_is_what_is_exported(bench: MakeBench) -> None:
    """The official encoding of the ended spans says the same."""
    made, processor = bench(), Processor()
    made.provider.add_span_processor(processor)
    values: dict[str, Any] = {"a": 1, "b": [True, None, b"x"], "c": {"d": 1.5}, "größe": "📈"}
    with pytest.raises(KeyError), made.tracer.start_as_current_span("a", attributes=values, links=[Link(LINK, values)]):
        with made.tracer.start_as_current_span("b") as inner:
            inner.add_event("e", values)
        raise KeyError("x")
    encoded = {span.name: span for span in finished(encode_spans(processor.ended))}
    for name, span in made.named().items():
        for field in ("start", "end", "trace_id", "span_id", "parent_id", "kind", "status", "message", "state"):
            assert getattr(encoded[name], field) == getattr(span, field)
        assert exact(encoded[name].attributes) == exact(span.attributes)
        assert encoded[name].events == span.events
        assert [link.attributes for link in encoded[name].links] == [link.attributes for link in span.links]
        assert (encoded[name].scope, encoded[name].resource) == (span.scope, span.resource)


@pytest.mark.parametrize("decision", Decision)
def test_processors_see_what_records(bench: MakeBench, decision: Decision) -> None:
    """A span that is dropped is none; one that is not sampled is."""
    made, processor = bench(sampler=StaticSampler(decision)), Processor()
    made.provider.add_span_processor(processor)
    made.tracer.start_span("a").end()
    expected = ["start a", "ending a", "end a"] if decision is not Decision.DROP else []
    assert processor.calls == expected


def test_a_processor_that_comes_later(bench: MakeBench) -> None:
    """It sees the end of what is open already."""
    made, processor = bench(), Processor()
    span = made.tracer.start_span("a", attributes={"k": 1})
    made.provider.add_span_processor(processor)
    made.tracer.start_span("b").end()
    span.end()
    assert [ended.name for ended in processor.ended] == ["b", "a"]
    assert dict(processor.ended[1].attributes or {}) == {"k": 1}


def test_a_processor_that_records_spans(bench: MakeBench) -> None:
    """They are seen, too, and nothing hangs."""
    made = bench()

    def start(span: Any, _: object) -> None:
        if span.name == "a":
            made.tracer.start_span("from start").end()

    def end(span: Any) -> None:
        if span.name == "a":
            made.tracer.start_span("from end").end()

    made.provider.add_span_processor(Processor(start, end))
    made.tracer.start_span("a").end()
    assert made.names() == ["a", "from end", "from start"]


def test_shutdown_and_flush_reach_all_processors(bench: MakeBench) -> None:
    """In their order; a flush is done when all of them are done."""
    log: list[str] = []
    made = bench()
    assert made.provider.force_flush() is True
    for name in ("first ", "slow ", "last "):
        made.provider.add_span_processor(Processor(log=log, name=name))
    assert made.provider.force_flush(5_000) is False
    assert log == ["first flush True", "slow flush True", "last flush True"]
    log.clear()
    made.provider.shutdown()
    assert log == ["first shutdown", "slow shutdown", "last shutdown"]


def test_spans_after_the_shutdown(bench: MakeBench) -> None:
    """They can be made and used, and are not exported; what ended before is."""
    made = bench()
    open_span = made.tracer.start_span("open")
    made.tracer.start_span("before").end()
    assert made.names() == ["before"]
    made.provider.shutdown()
    with made.tracer.start_as_current_span("after") as span:
        span.set_attribute("k", 1)
        assert span.get_span_context().is_valid
    open_span.end()
    made.provider.get_tracer("other").start_span("after").end()
    assert made.names() == ["before"]


def fails(*_: object) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("when", ["start", "end"])
def test_a_processor_that_fails(bench: MakeBench, engine: Name, messages: list[str], when: str) -> None:
    """It costs the bot nothing on ours: the others are called, the span arrives, one message says so."""
    made, other = bench(), Processor()
    made.provider.add_span_processor(Processor(fails) if when == "start" else Processor(on_end=fails))
    made.provider.add_span_processor(other)
    if not deviates(engine, "failing processors"):
        with pytest.raises(ZeroDivisionError):
            made.tracer.start_span("a").end()
        assert other.ended == []
        return
    for _ in range(3):
        made.tracer.start_span("a").end()
    assert made.names() == ["a"] * 3
    assert other.calls == ["start a", "ending a", "end a"] * 3
    assert len(messages) == 1
