"""Those who may object to a change, and those who are told of it: functions and coroutines, each where it belongs."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from otel_trading import redaction
from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 5.0
"""Seconds that a coroutine has to object."""


@dataclass(eq=False)
class Subscriber:
    """A function or a coroutine function, and the event loop it was registered on, if there was one."""

    call: Callable[..., Any]
    loop: asyncio.AbstractEventLoop | None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def name(self) -> str:
        return str(getattr(self.call, "__qualname__", None) or type(self.call).__name__)

    def objection(self, *change: object) -> str | None:
        """Why the change must not be, if so: what it returns, or raises."""
        try:
            answer = self._answer(change)
        except (TimeoutError, concurrent.futures.TimeoutError):
            return f"{self.name} does not answer within {PATIENCE:g} s"
        except concurrent.futures.CancelledError:
            return f"{self.name} was cancelled"
        except Exception as error:
            return f"{self.name} objects: {redaction.redact(str(error)) or type(error).__name__}"
        if answer is None or answer is True:
            return None
        return f"{self.name} objects" + ("" if answer is False else f": {redaction.redact(str(answer))}")

    def tell(self, *change: object) -> None:
        """Call it with the change: on its loop, which is not waited for, else here."""
        try:
            if self.loop is None:
                answer = self.call(*change)
                if inspect.isawaitable(answer):
                    asyncio.run(_awaited(answer))
            else:
                self.loop.call_soon_threadsafe(self._begin, change)
        except Exception as error:
            self._failed(error)

    def _answer(self, change: tuple[object, ...]) -> Any:  # noqa: ANN401 - whatever it returns
        if not inspect.iscoroutinefunction(self.call):
            answer = self.call(*change)
            return asyncio.run(_awaited(answer)) if inspect.isawaitable(answer) else answer
        if self.loop is None:
            return asyncio.run(asyncio.wait_for(self.call(*change), PATIENCE))
        if self.loop is _running():
            raise RuntimeError("it is a coroutine of the loop that waits for it; reload in a thread")
        if self.loop.is_closed():
            raise RuntimeError("its event loop is closed")
        future = asyncio.run_coroutine_threadsafe(self.call(*change), self.loop)
        try:
            return future.result(PATIENCE)
        except TimeoutError:
            future.cancel()
            raise

    def _begin(self, change: tuple[object, ...]) -> None:
        """On its loop."""
        try:
            answer = self.call(*change) if not inspect.iscoroutinefunction(self.call) else None
            if answer is None and inspect.iscoroutinefunction(self.call):
                task = asyncio.ensure_future(self._in_turn(change))
                task.add_done_callback(self._ended)
        except Exception as error:
            self._failed(error)

    async def _in_turn(self, change: tuple[object, ...]) -> None:
        """One change after the other."""
        async with self._turn:
            await self.call(*change)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        report(f"{self.name} failed when the configuration changed: {type(error).__name__}: {error}")


def subscriber(call: Callable[..., Any]) -> Subscriber:
    """Somebody who is called where this is called, as far as that is an event loop."""
    return Subscriber(call, _running())


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def _awaited(answer: Any) -> Any:  # noqa: ANN401 - any awaitable
    return await answer
