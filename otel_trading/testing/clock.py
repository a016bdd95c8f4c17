"""A clock that stands still until the test moves it."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from types import ModuleType
from typing import TYPE_CHECKING, Any

from otel_trading import _native
from otel_trading.metrics import stopwatch as _stopwatch  # noqa: F401 - before its clock is looked for

if TYPE_CHECKING:
    from collections.abc import Iterator

START = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
"""When the clock starts if the test does not say."""

_STAMPING = (
    "opentelemetry.instrumentation.",
    "opentelemetry.sdk._logs.",
    "opentelemetry.sdk.metrics.",
    "opentelemetry.sdk.trace",
    "otel_trading.health.monitor",
    "otel_trading.metrics.",
    "otel_trading.tracing.",
    "otel_trading.trading.",
)
"""Modules that put times on telemetry; delivery keeps the real clock, as its deadlines are real."""

_DELIVERING = ("otel_trading.metrics.push",)

_BILLION = 1_000_000_000


class FakeClock:
    """Wall and monotonic time that move only by ``advance``, ``sleep`` and, the wall alone, by ``step``.

    Its methods are called like those of ``time``, so that it can be handed to a bot in place of that module.

    >>> clock = FakeClock()
    >>> before = clock.perf_counter()
    >>> clock.advance(0.25)
    >>> clock.perf_counter() - before
    0.25
    """

    def __init__(self, start: datetime | float = START) -> None:
        seconds = start.timestamp() if isinstance(start, datetime) else start
        self._lock = threading.Lock()
        self._wall = round(seconds * _BILLION)
        self._monotonic = self._began = 1_000 * _BILLION

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        if seconds < 0:
            raise ValueError(f"time does not run backwards: advance({seconds}); step() moves the wall clock alone")
        with self._lock:
            passed = round(seconds * _BILLION)
            self._wall += passed
            self._monotonic += passed
        _hold_native_clock()

    def step(self, seconds: float) -> None:
        """Correct the wall clock, forwards or backwards, as a time server does; no time passes."""
        with self._lock:
            self._wall += round(seconds * _BILLION)

    def sleep(self, seconds: float) -> None:
        """Let time pass instead of waiting."""
        self.advance(seconds)

    @property
    def elapsed(self) -> float:
        """Seconds that have passed since the beginning."""
        return (self._monotonic - self._began) / _BILLION

    def now(self) -> datetime:
        """The wall clock's time, UTC."""
        return datetime.fromtimestamp(self.time(), UTC)

    def time(self) -> float:
        """Seconds since the epoch."""
        return self._wall / _BILLION

    def time_ns(self) -> int:
        """Nanoseconds since the epoch."""
        return self._wall

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return self._monotonic / _BILLION

    def monotonic_ns(self) -> int:
        """Nanoseconds since some moment."""
        return self._monotonic

    perf_counter = monotonic
    perf_counter_ns = monotonic_ns

    @contextmanager
    def stamping(self) -> Iterator[None]:
        """Telemetry's own time stamps and durations come from this clock inside the block; the bot's do not."""
        names = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")
        ours = {id(getattr(time, name)): getattr(self, name) for name in names}
        ours[id(time)] = _TimeModule(self, names)
        ours[id(_native.monotonic_ns)] = self.monotonic_ns
        ours[id(_native.wall_ns)] = self.time_ns
        replaced = [
            (module, name, value)
            for module in _stamping_modules()
            for name, value in list(vars(module).items())
            if id(value) in ours
        ]
        for module, name, value in replaced:
            setattr(module, name, ours[id(value)])
        _stamping.append(self)
        _hold_native_clock()
        try:
            yield
        finally:
            _stamping.remove(self)
            _hold_native_clock()
            for module, name, value in replaced:
                setattr(module, name, value)


_stamping: list[FakeClock] = []
"""The clocks that stamp telemetry now; the last one counts."""


def _hold_native_clock() -> None:
    """Let the clock of the native core's timers stand where ours does, or run again."""
    _native.hold_ticks(_stamping[-1].elapsed if _stamping else None)


class _TimeModule(ModuleType):
    """The module ``time`` with its clocks replaced."""

    def __init__(self, clock: FakeClock, names: tuple[str, ...]) -> None:
        super().__init__("time", time.__doc__)
        for name in names:
            setattr(self, name, getattr(clock, name))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the module has
        return getattr(time, name)


def _stamping_modules() -> list[ModuleType]:
    return [
        module
        for name, module in list(sys.modules.items())
        if name.startswith(_STAMPING) and name not in _DELIVERING and isinstance(module, ModuleType)
    ]
