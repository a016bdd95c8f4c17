"""The thread of what watches the bot: an event loop of its own, which turns while the bot's loop is stuck."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import TYPE_CHECKING, Protocol

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value

from otel_trading._native import keep_for_ever
from otel_trading.settings import report
from otel_trading.threads import DaemonExecutor

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from concurrent.futures import Future
    from typing import Any, TypeVar

    T = TypeVar("T")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_LEFT_BEHIND = 0.2
"""Seconds that what residents began and left behind has to end."""

_THREADS = 16
"""Threads for what blocks; one that hangs keeps nobody from ending the process."""


class Resident(Protocol):
    """What lives on the thread until it is told to leave."""

    @property
    def name(self) -> str:
        """What it is called when it fails."""
        ...

    async def live(self) -> None:
        """Work until it is cancelled; when it raises it is called anew, after a pause."""
        ...


class OpsThread:
    """Has residents live on a loop of its own; what one of them raises costs that one a moment, and is counted.

    The thread is there while there are residents.

    >>> import threading
    >>> class Bell:
    ...     name = "bell"
    ...     rung = threading.Event()
    ...     async def live(self):
    ...         self.rung.set()
    >>> thread, bell = OpsThread(), Bell()
    >>> thread.house([bell])
    >>> bell.rung.wait(5)
    True
    >>> thread.close(1)
    True
    """

    def __init__(self) -> None:
        self.restarts: dict[str, int] = {}
        """How often each resident failed and began anew, by name."""
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._context = contextvars.Context()
        self._context.run(attach, set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))  # what they ask is not the bot's own
        self._residents: list[Resident] = []
        self._tasks: dict[Resident, asyncio.Task[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turned: asyncio.AbstractEventLoop | None = None
        """The loop that was started last, also when it has ended."""
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether somebody lives there."""
        return self._loop is not None

    def house(self, residents: Iterable[Resident]) -> None:
        """Have these live here from now on: new ones move in, those that are not among them leave."""
        with self._lock:
            self._residents = list(residents)
            if self._residents and self._loop is None:
                self._start()
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._settle, context=self._context)

    def call(self, function: Callable[..., Any], *args: object) -> bool:
        """Have the loop call a function soon; False when there is no loop."""
        loop = self._loop
        if loop is None:
            return False
        try:
            loop.call_soon_threadsafe(function, *args, context=self._context)
        except RuntimeError:  # closed meanwhile
            return False
        return True

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T] | None:
        """Have the loop do some work, from any thread; without a loop it is not done, and there is no future."""
        loop = self._loop
        if loop is None or loop.is_closed():
            work.close()
            return None
        return self._context.copy().run(asyncio.run_coroutine_threadsafe, work, loop)

    def close(self, timeout: float) -> bool:
        """Have all leave and end the thread; whether it ended within ``timeout`` seconds."""
        self.house([])
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(max(0.0, timeout))
        return not thread.is_alive()

    def restart_in_child(self) -> None:
        """Begin with nobody in a forked child: who lives there is for others to say.

        What the parent's residents were at is theirs. Here it stays as it was for ever: an end of it would be an end
        in the middle, with what they do then, and it would be complained about.
        """
        if self._turned is not None:
            keep_for_ever((self._turned, asyncio.all_tasks(self._turned)))
        self._begin()

    def _start(self) -> None:
        loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(loop,), name="otel-ops", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no threads while the interpreter shuts down
            loop.close()
            self._thread = None
            return
        self._loop = self._turned = loop

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.set_default_executor(DaemonExecutor(_THREADS, "otel-ops-work"))
        try:
            loop.run_forever()
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.wait(left, timeout=_LEFT_BEHIND))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()

    def _settle(self) -> None:
        """Start and end what has to be; called on the loop."""
        with self._lock:
            for resident in self._residents:
                if resident not in self._tasks:
                    self._tasks[resident] = asyncio.ensure_future(self._accommodate(resident))
            for resident, task in self._tasks.items():
                if resident not in self._residents and not task.cancelling():  # who leaves is not hurried
                    task.cancel()
            self._leave()

    async def _accommodate(self, resident: Resident) -> None:
        pause = _FIRST_PAUSE
        try:
            while True:
                try:
                    await resident.live()
                except Exception as error:
                    self._failed(resident, error)
                else:
                    with self._lock:
                        self._residents = [each for each in self._residents if each is not resident]
                    return
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        finally:
            with self._lock:
                del self._tasks[resident]
                self._settle()  # it may have been asked back while it left

    def _failed(self, resident: Resident, error: Exception) -> None:
        count = self.restarts[resident.name] = self.restarts.get(resident.name, 0) + 1
        if count == 1:
            report(f"{resident.name} failed and begins anew: {type(error).__name__}: {error}")

    def _leave(self) -> None:
        """The last one ends the loop."""
        loop = self._loop
        if loop is not None and not self._tasks and not self._residents:
            self._loop = None
            loop.stop()
