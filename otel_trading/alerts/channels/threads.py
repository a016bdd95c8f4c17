"""Work that blocks, in short-lived threads of ours: nothing of it holds the loop up, or the end of the process."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from otel_trading.threads import NoThreadsError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_MOST = 32
"""Threads at once: those that hang, in a name server or a disk, are never more."""

_free = threading.BoundedSemaphore(_MOST)


class BusyError(OSError):
    """All threads hang."""


async def in_thread(function: Callable[..., T], *arguments: object, name: str) -> T:
    """What a function returns that may block; a caller that is cancelled leaves it to itself.

    >>> asyncio.run(in_thread(sum, (1, 2), name="adding"))
    3
    """
    if not _free.acquire(blocking=False):
        raise BusyError(f"{_MOST} threads hang")
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    thread = threading.Thread(
        target=_run, args=(loop, future, function, arguments), name=f"otel-alerts-{name}", daemon=True
    )
    try:
        thread.start()
    except RuntimeError as error:
        _free.release()
        kind = NoThreadsError if NoThreadsError.over(error) else BusyError
        raise kind("there are no threads to be had") from error
    return await future  # type: ignore[no-any-return]


def _run(
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[Any],
    function: Callable[..., Any],
    arguments: Any,  # noqa: ANN401
) -> None:
    try:
        try:
            result, error = function(*arguments), None
        except BaseException as raised:  # whatever it is, the caller gets it
            result, error = None, raised
        loop.call_soon_threadsafe(_settle, future, result, error)
    except RuntimeError:  # the loop is gone, and so is who asked
        pass
    finally:
        _free.release()


def _settle(future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def restart_in_child() -> None:
    """Have all threads in a forked child."""
    global _free  # noqa: PLW0603 - those of the parent are not there
    _free = threading.BoundedSemaphore(_MOST)
