from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import subprocess
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING

import pytest
import uvloop

from otel_trading.runtime import RuntimeOptions, start_runtime, watch_loop
from otel_trading.runtime.loop import Heartbeat
from otel_trading.runtime.running import RunHooks
from tests.runtime.conftest import PATIENCE, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.runtime.conftest import Captured, Start

    NewLoop = Callable[[], asyncio.AbstractEventLoop]

LAG = "trading.runtime.event_loop.lag"
STALLS = "trading.runtime.event_loop.stalls"
STALLED = "trading.runtime.event_loop.stalled"
STALL_DURATION = "trading.runtime.event_loop.stall.duration"

both = pytest.mark.parametrize(
    "new_loop", [asyncio.SelectorEventLoop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)


async def until(happened: Callable[[], object]) -> None:
    """Let the loop run until it happened."""
    deadline = time.monotonic() + PATIENCE
    while not happened() and time.monotonic() < deadline:  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.01)


def strategy_that_blocks(happened: Callable[[], object], patience: float = PATIENCE) -> None:
    eventually(happened, patience)


def run(new_loop: NewLoop, main: Coroutine[None, None, None]) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main)


async def block(happened: Callable[[], object]) -> None:
    strategy_that_blocks(happened)


@both
def test_lag_of_a_loop_is_measured_without_being_asked_for(new_loop: NewLoop, captured: Captured, start: Start) -> None:
    """A loop that starts to run after the runtime has a heartbeat, and its lags are never negative."""
    start(event_loops=True, stall_threshold=3600)
    run(new_loop, until(lambda: captured.total(LAG) >= 5))
    point = captured.points(LAG)[0]
    assert point.count >= 5
    assert point.min >= 0
    assert point.attributes == {"thread.name": "MainThread"}
    assert captured.total(STALLS) == 0


