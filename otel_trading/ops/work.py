"""Work that may take a while, on short-lived threads: the loop that answers never waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")

_AT_ONCE = 4
_URGENT = 16


class BusyError(Exception):
    """Too much is being worked at."""


class Work:
    """Runs functions on threads of their own, a few at once; what several ask for at the same time is done once."""

    def __init__(self, at_once: int = _AT_ONCE, patience: float = 5.0) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._patience = patience
        self._urgent = 0
        self._shared: dict[Hashable, asyncio.Task[Any]] = {}

    async def do(self, function: Callable[..., T], *args: object) -> T:
        """What it returns or raises; ``BusyError`` when there was no thread for it in time."""
        try:
            async with asyncio.timeout(self._patience):
                await self._slots.acquire()
        except TimeoutError:
            raise BusyError from None
        try:
            done = _started(function, args)
        except RuntimeError:  # no more threads to be had
            self._slots.release()
            raise BusyError from None
        done.add_done_callback(lambda _: self._slots.release())  # when it ends, whoever waits for it
        return await asyncio.shield(done)

    async def share(self, key: Hashable, function: Callable[..., T], *args: object) -> T:
        """As ``do``, once for all who ask for the same ``key`` while it is being done."""
        task = self._shared.get(key)
        if task is None:
            task = self._shared[key] = asyncio.get_running_loop().create_task(self.do(function, *args))
            task.add_done_callback(lambda ended: self._over(key, ended))
        return await asyncio.shield(task)

    async def do_at_once(self, function: Callable[..., T], *args: object) -> T:
        """As ``do``, and it does not wait for other work."""
        if self._urgent >= _URGENT:  # so many hang: rather here than not at all
            return function(*args)
        self._urgent += 1
        try:
            done = _started(function, args)
        except RuntimeError:  # no more threads to be had
            self._urgent -= 1
            return function(*args)
        done.add_done_callback(self._one_less)
        return await asyncio.shield(done)

    def _one_less(self, _: object) -> None:
        self._urgent -= 1

    def _over(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        self._shared.pop(key, None)
        if not task.cancelled():
            task.exception()


def _started(function: Callable[..., T], args: tuple[object, ...]) -> asyncio.Future[T]:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(result)  # type: ignore[arg-type]
        else:
            done.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = context.run(function, *args)
        except BaseException as raised:
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="otel-ops-work", daemon=True).start()
    done.add_done_callback(_looked_at)
    return done


def _looked_at(done: asyncio.Future[Any]) -> None:
    if not done.cancelled():
        done.exception()
