"""How long work waits for a thread."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from concurrent.futures import thread as pools
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from otel_trading.instrument.asyncio_runtime import AsyncioInstrumentor
from otel_trading.testing import capture
from otel_trading.testing.errors import NotCapturedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.testing import Captured

WAIT = "trading.runtime.executor.wait.duration"


@pytest.fixture(params=["native", "sdk"])
def telemetry(request: pytest.FixtureRequest) -> Iterator[Captured]:
    """Captured, on each engine, with thread pools instrumented."""
    with capture(engine=request.param, real_time=True) as captured:
        AsyncioInstrumentor().instrument()
        yield captured
        AsyncioInstrumentor().uninstrument()


def waits(telemetry: Captured, executor: str) -> int:
    """How many were measured."""
    try:
        return telemetry.metrics[WAIT].where(executor_name=executor).count
    except NotCapturedError:
        return 0


def test_the_wait_ends_where_the_work_begins(telemetry: Captured) -> None:
    """Not where it ends; what a single thread does later waits longer."""
    free = threading.Event()
    with ThreadPoolExecutor(1, "signing") as pool:
        pool.submit(free.wait, 30)
        waiting = pool.submit(int, "5")
        threading.Timer(0.02, free.set).start()
        assert waiting.result() == 5
    found = telemetry.metrics[WAIT].where(executor_name="signing")
    assert found.count == 2
    assert found.max is not None
    assert 0.01 < found.max < 30


def test_executors_are_told_apart_by_the_names_of_their_threads(telemetry: Captured) -> None:
    """Without their numbers."""
    with ThreadPoolExecutor(3, "orders") as orders, ThreadPoolExecutor(2) as unnamed:
        for _ in range(20):
            orders.submit(int)
            unnamed.submit(int)
    assert waits(telemetry, "orders") == waits(telemetry, "ThreadPoolExecutor") == 20


@pytest.mark.parametrize(("new", "name"), [(asyncio.new_event_loop, "asyncio"), (uvloop.new_event_loop, None)])
def test_a_loops_own_executor(telemetry: Captured, new: Any, name: str | None) -> None:
    """That of ``run_in_executor(None, ...)`` and ``asyncio.to_thread``."""

    async def main() -> None:
        await asyncio.get_running_loop().run_in_executor(None, int)
        await asyncio.to_thread(int)

    loop = new()
    loop.run_until_complete(main())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    assert waits(telemetry, name or "ThreadPoolExecutor") == 2


def test_errors_and_results_are_the_works_own(telemetry: Captured) -> None:
    """The same object, with the traceback it would have."""
    error = LookupError("no price")

    def fail() -> None:
        raise error

    with ThreadPoolExecutor(1) as pool:
        raised = pool.submit(fail).exception()
    assert raised is error
    frames = []
    traceback = error.__traceback__
    while traceback is not None:
        frames.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    assert frames == ["run", "fail"]


def test_cancelled_work_did_not_begin(telemetry: Captured) -> None:
    """Its wait has no end."""
    free = threading.Event()
    with ThreadPoolExecutor(1, "lone") as pool:
        pool.submit(free.wait, 30)
        never = pool.submit(int)
        assert never.cancel()
        free.set()
    with pytest.raises(CancelledError):
        never.result()
    assert waits(telemetry, "lone") == 1


def test_names_are_bounded(telemetry: Captured) -> None:
    """However a bot calls its executors."""
    for number in range(120):
        name = "".join(chr(97 + int(digit)) for digit in str(number + 100))
        with ThreadPoolExecutor(1, name) as pool:
            pool.submit(int).result()
    assert len(telemetry.metrics[WAIT].points) == 101
    assert waits(telemetry, "other") == 20


def test_taken_back_it_is_as_before(telemetry: Captured) -> None:
    """What waits at that moment is done, and the pool's parts are its own."""
    free = threading.Event()
    with ThreadPoolExecutor(1, "late") as pool:
        pool.submit(free.wait, 30)
        waiting = pool.submit(int)
        AsyncioInstrumentor().uninstrument()
        item: Any = vars(pools)["_WorkItem"]
        assert vars(item)["run"].__module__ == vars(item)["__init__"].__module__ == pools.__name__
        assert not hasattr(item.run, "__wrapped__")
        free.set()
        assert waiting.result() == 0
    AsyncioInstrumentor().instrument()
    assert waits(telemetry, "late") == 1
