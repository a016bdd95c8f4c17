"""What the bot wants done when it is stopped."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

import otel_trading as ot
from otel_trading.risk.emergency import Emergency, EmergencyState
from otel_trading.testing import capture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.testing import Captured

WAIT = 30.0


@pytest.fixture
def emergency() -> Emergency:
    made = Emergency()
    made._callbacks.timeout = WAIT
    return made


def outcomes(emergency: Emergency) -> dict[str, str]:
    assert emergency.wait(WAIT)
    return {each.name.rpartition(".")[2]: each.outcome for each in emergency.outcomes}


def test_each_is_called_once_a_stop(emergency: Emergency) -> None:
    """With the state, if it takes one; in a thread of its own; not after it was taken back."""
    calls: list[object] = []

    def plain() -> None:
        calls.append(threading.current_thread().name)

    def told(state: EmergencyState) -> None:
        calls.append(state.reason)

    emergency.on_stop(plain)
    undo = emergency.on_stop(told)
    emergency.on_stop(partial(calls.append, "partial"))
    assert emergency.stop("volatility")
    assert not emergency.stop("again")
    assert outcomes(emergency) == {"plain": "done", "told": "done", "partial": "done"}
    assert sorted(map(str, calls)) == ["otel-stop-" + plain.__qualname__, "partial", "volatility"]
    undo()
    calls.clear()
    assert emergency.resume()
    assert emergency.stop("next")
    assert outcomes(emergency) == {"plain": "done", "partial": "done"}
    assert len(calls) == 2


def test_one_that_fails_or_hangs_is_in_nobodys_way(emergency: Emergency, caplog: pytest.LogCaptureFixture) -> None:
    """Each is told with what became of it; one that hangs costs its time, and is not called a second time meanwhile."""
    emergency._callbacks.timeout = 0.2
    gone = threading.Event()

    def raises() -> None:
        raise RuntimeError("no answer of the venue")

    def exits() -> None:
        raise SystemExit

    def hangs() -> None:
        gone.wait(WAIT)

    def works() -> None:
        pass

    for each in (raises, exits, hangs, works):
        emergency.on_stop(each)
    with caplog.at_level(logging.INFO, "otel_trading"):
        assert emergency.stop("x")
        expected = {"raises": "failed", "exits": "failed", "hangs": "late", "works": "done"}
        assert outcomes(emergency) == expected
    said = caplog.messages[-1]
    assert "RuntimeError: no answer of the venue" in said
    assert "still runs" in said
    emergency.resume()
    assert emergency.stop("y")
    assert outcomes(emergency) == {**expected, "hangs": "failed"}
    gone.set()


def test_a_coroutine_runs_on_the_loop_that_it_was_registered_on(emergency: Emergency) -> None:
    """So it may use the bot's clients, which belong to that loop."""

    async def bot() -> None:
        ran: list[object] = []

        async def cancel(state: EmergencyState) -> None:
            await asyncio.sleep(0)
            ran.append((asyncio.get_running_loop(), state.reason))

        class Canceller:
            async def __call__(self) -> None:
                ran.append(asyncio.get_running_loop())

        emergency.on_stop(cancel)
        emergency.on_stop(Canceller())
        emergency.on_stop(lambda: cancel(EmergencyState(engaged=True, reason="by lambda")))
        assert emergency.stop("x")
        assert await asyncio.to_thread(emergency.wait, WAIT)
        loop = asyncio.get_running_loop()
        assert ran.count(loop) == 1
        assert {each for each in ran if each is not loop} == {(loop, "x"), (loop, "by lambda")}
        assert {each.outcome for each in emergency.outcomes} == {"done"}

    asyncio.run(bot())


