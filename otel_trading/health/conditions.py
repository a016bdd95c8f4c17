"""Conditions: what begins only after it was wrong for a while, and ends only after it was right for a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from otel_trading.health.model import Condition

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.health.model import ConditionKind

    Listener = Callable[[Condition, bool], None]

_MOST = 1_000
"""Conditions that are followed at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What counts as wrong; times are seconds, a limit of 0 is none.

    ``recovered_at`` is the share of a limit below which a value is right again, so that it does not flutter.
    """

    window: float = 60.0
    connection: float = 5.0
    latency: float = 2.0
    error_rate: float = 1.0
    error_share: float = 0.5
    disk_free: float = 1_024 * 1_024 * 1_024
    holds: float = 10.0
    recovers: float = 30.0
    stuck: float = 5.0
    recovered_at: float = 0.9


class Hysteresis:
    """Whether something holds: it begins after some bad seconds in sum, and ends after some good ones in a row.

    What is neither bad nor good changes nothing. Bad seconds add up until it was good for as long as it takes to
    recover, so that what flaps begins, too, and does not end between two flaps.

    >>> alarm = Hysteresis(5, 10)
    >>> [alarm.step(now, bad=now < 8, good=now >= 8) for now in (0, 4, 6, 8, 12, 18)]
    [False, False, True, True, True, False]
    """

    __slots__ = ("_after", "_bad", "_good_since", "_recovers", "_seen", "_was_bad", "holds")

    def __init__(self, after: float, recovers: float) -> None:
        self._after = after
        self._recovers = recovers
        self.holds = False
        self._bad = 0.0
        self._was_bad = False
        self._good_since: float | None = None
        self._seen = 0.0

    @property
    def idle(self) -> bool:
        """Whether it neither holds nor is on the way to."""
        return not self.holds and not self._was_bad and self._bad == 0

    def step(self, now: float, *, bad: bool, good: bool) -> bool:
        """Take in how it is now, in seconds of a clock that only goes on; whether it holds."""
        if self._was_bad:
            self._bad += max(0.0, now - self._seen)
        self._seen, self._was_bad = now, bad
        if bad:
            self._good_since = None
            self.holds = self.holds or self._bad >= self._after
        elif not good:
            self._good_since = None
        else:
            if self._good_since is None:
                self._good_since = now
            if now - self._good_since >= self._recovers:
                self._bad, self.holds = 0.0, False
        return self.holds


class Conditions:
    """All conditions; told of by whoever looks, on one thread, and read by any."""

    def __init__(self, wall_ns: Callable[[], int]) -> None:
        self._wall_ns = wall_ns
        self._followed: dict[tuple[ConditionKind, str], Hysteresis] = {}
        self._active: dict[tuple[ConditionKind, str], Condition] = {}
        self._listeners: list[Listener] = []
        self.changes: list[tuple[Condition, bool]] = []
        """What began (True) or ended since somebody took these away."""

    def active(self) -> tuple[Condition, ...]:
        """What holds now."""
        return tuple(self._active.copy().values())

    def holds(self, kind: ConditionKind, subject: str) -> Condition | None:
        """The condition of this kind and subject, if it holds."""
        return self._active.get((kind, subject))

    def judge(
        self, condition: Condition, now: float, *, bad: bool, good: bool, after: float, recovers: float
    ) -> Condition | None:
        """Take in how it is now; the condition if it holds."""
        key = (condition.kind, condition.subject)
        followed = self._followed.get(key)
        if followed is None:
            if not bad or len(self._followed) >= _MOST:
                return None
            followed = self._followed[key] = Hysteresis(after, recovers)
        before = self._active.get(key)
        if followed.step(now, bad=bad, good=good):
            since = self._wall_ns() if before is None else before.since_ns
            held = Condition(*_figures(condition, before, bad=bad), since)
            self._active[key] = held
            if before is None:
                self.changes.append((held, True))
            return held
        if before is not None:
            self._end(key)
        if followed.idle:
            del self._followed[key]
        return None

    def keep(self, kind: ConditionKind, subjects: set[str]) -> None:
        """Forget the conditions of this kind whose subject is not there any more."""
        for key in [key for key in self._followed if key[0] == kind and key[1] not in subjects]:
            del self._followed[key]
            if key in self._active:
                self._end(key)

    def clear(self) -> None:
        """Know of none, as in a forked child."""
        self._followed.clear()
        self._active.clear()
        self.changes.clear()

    def _end(self, key: tuple[ConditionKind, str]) -> None:
        self.changes.append((self._active.pop(key), False))


def _figures(now: Condition, before: Condition | None, *, bad: bool) -> tuple[ConditionKind, str, float, float, str]:
    """While it is better but not over, the text says what it was."""
    said = now.text if bad or before is None or not before.text else before.text
    return now.kind, now.subject, now.value, now.limit, said
