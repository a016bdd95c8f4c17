"""How much time there is: one deadline for everything, shared among what is still to be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MOST_FOR_DELIVERY = 1 / 3
_LEAST = 0.05
"""Seconds that each step keeps, where there are as many."""


class Pace:
    """Seconds that are left in total, ``delivery`` of them for telemetry at the very end.

    >>> now = 100.0
    >>> pace = Pace(lambda: now, total=25, delivery=5, hurry=2)
    >>> pace.left, pace.for_steps
    (25.0, 20.0)
    >>> pace.share([True, False, True])
    10.0
    >>> pace.hurry()
    >>> round(pace.left, 3), round(pace.for_steps, 3)
    (2.0, 1.333)
    """

    def __init__(self, clock: Callable[[], float], *, total: float, delivery: float, hurry: float) -> None:
        self._clock = clock
        self._hurry = hurry
        self.total = total
        self.delivery = min(delivery, total * _MOST_FOR_DELIVERY)
        self.deadline = clock() + total
        self.hurried = 0

    def now(self) -> float:
        """The time."""
        return self._clock()

    @property
    def left(self) -> float:
        """Seconds until the end of all."""
        return max(0.0, self.deadline - self._clock())

    @property
    def for_steps(self) -> float:
        """Seconds that are left for steps."""
        return max(0.0, self.deadline - self.delivery - self._clock())

    @property
    def over(self) -> bool:
        """Whether nothing more is to be begun."""
        return self.for_steps <= 0

    def share(self, critical: Sequence[bool]) -> float:
        """How much the first of these may take: each of the others keeps its part, critical ones twice of it."""
        left, count = self.for_steps, len(critical)
        fair = left / count
        return left - sum(fair if each else max(fair / 2, min(fair, _LEAST)) for each in critical[1:])

    def hurry(self) -> None:
        """Somebody asks for it a second time; at a third time there is no time left."""
        self.hurried += 1
        rest = self._hurry if self.hurried == 1 else 0.0
        self.deadline = min(self.deadline, self._clock() + rest)
        self.delivery = min(self.delivery, rest * _MOST_FOR_DELIVERY)
