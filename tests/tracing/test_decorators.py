from __future__ import annotations

import asyncio
import functools
import inspect
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.tracing.conftest import MakeBench


def current_id() -> int:
    """The id of the current span."""
    return trace.get_current_span().get_span_context().span_id


def test_a_function(bench: MakeBench) -> None:
    """Each call is a span, its current one; arguments, result and name stay."""
    made = bench()

    @made.tracer.start_as_current_span("decide", attributes={"venue": "kalshi"})
    def decide(size: int, *, side: str) -> tuple[int, str, int]:
        """Decide."""
        return size, side, current_id()

    assert (decide.__name__, decide.__doc__) == ("decide", "Decide.")
    assert made.finished() == []
    results = [decide(number, side="buy") for number in range(3)]
    assert [result[:2] for result in results] == [(0, "buy"), (1, "buy"), (2, "buy")]
    assert [span.span_id for span in made.finished()] == [result[2] for result in results]
    assert len({span.trace_id for span in made.finished()}) == 3
    assert [span.attributes for span in made.finished()] == [{"venue": "kalshi"}] * 3


def test_recursion(bench: MakeBench) -> None:
    """A function that calls itself gives nested spans."""
    made = bench()

    @made.tracer.start_as_current_span("a")
    def down(depth: int) -> None:
        if depth:
            down(depth - 1)

    down(4)
    spans = made.finished()
    parents = {span.span_id: span.parent_id for span in spans}
    assert len(parents) == 5
    assert sorted(parent in parents for parent in parents.values()) == [False, True, True, True, True]
    assert len({span.trace_id for span in spans}) == 1


def test_a_coroutine(bench: MakeBench) -> None:
    """Its span is open until it has ended, and it stays a coroutine function."""
    made = bench()

    @made.tracer.start_as_current_span("fetch")
    async def fetch(number: int) -> tuple[int, int]:
        before = current_id()
        await asyncio.sleep(0.001)
        assert current_id() == before
        return number, before

    async def main() -> list[tuple[int, int]]:
        return await asyncio.gather(*map(fetch, range(5)))

    assert inspect.iscoroutinefunction(fetch)
    assert fetch.__name__ == "fetch"
    results = asyncio.run(main())
    assert [number for number, _ in results] == list(range(5))
    assert {span.span_id for span in made.finished()} == {seen for _, seen in results}
    assert all(span.end - span.start >= 900_000 for span in made.finished())


def test_a_coroutine_that_is_never_awaited(bench: MakeBench) -> None:
    """Calling it starts nothing."""
    made = bench()

    @made.tracer.start_as_current_span("fetch")
    async def fetch() -> None:
        pass

    fetch().close()
    assert made.finished() == []


@pytest.mark.parametrize("asynchronous", [False, True])
def test_exceptions_come_out_as_they_are(bench: MakeBench, asynchronous: bool) -> None:
    """And are recorded."""
    made = bench()
    error = KeyError("BTC")

    @made.tracer.start_as_current_span("a")
    def function() -> None:
        raise error

    @made.tracer.start_as_current_span("a")
    async def coroutine() -> None:
        raise error

    with pytest.raises(KeyError) as raised:
        asyncio.run(coroutine()) if asynchronous else function()
    assert raised.value is error
    assert (made.only().status, made.only().message) == ("ERROR", "KeyError: 'BTC'")
    assert f"in {'coroutine' if asynchronous else 'function'}\n" in made.only().event.attributes["exception.stacktrace"]


def test_a_cancelled_coroutine(bench: MakeBench) -> None:
    """Its span ends without an error."""
    made = bench()

    @made.tracer.start_as_current_span("a")
    async def hang() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(hang())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert (made.only().status, made.only().events) == ("UNSET", ())


def test_generators_are_called_within_the_span_and_run_outside(bench: MakeBench) -> None:
    """The span is that of making them, for generators and asynchronous generators alike."""
    made = bench()

    @made.tracer.start_as_current_span("made")
    def generate() -> Iterator[int]:
        yield current_id()

    @made.tracer.start_as_current_span("made")
    async def agenerate() -> AsyncIterator[int]:
        yield current_id()

    async def main() -> list[int]:
        return [number async for number in agenerate()]

    assert list(generate()) == [0]
    assert asyncio.run(main()) == [0]
    assert made.names() == ["made", "made"]


def test_methods(bench: MakeBench) -> None:
    """Of instances, classes and neither; and what ``functools`` makes of functions."""
    made = bench()

    class Bot:
        @made.tracer.start_as_current_span("method")
        def method(self) -> object:
            return self

        @classmethod
        @made.tracer.start_as_current_span("class method")
        def of_class(cls) -> object:
            return cls

        @staticmethod
        @made.tracer.start_as_current_span("static method")
        def of_none(value: int) -> int:
            return value

    bot = Bot()
    assert bot.method() is bot
    assert Bot.of_class() is Bot
    assert Bot.of_none(5) == 5
    assert made.tracer.start_as_current_span("partial")(functools.partial(divmod, 7))(2) == (3, 1)
    assert made.names() == ["class method", "method", "partial", "static method"]


def test_one_decorator_for_several_functions(bench: MakeBench) -> None:
    """It can be kept and used again."""
    made = bench()
    traced: Any = made.tracer.start_as_current_span("a", end_on_exit=True)
    functions = [traced(lambda number=number: number) for number in range(3)]
    assert [function() for function in functions] == [0, 1, 2]
    assert len(made.finished()) == 3


def test_a_stack_of_blocks(bench: MakeBench) -> None:
    """The block is a context manager like others."""
    made = bench()
    with ExitStack() as stack:
        spans = [stack.enter_context(made.tracer.start_as_current_span(name)) for name in "abc"]
        assert trace.get_current_span() is spans[-1]
    found = made.named()
    assert (found["c"].parent_id, found["b"].parent_id) == (found["b"].span_id, found["a"].span_id)


def test_the_decorator_of_the_api(bench: MakeBench) -> None:
    """``use_span`` decorates, too: each call makes an open span current."""
    made = bench()
    span = made.tracer.start_span("a")

    @trace.use_span(span)
    def function() -> trace.Span:
        return trace.get_current_span()

    assert function() is span
    assert function() is span
    assert span.is_recording()
    span.end()
    assert made.names() == ["a"]
