"""How checks are run: side by side and bounded, whatever they do."""

from __future__ import annotations

import asyncio
import threading
import time
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.health.checks.check import Check, Terms
from otel_trading.health.checks.running import AT_ONCE, Checks
from otel_trading.health.monitor import HealthMonitor
from otel_trading.ops.thread import OpsThread
from tests.health.conftest import eventually, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def health() -> Iterator[HealthMonitor]:
    """A monitor that lives on an ops thread of its own."""
    monitor, thread = HealthMonitor(), OpsThread()
    monitor.apply(settings(health_interval=0.05))
    thread.house([monitor])
    yield monitor
    assert thread.close(30)


def state(health: HealthMonitor, name: str) -> str:
    component = health.report().component(name)
    return component.state if component is not None else "unknown"


def reason(health: HealthMonitor, name: str) -> str:
    component = health.report().component(name)
    return "; ".join(component.reasons) if component is not None else ""


def test_functions_and_coroutine_functions_are_checks(health: HealthMonitor) -> None:
    """As decorators too, which give the function back; details are shown."""

    @health.check("sync", interval=0.05)
    def sync() -> dict[str, int]:
        return {"threads": threading.active_count()}

    @health.check("async", interval=0.05)
    async def asynchronous() -> bool:
        await asyncio.sleep(0)
        return threading.current_thread().name == "otel-ops"

    assert sync()["threads"] > 0
    assert eventually(lambda: state(health, "sync") == state(health, "async") == "healthy")
    component = health.report().component("sync")
    assert component is not None
    assert component.details["threads"]
    assert component.details["latency_ms"]


@pytest.mark.parametrize(
    ("answer", "expected", "why"),
    [
        (None, "healthy", ""),
        (True, "healthy", ""),
        ("degraded", "degraded", "the check says degraded"),
        (False, "down", "the check says no"),
        ({"status": "down", "reason": "behind by 12 blocks"}, "down", "behind by 12 blocks"),
        ({"status": False, "blocks": 12}, "down", "the check says no"),
        (ValueError("odd\nlines"), "down", "ValueError: odd lines"),
        (ConnectionError("postgresql://bot:geheim@db/x"), "down", "postgresql://bot:[redacted:password]@db/x"),
        (SystemExit(3), "down", "SystemExit: 3"),
        (KeyboardInterrupt(), "down", "KeyboardInterrupt"),
    ],
)
def test_what_answers_mean(health: HealthMonitor, answer: Any, expected: str, why: str) -> None:
    """In a thread and on the loop; what is raised goes no further."""

    def say() -> Any:
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def say_later() -> Any:
        return await asyncio.to_thread(lambda: answer) if not isinstance(answer, BaseException) else say()

    health.check("sync", say, interval=0.05)
    health.check("async", say_later, interval=0.05)
    for name in ("sync", "async"):
        assert eventually(lambda name=name: (state(health, name), why in reason(health, name)) == (expected, True))  # type: ignore[misc]


def test_a_hung_check_costs_one_thread_and_not_more(health: HealthMonitor) -> None:
    """It is down, others go on, and it is well again once it comes back."""
    go = threading.Event()
    health.check("hung", lambda: go.wait(60), interval=0.02, timeout=0.1)
    health.check("quick", lambda: None, interval=0.02)
    try:
        assert eventually(lambda: "hangs and cannot be ended" in reason(health, "hung"))
        time.sleep(0.3)
        hung = [thread for thread in threading.enumerate() if thread.name.startswith("otel-check")]
        assert len(hung) <= 2
        assert state(health, "quick") == "healthy"
        assert health._checks.hanging == 1
    finally:
        go.set()
    assert eventually(lambda: state(health, "hung") == "healthy")
    assert health._checks.hanging == 0


def test_a_coroutine_out_of_time_is_cancelled(health: HealthMonitor) -> None:
    """One that does not let itself be cancelled is left alone, and not begun again."""
    cancelled, begun = threading.Event(), []

    async def polite() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def stubborn() -> None:
        begun.append(1)
        for _ in range(3):
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                continue

    health.check("polite", polite, interval=0.05, timeout=0.1)
    health.check("stubborn", stubborn, interval=0.05, timeout=0.1)
    assert cancelled.wait(60)
    assert eventually(lambda: reason(health, "polite") == "it did not answer within 0.1 s")
    assert eventually(lambda: "hangs" in reason(health, "stubborn"))
    assert len(begun) == 1


