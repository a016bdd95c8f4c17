from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any, Literal

import pytest
from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, Link, NonRecordingSpan, SpanContext, StatusCode, TraceFlags

from tests.tracing.deviations import deviates

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import Span, Tracer

    from tests.tracing.conftest import MakeBench
    from tests.tracing.engines import Bench, Name

Sdk = Literal["takes", "raises", "loses"]
"""What the SDK makes of it: a span, an exception for the bot, or a span that no encoder takes, nor its whole batch."""

THERE = SpanContext(1, 2, is_remote=False)
CYCLE: list[Any] = []
CYCLE.append(CYCLE)
DEEP: Any = []
for _ in range(100_000):
    DEEP = [DEEP]


class Mute:
    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __hash__ = __len__ = __bool__ = __str__  # type: ignore[assignment]


class Failing(dict[str, int]):
    def items(self) -> Any:
        raise ZeroDivisionError

    __iter__ = keys = items


class MuteError(Exception):
    __str__ = __repr__ = Mute.__str__


def huge(count: int) -> dict[str, str]:
    """Attributes of so many megabytes."""
    return {"k": "x" * (count * 2**20)}


def parent(context: Any) -> dict[str, Any]:
    """A parent with such a span context."""
    return {"context": trace.set_span_in_context(NonRecordingSpan(context))}


STARTS: dict[str, tuple[Sdk, dict[str, Any]]] = {
    "no name": ("takes", {"name": None}),
    "number as name": ("loses", {"name": 5}),
    "bytes as name": ("takes", {"name": b"a"}),
    "wrong bytes as name": ("loses", {"name": b"\xff"}),
    "mute name": ("loses", {"name": Mute()}),
    "name without UTF-8": ("loses", {"name": "a\ud800"}),
    "name of a megabyte": ("takes", {"name": "x" * 2**20}),
    "text as context": ("raises", {"context": "x"}),
    "span as context": ("raises", {"context": INVALID_SPAN}),
    "span context as context": ("raises", {"context": THERE}),
    "dict as context": ("takes", {"context": {}}),
    "parent without a context": ("takes", parent(None)),
    "parent with a text": ("raises", parent("x")),
    "parent with a number as flags": ("raises", parent(SpanContext(1, 2, is_remote=True, trace_flags=1))),  # type: ignore[arg-type]
    "parent with a text as tracestate": ("loses", parent(SpanContext(1, 2, True, TraceFlags(1), "x"))),  # type: ignore[arg-type]
    "no kind": ("loses", {"kind": None}),
    "text as kind": ("loses", {"kind": "SERVER"}),
    "number as kind": ("loses", {"kind": 2}),
    "list as attributes": ("raises", {"attributes": [("k", 1)]}),
    "text as attributes": ("raises", {"attributes": "k"}),
    "number as attributes": ("raises", {"attributes": 5}),
    "false as attributes": ("raises", {"attributes": False}),
    "failing mapping": ("raises", {"attributes": Failing(k=1)}),
    "cycle": ("raises", {"attributes": {"k": CYCLE}}),
    "deep list": ("raises", {"attributes": {"k": DEEP}}),
    "mute value": ("raises", {"attributes": {"k": Mute()}}),
    "mute key": ("raises", {"attributes": {5: Mute()}}),
    "huge value": ("takes", {"attributes": huge(4)}),
    "span context as link": ("raises", {"links": [THERE]}),
    "text as link": ("raises", {"links": ["x"]}),
    "number as links": ("raises", {"links": 5}),
    "link to a text": ("raises", {"links": [Link("x")]}),  # type: ignore[arg-type]
    "link to a span": ("raises", {"links": [Link(INVALID_SPAN)]}),  # type: ignore[arg-type]
    "link with a list": ("raises", {"links": [Link(THERE, [1])]}),  # type: ignore[arg-type]
    "link to ids beyond all": ("loses", {"links": [Link(SpanContext(2**128, 2**64, is_remote=False), {"k": 1})]}),
    "link to negative ids": ("loses", {"links": [Link(SpanContext(-1, -1, is_remote=False), {"k": 1})]}),
    "text as start": ("loses", {"start_time": "now"}),
    "fraction as start": ("loses", {"start_time": 1.5}),
    "not a number as start": ("loses", {"start_time": math.nan}),
    "negative start": ("loses", {"start_time": -1}),
    "start beyond 64 bits": ("loses", {"start_time": 2**64}),
    "texts as flags": ("takes", {"record_exception": "no", "set_status_on_exception": None}),
    "mute flags": ("takes", {"record_exception": Mute(), "set_status_on_exception": Mute()}),
}

