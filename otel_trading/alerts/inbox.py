"""Where trading events wait for the rules: the only thing of alerts on the bot's own thread."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from otel_trading.trading.events import Event
    from otel_trading.trading.facade import Trading

HEARD = frozenset(
    {
        *("trading.venue.connection_changed", "trading.venue.session_changed", "trading.venue.request_completed"),
        *("trading.market_data.error", "trading.market_data.stale", "trading.market_data.resumed"),
        *("trading.market_data.latency_updated", "trading.opportunity.detected", "trading.strategy.failed"),
        *("trading.order.submitted", "trading.order.filled", "trading.order.rejected", "trading.order.unanswered"),
        *("trading.order.abandoned", "trading.position.changed", "trading.position.drifted"),
        *("trading.risk.limit_checked", "trading.circuit_breaker.changed", "trading.halted", "trading.resumed"),
    }
)
"""The events that they listen to."""

URGENT = frozenset(
    {
        *("trading.circuit_breaker.changed", "trading.halted", "trading.strategy.failed"),
        *("trading.venue.connection_changed", "trading.market_data.error", "trading.order.unanswered"),
    }
)
"""Those of them that rules are asked for at once."""

ROOM = 16_384
"""Events that wait; beyond them new ones are counted and left out."""


class Inbox:
    """Takes events in; what is urgent wakes who reads.

    Args:
        wake: called on the bot's thread when something urgent came and nobody was woken since the last ``take``.

    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._waiting: deque[tuple[Event, Sequence[Any], int]] = deque()
        self._append = self._waiting.append
        self.dropped = 0
        """Events that found no room."""
        self._woken = False

    def note(self, event: Event, values: Sequence[Any], time_ns: int) -> None:
        """Take one in."""
        if len(self._waiting) < ROOM:
            self._append((event, values, time_ns))
        else:
            self.dropped += 1

    def note_urgent(self, event: Event, values: Sequence[Any], time_ns: int) -> None:
        """Take one in that is acted upon at once."""
        self.note(event, values, time_ns)
        self.wake()

    def wake(self) -> None:
        """Have what waits read at once."""
        if not self._woken:
            self._woken = True
            self._wake()

    def take(self) -> list[tuple[Event, Sequence[Any], int]]:
        """What came since the last time, the oldest first."""
        self._woken = False
        waiting = self._waiting
        return [waiting.popleft() for _ in range(len(waiting))]

    def clear(self) -> None:
        """Begin empty, as in a forked child."""
        self._waiting.clear()
        self._woken = False

    def subscribe(self, trading: Trading) -> Callable[[], None]:
        """Hear of what rules need; what undoes it."""
        undo = (trading.subscribe(self.note, HEARD - URGENT), trading.subscribe(self.note_urgent, URGENT))

        def both() -> None:
            for each in undo:
                each()

        return both
