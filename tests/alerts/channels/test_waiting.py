"""The queue of a channel, step by step."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from otel_trading.alerts.model import AlertLevel, AlertPayload, Notification
from otel_trading.alerts.waiting import IMPORTANT, Item, Waiting

SIZE = 6


class Queue(RuleBasedStateMachine):
    """Nothing disappears: each item is sent, waits, gave way, or is in a digest."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = Waiting(SIZE)
        self.now = 0.0
        self.count = 0
        self.in_order: dict[str, list[int]] = {}
        self.here: dict[int, Item] = {}
        self.gave_way: Counter[str] = Counter()

    @rule(
        level=st.sampled_from(AlertLevel),
        key=st.sampled_from("abcd"),
        kind=st.sampled_from(["first", "reminder", "resolved"]),
    )
    def add(self, level: AlertLevel, key: str, kind: Any) -> None:
        self.count += 1
        self.now += 1
        alert = AlertPayload(level, key, "", rule=key)
        item = Item(Notification(alert, ("desk",), kind, id=str(self.count)), self.now)
        gone = self.waiting.add(item)
        self.here[self.count] = item
        self.in_order.setdefault(key, []).append(self.count)
        if gone is not None:
            assert gone.rank == min(each.rank for each in self.here.values())
            self.gave_way[gone.key] += 1
            self._gone(gone)

    @precondition(lambda self: self.here)
    @rule(works=st.booleans())
    def send(self, works: bool) -> None:
        self.now += 1
        item = self.waiting.best(self.now)
        if item is None:
            assert all(each.not_before > self.now for each in self._heads())
            return
        if item.digest:
            self.waiting.remove(item)
            return
        assert int(item.notification.id) == self.in_order[item.key][0], "what came first is told first"
        most = max(each.rank for each in self.here.values() if self._head_of(each).not_before <= self.now)
        assert max(each.rank for each in self.here.values() if each.key == item.key) == most
        self.waiting.remove(item)
        if works:
            self._gone(item)
        else:
            item.attempts += 1
            item.not_before = self.now + 2
            self.waiting.back(item)

    @precondition(lambda self: self.waiting.foldable() > 0)
    @rule()
    def fold(self) -> None:
        digest, folded = self.waiting.fold(self.now)
        assert digest.notification.alert.title.startswith(f"{len(folded)} more: ")
        assert digest.notification.alert.level is max(
            (i.notification.alert.level for i in folded), key=lambda x: x.rank
        )
        for item in folded:
            assert item.rank < IMPORTANT.rank
            self._gone(item)

    @precondition(lambda self: self.waiting.overflow)
    @rule()
    def digest(self) -> None:
        total = self.gave_way.total()
        item = self.waiting.digest_of_overflow(self.now)
        assert item.notification.alert.title.startswith(f"{total} more: ")
        self.gave_way.clear()

    @invariant()
    def nothing_is_lost(self) -> None:
        assert len(self.waiting) == len(self.here) <= SIZE
        assert {int(item.notification.id) for item in self.waiting} == set(self.here)
        assert self.waiting.overflow == self.gave_way

    def _gone(self, item: Item) -> None:
        number = int(item.notification.id)
        del self.here[number]
        self.in_order[item.key].remove(number)

    def _head_of(self, item: Item) -> Item:
        return self.here[self.in_order[item.key][0]]

    def _heads(self) -> list[Item]:
        return [self.here[numbers[0]] for numbers in self.in_order.values() if numbers]


Queue.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestQueue = Queue.TestCase
