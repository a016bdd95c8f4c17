"""The requests of the last minute: how long they took, and how many failed."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST = 4_096
"""Requests that are kept; of a venue that is asked more often the window is shorter."""


@dataclass(frozen=True, slots=True)
class WindowStats:
    """What a window holds: times in seconds, NaN without requests; errors a second, and their share of all requests."""

    count: int
    errors: int
    p50: float
    p95: float
    p99: float
    error_rate: float
    error_share: float


_NOTHING = float("nan")
EMPTY = WindowStats(0, 0, _NOTHING, _NOTHING, _NOTHING, 0.0, 0.0)


class RequestWindow:
    """Requests of the last seconds; one thread adds, another reads.

    >>> now = 100.0
    >>> window = RequestWindow(60, clock=lambda: now)
    >>> for seconds in (0.1, 0.2, 0.3):
    ...     window.add(seconds, failed=seconds > 0.25)
    >>> found = window.stats()
    >>> found.count, found.errors, found.p50, found.p99
    (3, 1, 0.2, 0.3)
    """

    __slots__ = ("_clock", "_kept", "seconds")

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic, most: int = _MOST) -> None:
        self.seconds = seconds
        self._clock = clock
        self._kept: deque[tuple[float, float, bool]] = deque(maxlen=most)

    def add(self, seconds: float, *, failed: bool) -> None:
        """Take in a request that was answered just now, or failed."""
        self._kept.append((self._clock(), seconds, failed))

    def stats(self) -> WindowStats:
        """What it holds now."""
        kept, now = self._kept, self._clock()
        full = len(kept) == kept.maxlen
        begin = now - self.seconds
        recent = [each for each in kept.copy() if each[0] >= begin]
        if not recent:
            return EMPTY
        times = sorted(each[1] for each in recent)
        errors = sum(each[2] for each in recent)
        covered = max(1.0, now - recent[0][0]) if full else self.seconds
        return WindowStats(
            count=len(times),
            errors=errors,
            p50=_rank(times, 0.5),
            p95=_rank(times, 0.95),
            p99=_rank(times, 0.99),
            error_rate=errors / covered,
            error_share=errors / len(times),
        )


def _rank(times: list[float], share: float) -> float:
    """The nearest rank: the least time that at least this share of all does not exceed."""
    return times[math.ceil(share * len(times)) - 1]
