"""Slow operations: each is measured, and those above their threshold are counted and logged."""

from __future__ import annotations

import functools
import inspect
import time
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar, cast

from otel_trading.runtime.voice import Voice, and_more, logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from opentelemetry.metrics import Meter

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_STAGE = "trading.stage.name"


class SlowOperations:
    """Where operations report how long they took.

    Durations are in ``trading.stage.duration``, those above their threshold in ``trading.runtime.slow_operations``.
    """

    def __init__(self, meter: Meter, clock: Callable[[], float] = time.monotonic) -> None:
        self.threshold = 1.0
        self._duration = meter.create_histogram("trading.stage.duration", "s", "Time that a stage of the bot takes.")
        self._slow = meter.create_counter(
            "trading.runtime.slow_operations", "{operation}", "Operations that took longer than their threshold."
        )
        self._voice = Voice(clock=clock)

    def finished(self, name: str, seconds: float, threshold: float | None, error: BaseException | None) -> None:
        """Take in one operation that took so many seconds."""
        attributes = {_STAGE: name}
        if error is not None:
            attributes["error.type"] = type(error).__qualname__
        self._duration.record(seconds, attributes)
        limit = self.threshold if threshold is None else threshold
        if seconds <= limit:
            return
        self._slow.add(1, attributes)
        more = self._voice.kept_back(name)
        if more is not None:
            logger.warning(
                "otel-trading: slow operation: %s took %.0f ms, above its threshold of %.0f ms%s",
                *(name, seconds * 1e3, limit * 1e3, and_more(more)),
            )

    def restart_in_child(self) -> None:
        """Use a lock of its own in a forked child."""
        self._voice.restart_in_child()


class WatchSlow:
    """Times a ``with`` block or, as a decorator, the calls of a function or coroutine function.

    It looks for where to report when the operation ends, so it may be made before telemetry starts. As a context
    manager it is for one block at a time; as a decorator every call has its own time.
    """

    def __init__(
        self,
        name: str,
        threshold: float | None,
        report_to: Callable[[], SlowOperations | None],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._name = name
        self._threshold = threshold
        self._report_to = report_to
        self._clock = clock
        self._started = 0.0

    def __enter__(self) -> Self:
        self._started = self._clock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._finish(self._started, error)

    def __call__(self, function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        """Time each call of the function."""
        if inspect.iscoroutinefunction(function):
            return cast("Callable[Parameters, Result]", self._around_coroutine(function))

        @functools.wraps(function)
        def timed(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            started = self._clock()
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                self._finish(started, error)
                raise
            self._finish(started, None)
            return result

        return timed

    def _around_coroutine(self, function: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        @functools.wraps(function)
        async def timed(*args: object, **kwargs: object) -> object:
            started = self._clock()
            try:
                result = await function(*args, **kwargs)
            except BaseException as error:
                self._finish(started, error)
                raise
            self._finish(started, None)
            return result

        return timed

    def _finish(self, started: float, error: BaseException | None) -> None:
        seconds = self._clock() - started
        operations = self._report_to()
        if operations is not None:
            operations.finished(self._name, seconds, self._threshold, error)