def test_a_coroutine_waits_for_its_blocked_loop(emergency: Emergency, caplog: pytest.LogCaptureFixture) -> None:
    """That is said, and it runs as soon as the loop turns; its time counts from then on."""
    emergency._callbacks.timeout = 0.5

    async def bot() -> None:
        ran = asyncio.Event()

        async def cancel() -> None:
            ran.set()

        emergency.on_stop(cancel)
        with caplog.at_level(logging.INFO, "otel_trading"):
            assert emergency.stop("x")
            end = time.monotonic() + WAIT
            while "does not answer" not in caplog.text and time.monotonic() < end:
                time.sleep(0.05)  # noqa: ASYNC251 - it is blocked
            assert not ran.is_set()
            await asyncio.wait_for(ran.wait(), WAIT)
            assert await asyncio.to_thread(emergency.wait, WAIT)
        assert outcomes(emergency) == {"cancel": "done"}

    asyncio.run(bot())
    assert "cancel does not answer" in caplog.text


def test_a_coroutine_whose_bot_was_resumed_does_not_run_late(emergency: Emergency) -> None:
    """What was to be cancelled then is not cancelled after the bot trades again."""

    async def bot() -> list[int]:
        ran: list[int] = []

        async def cancel() -> None:
            ran.append(1)

        emergency.on_stop(cancel)
        assert emergency.stop("x")
        assert emergency.resume()
        assert emergency.wait(WAIT)  # the loop is blocked here
        await asyncio.sleep(0.05)
        return ran

    assert asyncio.run(bot()) == []
    assert outcomes(emergency) == {"cancel": "late"}


def test_a_coroutine_of_a_closed_loop_is_told(emergency: Emergency) -> None:
    """There is nothing to run it on."""

    async def cancel() -> None:
        pass

    async def bot() -> None:
        emergency.on_stop(cancel)

    asyncio.run(bot())
    assert emergency.stop("x")
    assert outcomes(emergency) == {"cancel": "failed"}


def test_a_coroutine_without_a_loop_gets_one(emergency: Emergency) -> None:
    """A bot that runs none may still cancel with an asynchronous client."""
    ran: list[str] = []

    async def cancel() -> None:
        await asyncio.sleep(0)
        ran.append(threading.current_thread().name)

    emergency.on_stop(cancel)
    assert emergency.stop("x")
    assert outcomes(emergency) == {"cancel": "done"}
    assert ran[0].startswith("otel-stop-")


def test_a_coroutine_that_takes_too_long_is_cancelled(emergency: Emergency) -> None:
    """So its clients are free again."""
    emergency._callbacks.timeout = 0.1
    canceled = threading.Event()

    async def cancel() -> None:
        try:
            await asyncio.sleep(WAIT)
        except asyncio.CancelledError:
            canceled.set()
            raise

    emergency.on_stop(cancel)
    assert emergency.stop("x")
    assert outcomes(emergency) == {"cancel": "late"}
    assert canceled.wait(WAIT)


@pytest.fixture
def telemetry() -> Iterator[Captured]:
    with capture(real_time=True) as captured:
        ot.configure(instrument="none", banner=False)
        yield captured


def test_what_became_of_them_is_counted(telemetry: Captured) -> None:
    """By outcome, for rules and dashboards."""
    telemetry.emergency.on_stop(lambda: None)
    telemetry.emergency.on_stop(lambda: 1 / 0)
    telemetry.emergency.stop("x")
    assert telemetry.emergency.wait(WAIT)
    counted = telemetry.metrics["trading.emergency_stop.callbacks"]
    assert {word: counted(**{"trading.callback.outcome": word}).value for word in ("done", "failed")} == {
        "done": 1,
        "failed": 1,
    }


def test_the_end_of_the_bot_waits_for_them(emergency: Emergency, caplog: pytest.LogCaptureFixture) -> None:
    """Within its deadline: what was to be cancelled is, and what is not is said."""
    gone, done = threading.Event(), threading.Event()

    def cancel() -> None:
        gone.wait(WAIT)
        done.set()

    emergency.on_stop(cancel)
    assert emergency.stop("x")
    emergency.finish(time.monotonic() + 0.1)
    assert "ends before its callbacks are through" in caplog.text
    threading.Timer(0.1, gone.set).start()
    emergency.finish(time.monotonic() + 2 * WAIT)
    assert done.is_set()
    assert outcomes(emergency) == {"cancel": "done"}
