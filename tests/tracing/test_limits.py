from __future__ import annotations

import decimal
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace import SpanLimits
from opentelemetry.trace import Link, SpanContext

from tests.tracing.deviations import deviates

if TYPE_CHECKING:
    from tests.tracing.conftest import MakeBench
    from tests.tracing.engines import Bench, Name
    from tests.tracing.finished import Finished

LINK = SpanContext(1, 2, is_remote=False)


def numbered(count: int, first: int = 0) -> dict[str, int]:
    """So many attributes."""
    return {f"k{number}": number for number in range(first, first + count)}


def full(made: Bench, count: int) -> Finished:
    """A span with so many attributes, events and links, each of which has so many attributes, some from the start."""
    half = count // 2
    links = [Link(LINK, numbered(count)) for _ in range(half)]
    span = made.tracer.start_span("a", attributes=numbered(half), links=links)
    span.set_attributes(numbered(count - half, half))
    for _ in range(count):
        span.add_event("e", numbered(count))
    for _ in range(count - half):
        span.add_link(LINK, numbered(count))
    span.end()
    return made.only()


def sizes(span: Finished) -> list[tuple[int, int]]:
    """How many attributes, events, links, attributes of an event and of a link there are, and how many were dropped."""
    event, link = (found[0] if found else None for found in (span.events, span.links))
    return [
        (len(span.attributes), span.dropped_attributes),
        (len(span.events), span.dropped_events),
        (len(span.links), span.dropped_links),
        (len(event.attributes), event.dropped) if event else (0, 0),
        (len(link.attributes), link.dropped) if link else (0, 0),
    ]


def test_128_of_everything_by_default(bench: MakeBench) -> None:
    """What is beyond is counted."""
    assert sizes(full(bench(), 128)) == [(128, 0)] * 5
    assert sizes(full(bench(), 140)) == [(128, 12)] * 5


ARGUMENTS: dict[str, tuple[dict[str, int], list[int]]] = {
    "span attributes": ({"max_span_attributes": 3}, [3, 10, 10, 10, 10]),
    "events": ({"max_events": 3}, [10, 3, 10, 10, 10]),
    "links": ({"max_links": 3}, [10, 10, 3, 10, 10]),
    "event attributes": ({"max_event_attributes": 3}, [10, 10, 10, 3, 10]),
    "link attributes": ({"max_link_attributes": 3}, [10, 10, 10, 10, 3]),
    "all attributes": ({"max_attributes": 3}, [3, 10, 10, 3, 3]),
    "all attributes but a span's": ({"max_attributes": 3, "max_span_attributes": 5}, [5, 10, 10, 3, 3]),
    "none": ({"max_attributes": 0, "max_events": 1, "max_links": 1}, [0, 1, 1, 0, 0]),
}


@pytest.mark.parametrize("what", ARGUMENTS)
def test_limits_as_arguments(bench: MakeBench, what: str) -> None:
    """Each for itself, the general one where there is no other."""
    arguments, kept = ARGUMENTS[what]
    span = full(bench(span_limits=SpanLimits(**arguments)), 10)
    assert sizes(span) == [(number, 10 - number) for number in kept]


def test_no_events_and_links(bench: MakeBench) -> None:
    """A limit of nothing drops everything."""
    span = full(bench(span_limits=SpanLimits(max_events=0, max_links=0)), 10)
    assert sizes(span)[1:3] == [(0, 10), (0, 10)]


