from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from tests.tracing.deviations import deviates

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tests.tracing.conftest import MakeBench
    from tests.tracing.engines import Bench, Name
    from tests.tracing.finished import Event

How = Literal["current", "use", "with"]
HOWS: list[How] = ["current", "use", "with"]


class LostOrderError(Exception):
    class InnerError(ValueError):
        pass


class Halt(BaseException):
    pass


def block(made: Bench, how: How, *, record: bool = True, status: bool = True) -> AbstractContextManager[trace.Span]:
    """A block with a span, in each of the three ways there are."""
    flags = {"record_exception": record, "set_status_on_exception": status}
    if how == "current":
        return made.tracer.start_as_current_span("a", **flags)  # type: ignore[arg-type]
    span = made.tracer.start_span("a", **flags)  # type: ignore[arg-type]
    return trace.use_span(span, end_on_exit=True, **flags) if how == "use" else span


def escape(made: Bench, how: How, error: BaseException, **flags: bool) -> None:
    """Raise out of a block: it comes out as it is."""
    error.__traceback__ = None
    with pytest.raises(type(error)) as raised, block(made, how, **flags):
        raise error
    assert raised.value is error
    assert (error.__cause__, error.__context__, error.__suppress_context__) == (None, None, False)


ERRORS = [
    (ValueError("no funds"), "ValueError", "no funds", "ValueError: no funds"),
    (ValueError(), "ValueError", "", "ValueError: "),
    (KeyError("BTC"), "KeyError", "'BTC'", "KeyError: 'BTC'"),
    (LostOrderError("größe"), f"{__name__}.LostOrderError", "größe", "LostOrderError: größe"),
    (LostOrderError.InnerError("x"), f"{__name__}.LostOrderError.InnerError", "x", "InnerError: x"),
    (StopIteration(3), "StopIteration", "3", "StopIteration: 3"),
    (StopAsyncIteration(), "StopAsyncIteration", "", "StopAsyncIteration: "),
    (asyncio.QueueFull(), "asyncio.queues.QueueFull", "", "QueueFull: "),
    (RuntimeError("generator raised StopIteration"), "RuntimeError", "generator raised StopIteration", None),
    (
        ExceptionGroup("legs", [ValueError("a"), KeyError("b")]),
        "ExceptionGroup",
        "legs (2 sub-exceptions)",
        "ExceptionGroup: legs (2 sub-exceptions)",
    ),
]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize(
    ("error", "kind", "text", "message"), ERRORS, ids=[f"{type(error).__name__}-{text}" for error, _, text, _ in ERRORS]
)
def test_an_exception_becomes_an_event_and_a_status(
    bench: MakeBench, how: How, error: Exception, kind: str, text: str, message: str | None
) -> None:
    """With its type, text and stack; it has escaped, as text, only for a block of the span itself."""
    made = bench()
    escape(made, how, error)
    span = made.only()
    assert (span.status, span.message) == ("ERROR", message or f"{kind}: {text}")
    assert_event(span.event, kind, text, escaped=how == "with")
    assert span.start <= span.event.time <= span.end


def assert_event(event: Event, kind: str, text: str, *, escaped: bool = False) -> None:
    """An exception's event, with the stack from the block to where it was raised."""
    stack: str = event.attributes["exception.stacktrace"]
    assert event.name == "exception"
    assert event.attributes == {
        "exception.type": kind,
        "exception.message": text,
        "exception.stacktrace": stack,
        "exception.escaped": str(escaped),
    }
    assert "Traceback (most recent call last):\n" in stack.splitlines(keepends=True)[0]
    assert f'{__file__}", line ' in stack
    assert "in escape\n" in stack
    assert text in stack


INTERRUPTIONS = [KeyboardInterrupt("k"), SystemExit(3), asyncio.CancelledError("c"), GeneratorExit(), Halt("h")]


@pytest.mark.parametrize("how", ["current", "use"])
@pytest.mark.parametrize("error", INTERRUPTIONS, ids=lambda error: type(error).__name__)
def test_an_interruption_is_no_error(bench: MakeBench, how: How, error: BaseException) -> None:
    """What is no ``Exception`` ends the span of a current block without event and status."""
    made = bench()
    escape(made, how, error)
    assert (made.only().status, made.only().message, made.only().events) == ("UNSET", "", ())


@pytest.mark.parametrize("error", INTERRUPTIONS, ids=lambda error: type(error).__name__)
def test_an_interruption_is_an_error_to_a_span_that_is_its_own_block(bench: MakeBench, error: BaseException) -> None:
    """``with span`` records whatever escapes."""
    made = bench()
    escape(made, "with", error)
    span = made.only()
    kind = type(error).__name__
    assert (span.status, span.message) == ("ERROR", f"{kind}: {error}")
    assert span.event.attributes["exception.type"].endswith(kind)
    assert span.event.attributes["exception.escaped"] == "True"


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("record", [True, False])
@pytest.mark.parametrize("status", [True, False])
def test_recording_and_status_can_be_turned_off(bench: MakeBench, how: How, record: bool, status: bool) -> None:
    """Each for itself; the exception comes out all the same."""
    made = bench()
    escape(made, how, ValueError("x"), record=record, status=status)
    span = made.only()
    assert (len(span.events), span.status) == (int(record), "ERROR" if status else "UNSET")


