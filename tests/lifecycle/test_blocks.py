"""Blocks in this process: asyncio, threads, programmatic stops, what is reported."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.lifecycle import EndReport, Step
from otel_trading.testing import capture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.testing import Captured

LONG = 600.0


@pytest.fixture
def telemetry() -> Iterator[Captured]:
    """Telemetry that is looked at, in real time."""
    with capture(real_time=True) as captured:
        yield captured


def outcomes(report: EndReport | None) -> dict[str, str]:
    assert report is not None
    return {phase.name: phase.outcome for phase in report.phases}


async def test_stop_ends_the_body_and_the_block_returns(telemetry: Captured) -> None:
    """From a thread; functions and coroutines in their order; all of it in metrics, spans and log lines."""
    done: list[str] = []

    async def disconnect() -> str:
        done.append("disconnect")
        return "2 connections"

    def cancel_orders() -> None:
        assert threading.current_thread().name == "otel-step-cancel_orders"
        done.append("cancel_orders")

    before = signal.getsignal(signal.SIGTERM)
    async with telemetry.running(disconnect, cancel_orders) as run:
        assert signal.getsignal(signal.SIGTERM) is not before
        threading.Timer(0.05, telemetry.stop, ("enough",)).start()
        await asyncio.sleep(LONG)
    assert signal.getsignal(signal.SIGTERM) is before
    assert done == ["cancel_orders", "disconnect"]
    assert run.report is not None
    assert (run.report.reason, run.report.ok, run.report["disconnect"].detail) == ("enough", True, "2 connections")
    assert list(outcomes(run.report)) == ["body", "cancel_orders", "disconnect", "flush"]
    counted = telemetry.metrics["trading.shutdown.duration"]
    assert counted(**{"trading.shutdown.phase": "cancel_orders", "trading.shutdown.outcome": "done"}).count == 1
    assert telemetry.traces.one("cancel_orders").parent_id == telemetry.traces.one("shutdown").span_id
    assert asyncio.current_task() is not None
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]


async def test_a_body_that_ends_by_itself_is_ended_in_order_too(telemetry: Captured) -> None:
    """Its error goes on afterwards."""
    done: list[str] = []
    with pytest.raises(ZeroDivisionError):
        async with telemetry.running(lambda: done.append("step")) as run:
            raise ZeroDivisionError("no")
    assert done == ["step"]
    assert run.report is not None
    assert run.report.reason == "ZeroDivisionError: no"
    async with telemetry.running(lambda: done.append("again")) as run:
        pass
    assert done == ["step", "again"]
    assert run.report is not None
    assert run.report.reason == "end of the block"


async def test_a_body_that_looks_has_its_grace(telemetry: Captured) -> None:
    """It finishes what it is doing; one that does not end is cancelled after it."""
    finished = False
    async with telemetry.running() as run:
        run.stop()
        while not run.should_stop:  # noqa: ASYNC110 - what a bot does
            await asyncio.sleep(0)
        await asyncio.sleep(0.2)
        finished = True
    assert finished
    assert run.report is not None
    assert run.report["body"].detail == "ended by itself"
    async with telemetry.running(grace=0.1) as run:
        asyncio.get_running_loop().call_later(0.05, run.stop)
        await run.wait_stop()
        await asyncio.sleep(LONG)
    assert run.report is not None
    assert run.report["body"].detail == "interrupted"


def test_threads_wait_for_the_wish(telemetry: Captured) -> None:
    """Without asyncio; coroutines of steps have a loop of their own."""

    async def disconnect() -> str:
        await asyncio.sleep(0)
        return "done"

    with telemetry.running(disconnect) as run:
        assert not run.wait(0.01)
        threading.Timer(0.05, run.stop).start()
        assert run.wait(30)
    assert run.report is not None
    assert run.report["disconnect"].detail == "done"


def test_a_sleeping_main_thread_is_interrupted(telemetry: Captured) -> None:
    """By the block's own signal, which nobody else sees."""
    began = time.monotonic()
    with telemetry.running(exit="return") as run:
        threading.Timer(0.05, run.stop).start()
        time.sleep(LONG)
    assert time.monotonic() - began < LONG / 5
    assert run.report is not None
    assert run.report["body"].detail == "interrupted"
    assert run.report.signal is None


