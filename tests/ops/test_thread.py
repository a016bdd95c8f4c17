"""The thread on which residents live."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import pytest
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, get_value

from otel_trading.ops.thread import OpsThread
from tests.forks import in_child

if TYPE_CHECKING:
    from collections.abc import Iterator


class Tenant:
    """Says what happens to it; fails as often as it is told."""

    def __init__(self, name: str, fails: int = 0, *, ends: bool = False, lingers: float = 0.0) -> None:
        self.name = name
        self.fails = fails
        self.ends = ends
        self.lingers = lingers
        self.left = 0
        self.suppressed: object = None
        self.began = 0
        self.moved_in, self.moved_out = threading.Event(), threading.Event()

    async def live(self) -> None:
        self.began += 1
        self.suppressed = get_value(_SUPPRESS_INSTRUMENTATION_KEY)
        if self.fails:
            self.fails -= 1
            raise ZeroDivisionError
        self.moved_in.set()
        try:
            if not self.ends:
                await asyncio.Event().wait()
        finally:
            self.moved_out.set()
            if self.lingers:
                await asyncio.sleep(self.lingers)
                self.left += 1


@pytest.fixture
def house() -> Iterator[OpsThread]:
    others = set(threading.enumerate())
    made = OpsThread()
    yield made
    assert made.close(5)
    assert not any(thread.name == "otel-ops" for thread in set(threading.enumerate()) - others)


def test_residents_come_and_go(house: OpsThread) -> None:
    """Those that stay are left alone, and what they ask is not measured as the bot's."""
    first, second = Tenant("first"), Tenant("second")
    house.house([first])
    assert first.moved_in.wait(5)
    assert first.suppressed is True
    house.house([first, second])
    assert second.moved_in.wait(5)
    house.house([second])
    assert first.moved_out.wait(5)
    assert (first.began, second.began, second.moved_out.is_set()) == (1, 1, False)


def test_one_that_fails_begins_anew(house: OpsThread, caplog: pytest.LogCaptureFixture) -> None:
    """It is counted each time and told once; its neighbours do not notice."""
    bad, good = Tenant("bad", fails=2), Tenant("good")
    house.house([bad, good])
    assert bad.moved_in.wait(5)
    assert (bad.began, good.began) == (3, 1)
    assert house.restarts == {"bad": 2}
    assert caplog.text.count("bad failed and begins anew: ZeroDivisionError") == 1


def test_one_that_ends_is_not_called_again(house: OpsThread) -> None:
    """The thread goes with the last one, and comes back with the next."""
    done = Tenant("done", ends=True)
    for _ in range(50):
        house.house([done])
        assert done.moved_out.wait(5)
        deadline = time.monotonic() + 5
        while house.running and time.monotonic() < deadline:
            time.sleep(0.001)
        assert not house.running
        done.moved_out.clear()
    assert done.began == 50


def test_who_moves_in_while_the_last_leaves_finds_a_loop(house: OpsThread) -> None:
    """Whichever comes first."""
    for number in range(200):
        tenant = Tenant(f"{number}")
        house.house([tenant])
        if number % 3:
            assert tenant.moved_in.wait(5)
        house.house([])
    last = Tenant("last")
    house.house([last])
    assert last.moved_in.wait(5)


def test_who_is_asked_back_while_it_leaves_lives_there(house: OpsThread) -> None:
    """It leaves in peace first: nobody who moves meanwhile hurries it."""
    slow, other = Tenant("slow", lingers=0.3), Tenant("other")
    house.house([slow, other])
    assert slow.moved_in.wait(5)
    slow.moved_in.clear()
    house.house([other])
    assert slow.moved_out.wait(5)
    house.house([])
    house.house([slow, other])
    assert slow.moved_in.wait(5)
    assert (slow.began, slow.left) == (2, 1)


def test_work_is_done_on_its_loop(house: OpsThread) -> None:
    """From any thread; without residents there is nobody to do it."""

    async def where() -> str:
        return threading.current_thread().name

    assert house.submit(where()) is None
    house.house([Tenant("t")])
    future = house.submit(where())
    assert future is not None
    assert future.result(5) == "otel-ops"
    called = threading.Event()
    assert house.call(called.set)
    assert called.wait(5)


def test_a_forked_child_begins_empty(house: OpsThread) -> None:
    """And can have residents of its own."""
    house.house([Tenant("parent's")])

    def child() -> tuple[bool, bool, str | None]:
        house.restart_in_child()
        before = house.running
        tenant = Tenant("child's")
        house.house([tenant])
        return before, tenant.moved_in.wait(5), None if house.close(5) else "still there"

    assert in_child(child) == (False, True, None)
