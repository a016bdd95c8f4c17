"""Coroutines under the test's clock: sleeping takes no time and moves the clock."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from otel_trading.testing.clock import FakeClock

_T = TypeVar("_T")


class _Selector(selectors.DefaultSelector):
    """Where the loop would wait for its next timer, the clock jumps to it, unless something is ready."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready; without a timer it is waited for."""
        ready: list[Any] = super().select(timeout if timeout is None else 0)
        if not ready and timeout is not None and timeout > 0:
            self._clock.advance(timeout)
        return ready


class FakeTimeLoop(asyncio.SelectorEventLoop):
    """An event loop that tells the time by a clock of the test's.

    Threads and other processes do not keep its time from passing: a timeout that waits for one of them comes at once.
    """

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(_Selector(clock))
        self._fake_clock = clock

    def time(self) -> float:
        """The clock's monotonic time."""
        return self._fake_clock.monotonic()

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the base's
        """Wait for the threads: the time that is up at once is not theirs."""
        await super().shutdown_default_executor()


def run(coroutine: Coroutine[Any, Any, _T], clock: FakeClock) -> _T:
    """Run a coroutine to its end in an event loop of its own.

    >>> from otel_trading.testing.clock import FakeClock
    >>> clock = FakeClock()
    >>> before = clock.monotonic()
    >>> run(asyncio.sleep(3_600), clock)
    >>> clock.monotonic() - before
    3600.0
    """
    with asyncio.Runner(loop_factory=lambda: FakeTimeLoop(clock)) as runner:
        return runner.run(coroutine)
