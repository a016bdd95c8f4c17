"""What the bot wants done when it is stopped: each callback by itself, none in the way of another."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
import time
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from otel_trading import forks

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.risk.state import EmergencyState

    Callback = Callable[..., object]
    """Called with the state of the stop if it takes an argument; what it returns is awaited where it can be."""
    Say = Callable[[str], None]

_BLOCKED = 1.0
"""Seconds without an answer after which it is said that an event loop is blocked."""
_LOOKING = 0.2
"""Seconds between two looks whether the bot was resumed meanwhile."""


@dataclass(frozen=True, slots=True)
class CallbackOutcome:
    """What became of a callback: ``done``, ``failed`` or ``late``; after how many seconds, and its error in words."""

    name: str
    outcome: Literal["done", "failed", "late"]
    seconds: float
    error: str = ""

    def __str__(self) -> str:
        said = f"{self.name}: {self.outcome} after {self.seconds:.3f} s"
        return f"{said} ({self.error})" if self.error else said


class _Registered:
    """A callback, and the loop that it belongs to."""

    def __init__(self, callback: Callback, loop: asyncio.AbstractEventLoop | None) -> None:
        self.callback = callback
        self.loop = loop
        self.name = str(getattr(callback, "__qualname__", "") or type(callback).__qualname__)
        self.takes_state = _takes_one(callback)
        self.busy = False

    def call(self, state: EmergencyState) -> object:
        return self.callback(state) if self.takes_state else self.callback()


class _Run:
    """One callback of one stop."""

    def __init__(self, registered: _Registered, state: EmergencyState, timeout: float) -> None:
        self.registered = registered
        self._state = state
        self._timeout = timeout
        self._asked = self._begun = time.monotonic()
        self._ended = 0.0
        self.waiting = False
        """Whether its event loop has not come to it."""
        self.result: Future[None] = Future()

    def start(self) -> None:
        if self.registered.busy:
            self.result.set_exception(RuntimeError("it is still busy with a stop before this one"))
            return
        self.registered.busy = True
        if self._is_async():
            self._on_loop(self.registered.call)
        else:
            self._beside(self._now)

    def end(self) -> float:
        """When it is late, in seconds of the monotonic clock."""
        return self._begun + self._timeout

    def outcome(self) -> CallbackOutcome:
        name, seconds = self.registered.name, (self._ended or time.monotonic()) - self._asked
        if not self.result.done():
            waits = "its event loop does not answer" if self.waiting else f"it still runs after {self._timeout:g} s"
            return CallbackOutcome(name, "late", seconds, waits)
        if self.result.cancelled():
            return CallbackOutcome(name, "late", seconds, "resumed before its event loop came to it")
        error = self.result.exception()
        if isinstance(error, LateError | asyncio.TimeoutError):
            return CallbackOutcome(name, "late", seconds, f"cancelled after {self._timeout:g} s")
        if error is not None:
            return CallbackOutcome(name, "failed", seconds, f"{type(error).__name__}: {error}")
        return CallbackOutcome(name, "done", seconds)

    def _is_async(self) -> bool:
        callback: Any = self.registered.callback
        while isinstance(callback, partial):
            callback = callback.func
        return inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(
            getattr(callback, "__call__", None)  # noqa: B004 - an object whose call is a coroutine function
        )

    def _now(self) -> None:
        """In a thread of its own."""
        try:
            made = self.registered.call(self._state)
        except BaseException as error:  # SystemExit is the callback's, and ends nothing
            self._over(error)
            return
        if inspect.isawaitable(made):
            self._on_loop(lambda _: made)
        else:
            self._over()

    def _on_loop(self, call: Callable[[EmergencyState], Any]) -> None:
        loop = self.registered.loop
        if loop is None:
            self._beside(lambda: asyncio.run(self._awaited(call)))
            return
        self.waiting = True
        work = self._awaited(call)
        try:
            asyncio.run_coroutine_threadsafe(work, loop)
        except RuntimeError as error:  # closed
            work.close()
            self.waiting = False
            self._over(error)

    async def _awaited(self, call: Callable[[EmergencyState], Any]) -> None:
        self.waiting, self._begun = False, time.monotonic()
        if self.result.done():  # resumed meanwhile
            return
        try:
            await asyncio.wait_for(call(self._state), self._timeout)
        except BaseException as error:
            self._over(error)
            if isinstance(error, asyncio.CancelledError):
                raise
        else:
            self._over()

    def _over(self, error: BaseException | None = None) -> None:
        self.registered.busy = False
        self._ended = time.monotonic()
        if self.result.done():
            return
        if error is None:
            self.result.set_result(None)
        else:
            self.result.set_exception(error)

    def _beside(self, work: Callable[[], None]) -> None:
        context = contextvars.copy_context()
        name = f"otel-stop-{self.registered.name}"
        try:
            threading.Thread(target=context.run, args=(work,), name=name, daemon=True).start()
        except RuntimeError as error:  # none to be had
            self._over(error)


class Callbacks:
    """The callbacks of one bot, called once a stop."""

    def __init__(self, timeout: float = 10.0) -> None:
        self.timeout = timeout
        """Seconds that each may take."""
        self._registered: tuple[_Registered, ...] = ()
        self._lock = forks.lock()
        self._finished = threading.Event()
        self._finished.set()
        self.outcomes: tuple[CallbackOutcome, ...] = ()
        """What became of those of the last stop, those that are through."""

    def __len__(self) -> int:
        return len(self._registered)

    def add(self, callback: Callback, loop: asyncio.AbstractEventLoop | None) -> Callable[[], None]:
        """Have it called; what undoes that. Without ``loop`` it is the running one, if there is one."""
        if loop is None:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                loop = None
        registered = _Registered(callback, loop)
        with self._lock:
            self._registered = (*self._registered, registered)

        def undo() -> None:
            with self._lock:
                self._registered = tuple(each for each in self._registered if each is not registered)

        return undo

    def start(self, state: EmergencyState) -> tuple[_Run, ...]:
        """Call all of them."""
        runs = tuple(_Run(registered, state, self.timeout) for registered in self._registered)
        self.outcomes = ()
        if not runs:
            return runs
        self._finished = threading.Event()
        for run in runs:
            run.start()
        return runs

    def watch(
        self,
        runs: tuple[_Run, ...],
        over: Callable[[], bool],
        say: Say,
        report: Callable[[tuple[CallbackOutcome, ...]], None],
    ) -> None:
        """Wait for those of a stop, each as long as it may take, and report what became of them.

        ``over`` says whether the bot was resumed, ``say`` is told what is in the way.
        """
        finished = self._finished
        try:
            self._wait(runs, over, say)
            self.outcomes = tuple(run.outcome() for run in runs)
            report(self.outcomes)
        finally:
            finished.set()

    def wait(self, timeout: float) -> bool:
        """Wait until those of the last stop are through; whether they are."""
        return self._finished.wait(timeout)

    def restart_in_child(self) -> None:
        """Begin with none: those of the parent are the parent's."""
        self._registered = ()
        self._finished = threading.Event()
        self._finished.set()

    @staticmethod
    def _wait(runs: tuple[_Run, ...], over: Callable[[], bool], say: Say) -> None:
        begun, said = time.monotonic(), False
        pending = set(runs)
        while pending:
            wait([run.result for run in pending], timeout=_LOOKING)
            now = time.monotonic()
            waiting = [run for run in pending if run.waiting]
            if waiting and not said and now - begun > _BLOCKED:
                said = True
                names = ", ".join(run.registered.name for run in waiting)
                say(f"the event loop of {names} does not answer: they run as soon as it does")
            for run in tuple(pending):
                closed = run.registered.loop is not None and run.registered.loop.is_closed()
                if run.waiting and (over() or closed):
                    run.result.cancel()
                    run.registered.busy = False
                if run.result.done() or (not run.waiting and now > run.end()):
                    pending.discard(run)


def _takes_one(callback: Callback) -> bool:
    """Whether it can be called with one argument."""
    try:
        inspect.signature(callback).bind(None)
    except (TypeError, ValueError):
        return False
    return True