ACTS: dict[str, tuple[Sdk, Callable[[Any], Any]]] = {
    "cyclic value": ("raises", lambda span: span.set_attribute("k", CYCLE)),
    "deep value": ("raises", lambda span: span.set_attribute("k", DEEP)),
    "mute value": ("raises", lambda span: span.set_attribute("k", Mute())),
    "mute key": ("raises", lambda span: span.set_attribute(Mute(), 1)),
    "list as key": ("takes", lambda span: span.set_attribute(["k"], 1)),
    "huge value": ("takes", lambda span: span.set_attributes(huge(4))),
    "no attributes": ("raises", lambda span: span.set_attributes(None)),
    "list as attributes": ("raises", lambda span: span.set_attributes([("k", 1)])),
    "text as attributes": ("raises", lambda span: span.set_attributes("k")),
    "number as attributes": ("raises", lambda span: span.set_attributes(5)),
    "failing mapping": ("raises", lambda span: span.set_attributes(Failing(k=1))),
    "event without a name": ("takes", lambda span: span.add_event(None)),
    "number as event": ("loses", lambda span: span.add_event(5)),
    "event without UTF-8": ("loses", lambda span: span.add_event("\ud800")),
    "mute event": ("loses", lambda span: span.add_event(Mute())),
    "event with a list": ("raises", lambda span: span.add_event("e", [1])),
    "event with a number": ("raises", lambda span: span.add_event("e", 5)),
    "event at a text": ("loses", lambda span: span.add_event("e", None, "now")),
    "event at a fraction": ("loses", lambda span: span.add_event("e", None, 1.5)),
    "event before all": ("loses", lambda span: span.add_event("e", None, -1)),
    "event after all": ("loses", lambda span: span.add_event("e", None, 2**64)),
    "link to nothing": ("takes", lambda span: span.add_link(None)),
    "link to a text": ("raises", lambda span: span.add_link("x")),
    "link to a link": ("raises", lambda span: span.add_link(Link(THERE))),
    "link with a list": ("raises", lambda span: span.add_link(THERE, [1])),
    "text as status": ("takes", lambda span: span.set_status("OK")),
    "description without UTF-8": ("loses", lambda span: span.set_status(StatusCode.ERROR, "\ud800")),
    "mute description": ("raises", lambda span: span.set_status(StatusCode.ERROR, Mute())),
    "number as new name": ("loses", lambda span: span.update_name(5)),
    "no new name": ("takes", lambda span: span.update_name(None)),
    "new name without UTF-8": ("loses", lambda span: span.update_name("\ud800")),
    "no exception": ("takes", lambda span: span.record_exception(None)),
    "text as exception": ("raises", lambda span: span.record_exception("x")),
    "class as exception": ("raises", lambda span: span.record_exception(ValueError)),
    "mute exception": ("raises", lambda span: span.record_exception(MuteError())),
    "exception with a list": ("raises", lambda span: span.record_exception(ValueError(), [1])),
    "exception at a text": ("loses", lambda span: span.record_exception(ValueError(), None, "now")),
    "end at a text": ("loses", lambda span: span.end("now")),
    "end at a fraction": ("loses", lambda span: span.end(1.5)),
    "end at a truth": ("loses", lambda span: span.end(end_time=True)),
    "end before all": ("loses", lambda span: span.end(-1)),
    "end after all": ("loses", lambda span: span.end(2**64)),
}


def start(tracer: Tracer, wrong: dict[str, Any], *, block: bool) -> Span:
    """Start and end a span with such arguments."""
    given: dict[str, Any] = {"name": "a", **wrong}
    if block:
        with tracer.start_as_current_span(**given) as span:
            return span
    span = tracer.start_span(**given)
    span.end()
    return span


def arrives(made: Bench, engine: Name, sdk: Sdk, work: Callable[[], object]) -> None:
    """Do it: the SDK does what the table says, ours sends the span and those before and after it."""
    made.tracer.start_span("before").end()
    if sdk == "raises" and not deviates(engine, "wrong input"):
        with pytest.raises(Exception):  # noqa: B017, PT011 - of many kinds
            work()
        return
    work()
    made.tracer.start_span("after").end()
    if sdk == "loses" and not deviates(engine, "wrong input"):
        with pytest.raises(Exception):  # noqa: B017, PT011
            made.finished()
        return
    names = [span.name for span in made.finished()]
    assert len(names) == 3
    assert {"before", "after"} < {*names}


@pytest.mark.parametrize("block", [False, True], ids=["span", "block"])
@pytest.mark.parametrize("what", STARTS)
def test_starting_spans_with_anything(bench: MakeBench, engine: Name, what: str, block: bool) -> None:
    """The bot gets a span that works, and it arrives."""
    sdk, wrong = STARTS[what]
    made, spans = bench(), []
    arrives(made, engine, sdk, lambda: spans.append(start(made.tracer, wrong, block=block)))
    if spans:
        assert isinstance(spans[0], trace.Span)
        assert spans[0].get_span_context().is_valid
        assert not spans[0].is_recording()


@pytest.mark.parametrize("what", ACTS)
def test_calling_spans_with_anything(bench: MakeBench, engine: Name, what: str) -> None:
    """The call costs what it was about, not the span."""
    sdk, act = ACTS[what]
    made = bench()

    def work() -> None:
        span = made.tracer.start_span("a", attributes={"kept": 1})
        try:
            assert act(span) is None
        finally:
            span.end()

    arrives(made, engine, sdk, work)
    if engine == "native" or sdk == "takes":
        (span,) = (found for found in made.finished() if found.name not in ("before", "after"))
        assert span.attributes["kept"] == 1


def test_wrong_input_does_not_flood_the_log(native: MakeBench, messages: list[str]) -> None:
    """Each problem is said once, and all of them together stay few."""
    made = native()
    logging.getLogger("otel_trading").setLevel(logging.DEBUG)
    for _ in range(20):
        for _, wrong in STARTS.values():
            start(made.tracer, wrong, block=False)
        for _, act in ACTS.values():
            act(made.tracer.start_span("a"))
    logging.getLogger("otel_trading").setLevel(logging.NOTSET)
    assert len(messages) < len(STARTS) + len(ACTS)
    assert len(set(messages)) == len(messages)


@pytest.mark.parametrize("wrong", [None, 5, b"x", Mute()], ids=["none", "number", "bytes", "mute"])
@pytest.mark.parametrize("place", range(4))
def test_asking_for_tracers_with_anything(native: MakeBench, place: int, wrong: Any) -> None:
    """Whatever its scope is, the tracer works."""
    made = native()
    arguments: list[Any] = ["library", "1.0", "https://example.com", {"k": 1}]
    arguments[place] = wrong
    made.provider.get_tracer(*arguments).start_span("a").end()
    assert made.names() == ["a"]
