from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, StaticSampler
from opentelemetry.trace import Link, SpanContext

if TYPE_CHECKING:
    from tests.tracing.conftest import MakeBench

LINK = SpanContext(1, 2, is_remote=True)


@pytest.mark.parametrize("kind", [SimpleSpanProcessor, BatchSpanProcessor])
def test_the_processors_of_the_sdk(bench: MakeBench, kind: Any) -> None:
    """With an exporter, which gets the sampled spans."""
    made, exporter = bench(), InMemorySpanExporter()
    made.provider.add_span_processor(kind(exporter))
    with pytest.raises(ValueError, match="x"), made.tracer.start_as_current_span("a", attributes={"k": 1}):
        made.tracer.start_span("b").end()
        raise ValueError("x")
    assert made.provider.force_flush() is True
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["b", "a"]
    assert spans[0].parent == spans[1].context
    assert encode_spans(spans).ByteSize() > 0
    made.provider.shutdown()
    made.tracer.start_span("late").end()
    assert len(exporter.get_finished_spans()) == 2


def test_what_is_not_sampled_is_not_exported(bench: MakeBench) -> None:
    """By neither of them."""
    for sampler in (ALWAYS_OFF, StaticSampler(Decision.RECORD_ONLY)):
        made, exporter = bench(sampler=sampler), InMemorySpanExporter()
        made.provider.add_span_processor(SimpleSpanProcessor(exporter))
        made.tracer.start_span("a").end()
        assert exporter.get_finished_spans() == ()
        assert made.finished() == []


def test_spans_on_a_console(bench: MakeBench) -> None:
    """As JSON, events and links included."""
    made, out = bench(), io.StringIO()
    made.provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=out)))
    with made.tracer.start_as_current_span("a", attributes={"k": [1]}, links=[Link(LINK)]) as span:
        span.add_event("e", {"n": 1})
    told = json.loads(out.getvalue())
    assert (told["name"], told["attributes"], told["events"][0]["name"]) == ("a", {"k": [1]}, "e")
    assert told["context"]["span_id"] == f"0x{trace.format_span_id(span.get_span_context().span_id)}"
    assert told["resource"]["attributes"] == {"service.name": "test-bot"}
