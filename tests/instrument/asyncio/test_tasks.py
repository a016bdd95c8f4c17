"""Tasks are counted and timed up to their first step, and are none the wiser."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import uvloop
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from otel_trading.instrument import asyncio_runtime
from otel_trading.instrument.asyncio_runtime import AsyncioInstrumentor
from otel_trading.testing import capture
from otel_trading.testing.errors import NotCapturedError
from tests.instrument.conformance.test_conformance import (
    instrumented,
    telemetry,
    test_a_second_time_changes_nothing,
    test_counts_are_exact,
    test_counts_are_exact_in_threads,
    test_suppressed_it_counts_nothing,
    test_uninstrumented_it_is_as_before,
)

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Coroutine, Iterator

    from otel_trading.testing import Captured

__all__ = [
    "instrumented",
    "telemetry",
    "test_a_second_time_changes_nothing",
    "test_counts_are_exact",
    "test_counts_are_exact_in_threads",
    "test_suppressed_it_counts_nothing",
    "test_uninstrumented_it_is_as_before",
]

TASKS, DELAY = "trading.runtime.tasks", "trading.runtime.task.delay"
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


async def nothing() -> None:
    """Do nothing."""


def tasks(captured: Captured) -> int:
    """How many were counted."""
    try:
        return int(captured.metrics[TASKS].value)
    except NotCapturedError:
        return 0


class Case:
    """A loop that makes tasks."""

    many = 300
    parallel = True
    installed = True

    name = "asyncio-runtime"
    instrumentor = AsyncioInstrumentor
    originals: tuple[tuple[object, str], ...] = (
        (asyncio.BaseEventLoop, "create_task"),
        (uvloop.Loop, "create_task"),
    )
    hooks = ()
    error = RuntimeError

    def __init__(self, kind: str) -> None:
        self._new = LOOPS[kind]

    def work(self, count: int) -> None:
        """Make so many tasks: one is there anyway."""

        async def make() -> None:
            for made in [asyncio.create_task(nothing()) for _ in range(count - 1)]:
                await made

        loop = self._new()
        try:
            loop.run_until_complete(make())
        finally:
            loop.close()

    def counted(self, captured: Captured) -> int:
        """Tasks; each has a delay."""
        count = tasks(captured)
        assert count == 0 or captured.metrics[DELAY].count == count
        return count

    def failures(self, _: Captured) -> int:
        """Tasks do not fail by what is counted here."""
        return 0


@pytest.fixture(params=LOOPS)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    """A kind of loop."""
    yield Case(request.param)
    if AsyncioInstrumentor().is_instrumented_by_opentelemetry:
        AsyncioInstrumentor().uninstrument()


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest, telemetry: Captured) -> Iterator[asyncio.AbstractEventLoop]:
    """An instrumented loop that was there before."""
    made = LOOPS[request.param]()
    AsyncioInstrumentor().instrument()
    yield made
    AsyncioInstrumentor().uninstrument()
    made.close()


def run(loop: asyncio.AbstractEventLoop, main: Coroutine[Any, Any, Any]) -> Any:
    """Run it to its end."""
    return loop.run_until_complete(main)


def test_the_delay_is_that_of_the_loop(loop: asyncio.AbstractEventLoop, telemetry: Captured) -> None:
    """A task waits while others keep the loop."""

    async def main() -> None:
        waiting = asyncio.create_task(nothing())
        time.sleep(0.02)  # noqa: ASYNC251 - the loop is kept
        await waiting

    run(loop, main())
    delay = telemetry.metrics[DELAY]
    assert (delay.count, tasks(telemetry)) == (2, 2)
    assert delay.max is not None
    assert delay.min is not None
    assert delay.min >= 0
    assert delay.max >= 0.02


def test_each_waits_for_those_before_it(loop: asyncio.AbstractEventLoop, telemetry: Captured) -> None:
    """The first step of a task is behind those of the tasks before it, and so is its delay."""

    async def keep() -> None:
        time.sleep(0.005)  # noqa: ASYNC251 - the loop is kept

    async def main() -> None:
        await asyncio.gather(*(keep() for _ in range(4)))

    run(loop, main())
    assert telemetry.metrics[DELAY].sum >= 0.005 + 0.010 + 0.015


def test_ways_to_make_a_task_count_alike(loop: asyncio.AbstractEventLoop, telemetry: Captured) -> None:
    """Those of the module, of the loop, of groups and of what makes tasks inside."""

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(nothing())
        await asyncio.create_task(nothing(), name="named")
        await asyncio.get_running_loop().create_task(coro=nothing())
        await asyncio.ensure_future(nothing())
        await asyncio.gather(nothing(), nothing())

    run(loop, main())
    assert (tasks(telemetry), telemetry.metrics[DELAY].count) == (7, 7)


def test_tasks_are_untouched(loop: asyncio.AbstractEventLoop, telemetry: Captured) -> None:
    """Class, coroutine, name, context and result are what they would be."""
    variable = contextvars.ContextVar("variable", default=0)

    async def answer() -> int:
        return variable.get()

    async def main() -> None:
        variable.set(1)
        context = contextvars.copy_context()
        variable.set(2)
        coroutine = answer()
        task = asyncio.create_task(coroutine, name="quotes", context=context)
        assert type(task) is asyncio.Task
        assert (task.get_name(), task.get_coro()) == ("quotes", coroutine)
        assert await task == 1

    run(loop, main())


def test_a_task_that_is_cancelled_before_it_begins(loop: asyncio.AbstractEventLoop, telemetry: Captured) -> None:
    """It counts, and the loop goes on."""

    async def main() -> None:
        task = asyncio.create_task(nothing())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(loop, main())
    assert tasks(telemetry) == 2


def test_a_closed_loop_says_so_itself(loop: asyncio.AbstractEventLoop, telemetry: Captured) -> None:
    """With its own error, and nothing is counted."""
    closed = type(loop)()
    closed.close()
    coroutine = nothing()
    with pytest.raises(RuntimeError, match="closed"):
        closed.create_task(coroutine)
    coroutine.close()
    with pytest.raises(TypeError):
        loop.create_task(5)  # type: ignore[arg-type]
    loop.run_until_complete(nothing())
    assert (tasks(telemetry), telemetry.metrics[DELAY].count) == (1, 1)


def test_a_factory_of_the_bots_is_asked(loop: asyncio.AbstractEventLoop, telemetry: Captured) -> None:
    """Once for each task."""
    made: list[object] = []

    def factory(of: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=of, **options)

    async def main() -> None:
        await asyncio.create_task(nothing())

    loop.set_task_factory(factory)
    run(loop, main())
    assert (tasks(telemetry), telemetry.metrics[DELAY].count, len(made)) == (2, 2, 2)


def test_an_eager_task_has_no_delay(loop: asyncio.AbstractEventLoop, telemetry: Captured) -> None:
    """It has begun when it is made, whether it is finished by then or waits."""

    class Eager:
        """A task that has begun, as those of ``asyncio.eager_task_factory``."""

        def __init__(self, coroutine: Coroutine[Any, Any, Any], of: asyncio.AbstractEventLoop) -> None:
            self.coroutine = coroutine
            self.done = of.create_future()
            try:
                self.waiting = coroutine.send(None)
            except StopIteration:
                self.done.set_result(None)

    async def wait() -> None:
        await asyncio.sleep(0)

    async def main() -> None:
        of = asyncio.get_running_loop()
        of.set_task_factory(lambda _, coroutine, **__: Eager(coroutine, of))  # type: ignore[arg-type]
        finished: Any = of.create_task(nothing())
        waits: Any = of.create_task(wait())
        of.set_task_factory(None)
        time.sleep(0.02)  # noqa: ASYNC251 - what is not eager would wait
        assert finished.done.done()
        waits.coroutine.close()
        await asyncio.sleep(0)

    run(loop, main())
    assert telemetry.metrics[DELAY].count == 3
    assert telemetry.metrics[DELAY].p50 == 0


def test_a_loop_in_debug_mode(loop: asyncio.AbstractEventLoop, telemetry: Captured) -> None:
    """Is measured through its own front door."""
    loop.set_debug(True)
    run(loop, nothing())
    assert telemetry.metrics[DELAY].count == 1


def test_a_loop_whose_queue_is_not_known(telemetry: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is measured like any other."""
    monkeypatch.setattr(asyncio_runtime, "_queue_is_known", lambda: False)
    AsyncioInstrumentor().instrument()
    try:
        Case("asyncio").work(5)
    finally:
        AsyncioInstrumentor().uninstrument()
    assert (tasks(telemetry), telemetry.metrics[DELAY].count) == (5, 5)


