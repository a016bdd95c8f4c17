"""Counts of the last minutes, by what they are of."""

from __future__ import annotations

from collections import deque

_BUCKETS = 60


class Window:
    """Adds up what happened within a window, in sixtieths of it.

    >>> window = Window(60)
    >>> window.add(0, "binance"), window.add(30, "binance"), window.add(30, "kraken")
    (None, None, None)
    >>> window.totals(45), window.totals(75), window.totals(200)
    ({'binance': 2, 'kraken': 1}, {'binance': 1, 'kraken': 1}, {})
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._width = seconds / _BUCKETS
        self._buckets: deque[tuple[float, dict[str, int]]] = deque()

    def add(self, now: float, key: str) -> None:
        """Count one."""
        if not self._buckets or now - self._buckets[-1][0] >= self._width:
            self._drop(now)
            self._buckets.append((now, {}))
        counts = self._buckets[-1][1]
        counts[key] = counts.get(key, 0) + 1

    def totals(self, now: float) -> dict[str, int]:
        """All of the window, by key."""
        self._drop(now)
        found: dict[str, int] = {}
        for _, counts in self._buckets:
            for key, count in counts.items():
                found[key] = found.get(key, 0) + count
        return found

    def clear(self) -> None:
        """Begin at nothing."""
        self._buckets.clear()

    def _drop(self, now: float) -> None:
        while self._buckets and now - self._buckets[0][0] >= self.seconds:
            self._buckets.popleft()
