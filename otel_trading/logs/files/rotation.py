"""When a log file is rotated, and what becomes of it then."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from otel_trading.logs.files.backups import Backups
from otel_trading.logs.files.janitor import JANITOR
from otel_trading.settings import report

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from pathlib import Path

_DAY = 86_400
_HOUR = 3_600.0
_AGAIN = 60.0
"""Seconds after which a rotation that failed is tried again; meanwhile the file grows."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """How large and how old a file becomes, and what is kept of those before it.

    ``size`` is in bytes; one chunk of lines may be larger. With ``daily`` a file whose last line was written on an
    earlier day (UTC) is rotated before the next one. The newest ``keep`` backups are kept, for ``days`` at most.
    """

    size: int = 100_000_000
    daily: bool = True
    keep: int = 5
    days: float = 30.0
    compress: bool = True


class Rotator:
    """Decides for one file; with time passed in."""

    def __init__(self, name: str, rotation: Rotation, *, now: Callable[[], float], clock: Callable[[], float]) -> None:
        self._name = name
        self._rotation = rotation
        self._now, self._clock = now, clock
        self._last_day = -1
        self._not_before = self._next_tidying = float("-inf")
        self._said = False

    def due(self, status: os.stat_result, more: int) -> bool:
        """Whether the file is to be rotated before ``more`` bytes come in."""
        if status.st_size == 0 or self._clock() < self._not_before:
            return False
        if status.st_size + more > self._rotation.size:
            return True
        last = max(int(status.st_mtime // _DAY), self._last_day)
        return self._rotation.daily and last < self._now() // _DAY

    def backup(self, path: Path) -> Path:
        """The name that the file gets."""
        return self._backups(path).free_name(self._now())

    def rotated(self, path: Path) -> None:
        """Begin the next file."""
        self._said = False
        self.tidy(path)

    def is_time_to_tidy(self) -> bool:
        """Whether an hour has passed since the backups were looked after."""
        return self._clock() >= self._next_tidying

    def tidy(self, path: Path) -> None:
        """Have what is there now compressed, and what is too much removed, in another thread."""
        self._next_tidying = self._clock() + _HOUR
        backups, now = self._backups(path), self._now()
        JANITOR.ask(path, partial(backups.tidy, now))

    def failed(self, error: OSError) -> None:
        """Go on with the file as it is for a while."""
        self._not_before = self._clock() + _AGAIN
        if not self._said:
            self._said = True
            report(f"{self._name} cannot be rotated: {error.strerror or error}; it grows, and is tried again")

    def wrote(self) -> None:
        """Remember the day of the last line."""
        self._last_day = int(self._now() // _DAY)

    def _backups(self, path: Path) -> Backups:
        rotation = self._rotation
        return Backups(path, rotation.keep, rotation.days, rotation.compress)
