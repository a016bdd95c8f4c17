"""Runs the checks: side by side, not too many, none over itself, and none for longer than it may take."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from otel_trading import forks
from otel_trading.health.checks.check import Verdict, verdict_of
from otel_trading.settings import report
from otel_trading.threads import DaemonExecutor, NoThreadsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Future
    from random import Random

    from otel_trading.health.checks.check import Check

    Told = Callable[[Check, float], None]

AT_ONCE = 32
"""Checks that run at the same time."""
_MOST_CHECKS = 1_000
_MOST_THREADS = 32
_JITTER = 0.1
"""Share of its interval by which a check comes earlier or later, so that not all come at once for ever."""
_FIRST_WITHIN = 0.5
_LET_GO = 0.2
"""Seconds that a check which is out of time has to be cancelled."""


class Checks:
    """All checks; added and removed from any thread, run on one loop.

    Args:
        told: called with a check and its seconds after each run.
        wall_ns: nanoseconds since 1970.
        random: for jitter.

    """

    def __init__(self, told: Told, wall_ns: Callable[[], int], random: Random) -> None:
        self._told = told
        self._wall_ns = wall_ns
        self._random = random
        self._lock = forks.lock()
        self._checks: dict[str, Check] = {}
        self._threads = DaemonExecutor(_MOST_THREADS, "otel-check")
        self._begin()

    def _begin(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: dict[Check, asyncio.Task[None]] = {}
        self._permits: asyncio.Semaphore | None = None
        self.running = 0
        """Checks that run at this moment."""

    def all(self) -> list[Check]:
        """All there are."""
        return list(self._checks.values())

    def get(self, name: str) -> Check | None:
        """The check of this name."""
        return self._checks.get(name)

    def add(self, check: Check) -> bool:
        """Run it from now on, instead of one of the same name; False when there are too many."""
        with self._lock:
            before = self._checks.get(check.name)
            if before is None and len(self._checks) >= _MOST_CHECKS:
                return False
            if before is not None:
                before.removed = True
            self._checks[check.name] = check
        self._soon()
        return True

    def remove(self, check: Check) -> None:
        """Run it no more."""
        with self._lock:
            check.removed = True
            if self._checks.get(check.name) is check:
                del self._checks[check.name]
        self._soon()

    @property
    def hanging(self) -> int:
        """Checks that do not come back."""
        return sum(check.hanging is not None for check in self.all())

    async def live(self) -> None:
        """Run them until it is cancelled."""
        self._loop = asyncio.get_running_loop()
        self._permits = asyncio.Semaphore(AT_ONCE)
        self._settle()
        try:
            await asyncio.Event().wait()
        finally:
            self._loop = None
            tasks, self._tasks = list(self._tasks.values()), {}
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=_LET_GO)

    def restart_in_child(self) -> None:
        """Run none in a forked child before somebody says so; what hung is the parent's."""
        self._threads.restart_in_child()
        for check in self.all():
            check.hanging = None
        self._begin()

    def _soon(self) -> None:
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # closed meanwhile
                loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        wanted = set(self.all())
        for check in [check for check in self._tasks if check not in wanted]:
            self._tasks.pop(check).cancel()
        if self._loop is None:
            return
        for check in wanted - self._tasks.keys():
            self._tasks[check] = asyncio.ensure_future(self._repeat(check))

    async def _repeat(self, check: Check) -> None:
        interval = check.terms.interval
        await asyncio.sleep(self._random.uniform(0, min(interval, _FIRST_WITHIN)))
        while not check.removed:
            began = time.monotonic()
            try:
                await self.run(check)
            except NoThreadsError:
                return
            except Exception as error:  # a defect of ours costs this run
                report(f"check {check.name} could not be run: {type(error).__name__}: {error}")
            pause = interval * (1 + self._random.uniform(-_JITTER, _JITTER))
            await asyncio.sleep(max(0.0, began + pause - time.monotonic()))

    async def run(self, check: Check) -> None:
        """Run it once, when it is its turn; not while it hangs from before."""
        permits = self._permits = self._permits or asyncio.Semaphore(AT_ONCE)
        async with permits:
            self.running += 1
            began = time.monotonic()
            try:
                verdict = await self._asked(check)
            finally:
                self.running -= 1
            seconds = time.monotonic() - began
        if not check.removed:
            check.found(verdict, seconds, self._wall_ns())
            self._told(check, seconds)

    async def _asked(self, check: Check) -> Verdict:
        if check.hanging is not None:
            if not check.hanging.done():
                return Verdict("down", "an earlier run of it hangs and cannot be ended")
            check.hanging = None
        thread, work = self._begun(check.probe)
        try:
            done, _ = await asyncio.wait({work}, timeout=check.terms.timeout)
        except asyncio.CancelledError:
            work.cancel()
            raise
        if not done:
            return await self._out_of_time(check, thread, work)
        if work.cancelled():
            return Verdict("down", "it was cancelled")
        error = work.exception()
        if error is None:
            return verdict_of(work.result())
        said = str(error).strip()
        return Verdict("down", f"{type(error).__name__}: {said}" if said else type(error).__name__)

    def _begun(self, probe: Any) -> tuple[Future[Any] | None, asyncio.Future[Any]]:  # noqa: ANN401 - what may be called
        """A run as a task of this loop; what is no coroutine function is called in a thread, which comes first."""
        if inspect.iscoroutinefunction(probe) or inspect.iscoroutinefunction(type(probe).__call__):
            return None, asyncio.ensure_future(_contained(probe()))
        thread = self._threads.submit(contextvars.copy_context().run, _called, probe)
        return thread, asyncio.ensure_future(_answer(thread))

    async def _out_of_time(self, check: Check, thread: Future[Any] | None, work: asyncio.Future[Any]) -> Verdict:
        """End a run; one that does not end is kept in mind, so that it costs one thread, or one task, and not more."""
        said = f"it did not answer within {check.terms.timeout:.3g} s"
        if thread is not None and thread.cancel():
            work.cancel()
            return Verdict("down", f"no thread was free for it within {check.terms.timeout:.3g} s")
        work.cancel()
        if thread is None:
            done, _ = await asyncio.wait({work}, timeout=_LET_GO)
            if not done:
                work.add_done_callback(_forgotten)
                check.hanging = work
            else:
                _forgotten(work)
        elif not thread.done():
            check.hanging = thread
        return Verdict("down", said)


async def _answer(thread: Future[Any]) -> Any:  # noqa: ANN401 - the probe's
    answer = await asyncio.wrap_future(thread)
    return await _contained(answer) if inspect.isawaitable(answer) else answer


def _called(probe: Callable[[], Any]) -> Any:  # noqa: ANN401 - as above
    try:
        return probe()
    except (SystemExit, KeyboardInterrupt) as error:
        raise _ended_by(error) from error


async def _contained(asked: Awaitable[Any]) -> Any:  # noqa: ANN401 - as above
    try:
        return await asked
    except (SystemExit, KeyboardInterrupt) as error:
        raise _ended_by(error) from error


def _ended_by(error: BaseException) -> RuntimeError:
    """What would end the loop that everybody lives on is an error as any other."""
    return RuntimeError(f"{type(error).__name__}: {error}")


def _forgotten(work: asyncio.Future[Any]) -> None:
    """Take its error away, which nobody waits for any more."""
    if not work.cancelled():
        work.exception()
