"""What waits for a channel: the important first, in order for each alert, and what is too much as a digest."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from otel_trading.alerts.model import AlertLevel, AlertPayload, Notification

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

IMPORTANT = AlertLevel.ERROR
"""From this level on an alert has a message of its own while there is room."""

_NAMED = 20
"""Alerts that a digest names; all are counted."""

_RULE = "digest"


@dataclass(slots=True)
class Item:
    """A notification on its way through one channel."""

    notification: Notification
    posted: float
    attempts: int = 0
    not_before: float = 0.0
    error: str = ""
    digest: bool = False
    interrupted: bool = False
    """Whether an attempt was broken off."""
    acknowledgement: bool = False
    """Whether it says that somebody looks after the alert."""

    @property
    def key(self) -> str:
        """The alert's key."""
        return self.notification.alert.key

    @property
    def rank(self) -> int:
        """How important it is."""
        return self.notification.alert.level.rank

    @property
    def foldable(self) -> bool:
        """Whether it may stand in a digest with others."""
        return (
            self.rank < IMPORTANT.rank and self.attempts == 0 and not self.digest and self.notification.kind != "test"
        )


class Waiting:
    """At most ``size`` items; the least important one gives way, and is counted for the next digest.

    >>> waiting = Waiting(size=1)
    >>> for level in (AlertLevel.INFO, AlertLevel.CRITICAL):
    ...     alert = AlertPayload(level, f"{level} alert", "", rule=level.lower())
    ...     gone = waiting.add(Item(Notification(alert, ("desk",), "first"), posted=0.0))
    >>> gone.key, waiting.best(now=0.0).key, waiting.overflow
    ('info', 'critical', Counter({'info': 1}))
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._count = 0
        self._by_key: OrderedDict[str, deque[Item]] = OrderedDict()
        self.overflow: Counter[str] = Counter()
        self._overflow_level = AlertLevel.INFO

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Item]:
        for items in self._by_key.values():
            yield from items

    def add(self, item: Item) -> Item | None:
        """Take an item; the one that gave way for it, if there was no room."""
        self._by_key.setdefault(item.key, deque()).append(item)
        self._count += 1
        if self._count <= self._size:
            return None
        least = self._least()
        self.remove(least)
        self._count_out(least)
        return least

    def back(self, item: Item) -> None:
        """Put an item back to the beginning of what is told of its alert."""
        self._by_key.setdefault(item.key, deque()).appendleft(item)
        self._count += 1

    def remove(self, item: Item) -> None:
        """Let an item go."""
        items = self._by_key[item.key]
        items.remove(item)
        self._count -= 1
        if not items:
            del self._by_key[item.key]

    def best(self, now: float) -> Item | None:
        """The item that goes next; ``None`` when none may go yet."""
        ready = [items for items in self._by_key.values() if items[0].not_before <= now]
        if not ready:
            return None
        return max(ready, key=lambda items: (max(item.rank for item in items), -items[0].posted))[0]

    def soonest(self) -> float | None:
        """When the next one may go."""
        return min((items[0].not_before for items in self._by_key.values()), default=None)

    @property
    def digests(self) -> bool:
        """Whether a digest is among them."""
        return any(item.digest for item in self)

    def foldable(self) -> int:
        """How many could stand in one digest."""
        return sum(item.foldable for item in self)

    def fold(self, posted: float) -> tuple[Item, list[Item]]:
        """Put all that can stand in one digest into one; the digest, and what is in it."""
        folded = [item for item in self if item.foldable]
        for item in folded:
            self.remove(item)
        level = max((item.notification.alert.level for item in folded), key=lambda level: level.rank)
        counted = Counter(item.notification.alert.rule or item.notification.alert.title for item in folded)
        named = [item.notification.alert for item in folded]
        return Item(_digest(counted, level, named), posted, digest=True), folded

    def digest_of_overflow(self, posted: float) -> Item:
        """Make a digest of what gave way, and count from zero."""
        counted, self.overflow = self.overflow, Counter()
        level, self._overflow_level = self._overflow_level, AlertLevel.INFO
        return Item(_digest(counted, level, ()), posted, digest=True)

    def _least(self) -> Item:
        """The last of the least important; what ends an alert outlives what begins one, and digests are kept."""
        kinds = {"reminder": 0, "resolved": 2, "test": 3}
        return min(
            (item for item in self if not item.digest),
            key=lambda item: (item.rank, kinds.get(item.notification.kind, 1), -item.posted),
        )

    def _count_out(self, item: Item) -> None:
        alert = item.notification.alert
        self.overflow[alert.rule or alert.title] += 1
        self._overflow_level = max(self._overflow_level, alert.level, key=lambda level: level.rank)


def _digest(counted: Counter[str], level: AlertLevel, named: Iterable[AlertPayload]) -> Notification:
    """A notification that speaks for many.

    >>> _digest(Counter({"stale_data": 12, "high_latency": 5}), AlertLevel.WARNING, ()).alert.title
    '17 more: 12 stale_data, 5 high_latency'
    """
    common = counted.most_common(5)
    shown = ", ".join(f"{count} {name}" for name, count in common)
    others = counted.total() - sum(count for _, count in common)
    more = f", {others} others" if others else ""
    alert = AlertPayload(
        level,
        f"{counted.total()} more: {shown}{more}",
        "They came faster than this channel takes messages. The log has each of them.",
        fields={name: str(count) for name, count in counted.most_common(_NAMED)},
        rule=_RULE,
    )
    return Notification(alert, (), "first", tuple(named)[:_NAMED])