@both
def test_stall_is_found_while_it_lasts_with_its_culprit(
    new_loop: NewLoop, captured: Captured, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """A blocking call on the loop is counted and named while it blocks, and measured when it is over."""
    start(event_loops=True)
    stalled_meanwhile: list[float] = []

    def warnings() -> list[str]:
        return [line for line in caplog.messages if "has not answered" in line and "strategy_that_blocks" in line]

    def reported() -> bool:
        if warnings() and not stalled_meanwhile:
            stalled_meanwhile.append(captured.total(STALLED))
        return bool(stalled_meanwhile)

    async def main() -> None:
        while not reported():
            strategy_that_blocks(reported, patience=5)
            await asyncio.sleep(0.05)
        await until(lambda: captured.total(STALL_DURATION))

    with caplog.at_level(logging.INFO, "otel_trading"):
        run(new_loop, main())
        assert eventually(lambda: any("answers again" in line for line in caplog.messages))
    assert stalled_meanwhile == [1]
    (warning,) = warnings()
    assert "MainThread" in warning
    frames = warning.partition("it is in ")[2].split(" <- ")
    assert "main" in frames[-1]
    assert not any("asyncio" in frame or "pytest" in frame for frame in frames)
    assert captured.total(STALLS) >= 1
    assert captured.points(STALL_DURATION)[0].min >= 0.2
    assert captured.points(LAG)[0].max >= 0.2
    assert captured.total(STALLED) == 0


@both
def test_stall_at_the_end_of_a_run_is_not_lost(new_loop: NewLoop, captured: Captured, start: Start) -> None:
    """A loop that blocks in its last callback has no heartbeat after it, and is counted all the same."""
    start(event_loops=True)
    loop = new_loop()
    ended = time.monotonic() + 0.3

    def stop_and_block() -> None:
        loop.stop()
        strategy_that_blocks(lambda: time.monotonic() > ended)

    loop.call_soon(stop_and_block)
    loop.run_forever()
    loop.close()
    assert eventually(lambda: captured.total(STALL_DURATION))
    assert captured.total(STALLS) >= 1


def test_native_call_that_keeps_the_interpreter_is_told_apart(
    captured: Captured, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Where nothing can look during the stall, it is counted after it, and the line says why."""
    start(event_loops=True)

    async def main() -> None:
        await asyncio.sleep(0.05)
        ctypes.PyDLL(None).usleep(700_000)  # a foreign function that does not release the interpreter
        await until(lambda: captured.total(STALL_DURATION))

    with caplog.at_level(logging.WARNING, "otel_trading"):
        asyncio.run(main())
    assert eventually(lambda: any("interpreter stood still" in line for line in caplog.messages))
    assert captured.total(STALLS) >= 1


@both
def test_loops_in_several_threads_are_watched_side_by_side(new_loop: NewLoop, captured: Captured, start: Start) -> None:
    """Each thread's loop has lags of its own, and only the one that blocks is stalled."""
    start(event_loops=True)

    def stalled() -> bool:
        return "quotes" in captured.by(STALLS, "thread.name")

    threads = [
        threading.Thread(target=lambda: run(new_loop, block(stalled)), name="quotes-1"),
        threading.Thread(target=lambda: run(new_loop, until(stalled)), name="orders-1"),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stalled()
    assert {point.attributes["thread.name"] for point in captured.points(LAG)} == {"quotes", "orders"}


@both
def test_loop_between_two_runs_is_not_stalled(new_loop: NewLoop, captured: Captured, start: Start) -> None:
    """Time in which a loop does not run is neither lag nor stall."""
    runtime = start(event_loops=True, stall_threshold=100)
    loop = new_loop()
    for _ in range(2):
        before = captured.total(LAG)
        loop.run_until_complete(until(lambda before=before: captured.total(LAG) > before))  # type: ignore[misc]
        runtime.loops.look(time.monotonic() + 1000)
        assert [each for each in getattr(loop, "_scheduled", []) if not each.cancelled()] == []
    loop.close()
    assert captured.total(STALLS) == 0


def test_second_run_has_a_heartbeat_of_its_own(captured: Captured, start: Start) -> None:
    """Also when the end of the first was not noticed, for it had begun before the runtime."""
    run_forever = asyncio.BaseEventLoop.run_forever
    loop = asyncio.SelectorEventLoop()
    runtime = start(event_loops=True, stall_threshold=100)
    assert watch_loop(loop)
    first = runtime.loops._beats[id(loop)]
    loop.call_later(0.05, loop.stop)
    run_forever(loop)
    assert runtime.loops._beats[id(loop)] is first
    second: list[object] = []
    loop.call_soon(lambda: second.append(runtime.loops._beats[id(loop)]))
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    assert len(second) == 1
    assert second[0] is not first


async def test_heartbeat_before_its_time_is_no_lag(captured: Captured, start: Start) -> None:
    """A timer may fire a fraction early: that is no lag, and no negative one."""
    runtime = start(event_loops=True)
    Heartbeat(asyncio.get_running_loop(), runtime.loops)._tell(1.0, -0.001)
    assert captured.points(LAG)[0].min == 0


@both
def test_nothing_keeps_a_loop_alive(new_loop: NewLoop, captured: Captured, start: Start) -> None:
    """A loop that was watched and closed is freed, also when it was to be watched and never ran."""
    start(event_loops=True)
    loop, other = new_loop(), new_loop()
    assert watch_loop(other)
    loop.run_until_complete(until(lambda: captured.total(LAG)))
    references = [weakref.ref(loop), weakref.ref(other)]
    loop.close()
    other.close()
    del loop, other
    assert eventually(lambda: gc.collect() >= 0 and not any(reference() for reference in references))


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_loop_that_was_dropped_unclosed_is_freed(start: Start) -> None:
    """Watching is no reason for a loop to live that nobody else holds."""
    start(event_loops=True)
    loop = asyncio.SelectorEventLoop()
    assert watch_loop(loop)
    reference = weakref.ref(loop)
    del loop
    gc.collect()
    assert reference() is None


@both
def test_loop_that_ran_before_is_watched_on_request(new_loop: NewLoop, captured: Captured, start: Start) -> None:
    """``watch_loop`` takes a loop that runs in another thread, and lets it go when it ends."""
    loop = new_loop()
    thread = threading.Thread(target=loop.run_forever, name="feed")
    thread.start()
    runtime = start(event_loops=True)
    assert watch_loop(loop)
    assert watch_loop(loop)
    assert eventually(lambda: captured.total(LAG) >= 3)
    loop.call_soon_threadsafe(strategy_that_blocks, lambda: captured.total(STALLS))
    assert eventually(lambda: captured.total(STALL_DURATION))
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    assert eventually(lambda: not runtime.loops._beats)
    loop.close()
    assert not watch_loop(loop)


async def test_runtime_started_in_a_loop_watches_it(captured: Captured, start: Start) -> None:
    """A bot may configure telemetry from a coroutine; changed options keep the loop watched, a stop ends it."""
    runtime = start(event_loops=True)
    await until(lambda: captured.total(LAG) >= 2)
    start(event_loops=True, heartbeat=0.02)
    before = captured.total(LAG)
    await until(lambda: captured.total(LAG) > before + 2)
    assert captured.total(LAG) > before + 2
    runtime.stop()
    await asyncio.sleep(0.05)
    before = captured.total(LAG)
    await asyncio.sleep(0.1)
    assert captured.total(LAG) == before


def test_stop_puts_the_loops_methods_back(start: Start) -> None:
    """The two classes are as they were before."""
    before = asyncio.BaseEventLoop.run_forever
    runtime = start(event_loops=True)
    assert asyncio.BaseEventLoop.run_forever is not before
    assert "run_forever" in vars(uvloop.Loop)
    runtime.stop()
    assert asyncio.BaseEventLoop.run_forever is before
    assert "run_forever" not in vars(uvloop.Loop)


def test_wrapper_around_ours_goes_on_to_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody wrapped the method again it cannot be put back: it does nothing then."""
    monkeypatch.setattr(asyncio.BaseEventLoop, "run_forever", asyncio.BaseEventLoop.run_forever)
    noticed: list[str] = []
    hooks = RunHooks(lambda _: noticed.append("begins"), lambda _: noticed.append("ends"))
    hooks.install()
    ours = asyncio.BaseEventLoop.run_forever

    def around_ours(self: asyncio.BaseEventLoop) -> None:
        ours(self)

    monkeypatch.setattr(asyncio.BaseEventLoop, "run_forever", around_ours)
    loop = asyncio.SelectorEventLoop()
    assert loop.run_until_complete(asyncio.sleep(0, "ran")) == "ran"
    assert noticed == ["begins", "ends"]
    hooks.remove()
    assert asyncio.BaseEventLoop.run_forever is around_ours
    assert loop.run_until_complete(asyncio.sleep(0, "ran")) == "ran"
    assert noticed == ["begins", "ends"]
    loop.close()


def test_telemetrys_own_loops_are_left_alone(captured: Captured, start: Start) -> None:
    """The ops server's loop is not the bot's."""
    start(event_loops=True)
    thread = threading.Thread(target=lambda: asyncio.run(asyncio.sleep(0.05)), name="otel-ops")
    thread.start()
    thread.join()
    assert captured.points(LAG) == []


def test_loop_with_a_clock_of_its_own_is_left_alone(captured: Captured, start: Start) -> None:
    """A backtest's loop, whose time is made up, gets no heartbeat that would move it."""

    class Backtest(asyncio.SelectorEventLoop):
        def time(self) -> float:
            return super().time()

    start(event_loops=True)
    run(Backtest, asyncio.sleep(0.05))
    assert captured.points(LAG) == []


def test_without_a_runtime_nothing_is_watched(captured: Captured) -> None:
    """``watch_loop`` may be called whether or not telemetry is on."""
    assert not watch_loop()
    runtime = start_runtime(captured.meter, RuntimeOptions(event_loops=False, process=False, system=False))
    loop = asyncio.new_event_loop()
    assert not watch_loop(loop)
    loop.close()
    runtime.stop()


IMPORTED_LATER = """
import sys
from opentelemetry.metrics import NoOpMeter
from otel_trading.runtime import RuntimeOptions, start_runtime

class Lag:
    count = 0
    def record(self, *_):
        self.count += 1

class Meter(NoOpMeter):
    def create_histogram(self, name, *args, **kwargs):
        return lag if name.endswith(".lag") else super().create_histogram(name, *args, **kwargs)

lag = Lag()
before = set(sys.modules)
runtime = start_runtime(Meter("bot"), RuntimeOptions(heartbeat=0.01, process=False, system=False))
print(*{"asyncio", "psutil", "uvloop"} & (set(sys.modules) - before), end=" ")
import asyncio
asyncio.run(asyncio.sleep(0.2))
print(lag.count > 0, end=" ")
import uvloop
lag.count = 0
loop = uvloop.new_event_loop()
loop.run_until_complete(asyncio.sleep(0.2))
loop.close()
print(lag.count > 0, type(uvloop.__loader__).__name__, end=" ")
runtime.stop()
print("run_forever" in vars(uvloop.Loop), [each for each in sys.meta_path if "otel" in type(each).__module__])
"""


def test_loops_of_modules_imported_later_are_found() -> None:
    """Starting imports no loop and no psutil, and the first loop of a module is watched whenever it comes."""
    done = subprocess.run([sys.executable, "-c", IMPORTED_LATER], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.split() == ["True", "True", "SourceFileLoader", "False", "[]"]