def test_a_loop_with_a_time_of_its_own_is_left_alone(telemetry: Captured) -> None:
    """As a backtest's, which may go by what it has to do."""

    class Backtest(asyncio.SelectorEventLoop):
        def time(self) -> float:
            return 1.0

    loop = Backtest()
    AsyncioInstrumentor().instrument()
    try:
        loop.call_soon(loop.stop)
        task = loop.create_task(nothing())
        queue: deque[Any] = loop._ready  # type: ignore[attr-defined]
        assert len(queue) == 2
        loop.run_until_complete(task)
    finally:
        AsyncioInstrumentor().uninstrument()
        loop.close()
    assert tasks(telemetry) == 0


def test_other_distributions_are_told(case: Case) -> None:
    """With providers that have no native series."""
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    AsyncioInstrumentor().instrument(meter_provider=meters)
    case.work(4)
    data = reader.get_metrics_data()
    assert data is not None
    measured = {metric.name: metric.data.data_points[0] for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    assert (measured[TASKS].value, measured[DELAY].count) == (4, 4)  # type: ignore[union-attr]
    meters.shutdown()


def test_off_nothing_is_counted(instrumented: Case, telemetry: Captured) -> None:
    """On again it is."""
    telemetry.handle.enabled = False
    instrumented.work(5)
    telemetry.handle.enabled = True
    assert tasks(telemetry) == 0
    instrumented.work(2)
    assert tasks(telemetry) == 2


def test_loops_in_many_threads(telemetry: Captured) -> None:
    """Each task once."""
    AsyncioInstrumentor().instrument()
    try:
        threads = [threading.Thread(target=functools.partial(Case(kind).work, 500)) for kind in (*LOOPS, *LOOPS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        AsyncioInstrumentor().uninstrument()
    assert (tasks(telemetry), telemetry.metrics[DELAY].count) == (2_000, 2_000)


def test_it_is_one_of_the_instrumentations() -> None:
    """Configured by its name, and taken back at the end."""
    with capture(real_time=True):
        import otel_trading as ot

        before = vars(asyncio.BaseEventLoop)["create_task"]
        telemetry = ot.configure(instrument="asyncio", banner=False)
        assert vars(asyncio.BaseEventLoop)["create_task"] is not before
        telemetry._detach()
        assert vars(asyncio.BaseEventLoop)["create_task"] is before
