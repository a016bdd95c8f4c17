"""Log levels that go back by themselves."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from otel_trading.logs.levels import LEVELS, stdlib_level

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from otel_trading.logs.levels import Levels

MOST = 100
"""How many loggers may have a level for a time."""


@dataclass(frozen=True, slots=True)
class Temporary:
    """A level for a time: until when, in seconds since 1970, and what was asked for before, as ``logging`` counts."""

    level: str
    until: float
    before: int | None


class TemporaryLevels:
    """Gives loggers a level for some seconds; lives on the ops thread.

    >>> from otel_trading.logs.levels import Levels
    >>> now, levels = 0.0, Levels()
    >>> temporary = TemporaryLevels(levels, clock=lambda: now)
    >>> temporary.set("DEBUG", "venue", seconds=60)
    >>> before, now = levels.get("venue"), 60.0
    >>> temporary.look()
    >>> before, levels.get("venue")
    ('DEBUG', 'INFO')
    """

    name = "log levels for a time"

    def __init__(self, levels: Levels = LEVELS, clock: Callable[[], float] = time.time) -> None:
        self._levels = levels
        self._clock = clock
        self._set: dict[str, Temporary] = {}
        self._changed: asyncio.Event | None = None

    def set(self, level: str | None, logger: str = "", *, seconds: float | None = None) -> None:
        """Give a logger its level, for some seconds or until it is changed; ``ValueError`` when it is no level.

        ``None`` takes the level back. ``OverflowError`` when too many have one for a time.
        """
        known = self._standing(logger)
        if seconds is not None and known is None and len(self._set) >= MOST:
            raise OverflowError
        before = known.before if known is not None else self._levels.asked_for().get(logger)
        self._levels.set(level, logger)
        self._set.pop(logger, None)
        if seconds is not None and level is not None:
            self._set[logger] = Temporary(self._levels.get(logger), self._clock() + seconds, before)
        if self._changed is not None:
            self._changed.set()

    @property
    def shown(self) -> dict[str, str]:
        """The levels in force, by logger."""
        return self._levels.shown()

    @property
    def temporary(self) -> Mapping[str, Temporary]:
        """Those that go back."""
        return {name: held for name in list(self._set) if (held := self._standing(name)) is not None}

    def look(self) -> float | None:
        """Take back what is over; the seconds until the next one is."""
        now = self._clock()
        for name in list(self._set):
            held = self._standing(name)
            if held is None:
                del self._set[name]
            elif held.until <= now:
                del self._set[name]
                self._levels.set(held.before, name)
        return min((held.until - now for held in self._set.values()), default=None)

    async def live(self) -> None:
        """See ``Resident``."""
        self._changed = asyncio.Event()
        while True:
            self._changed.clear()
            try:
                async with asyncio.timeout(self.look()):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def _standing(self, name: str) -> Temporary | None:
        """What was set here, unless somebody set another level since, or telemetry was configured anew."""
        held = self._set.get(name)
        asked = self._levels.asked_for().get(name)
        if held is None or asked is None or asked != stdlib_level(_severity(held.level)):
            return None
        return held


def _severity(level: str) -> int:
    from otel_trading.logs.levels import parsed

    return parsed(level)
