from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import uvloop
from opentelemetry import trace

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.tracing.conftest import MakeBench
    from tests.tracing.finished import Finished

    Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a coroutine on a new loop of either kind."""

    def runs(main: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(main)

    return runs


def parents(spans: list[Finished]) -> dict[str, str]:
    """The name of each span's parent."""
    names = {span.span_id: span.name for span in spans}
    return {span.name: names.get(span.parent_id, "") for span in spans}


def test_a_task_has_the_span_that_was_current_when_it_was_made(bench: MakeBench, run: Run) -> None:
    """However it is made and whenever it runs; and what it makes current stays with it."""
    made = bench()

    async def work(name: str) -> None:
        with made.tracer.start_as_current_span(name) as span:
            await asyncio.sleep(0)
            assert trace.get_current_span() is span
            made.tracer.start_span(f"{name} child").end()

    async def main() -> None:
        with made.tracer.start_as_current_span("root") as root:
            tasks = [asyncio.create_task(work("created")), asyncio.ensure_future(work("ensured"))]
            assert trace.get_current_span() is root
            await asyncio.gather(work("gathered 1"), work("gathered 2"))
            async with asyncio.TaskGroup() as group:
                group.create_task(work("grouped 1"))
                group.create_task(work("grouped 2"))
            await asyncio.wait_for(work("waited for"), 30)
            async with asyncio.timeout(30):
                await work("awaited")
            assert trace.get_current_span() is root
        late = asyncio.create_task(work("late"))
        await asyncio.wait([*tasks, late])

    run(main())
    found = parents(made.finished())
    names = ["created", "ensured", "gathered 1", "gathered 2", "grouped 1", "grouped 2", "waited for", "awaited"]
    assert {name: found[name] for name in names} == dict.fromkeys(names, "root")
    assert {name: found[f"{name} child"] for name in [*names, "late"]} == {name: name for name in [*names, "late"]}
    assert (found["late"], found["root"]) == ("", "")


def test_callbacks(bench: MakeBench, run: Run) -> None:
    """``call_soon`` and ``call_later`` keep the context; a plain executor does not, ``to_thread`` does."""
    made = bench()

    def work(name: str) -> None:
        made.tracer.start_span(name).end()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with made.tracer.start_as_current_span("root"), ThreadPoolExecutor(1) as executor:
            loop.call_soon(work, "soon")
            loop.call_later(0.001, work, "later")
            await asyncio.to_thread(work, "to_thread")
            await loop.run_in_executor(executor, work, "executor")
            await asyncio.sleep(0.01)

    run(main())
    found = parents(made.finished())
    assert found == {"root": "", "soon": "root", "later": "root", "to_thread": "root", "executor": ""}


def test_many_tasks_at_once(bench: MakeBench, run: Run) -> None:
    """Each of 200 tasks that take turns has its own tree."""
    made = bench()

    async def work(number: int) -> None:
        with made.tracer.start_as_current_span(f"{number}") as span:
            for depth in range(3):
                await asyncio.sleep(0)
                assert trace.get_current_span() is span
                with made.tracer.start_as_current_span(f"{number} {depth}"):
                    await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(*map(work, range(200)))

    run(main())
    found = parents(made.finished())
    assert len(found) == 800
    assert all(found[name] == name.rpartition(" ")[0] for name in found)
    assert len({span.trace_id for span in made.finished()}) == 200


def test_cancelled_tasks(bench: MakeBench, run: Run) -> None:
    """Their spans end at once and without an error, and so do their parents; the current span is restored."""
    made = bench()

    async def work() -> None:
        with made.tracer.start_as_current_span("outer"), made.tracer.start_as_current_span("inner"):
            try:
                await asyncio.Event().wait()
            finally:
                trace.get_current_span().add_event("cleaned up")
        raise AssertionError

    async def main() -> None:
        with made.tracer.start_as_current_span("root") as root:
            task = asyncio.create_task(work())
            await asyncio.sleep(0)
            task.cancel("enough")
            with pytest.raises(asyncio.CancelledError):
                await task
            assert trace.get_current_span() is root
            task = asyncio.create_task(work())
            task.cancel()
            await asyncio.wait([task])

    run(main())
    found = made.named()
    assert parents(made.finished()) == {"root": "", "outer": "root", "inner": "outer"}
    assert {span.status for span in found.values()} == {"UNSET"}
    assert found["inner"].event.name == "cleaned up"


def test_timeouts(bench: MakeBench, run: Run) -> None:
    """Inside it is a cancellation, outside an error."""
    made = bench()

    async def main() -> None:
        with pytest.raises(TimeoutError), made.tracer.start_as_current_span("outside"):
            async with asyncio.timeout(0.001):
                with made.tracer.start_as_current_span("inside"):
                    await asyncio.Event().wait()

    run(main())
    found = made.named()
    assert (found["inside"].status, found["inside"].events) == ("UNSET", ())
    assert (found["outside"].status, found["outside"].message) == ("ERROR", "TimeoutError: ")


def test_a_failing_task_group(bench: MakeBench, run: Run) -> None:
    """One error, its cancelled siblings, and a group of exceptions around them."""
    made = bench()

    async def fail() -> None:
        with made.tracer.start_as_current_span("fails"):
            await asyncio.sleep(0)
            raise ValueError("x")

    async def hang() -> None:
        with made.tracer.start_as_current_span("hangs"):
            await asyncio.Event().wait()

    async def main() -> None:
        with pytest.raises(ExceptionGroup), made.tracer.start_as_current_span("group"):
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
                group.create_task(hang())

    run(main())
    assert {name: (span.status, span.message) for name, span in made.named().items()} == {
        "fails": ("ERROR", "ValueError: x"),
        "hangs": ("UNSET", ""),
        "group": ("ERROR", "ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)"),
    }


def test_a_span_that_ends_in_another_task(bench: MakeBench, run: Run) -> None:
    """It is one span, wherever it is handed to."""
    made = bench()

    async def finish(span: trace.Span) -> None:
        span.set_attribute("k", 1)
        span.end()

    async def main() -> None:
        await asyncio.create_task(finish(made.tracer.start_span("a")))

    run(main())
    assert made.only().attributes == {"k": 1}


def test_a_loop_that_is_torn_down(bench: MakeBench, run: Run) -> None:
    """Tasks nobody waited for are cancelled, and their spans arrive."""
    made = bench()
    tasks: list[Any] = []

    async def work(number: int) -> None:
        with made.tracer.start_as_current_span(f"{number}"):
            await asyncio.Event().wait()

    async def main() -> None:
        tasks.extend(asyncio.create_task(work(number)) for number in range(3))
        await asyncio.sleep(0)

    run(main())
    assert made.names() == ["0", "1", "2"]
