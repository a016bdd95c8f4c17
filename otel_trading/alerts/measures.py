"""What delivery measures of itself."""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING, Any

from otel_trading.forks import whole_imports

if TYPE_CHECKING:
    from otel_trading.alerts.record import Delivery
    from otel_trading.metrics.instruments import Meter

_NAMES = "otel_trading.trading.conventions"
_WAITING = 1_000


class Measures:
    """Counts notifications, and times those that arrived.

    Its instruments are made by the ops thread: what they are called is a table that no bot waits for.
    """

    def __init__(self) -> None:
        self._meter: Meter | None = None
        self._made: tuple[Any, Any] | None = None
        self._waiting: deque[Delivery] = deque(maxlen=_WAITING)

    def use(self, meter: Meter) -> None:
        """Measure on this meter from now on."""
        if meter is not self._meter:
            self._meter, self._made = meter, None

    def prepare(self) -> None:
        """Make the instruments, and measure what came before them."""
        if self._meter is None or self._made is not None:
            return
        with whole_imports():
            from otel_trading.trading.conventions import create

        meter = self._meter
        self._made = create(meter, "trading.alert.notifications"), create(meter, "trading.alert.delivery.duration")
        while self._waiting:
            self.note(self._waiting.popleft())

    def note(self, delivery: Delivery) -> None:
        """Count what became of a notification."""
        if self._made is None and _NAMES in sys.modules:
            self.prepare()
        if self._made is None:
            self._waiting.append(delivery)
            return
        count, duration = self._made
        channel = {"trading.alert.channel": delivery.channel}
        level = {"trading.alert.level": delivery.level.lower(), "trading.alert.outcome": delivery.outcome}
        count.add(1, {**level, **channel})
        if delivery.outcome == "sent":
            duration.record(delivery.latency, channel)
