"""Lives on the ops thread and has a configuration looked at, each look on a thread of its own: disks may hang."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST_PAUSE = 1.0
"""Seconds before the first look: who has just started a bot has better things to do."""


class Watcher:
    """Calls ``look``, which says in how many seconds it wants to be called again; ``None`` when it is woken only."""

    def __init__(self, name: str, look: Callable[[], float | None]) -> None:
        self.name = name
        self._look = look
        self._begin()

    def _begin(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    async def live(self) -> None:
        """Look until it is cancelled; a look that hangs is waited for."""
        self._loop, self._woken = asyncio.get_running_loop(), asyncio.Event()
        while self._thread is not None and self._thread.is_alive():  # noqa: ASYNC110 - of one who lived here before
            await asyncio.sleep(0.05)
        pause: float | None = _FIRST_PAUSE
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            self._woken.clear()
            pause = await self._looked()

    def wake(self) -> None:
        """Look at once; may be called from anywhere, also from the handler of a signal."""
        loop, woken = self._loop, self._woken
        if loop is not None and woken is not None:
            with contextlib.suppress(RuntimeError):  # closed meanwhile
                loop.call_soon_threadsafe(woken.set)

    def join(self, deadline: float) -> None:
        """Wait for the look that goes on, until then (monotonic seconds)."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(max(0.0, deadline - time.monotonic()))

    def restart_in_child(self) -> None:
        """Begin anew in a forked child."""
        self._begin()

    async def _looked(self) -> float | None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[float | None] = loop.create_future()

        def tell(pause: float | None, error: Exception | None) -> None:
            if done.cancelled():
                return
            if error is None:
                done.set_result(pause)
            else:
                done.set_exception(error)

        def run() -> None:
            pause, problem = None, None
            try:
                pause = self._look()
            except Exception as error:
                problem = error
            with contextlib.suppress(RuntimeError):  # nobody lives there any more
                loop.call_soon_threadsafe(tell, pause, problem)

        thread = threading.Thread(target=run, name="otel-config", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no thread can be had at the moment, or none any more: the interpreter shuts down
            return _FIRST_PAUSE
        self._thread = thread
        return await done
