"""Market data: how much of it comes, and how old that of each subscription is."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from otel_trading.ops.cockpit.values import Tree, known, number, words

if TYPE_CHECKING:
    from otel_trading.trading.facade import Trading
    from otel_trading.trading.feeds import Feed

ROWS = 60
"""Subscriptions that are shown: the stale ones, then the oldest."""

_MOST = 1_000
"""Subscriptions that are looked at."""


class Markets:
    """Reads subscriptions, which count by themselves; rates follow from two looks."""

    def __init__(self) -> None:
        self._seen: dict[Feed, tuple[float, int, float]] = {}
        self._names: dict[Feed, tuple[str, Tree]] = {}
        self.rate = 0.0
        """Frames a second of all subscriptions."""
        self.oldest: float | None = None
        """The age of the oldest data, seconds."""

    def measure(self, trading: Trading, now: float) -> None:
        """Look at how many frames came, about once a second; ``now`` in seconds."""
        seen: dict[Feed, tuple[float, int, float]] = {}
        ages = []
        for feed in islice(trading.feeds, _MOST):
            messages, age = feed.messages, feed.age
            then, before, _ = self._seen.get(feed, (now, messages, 0.0))
            seen[feed] = now, messages, max(0, messages - before) / (now - then) if now > then else 0.0
            if age is not None:
                ages.append(age)
        self._seen = seen
        self._names = {feed: named for feed, named in self._names.items() if feed in seen}
        self.rate = sum(rate for _, _, rate in seen.values())
        self.oldest = max(ages, default=None)

    def feeds(self, trading: Trading) -> Tree:
        """Each subscription."""
        rows = []
        for feed in islice(trading.feeds, _MOST):
            age = feed.age
            stale = age is not None and age > feed.threshold
            rows.append((not stale, -(age or 0.0), feed, age, stale))
        if len(rows) > ROWS:
            rows.sort(key=lambda each: each[:2])
        return {
            "count": len(rows),
            "stale": sum(each[-1] for each in rows),
            "rate": round(self.rate, 1),
            "rows": dict(self._row(feed, age, stale=stale) for _, _, feed, age, stale in rows[:ROWS]),
        }

    def _row(self, feed: Feed, age: float | None, *, stale: bool) -> tuple[str, Tree]:
        known_as = self._names.get(feed)
        if known_as is None:
            known_as = self._names[feed] = _named(feed)
        name, about = known_as
        messages = feed.messages
        row = {**about, "stale": stale, "messages": messages}
        seen = self._seen.get(feed)
        if seen is not None:
            row["rate"] = round(seen[2], 1)
        if age is not None:
            row["age"] = round(age, 2)
        return name, row


def _named(feed: Feed) -> tuple[str, Tree]:
    about = feed.about
    name = words(f"{about.venue} {about.subscription} {about.symbol or ''} {about.type}", 200) or "-"
    return name, known(
        venue=words(about.venue),
        subscription=words(about.subscription),
        symbol=words(about.symbol),
        type=words(about.type),
        threshold=number(feed.threshold),
    )
