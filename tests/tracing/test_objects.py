from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet, ref

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan

from tests.tracing.deviations import deviates

if TYPE_CHECKING:
    import pytest

    from tests.tracing.conftest import MakeBench
    from tests.tracing.engines import Name


def test_everything_is_of_the_api(bench: MakeBench) -> None:
    """Providers, tracers and spans are instances of its classes."""
    made = bench()
    span = made.tracer.start_span("a")
    assert isinstance(made.provider, trace.TracerProvider)
    assert isinstance(made.tracer, trace.Tracer)
    assert isinstance(span, trace.Span)
    with made.tracer.start_as_current_span("b") as current:
        assert isinstance(current, trace.Span)
        assert not isinstance(current, trace.NonRecordingSpan)


def test_parameters_by_name(bench: MakeBench) -> None:
    """All of them, wherever they are."""
    made = bench()
    made.provider.get_tracer(
        instrumenting_module_name="a", instrumenting_library_version="1", schema_url=None, attributes=None
    )
    everything: dict[str, Any] = {
        "name": "a",
        "context": None,
        "kind": trace.SpanKind.INTERNAL,
        "attributes": {"k": 1},
        "links": None,
        "start_time": 1,
        "record_exception": True,
        "set_status_on_exception": True,
    }
    span = made.tracer.start_span(**everything)
    span.set_attribute(key="k", value=2)
    span.set_attributes(attributes={"l": 3})
    span.add_event(name="e", attributes={"m": 4}, timestamp=5)
    span.add_link(context=trace.SpanContext(1, 2, is_remote=False), attributes={"n": 6})
    span.update_name(name="b")
    span.set_status(status=trace.StatusCode.ERROR, description="d")
    span.record_exception(exception=ValueError("x"), attributes={"o": 7}, timestamp=8, escaped=True)
    span.end(end_time=9)
    with made.tracer.start_as_current_span(**everything, end_on_exit=True):
        pass
    found = made.named()["b"]
    assert (found.attributes, len(found.events), len(found.links)) == ({"k": 2, "l": 3}, 2, 1)
    assert (found.status, found.message, found.start, found.end) == ("ERROR", "d", 1, 9)


def test_a_span_can_be_printed(bench: MakeBench) -> None:
    """Open, ended and without a name; the name is in it."""
    made = bench()
    span = made.tracer.start_span("my span")
    assert "my span" in repr(span)
    assert str(span)
    span.end()
    assert "my span" in repr(span)
    assert repr(made.tracer.start_span(""))
    for other in (made.tracer, made.provider, made.tracer.start_as_current_span("a")):
        assert repr(other)
        assert str(other)


def test_spans_are_keys(bench: MakeBench) -> None:
    """Each is equal to itself only, can be hashed and referred to weakly."""
    made = bench()
    first, second = made.tracer.start_span("a"), made.tracer.start_span("a")
    assert first == first  # noqa: PLR0124 - the operator is the point
    assert first != second
    assert len({first, second, first}) == 2
    assert ref(first)() is first
    assert set(WeakSet([first, second])) == {first, second}


def test_spans_carry_notes_of_instrumentations(bench: MakeBench) -> None:
    """Libraries put attributes of their own on span objects."""
    span: Any = bench().tracer.start_span("a")
    span._seen_by = ["library"]
    assert span._seen_by == ["library"]


def test_an_open_span_is_readable(bench: MakeBench, engine: Name) -> None:
    """As processors and log bridges expect of the SDK's."""
    made = bench()
    span: Any = made.tracer.start_span("a", kind=trace.SpanKind.CLIENT, attributes={"k": [1]}, start_time=5)
    assert deviates(engine, "open spans") or issubclass(type(span), ReadableSpan)
    span.set_attribute("l", "x")
    span.add_event("e", {"m": 1}, 7)
    span.set_status(trace.StatusCode.ERROR, "d")
    assert (span.name, span.kind, span.start_time, span.end_time) == ("a", trace.SpanKind.CLIENT, 5, None)
    assert dict(span.attributes) == {"k": (1,), "l": "x"}
    assert [(event.name, dict(event.attributes), event.timestamp) for event in span.events] == [("e", {"m": 1}, 7)]
    assert (span.status.status_code, span.status.description) == (trace.StatusCode.ERROR, "d")
    assert (span.parent, span.context) == (None, span.get_span_context())
    assert (list(span.links), span.dropped_attributes, span.dropped_events, span.dropped_links) == ([], 0, 0, 0)
    assert span.resource.attributes["service.name"] == "test-bot"
    assert span.instrumentation_scope.name == "bot"
    assert '"name": "a"' in span.to_json()
    span.end(9)
    assert span.end_time == 9
    assert dict(span.attributes) == {"k": (1,), "l": "x"}


def test_a_child_sees_its_parent(bench: MakeBench) -> None:
    """As a span context."""
    made = bench()
    with made.tracer.start_as_current_span("a") as parent:
        child: Any = made.tracer.start_span("b")
    assert child.parent == parent.get_span_context()
    assert child.parent.span_id == parent.get_span_context().span_id


def test_the_provider_of_the_api(bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the global one it serves whoever asks the API, also those who asked before."""
    made = bench()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    early = trace.get_tracer("early")
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", made.provider)
    with early.start_as_current_span("a"), trace.get_tracer("late", "2.0").start_as_current_span("b"):
        pass
    found = made.named()
    assert [found[name].scope.name for name in "ab"] == ["early", "late"]
    assert found["b"].parent_id == found["a"].span_id
