"""Bounded queues of what the SDK makes: spans, log records."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from otel_trading.export.feeder import Feeder, Taker

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.export.ledger import Lane, Ledger

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Lot(Generic[Item]):
    """Items of one lane that go out together."""

    lane: Lane
    items: list[Item]

    def __len__(self) -> int:
        return len(self.items)


class BatchQueue(Feeder[Lot[Item]], Generic[Item]):
    """Collects items and hands them over in batches.

    When it is full, an item makes room for the new one: the oldest of those that are not important, else the oldest.
    It is counted as ``queue_full``.
    """

    def __init__(
        self,
        taker: Taker,
        ledger: Ledger,
        *,
        capacity: int,
        batch_size: int,
        delay: float,
        lane: Callable[[Item], Lane] | None = None,
    ) -> None:
        self._capacity = capacity
        self._batch_size = min(batch_size, capacity)
        self._lane = lane
        super().__init__(taker, ledger, delay=delay)

    def _start(self) -> None:
        self._important: deque[Item] = deque()
        self._low: deque[Item] = deque()
        super()._start()

    def put(self, item: Item) -> None:
        """Queue an item; never blocks and never raises."""
        lane: Lane = "important" if self._lane is None else self._lane(item)
        self.ledger.emitted()
        with self._lock:
            if self._closing:
                self.ledger.dropped("shut_down", lane=lane)
                return
            if self._waiting() >= self._capacity:
                self._make_room()
            items = self._important if lane == "important" else self._low
            items.append(item)
            full = len(items) >= self._batch_size
            if self._thread is None:
                self._launch()
        if full:
            self._wake.set()

    def _make_room(self) -> None:
        lane: Lane = "low" if self._low else "important"
        (self._low or self._important).popleft()
        self.ledger.dropped("queue_full", lane=lane)

    def _waiting(self) -> int:
        return len(self._important) + len(self._low)

    def _next(self, *, rest: bool) -> Lot[Item] | None:
        return self._lot("important", self._important, rest=rest) or self._lot("low", self._low, rest=rest)

    def _lot(self, lane: Lane, items: deque[Item], *, rest: bool) -> Lot[Item] | None:
        count = min(self._batch_size, len(items))
        if count == 0 or (count < self._batch_size and not rest):
            return None
        return Lot(lane, [items.popleft() for _ in range(count)])

    def _hand_over(self, batch: Lot[Item]) -> None:
        self._taker.take(batch.items, len(batch), batch.lane)

    def _discard(self) -> int:
        left = self._waiting()
        self._important.clear()
        self._low.clear()
        return left
