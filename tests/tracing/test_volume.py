from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import trace

if TYPE_CHECKING:
    from tests.tracing.conftest import MakeBench


def test_bursts_of_all_sizes(bench: MakeBench) -> None:
    """Megabytes of spans, taken now and then: each arrives once, whole."""
    made = bench()
    number = 0
    for burst in (1, 10, 100, 1_000, 3_000, 2, 3_000, 999):
        for _ in range(burst):
            number += 1
            text = "x" * (number * 7 % 2_000)
            made.tracer.start_span("a", attributes={"number": number, "text": text}).end()
            if number % 1_000 == 0:
                made.pump()
        made.finished()
    found = made.finished()
    assert sorted(span.attributes["number"] for span in found) == list(range(1, number + 1))
    assert all(len(span.attributes["text"]) == span.attributes["number"] * 7 % 2_000 for span in found)


def test_many_different_texts(bench: MakeBench) -> None:
    """Names, keys, events and messages that never come again, beside those that do."""
    made = bench()
    for number in range(10_000):
        span = made.tracer.start_span(f"span {number}", attributes={f"key {number}": number, "same": "same"})
        span.add_event(f"event {number}", {f"event key {number}": f"value {number}"})
        span.set_status(trace.StatusCode.ERROR, f"error {number}")
        span.end()
        if number % 2_000 == 0:
            made.finished()
    found = made.named()
    assert len(found) == 10_000
    for number in range(10_000):
        one = found[f"span {number}"]
        assert one.attributes == {f"key {number}": number, "same": "same"}
        assert (one.event.name, one.message) == (f"event {number}", f"error {number}")
        assert one.event.attributes == {f"event key {number}": f"value {number}"}


def test_many_scopes(bench: MakeBench) -> None:
    """Each span has its own."""
    made = bench()
    for number in range(1_000):
        tracer = made.provider.get_tracer(f"library {number}", f"{number}", None, {"number": number})
        tracer.start_span(f"{number}").end()
        tracer.start_span(f"{number} again").end()
    for name, span in made.named().items():
        number = int(name.split()[0])
        assert (span.scope.name, span.scope.version) == (f"library {number}", f"{number}")
        assert span.scope.attributes == {"number": number}
    assert len(made.named()) == 2_000


def test_many_open_spans(bench: MakeBench) -> None:
    """Thousands at a time, ended in another order than they were started."""
    made = bench()
    spans = [made.tracer.start_span(f"{number}", attributes={"number": number}) for number in range(5_000)]
    for span in spans[::2] + spans[::-2]:
        span.set_attribute("ended", value=True)
        span.end()
    found = made.named()
    assert {name: span.attributes for name, span in found.items()} == {
        f"{number}": {"number": number, "ended": True} for number in range(5_000)
    }


def test_a_deep_trace(bench: MakeBench) -> None:
    """Hundreds of spans in each other."""
    made = bench()
    blocks = [made.tracer.start_as_current_span(f"{depth}") for depth in range(500)]
    for block in blocks:
        block.__enter__()
    for block in reversed(blocks):
        block.__exit__(None, None, None)
    found = made.named()
    for depth in range(1, 500):
        child, parent = found[f"{depth}"], found[f"{depth - 1}"]
        assert (child.parent_id, child.trace_id) == (parent.span_id, parent.trace_id)
        assert parent.start <= child.start <= child.end <= parent.end
