"""What the figures were in the last minutes, so that a page that is opened has a past."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LENGTH = 300
"""Points that are kept of each figure, one a second."""

SERIES = 24
"""Figures that are kept at most."""

Point = float | int | None


class History:
    """One point a second of a few figures.

    >>> history = History(length=3)
    >>> for value in (1, 2, 3, 4):
    ...     history.add({"orders": value})
    >>> history.all(), history.since(3)
    ({'orders': [2, 3, 4]}, [{'orders': 4}])
    """

    def __init__(self, length: int = LENGTH) -> None:
        self._points: deque[Mapping[str, Point]] = deque(maxlen=length)
        self._names: dict[str, None] = {}
        self.added = 0
        """How many points there were."""

    def add(self, values: Mapping[str, Point]) -> None:
        """The figures of this second."""
        for name in values:
            if len(self._names) < SERIES:
                self._names.setdefault(name)
        self._points.append({name: value for name, value in values.items() if name in self._names})
        self.added += 1

    def all(self) -> dict[str, list[Point]]:
        """The points of each figure, the oldest first; ``None`` where it was not known."""
        return {name: [point.get(name) for point in self._points] for name in self._names}

    def since(self, number: int) -> list[Mapping[str, Point]]:
        """The points behind that number."""
        wanted = min(self.added - number, len(self._points))
        return list(self._points)[len(self._points) - wanted :] if wanted > 0 else []

    def clear(self) -> None:
        """Know of no past, as in a forked child."""
        self._points.clear()
        self._names.clear()
        self.added = 0
