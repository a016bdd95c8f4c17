"""A step under way: in a thread of its own, or on the bot's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from typing import TYPE_CHECKING, Any, Protocol

from otel_trading.lifecycle.model import IncompleteError, shortened

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextvars import Context

    from otel_trading.lifecycle.model import Step

ANSWERS_WITHIN = 1.0
"""Seconds in which a loop begins with a step; then it is stuck, and the step is done elsewhere."""


class Attempt(Protocol):
    """What the sequence of steps has to know of one that was begun."""

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        ...

    def look(self, seconds: float, allowed: float) -> float | None:
        """See to it after so many seconds of those it is allowed; the seconds after which to look again, if at all."""
        ...

    def cancel(self) -> None:
        """Have it end."""
        ...

    def verdict(self) -> tuple[bool, str]:
        """Whether it reached what it is for, and what there is to say."""
        ...

    def said(self) -> str:
        """What it has to say while it is not over."""
        ...


class Work:
    """Runs a step's call and remembers what came of it; ``notify`` is called when it is over."""

    def __init__(
        self, step: Step, loop: asyncio.AbstractEventLoop | None, context: Context, notify: Callable[[], None]
    ) -> None:
        self.over = False
        self.elsewhere = False
        self._step = step
        self._loop = step.loop or loop
        self._context = context
        self._notify = notify
        self._claim = threading.Lock()
        self._task: asyncio.Task[None] | None = None
        self._value: object = None
        self._error: BaseException | None = None
        self._waits_for_loop = False

    def begin(self) -> None:
        """Start it; whatever goes wrong is the step's failure."""
        try:
            if self._step.is_async:
                self._on_the_loop(self._step.call)
            else:
                self._thread(self._in_a_thread)
        except Exception as error:  # no thread to be had
            self._finish(error)

    def look(self, seconds: float, allowed: float) -> float | None:
        """Wait for the loop no longer than it deserves."""
        if not self._waits_for_loop or self.over:
            return None
        patience = min(ANSWERS_WITHIN, allowed / 4)
        if seconds < patience:
            return patience
        if self._claim.acquire(blocking=False):
            self._elsewhere(self._step.call)
        self._waits_for_loop = False
        return None

    def cancel(self) -> None:
        """Cancel what can be cancelled; a thread cannot."""
        task = self._task
        if task is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                task.get_loop().call_soon_threadsafe(task.cancel)
        elif self._waits_for_loop:
            self._claim.acquire(blocking=False)  # it is not to begin any more

    def verdict(self) -> tuple[bool, str]:
        """See ``Attempt``."""
        where = "the event loop is stuck, done on another one; " if self.elsewhere else ""
        if self._error is None:
            return True, where + ("" if self._value is None else shortened(self._value))
        if isinstance(self._error, IncompleteError):
            return False, where + shortened(self._error)
        return False, where + shortened(f"{type(self._error).__name__}: {self._error}")

    @property
    def error(self) -> BaseException | None:
        """What it raised."""
        return self._error

    def said(self) -> str:
        """What the step says of itself, if it is one that can."""
        try:
            progress = getattr(self._step.call, "progress", None)
            return shortened(progress()) if callable(progress) else ""
        except Exception:  # it is being worked on
            return ""

    def _in_a_thread(self) -> None:
        try:
            value = self._context.run(self._step.call)
        except BaseException as error:  # a thread's SystemExit would be lost
            self._finish(error)
            return
        if inspect.isawaitable(value):
            self._on_the_loop(lambda: value)
        else:
            self._finish(value=value)

    def _on_the_loop(self, make: Callable[[], Any]) -> None:
        if self._loop is not None:
            self._waits_for_loop = True
            try:
                self._loop.call_soon_threadsafe(self._create, make, context=self._context)
            except RuntimeError:  # it is closed
                self._waits_for_loop = False
            else:
                return
        self._elsewhere(make, stuck=False)

    def _create(self, make: Callable[[], Any]) -> None:
        if self._claim.acquire(blocking=False):
            self._waits_for_loop = False
            self._task = asyncio.get_running_loop().create_task(self._run(make))

    async def _run(self, make: Callable[[], Awaitable[object]]) -> None:
        try:
            value = await make()
        except BaseException as error:  # what a task raises of these ends the loop
            self._finish(error)
            if isinstance(error, asyncio.CancelledError):
                raise
        else:
            self._finish(value=value)

    def _elsewhere(self, make: Callable[[], Any], *, stuck: bool = True) -> None:
        self.elsewhere = stuck

        async def run() -> None:
            self._task = asyncio.current_task()
            await self._run(make)

        def work() -> None:
            try:
                self._context.copy().run(asyncio.run, run())
            except BaseException as error:  # cancelled, or no loop to be had
                if not self.over:
                    self._finish(error)

        self._thread(work)

    def _thread(self, work: Callable[[], None]) -> None:
        threading.Thread(target=work, name=f"otel-step-{self._step.name}", daemon=True).start()

    def _finish(self, error: BaseException | None = None, *, value: object = None) -> None:
        self._error, self._value = error, value
        self.over = True
        self._notify()
