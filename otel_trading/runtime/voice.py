"""How runtime telemetry speaks: never more than a line a minute about one thing, with what was kept back."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

logger = logging.getLogger("otel_trading")

_INTERVAL = 60.0
_MOST_THINGS = 256


class Voice:
    """Says whether there may be a line about a thing now, and how many were kept back since the last.

    >>> now = 0.0
    >>> voice = Voice(clock=lambda: now)
    >>> voice.kept_back("disk"), voice.kept_back("disk"), voice.kept_back("disk")
    (0, None, None)
    >>> now = 60.0
    >>> voice.kept_back("disk"), voice.kept_back("disk")
    (2, None)
    """

    def __init__(self, interval: float = _INTERVAL, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = interval
        self._clock = clock
        self._lock = threading.Lock()
        self._said: dict[Hashable, tuple[float, int]] = {}

    def kept_back(self, thing: Hashable) -> int | None:
        """How many lines about it were kept back when there may be one now, else ``None``."""
        now = self._clock()
        with self._lock:
            last, silent = self._said.get(thing, (now - self._interval, 0))
            if now - last < self._interval:
                self._said[thing] = (last, silent + 1)
                return None
            self._said.pop(thing, None)
            if len(self._said) >= _MOST_THINGS:
                del self._said[next(iter(self._said))]
            self._said[thing] = (now, 0)
            return silent

    def restart_in_child(self) -> None:
        """Use a lock of its own in a forked child: the parent's may be held for ever."""
        self._lock = threading.Lock()


def and_more(count: int) -> str:
    """The end of a line that speaks for others too.

    >>> and_more(0), and_more(2)
    ('', ' (and 2 more since the last such line)')
    """
    return f" (and {count} more since the last such line)" if count else ""
