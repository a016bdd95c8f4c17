"""Timers: how long something takes, with percentiles over windows and a budget."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

from otel_trading import _native

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.util.types import Attributes

Function = TypeVar("Function", bound="Callable[..., Any]")


def ms(milliseconds: float) -> float:
    """Milliseconds as seconds, the unit of every time here.

    >>> ms(10)
    0.01
    """
    return milliseconds / 1_000


def us(microseconds: float) -> float:
    """Microseconds as seconds.

    >>> us(250)
    0.00025
    """
    return microseconds / 1_000_000


@dataclass(frozen=True, slots=True)
class TimerStats:
    """What a timer measured in a window, or ever; times are seconds, percentiles within 1 %, NaN without measurements.

    ``rate`` is measurements a second. ``violations`` is always the number since the beginning.
    """

    count: int
    rate: float
    mean: float
    p50: float
    p95: float
    p99: float
    p999: float
    max: float
    violations: int
    budget: float | None


_NO_TIMES = (float("nan"),) * 4


class Timer(_native.BoundHistogram):
    """Times blocks, functions and coroutines: one series of a histogram in seconds, that somebody watches.

    Made by ``Telemetry.timer``. Each ``time()`` is a measurement of its own, so overlapping tasks never share a start.

    >>> from otel_trading.metrics.native import NativeMeterProvider
    >>> histogram = NativeMeterProvider().get_meter("bot").create_histogram("bot.decide", "s")
    >>> decide = Timer(histogram, None, _native.Pump(), "bot.decide", budget=ms(10))
    >>> with decide.time():
    ...     pass
    >>> @decide
    ... def strategy(book):
    ...     return None
    >>> strategy({})
    >>> decide.record(0.02)
    >>> decide.stats().count, decide.stats().violations, round(decide.stats(window=5).p99, 2)
    (3, 1, 0.02)
    """

    __slots__ = ("_watch",)

    _watch: _native.HistogramWatch

    def __new__(
        cls,
        histogram: _native.Histogram,
        attributes: Attributes,
        pump: _native.Pump,
        name: str,
        *,
        budget: float | None = None,
    ) -> Self:
        """Time by this histogram, and let the pump look after it."""
        timer = super().__new__(cls, histogram, attributes)
        timer._watch = pump.watch(timer, name)
        timer._watch.set_budget(budget)
        return timer

    def __call__(self, function: Function) -> Function:
        """Time every call of a function, or every run of a coroutine function, which stays one to ``inspect``."""
        return timed(self, function)

    def stats(self, window: int | None = None) -> TimerStats:
        """The last 1, 5 or 60 seconds, or everything; raises ``ValueError`` for another window."""
        seconds, count, total, greatest, quantiles = self._watch.stats(window)
        p50, p95, p99, p999 = quantiles or _NO_TIMES
        return TimerStats(
            count=count,
            rate=count / seconds if seconds > 0 else 0.0,
            mean=total / count if count else float("nan"),
            p50=p50,
            p95=p95,
            p99=p99,
            p999=p999,
            max=greatest,
            violations=self.violations,
            budget=self.budget,
        )

    @property
    def violations(self) -> int:
        """Measurements that took longer than the budget."""
        return self._watch.violations

    @property
    def budget(self) -> float | None:
        """Seconds that something may take; may be changed at any time."""
        return self._watch.budget

    @budget.setter
    def budget(self, seconds: float | None) -> None:
        self._watch.set_budget(seconds)


def timed(histogram: _native.BoundHistogram, function: Function) -> Function:
    """A function whose calls are timed by a bound histogram; coroutine and generator functions stay what they are."""
    if inspect.iscoroutinefunction(function):
        return _timed_coroutine(histogram, function)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        kind = "an async generator" if inspect.isasyncgenfunction(function) else "a generator"
        raise TypeError(f"{function.__qualname__} is {kind}: time what it is used for, or a step of it")
    return _native.TimedFunction(histogram, function)  # type: ignore[return-value]  # behaves as the function does


def _timed_coroutine(histogram: _native.BoundHistogram, function: Function) -> Function:
    start = histogram.time

    @functools.wraps(function)
    async def timed_coroutine(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the function takes and gives
        token = start()
        try:
            return await function(*args, **kwargs)
        finally:
            token.stop()

    return timed_coroutine  # type: ignore[return-value]  # behaves as the function does
