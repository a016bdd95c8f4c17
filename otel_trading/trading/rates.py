"""What totals were a while ago, so that a rate or a ratio is one of the last minutes instead of the whole run."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from otel_trading import forks

if TYPE_CHECKING:
    from collections.abc import Hashable

_STEPS = 60
"""Totals are kept so often in a window."""
_MOST = 2_000
"""Series that are remembered."""


class Totals(NamedTuple):
    """Two running totals at a moment, in nanoseconds since 1970."""

    time_ns: int
    part: float
    whole: float


class History:
    """Earlier totals of each series; all readers of a pipeline share one.

    >>> history = History()
    >>> history.since("fills", 60, Totals(0, 0, 0), Totals(10_000_000_000, 5, 10))
    Totals(time_ns=0, part=0, whole=0)
    >>> history.since("fills", 60, Totals(0, 0, 0), Totals(80_000_000_000, 9, 20))
    Totals(time_ns=10000000000, part=5, whole=10)
    """

    def __init__(self) -> None:
        self._lock = forks.lock()
        self._series: dict[Hashable, deque[Totals]] = {}

    def since(self, series: Hashable, window: float, start: Totals, now: Totals) -> Totals:
        """The totals a window ago, or at the start where that is later; ``now`` is remembered for later calls."""
        width = round(window * 1e9)
        with self._lock:
            known = self._series.get(series)
            if known is None or known[-1].part > now.part or known[-1].whole > now.whole:
                if known is None and len(self._series) >= _MOST:
                    del self._series[next(iter(self._series))]
                known = self._series[series] = deque([start])
            while len(known) > 1 and known[1].time_ns <= now.time_ns - width:
                known.popleft()
            earlier = known[0]
            if now.time_ns - known[-1].time_ns >= width // _STEPS:
                known.append(now)
            return earlier