def test_a_slow_answer_is_no_good_one(health: HealthMonitor) -> None:
    """It degrades."""
    health.check("slow", lambda: time.sleep(0.05), interval=0.05, slow=0.01)
    assert eventually(lambda: "which is slow from 0.01 s on" in reason(health, "slow"))
    assert state(health, "slow") == "degraded"


def test_a_check_that_flaps_is_not_down() -> None:
    """It takes as many failures in a row as it is said."""
    answers = iter([False, True, False, False, True, False, False, False])
    check = Check("flapping", lambda: next(answers), Terms(failures=3))
    seen: list[str] = []

    async def run() -> None:
        checks = Checks(lambda check, _: seen.append(check.component.state), lambda: 0, Random(1))  # noqa: S311 - jitter
        for _ in range(8):
            await checks.run(check)

    asyncio.run(run())
    assert seen == ["degraded", "healthy", "degraded", "degraded", "healthy", "degraded", "degraded", "down"]
    assert check.component.reasons == ("the check says no",)


def test_many_checks_run_side_by_side_and_not_too_many(health: HealthMonitor) -> None:
    """Two hundred on the loop and fifty in threads, all checked, none over itself."""
    at_once: list[int] = []
    running: dict[str, int] = {}
    overlaps: list[str] = []

    def asks(name: str) -> Callable[[], Any]:
        async def ask() -> None:
            running[name] = running.get(name, 0) + 1
            if running[name] > 1:
                overlaps.append(name)
            at_once.append(sum(running.values()))
            await asyncio.sleep(0.01)
            running[name] -= 1

        return ask

    for number in range(200):
        health.check(f"loop {number}", asks(f"{number}"), interval=0.02)
    for number in range(50):
        health.check(f"thread {number}", lambda: time.sleep(0.001), interval=0.02)
    names = [*(f"loop {number}" for number in range(200)), *(f"thread {number}" for number in range(50))]
    assert eventually(lambda: all(state(health, name) == "healthy" for name in names))
    assert 1 < max(at_once) <= AT_ONCE
    assert overlaps == []


def test_all_threads_hung_is_said(health: HealthMonitor) -> None:
    """What finds no free thread says so; the report goes on."""
    go = threading.Event()
    try:
        for number in range(32):
            health.check(f"hung {number}", lambda: go.wait(60), interval=0.05, timeout=0.2)
        assert eventually(lambda: health._checks.hanging == 32)
        health.check("late", lambda: None, interval=0.05, timeout=0.2)
        assert eventually(lambda: "no thread was free" in reason(health, "late"))
    finally:
        go.set()
    assert eventually(lambda: state(health, "late") == "healthy")


def test_checks_are_replaced_and_removed(health: HealthMonitor) -> None:
    """From any thread, while they run."""
    undo_first = health.check("it", lambda: False, interval=0.02)
    assert eventually(lambda: state(health, "it") == "down")
    undo = health.check("it", lambda: True, interval=0.02)
    assert eventually(lambda: state(health, "it") == "healthy")
    undo_first()
    assert state(health, "it") == "healthy"
    undo()
    assert eventually(lambda: state(health, "it") == "unknown")


def test_a_critical_check_is_awaited(health: HealthMonitor) -> None:
    """Not ready before it was checked once."""
    go = threading.Event()
    health.check("db", lambda: go.wait(60), critical=True, timeout=60)
    assert "db is not checked yet" in health.report().not_ready
    go.set()
    assert eventually(lambda: health.report().ready)


def test_odd_terms_cost_themselves(health: HealthMonitor, caplog: pytest.LogCaptureFixture) -> None:
    """One message, and the check is done with the usual times."""
    health.check("odd", lambda: None, interval=-1, timeout=float("nan"))
    assert "interval=-1 is no number of seconds above 0" in caplog.text
    assert eventually(lambda: state(health, "odd") == "healthy")


def test_leaving_does_not_wait_for_what_hangs() -> None:
    """The thread ends within its time, whatever its checks do."""
    monitor, thread, go = HealthMonitor(), OpsThread(), threading.Event()
    monitor.check("hung", lambda: go.wait(60), interval=0.05, timeout=60)

    async def stubborn() -> None:
        while not go.is_set():
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                continue

    monitor.check("stubborn", stubborn, interval=0.05, timeout=60)
    thread.house([monitor])
    time.sleep(1)
    began = time.monotonic()
    ended = thread.close(20)
    took = time.monotonic() - began
    go.set()
    assert ended
    assert took < 10