async def test_one_block_at_a_time(telemetry: Captured) -> None:
    """The second one is refused with words; after the first there may be another."""
    async with telemetry.running() as run:
        with pytest.raises(RuntimeError, match="is active already: one is in charge"):
            async with telemetry.running():
                pass
        assert telemetry.lifecycle.current is run
        assert not telemetry.lifecycle.stopping
    assert telemetry.lifecycle.current is None
    assert not telemetry.stop()
    async with telemetry.running():
        pass
    with pytest.raises(RuntimeError, match="entered once"):
        await run.__aenter__()


async def test_what_is_no_step_is_refused_at_once(telemetry: Captured) -> None:
    """Most of all a coroutine, which is a step's call."""

    async def cancel_orders() -> None:
        """Do nothing."""

    with pytest.raises(TypeError, match=r"give cancel_orders, not cancel_orders\(\)"):
        telemetry.running(cancel_orders())


async def test_steps_are_added_while_it_runs(telemetry: Captured) -> None:
    """With a decorator, at their place; positions are closed only where that is wanted."""
    done: list[str] = []
    async with telemetry.handle.running(lambda: done.append("save")) as run:

        @run.step("drain", after="cancel_orders", before="save_state", timeout=2)
        async def drained() -> None:
            done.append("drain")

        @run.step
        def cancel_orders() -> None:
            done.append("cancel")

        run.add(Step("save_state", lambda: done.append("state")))
        run.add(Step("close_positions", lambda: done.append("close")))
    assert done.index("cancel") < done.index("drain") < done.index("state")
    assert "close" not in done
    assert outcomes(run.report)["close_positions"] == "skipped"
    assert run.report is not None
    assert run.report.ok
    async with telemetry.running(Step("close_positions", lambda: done.append("close")), close_positions=True):
        pass
    assert "close" in done


async def test_listeners_hear_of_the_end(telemetry: Captured) -> None:
    """First of the wish, at last the report; what one raises costs nothing but a word."""
    heard: list[Any] = []

    def bad(_: object) -> None:
        raise ValueError("no")

    undo = [
        telemetry.lifecycle.on_stopping(lambda reason: heard.append((reason, telemetry.lifecycle.stopping))),
        telemetry.lifecycle.on_stopping(bad),
        telemetry.lifecycle.on_report(bad),
        telemetry.lifecycle.on_report(heard.append),
    ]
    async with telemetry.running(lambda: heard.append("step")) as run:
        run.stop("enough")
        await asyncio.sleep(LONG)
    for each in undo:
        each()
    assert heard == [("enough", True), "step", run.report]
    assert outcomes(run.report)["stop_new_orders"] == "failed"


async def test_others_may_cancel_the_task_too(telemetry: Captured) -> None:
    """A timeout around the block cancels its body: the steps are done, and the timeout is one."""
    done: list[str] = []
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            async with telemetry.running(lambda: done.append("step")):
                await asyncio.sleep(LONG)
    assert done == ["step"]


async def test_a_cancellation_during_the_end_hurries_it(telemetry: Captured) -> None:
    """Somebody does not want to wait."""

    async def block() -> None:
        async with telemetry.running(lambda: time.sleep(30), step_timeout=500, timeout=900):
            pass

    task = asyncio.create_task(block())
    await asyncio.sleep(0.2)
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 20


async def test_the_state_is_saved_and_restored(telemetry: Captured, tmp_path: Any) -> None:
    """``state=`` makes the step; the next start finds it."""
    import otel_trading as ot

    ot.configure(state_file=tmp_path / "bot.json")
    assert telemetry.state.load({"ticks": 0}) == {"ticks": 0}
    async with telemetry.running(state=lambda: {"ticks": 7}) as run:
        pass
    assert outcomes(run.report)["save_state"] == "done"
    assert telemetry.state.load() == {"ticks": 7}
    async with telemetry.running(state=lambda: {"ticks": object()}) as run:
        pass
    assert run.report is not None
    assert "state.ticks is a object" in run.report["save_state"].detail
    assert telemetry.state.load() == {"ticks": 7}