def test_the_flags_of_a_span_and_of_its_use_are_apart(bench: MakeBench) -> None:
    """``use_span`` obeys its own arguments, ``with span`` those the span was started with."""
    made = bench()
    quiet = {"record_exception": False, "set_status_on_exception": False}
    with pytest.raises(ValueError, match="x"), trace.use_span(made.tracer.start_span("used", **quiet), True):  # type: ignore[arg-type]
        raise ValueError("x")
    with pytest.raises(ValueError, match="x"), made.tracer.start_span("own", **quiet):  # type: ignore[arg-type]
        raise ValueError("x")
    span = made.tracer.start_span("both")
    with pytest.raises(ValueError, match="x"), trace.use_span(span, True, False, False), span:
        raise ValueError("x")
    found = made.named()
    assert {name: (span.status, len(span.events)) for name, span in found.items()} == {
        "used": ("ERROR", 1),
        "own": ("UNSET", 0),
        "both": ("ERROR", 1),
    }


def test_an_exception_passes_through_all_spans(bench: MakeBench) -> None:
    """Each of them has it, the innermost first; the one outside the ``try`` has not."""
    made = bench()
    with made.tracer.start_as_current_span("outside"):
        try:
            with made.tracer.start_as_current_span("outer"), made.tracer.start_as_current_span("inner"):
                raise ValueError("x")
        except ValueError:
            trace.get_current_span().add_event("caught")
    found = made.named()
    assert {name: (span.status, span.event.name) for name, span in found.items()} == {
        "outside": ("UNSET", "caught"),
        "outer": ("ERROR", "exception"),
        "inner": ("ERROR", "exception"),
    }
    assert found["inner"].event.time <= found["outer"].event.time


@pytest.mark.parametrize("how", HOWS)
def test_an_exception_overrides_an_error_but_not_ok(bench: MakeBench, how: How) -> None:
    """A description that was set before is gone; a span that was declared good stays so, with the event."""
    made = bench()
    for status in (StatusCode.ERROR, StatusCode.OK):
        with pytest.raises(ValueError, match="x"), block(made, how) as span:
            span.set_status(status, "mine" if status is StatusCode.ERROR else None)
            raise ValueError("x")
    assert [(span.status, span.message, len(span.events)) for span in made.finished()] == [
        ("ERROR", "ValueError: x", 1),
        ("OK", "", 1),
    ]


def test_an_exception_that_was_caught_is_recorded_by_hand(bench: MakeBench) -> None:
    """Without a stack when it was never raised; the status stays."""
    made = bench()
    with made.tracer.start_as_current_span("a") as span:
        span.record_exception(LostOrderError("x"))
        try:
            raise KeyError("BTC")
        except KeyError as error:
            span.record_exception(error, {"venue": "kalshi", "exception.message": "mine"}, 5, True)
    first, second = made.only().events
    assert first.attributes == {
        "exception.type": f"{__name__}.LostOrderError",
        "exception.message": "x",
        "exception.stacktrace": f"{__name__}.LostOrderError: x\n",
        "exception.escaped": "False",
    }
    stack = second.attributes.pop("exception.stacktrace")
    assert second.attributes == {
        "exception.type": "KeyError",
        "exception.message": "mine",
        "exception.escaped": "True",
        "venue": "kalshi",
    }
    assert stack.startswith("Traceback (most recent call last):\n")
    assert stack.endswith("KeyError: 'BTC'\n")
    assert (second.time, made.only().status) == (5, "UNSET")


def test_the_stack_tells_causes(bench: MakeBench) -> None:
    """What an exception was raised from, and what was being handled."""
    made = bench()
    with pytest.raises(RuntimeError), made.tracer.start_as_current_span("a"):
        try:
            try:
                raise ValueError("first")
            except ValueError as error:
                raise KeyError("second") from error
        except KeyError:
            raise RuntimeError("third")  # noqa: B904 - a context is the point
    stack = made.only().event.attributes["exception.stacktrace"]
    assert stack.index("ValueError: first") < stack.index("direct cause") < stack.index("KeyError: 'second'")
    assert stack.index("KeyError: 'second'") < stack.index("During handling") < stack.index("RuntimeError: third")


def test_the_current_span_is_restored_before_the_exception_is_recorded(bench: MakeBench) -> None:
    """And the block's span still records then."""
    made = bench()
    seen: list[Any] = []

    class CuriousError(Exception):
        def __str__(self) -> str:
            seen.append(trace.get_current_span().get_span_context().span_id)
            return "curious"

    with made.tracer.start_as_current_span("outer") as outer:
        with pytest.raises(CuriousError), made.tracer.start_as_current_span("inner"):
            raise CuriousError
        assert set(seen) == {outer.get_span_context().span_id}
    assert made.named()["inner"].message == "CuriousError: curious"


@pytest.mark.parametrize("how", ["current", "with"])
def test_an_exception_without_a_text(bench: MakeBench, engine: Name, how: How) -> None:
    """One whose ``str()`` raises: on the SDK the bot gets another exception than it raised, and on ours its own."""
    made = bench()

    class MuteError(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

    with (
        pytest.raises(MuteError if deviates(engine, "failing texts") else ZeroDivisionError),
        block(made, how),
    ):
        raise MuteError
    if deviates(engine, "failing texts"):
        assert made.only().status == "ERROR"
    assert trace.get_current_span() is trace.INVALID_SPAN
