from __future__ import annotations

import asyncio
import contextvars
import gc
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from tests.tracing.conftest import MakeBench
    from tests.tracing.engines import Bench


def ticks(made: Bench, name: str = "generator") -> Generator[trace.Span]:
    """A generator with a current span, and a child span at each step."""
    with made.tracer.start_as_current_span(name) as span:
        for number in range(3):
            made.tracer.start_span(f"{name} {number}").end()
            yield span


async def aticks(made: Bench) -> AsyncGenerator[trace.Span]:
    """The same, asynchronously."""
    with made.tracer.start_as_current_span("generator") as span:
        for number in range(3):
            made.tracer.start_span(f"generator {number}").end()
            yield span


def test_a_generator_shares_the_context_of_its_caller(bench: MakeBench) -> None:
    """While it waits its span stays current for the caller, and at its end what was before is restored."""
    made = bench()
    with made.tracer.start_as_current_span("root") as root:
        for number, span in enumerate(ticks(made)):
            assert trace.get_current_span() is span
            made.tracer.start_span(f"body {number}").end()
        assert trace.get_current_span() is root
    found = made.named()
    inside = {name for name, span in found.items() if span.parent_id == found["generator"].span_id}
    assert inside == {f"{kind} {number}" for kind in ("generator", "body") for number in range(3)}
    assert found["generator"].parent_id == found["root"].span_id


def test_a_generator_that_is_closed(bench: MakeBench) -> None:
    """Its span ends without an error, at once."""
    made = bench()
    generator = ticks(made)
    next(generator)
    assert made.names() == ["generator 0"]
    generator.close()
    assert (made.named()["generator"].status, made.named()["generator"].events) == ("UNSET", ())


def test_a_generator_that_is_let_go(bench: MakeBench) -> None:
    """Its span ends with it."""
    made = bench()
    next(ticks(made))
    gc.collect()
    assert made.names() == ["generator", "generator 0"]


def test_an_exception_thrown_into_a_generator(bench: MakeBench) -> None:
    """It is recorded like one of its own."""
    made = bench()
    generator = ticks(made)
    next(generator)
    error = ValueError("x")
    with pytest.raises(ValueError, match="x") as raised:
        generator.throw(error)
    assert raised.value is error
    assert (made.named()["generator"].status, made.named()["generator"].message) == ("ERROR", "ValueError: x")


def test_generators_that_take_turns(bench: MakeBench) -> None:
    """A child's parent is whatever is current when it starts, and the last to end does not restore the first."""
    made = bench()

    def turns() -> None:
        first, second = ticks(made, "first"), ticks(made, "second")
        for _ in range(3):
            next(first)
            next(second)
        first.close()
        assert trace.get_current_span() is trace.INVALID_SPAN
        second.close()
        assert trace.get_current_span().get_span_context().span_id == made.named()["first"].span_id

    contextvars.copy_context().run(turns)
    found = made.named()
    first, second = found["first"].span_id, found["second"].span_id
    expected = {"first": 0, "second": first, "first 0": first}
    expected |= {"first 1": second, "first 2": second, "second 0": second, "second 1": second, "second 2": second}
    assert {name: span.parent_id for name, span in found.items()} == expected


def test_a_generator_that_ends_in_another_context(bench: MakeBench) -> None:
    """Its span ends; that the context cannot be restored there is no exception."""
    made = bench()
    generator = ticks(made)
    contextvars.copy_context().run(next, generator)
    assert trace.get_current_span() is trace.INVALID_SPAN
    generator.close()
    assert trace.get_current_span() is trace.INVALID_SPAN
    assert made.names() == ["generator", "generator 0"]


def test_a_generator_that_ends_in_another_thread(bench: MakeBench) -> None:
    """The same there."""
    import threading

    made = bench()
    generator = ticks(made)

    def advance() -> None:
        contextvars.copy_context().run(next, generator)

    thread = threading.Thread(target=advance)
    thread.start()
    thread.join()
    generator.close()
    assert made.names() == ["generator", "generator 0"]


def test_an_asynchronous_generator(bench: MakeBench) -> None:
    """It shares the context of the task that asks it."""
    made = bench()

    async def main() -> None:
        with made.tracer.start_as_current_span("root") as root:
            async for span in aticks(made):
                assert trace.get_current_span() is span
                await asyncio.sleep(0)
            assert trace.get_current_span() is root

    asyncio.run(main())
    found = made.named()
    assert found["generator"].parent_id == found["root"].span_id
    assert {found[f"generator {number}"].parent_id for number in range(3)} == {found["generator"].span_id}


def test_an_asynchronous_generator_that_is_closed_by_another_task(bench: MakeBench) -> None:
    """Its span ends; nothing is raised, and the span stays current for the task that began."""
    made = bench()

    async def main() -> None:
        generator = aticks(made)
        span = await anext(generator)
        await asyncio.create_task(close(generator))
        assert not span.is_recording()
        assert trace.get_current_span() is span

    async def close(generator: Any) -> None:
        await generator.aclose()

    asyncio.run(main())
    assert (made.named()["generator"].status, made.named()["generator"].events) == ("UNSET", ())


def test_an_asynchronous_generator_that_is_abandoned(bench: MakeBench) -> None:
    """The loop closes it, and its span arrives."""
    made = bench()

    async def main() -> None:
        async for _ in aticks(made):
            break

    asyncio.run(main())
    gc.collect()
    assert "generator" in made.names()
