"""The body of a block, and how it is interrupted: a task is cancelled, the main thread gets an exception."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, Protocol

from otel_trading.exits import out_of_telemetry

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from otel_trading.lifecycle.signals import Signals


class _Run(Protocol):
    @property
    def left(self) -> bool: ...
    @property
    def watched(self) -> bool: ...
    def wake(self) -> None: ...


def resolve(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
    """Wake who waits for the future on its loop; from any thread."""

    def done() -> None:
        if not future.done():
            future.set_result(None)

    with contextlib.suppress(RuntimeError):  # closed: nobody waits there any more
        loop.call_soon_threadsafe(done)


class TaskBody:
    """A body on an event loop."""

    def __init__(self, run: _Run) -> None:
        self.loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("telemetry.running() is entered in a task")
        self._run = run
        self._task = task
        self._cancelling = task.cancelling()
        self._cancelled = 0
        self._released: asyncio.Future[None] = self.loop.create_future()

    @property
    def left(self) -> bool:
        """See ``Body``."""
        return self._run.left

    @property
    def watched(self) -> bool:
        """See ``Body``."""
        return self._run.watched

    def wake(self) -> None:
        """See ``Body``."""
        self._run.wake()

    def interrupt(self) -> None:
        """Cancel it."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self.loop.call_soon_threadsafe(self._cancel)

    def release(self) -> None:
        """See ``Body``."""
        resolve(self.loop, self._released)

    async def released(self, impatient: Callable[[], None]) -> bool:
        """Wait for that; whether others cancelled the task meanwhile, which makes it ``impatient``."""
        others = 0
        while not self._released.done():
            try:
                await asyncio.shield(self._released)
            except asyncio.CancelledError:
                count = self._task.cancelling() - self._cancelling - self._cancelled
                if count > others:
                    others = count
                    impatient()
        return others > 0

    def was_cancelled_by_us(self, error: BaseException | None) -> bool:
        """Whether the error is our doing; called once, at the end."""
        for _ in range(self._cancelled):
            self._task.uncancel()
        ours = isinstance(error, asyncio.CancelledError) and self._cancelled > 0
        return ours and self._task.cancelling() <= self._cancelling

    def _cancel(self) -> None:
        if not self._run.left:
            self._cancelled += 1
            self._task.cancel()


class Interruption(KeyboardInterrupt):
    """Ends the body of a block in the main thread."""


class ThreadBody:
    """A body in a thread; only the main thread's can be interrupted."""

    loop = None

    def __init__(self, run: _Run, signals: Signals) -> None:
        self.interruption: Interruption | None = None
        self._run = run
        self._signals = signals
        self._thread = threading.current_thread()
        self._interrupting = False
        self._released = threading.Event()

    @property
    def left(self) -> bool:
        """See ``Body``."""
        return self._run.left

    @property
    def watched(self) -> bool:
        """See ``Body``."""
        return self._run.watched

    def wake(self) -> None:
        """See ``Body``."""
        self._run.wake()

    def interrupt(self) -> None:
        """Have a handler raise in it: a signal also ends what it waits for."""
        number = self._signals.own
        if self._thread is not threading.main_thread() or number is None or self._run.left:
            return
        self._interrupting = True
        if hasattr(signal, "pthread_kill") and self._thread.ident is not None:
            signal.pthread_kill(self._thread.ident, number)
        else:
            signal.raise_signal(number)

    def takes(self, frame: FrameType | None) -> bool:
        """Called by the handler: whether this was the signal that interrupts. Raises in the bot's code."""
        if not self._interrupting:
            return False
        self._interrupting = False
        if self._run.left:
            return True
        outside = out_of_telemetry(frame)
        self.interruption = Interruption("telemetry.running() ends")
        if outside is None or outside is frame:
            raise self.interruption
        outside.f_trace = self._raise  # what telemetry is doing may hold what the end needs
        sys.settrace(_look_at_nothing_else)
        return True

    def release(self) -> None:
        """See ``Body``."""
        self._released.set()

    def released(self, impatient: Callable[[], None]) -> BaseException | None:
        """Wait for that; what was raised meanwhile by a handler of the bot's."""
        raised: BaseException | None = None
        while not self._released.is_set():
            try:
                self._released.wait()
            except BaseException as error:  # it is raised when all is done
                raised = error
                impatient()
        return raised

    def _raise(self, *_: Any) -> None:  # noqa: ANN401 - as a trace function is called
        sys.settrace(None)
        if not self._run.left and self.interruption is not None:
            raise self.interruption


def _look_at_nothing_else(*_: object) -> None:
    """Trace no other frame."""
