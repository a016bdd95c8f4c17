"""Profit and loss since the trading session began, which is once a day."""

from __future__ import annotations

import datetime as dt
from operator import add
from typing import TYPE_CHECKING, Any

from opentelemetry.metrics import Observation

from otel_trading import forks
from otel_trading.trading.orders.order import exactly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.metrics import CallbackOptions

_DAY = 86_400 * 10**9
_SESSIONS = 4_096


class Sessions:
    """Adds up what was realised since the last beginning of a session, and what is not realised now.

    Args:
        now_ns: the clock, in nanoseconds since 1970.
        start: the time of day, in UTC, at which sessions begin.

    >>> now = 0
    >>> sessions = Sessions(lambda: now, dt.time(22))
    >>> sessions.add("basis", "USDT", 5, unrealized=-1), sessions.add("basis", "USDT", 2)
    (4, 6)
    >>> now = 22 * 3600 * 10**9
    >>> sessions.add("basis", "USDT", 1)
    0

    """

    def __init__(self, now_ns: Callable[[], int], start: dt.time = dt.time(0)) -> None:
        self._now_ns = now_ns
        self._start = _of_day(start)
        self._lock = forks.lock()
        self.clear()

    def begin_at(self, start: str) -> None:
        """Have sessions begin at this time of day, in UTC, such as ``17:00``."""
        self._start = _of_day(dt.time.fromisoformat(start))

    def clear(self) -> None:
        """Begin at zero, as in a forked child."""
        self._day = -1
        self._realized: dict[tuple[str | None, str], Any] = {}
        self._unrealized: dict[tuple[str | None, str], Any] = {}

    def add(self, strategy: str | None, currency: str, change: Any, unrealized: Any = None) -> Any:  # noqa: ANN401 - amounts
        """Add what was realised; the session's profit, what is not realised included."""
        key = strategy, currency
        with self._lock:
            self._turn()
            if key not in self._realized and len(self._realized) >= _SESSIONS:
                return None
            total = self._realized[key] = exactly(add, self._realized.get(key, 0), change)
            if unrealized is not None:
                self._unrealized[key] = unrealized
            return exactly(add, total, self._unrealized.get(key, 0))

    def observe(self, _: CallbackOptions | None = None) -> Iterable[Observation]:
        """The profit of each strategy and currency."""
        with self._lock:
            self._turn()
            found = [(key, exactly(add, total, self._unrealized.get(key, 0))) for key, total in self._realized.items()]
        for (strategy, currency), profit in found:
            attributes = {"trading.currency": currency}
            if strategy is not None:
                attributes["trading.strategy.name"] = strategy
            yield Observation(float(profit), attributes)

    def _turn(self) -> None:
        """Begin anew when it is another session."""
        day = (self._now_ns() - self._start) // _DAY
        if day != self._day:
            self._day = day
            self._realized = dict.fromkeys(self._realized, 0)


def _of_day(time: dt.time) -> int:
    """Nanoseconds since midnight."""
    return (time.hour * 3_600 + time.minute * 60 + time.second) * 10**9