VARIABLES: dict[str, tuple[dict[str, str], list[int]]] = {
    "span attributes": ({"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "3"}, [3, 10, 10, 10, 10]),
    "events": ({"OTEL_SPAN_EVENT_COUNT_LIMIT": "3"}, [10, 3, 10, 10, 10]),
    "links": ({"OTEL_SPAN_LINK_COUNT_LIMIT": "3"}, [10, 10, 3, 10, 10]),
    "event attributes": ({"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": "3"}, [10, 10, 10, 3, 10]),
    "link attributes": ({"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": " 3 "}, [10, 10, 10, 10, 3]),
    "all attributes": ({"OTEL_ATTRIBUTE_COUNT_LIMIT": "3"}, [3, 10, 10, 3, 3]),
    "one and all": ({"OTEL_ATTRIBUTE_COUNT_LIMIT": "3", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "5"}, [5, 10, 10, 3, 3]),
}


@pytest.mark.parametrize("what", VARIABLES)
def test_limits_of_the_environment(bench: MakeBench, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """They hold where no argument was given."""
    variables, kept = VARIABLES[what]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert sizes(full(bench(), 10)) == [(number, 10 - number) for number in kept]


def test_an_empty_variable_and_none_at_all(bench: MakeBench, engine: Name, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty one is no limit on the SDK, and as good as none on ours; ``SpanLimits.UNSET`` is no limit on both."""
    for name in ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_SPAN_LINK_COUNT_LIMIT"):
        monkeypatch.setenv(name, "")
    limited = (128, 12) if deviates(engine, "empty variables") else (140, 0)
    assert sizes(full(bench(), 140))[:3] == [limited] * 3
    monkeypatch.undo()
    unset = SpanLimits.UNSET
    limits = SpanLimits(max_span_attributes=unset, max_events=unset, max_links=unset)
    assert sizes(full(bench(span_limits=limits), 140))[:3] == [(140, 0)] * 3


def test_the_oldest_makes_room(bench: MakeBench) -> None:
    """Of attributes, events and links, from the start and later; a key that is set again is new."""
    made = bench(span_limits=SpanLimits(max_span_attributes=3, max_events=2, max_links=2))
    links = [Link(SpanContext(1, number, is_remote=False)) for number in range(1, 4)]
    span = made.tracer.start_span("a", attributes=numbered(4), links=links)
    span.set_attribute("k1", "again")
    span.set_attributes({"k5": 5, "k6": 6})
    for name in ("first", "second", "third"):
        span.add_event(name)
    span.add_link(SpanContext(1, 9, is_remote=False))
    span.end()
    found = made.only()
    assert (found.attributes, found.dropped_attributes) == ({"k1": "again", "k5": 5, "k6": 6}, 3)
    assert ([event.name for event in found.events], found.dropped_events) == (["second", "third"], 1)
    assert ([link.span_id for link in found.links], found.dropped_links) == ([3, 9], 2)


def test_the_oldest_of_an_exception_makes_room(bench: MakeBench) -> None:
    """Its attributes are those of an event: type, text, stack, escaped, then the bot's."""
    made = bench(span_limits=SpanLimits(max_event_attributes=2))
    span = made.tracer.start_span("a")
    span.record_exception(ValueError("x"))
    span.record_exception(ValueError("x"), {"venue": "kalshi"})
    span.end()
    assert [(sorted(event.attributes), event.dropped) for event in made.only().events] == [
        (["exception.escaped", "exception.stacktrace"], 2),
        (["exception.escaped", "venue"], 3),
    ]


LONG: dict[str, Any] = {
    "text": "12345",
    "more": "1234567",
    "emoji": "📈" * 7,
    "bytes": b"1234567",
    "number": 1234567,
    "list": ["1234567", ["1234567"], b"1234567"],
    "map": {"1234567": "1234567"},
    "a longer key": 1,
}
CUT: dict[str, Any] = {
    **LONG,
    "more": "12345",
    "emoji": "📈" * 5,
    "list": ("12345", ("12345",), b"1234567"),
    "map": {"1234567": "12345"},
}
WHOLE = {**LONG, "list": ("1234567", ("1234567",), b"1234567")}


@pytest.mark.parametrize(
    ("arguments", "variables", "of_span", "of_others"),
    [
        ({"max_attribute_length": 5}, {}, CUT, CUT),
        ({"max_span_attribute_length": 5}, {}, CUT, WHOLE),
        ({"max_attribute_length": 5, "max_span_attribute_length": 100}, {}, WHOLE, CUT),
        ({}, {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "5"}, CUT, CUT),
        ({}, {"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "5"}, CUT, WHOLE),
        ({}, {}, WHOLE, WHOLE),
    ],
)
def test_the_length_of_values(
    bench: MakeBench,
    monkeypatch: pytest.MonkeyPatch,
    arguments: dict[str, int],
    variables: dict[str, str],
    of_span: object,
    of_others: object,
) -> None:
    """Texts are cut to so many characters, at every depth; keys and bytes are not. Nothing counts as dropped."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    made = bench(span_limits=SpanLimits(**arguments)) if arguments else bench()
    first = made.tracer.start_span("first", attributes=LONG, links=[Link(LINK, LONG)])
    first.end()
    second = made.tracer.start_span("second")
    second.set_attributes(LONG)
    second.add_event("e", LONG)
    second.end()
    third = made.tracer.start_span("third")
    for key, value in LONG.items():
        third.set_attribute(key, value)
    third.end()
    found = made.named()
    assert [found[name].attributes for name in ("first", "second", "third")] == [of_span] * 3
    assert [found["first"].links[0].attributes, found["second"].event.attributes] == [of_others] * 2
    assert {span.dropped_attributes for span in found.values()} == {0}


def test_the_text_of_other_types_is_not_cut(bench: MakeBench) -> None:
    """Only what was a text is."""
    made = bench(span_limits=SpanLimits(max_attribute_length=5))
    value: Any = decimal.Decimal("1.234567")
    span = made.tracer.start_span("a", attributes={"k": value, "l": [value, "1.234567"]})
    span.end()
    assert made.only().attributes == {"k": "1.234567", "l": ("1.234567", "1.234")}


def test_names_are_not_cut(bench: MakeBench) -> None:
    """Of spans, events and keys."""
    made = bench(span_limits=SpanLimits(max_attribute_length=5))
    span = made.tracer.start_span("n" * 500, attributes={"k" * 500: "v" * 500})
    span.add_event("e" * 500)
    span.end()
    assert (made.only().name, made.only().event.name) == ("n" * 500, "e" * 500)
    assert made.only().attributes == {"k" * 500: "v" * 5}


def test_invalid_keys_count_beside_the_limit(bench: MakeBench) -> None:
    """A key that cannot be kept takes nobody's place."""
    made = bench(span_limits=SpanLimits(max_span_attributes=2))
    span = made.tracer.start_span("a", attributes={"a": 1, "": 2, "b": 3})
    span.set_attribute("", 4)
    span.end()
    assert (made.only().attributes, made.only().dropped_attributes) == ({"a": 1, "b": 3}, 2)


def test_large_spans(bench: MakeBench, engine: Name) -> None:
    """A span of megabytes arrives; what ours has no place for is counted as dropped."""
    made = bench()
    text = "x" * 20_000
    span = made.tracer.start_span("a", attributes=dict.fromkeys(numbered(100), text))
    for number in range(20):
        span.add_event(f"e{number}", {"text": text})
    span.end()
    made.tracer.start_span("b", attributes={"text": text * 50, "k": 1}).end()
    made.tracer.start_span("c").end()
    found = made.named()
    assert sorted(found) == ["a", "b", "c"]
    if deviates(engine, "large spans"):
        assert len(found["a"].attributes) + found["a"].dropped_attributes == 100
        assert len(found["a"].events) + found["a"].dropped_events == 20
        assert set(found["a"].attributes.values()) <= {text}
        assert len(found["b"].attributes) + found["b"].dropped_attributes == 2
    else:
        assert found["a"].attributes == dict.fromkeys(numbered(100), text)
        assert [event.attributes["text"] for event in found["a"].events] == [text] * 20
        assert len(found["b"].attributes["text"]) == 1_000_000
