"""How fast a channel may be told, and when it is tried again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_RESERVE = 0.2


@dataclass(frozen=True, slots=True)
class Rate:
    """What a service takes: so many messages at once, and so many a minute in the long run."""

    burst: int
    per_minute: float


class Bucket:
    """Says how long the next message has to wait; a fifth of a burst is kept for what is important.

    >>> now = 0.0
    >>> bucket = Bucket(Rate(burst=5, per_minute=60), lambda: now)
    >>> for _ in range(4):
    ...     bucket.take()
    >>> bucket.wait(important=False), bucket.wait(important=True)
    (1.0, 0.0)
    >>> bucket.pause(30)
    >>> bucket.wait(important=True)
    30.0
    """

    def __init__(self, rate: Rate, clock: Callable[[], float]) -> None:
        self._burst = float(rate.burst)
        self._a_second = rate.per_minute / 60
        self._reserve = float(int(rate.burst * _RESERVE))
        self._clock = clock
        self._tokens, self._at = self._burst, clock()
        self._closed_until = 0.0

    def wait(self, *, important: bool) -> float:
        """Seconds until a message may go."""
        now = self._refill()
        wanted = 1.0 if important else 1.0 + self._reserve
        missing = max(0.0, wanted - self._tokens)
        return max(missing / self._a_second, self._closed_until - now, 0.0)

    def take(self) -> None:
        """Count a message."""
        self._refill()
        self._tokens -= 1.0

    def at_once(self) -> int:
        """How many unimportant messages may go now."""
        self._refill()
        return max(0, int(self._tokens - self._reserve))

    def pause(self, seconds: float) -> None:
        """Let nothing go for a while: the service said so."""
        self._closed_until = max(self._closed_until, self._clock() + seconds)

    def _refill(self) -> float:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._a_second)
        self._at = now
        return now


def pause_after(attempts: int, chance: Callable[[], float]) -> float:
    """Seconds until the next attempt: twice as many each time, between half and all of them at random.

    >>> [pause_after(attempts, lambda: 1.0) for attempts in (1, 2, 3, 20)]
    [0.5, 1.0, 2.0, 30.0]
    """
    most = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(attempts - 1, 16))
    return most * (0.5 + chance() / 2)
