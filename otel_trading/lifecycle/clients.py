"""Calling clients of ccxt, of either kind, by the same code."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

T = TypeVar("T")

_AT_ONCE = 8
"""Requests to one venue at the same time."""
_ATTEMPTS = 3
_PAUSE = 0.2


class Client:
    """A client of ccxt; what it does waits on the event loop, or in the thread where it is a synchronous one."""

    def __init__(self, exchange: Any) -> None:  # noqa: ANN401 - ccxt carries no types
        self.exchange = exchange
        self.name = str(getattr(exchange, "id", None) or type(exchange).__name__)
        self.is_async = inspect.iscoroutinefunction(getattr(exchange, "fetch_open_orders", None))

    def has(self, feature: str) -> bool:
        """Whether the venue can do that, by ccxt's name of it."""
        return bool(getattr(self.exchange, "has", {}).get(feature))

    async def call(self, method: str, *arguments: object) -> Any:  # noqa: ANN401
        """Call it; what the network did to a request is tried again."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                result = getattr(self.exchange, method)(*arguments)
                return await result if inspect.isawaitable(result) else result
            except Exception as error:
                if attempt == _ATTEMPTS or not kind(error, "NetworkError"):
                    raise
            await self.pause(_PAUSE * attempt)
        return None

    async def pause(self, seconds: float) -> None:
        """Wait."""
        if self.is_async:
            await asyncio.sleep(seconds)
        else:
            time.sleep(seconds)  # noqa: ASYNC251 - there is no loop: see ``at_once``

    async def all(self, works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
        """Do all of these: a few at the same time, or one after the other."""
        if not self.is_async:
            return [await work for work in works]
        places = asyncio.Semaphore(_AT_ONCE)

        async def one(work: Coroutine[Any, Any, T]) -> T:
            async with places:
                return await work

        return list(await asyncio.gather(*map(one, works)))


def kind(error: BaseException, name: str) -> bool:
    """Whether it is one of ccxt's errors, by the name of its class.

    >>> kind(KeyError("BTC"), "LookupError")
    True
    """
    return any(each.__name__ == name for each in type(error).__mro__)


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of work that never waits on a loop.

    >>> async def two(): return 2
    >>> at_once(two())
    2
    """
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise RuntimeError("a synchronous client has a coroutine function")
