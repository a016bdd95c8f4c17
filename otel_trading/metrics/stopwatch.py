"""Measurements of time on the ``sdk`` engine; the native one has tokens of its own."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Self, TypeVar

from otel_trading._native import monotonic_ns
from otel_trading.metrics.timer import Timer

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import Histogram
    from opentelemetry.util.types import Attributes

    from otel_trading import _native

Function = TypeVar("Function", bound="Callable[..., Any]")

_PER_SECOND = {"ms": 1e3, "us": 1e6, "µs": 1e6, "ns": 1e9, "min": 1 / 60, "h": 1 / 3_600}


def per_second(unit: str) -> float:
    """What a second is in a unit of time; other units are taken for seconds.

    >>> per_second("ms"), per_second("s")
    (1000.0, 1.0)
    """
    return _PER_SECOND.get(unit, 1.0)


class Stopwatch:
    """A running measurement; ``record`` takes seconds when it stops.

    >>> taken = []
    >>> with Stopwatch(taken.append) as watch:
    ...     pass
    >>> watch.stop() is None, len(taken)
    (True, 1)
    """

    __slots__ = ("_record", "_start")

    def __init__(self, record: Callable[[float], None]) -> None:
        self._record: Callable[[float], None] | None = record
        self._start = monotonic_ns()

    def stop(self) -> float | None:
        """Record the time since the start; the elapsed seconds, ``None`` when it was stopped before."""
        record, self._record = self._record, None
        if record is None:
            return None
        seconds = (monotonic_ns() - self._start) / 1e9
        record(seconds)
        return seconds

    def cancel(self) -> None:
        """Record nothing."""
        self._record = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class MirroredTimer(Timer):
    """A timer whose measurements go to an instrument of the SDK, too."""

    __slots__ = ("_mirror",)

    _mirror: Callable[[float], None]

    @classmethod
    def of(
        cls,
        mirror: Histogram,
        histogram: _native.Histogram,
        attributes: Attributes,
        pump: _native.Pump,
        name: str,
        *,
        budget: float | None,
    ) -> Self:
        """The timer over a histogram of its own and the mirror."""
        made = cls(histogram, None, pump, name, budget=budget)
        made._mirror = functools.partial(mirror.record, attributes=attributes)
        return made

    def record(self, amount: Any, /) -> None:  # noqa: ANN401 - any number
        """Record seconds."""
        super().record(amount)
        self._mirror(amount)

    def time(self) -> Stopwatch:  # type: ignore[override]  # the same methods
        """Start a measurement."""
        return Stopwatch(self.record)

    def __call__(self, function: Function) -> Function:
        """See ``Timer``."""
        if inspect.iscoroutinefunction(function):
            return super().__call__(function)

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the function takes and gives
            with self.time():
                return function(*args, **kwargs)

        return timed  # type: ignore[return-value]  # behaves as the function does
