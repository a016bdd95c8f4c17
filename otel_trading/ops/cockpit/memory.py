"""What trading events said last: what somebody in front of the page asks for, and nobody else remembers."""

from __future__ import annotations

from collections import Counter, deque
from operator import add, itemgetter
from typing import TYPE_CHECKING, Any

from otel_trading import _native
from otel_trading.trading.conventions import NAMES
from otel_trading.trading.events import EVENTS
from otel_trading.trading.orders.order import exactly

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.trading.events import Event
    from otel_trading.trading.facade import Trading
    from otel_trading.trading.fanout import Values

    Key = tuple[Any, ...]
    Said = tuple[Values, int]

FILLS, ENDED = 50, 50
"""Executions, and refused or expired orders, that are remembered."""

ROWS = 500
"""Positions, limits, breakers and so on that are remembered of each kind."""

_KEYED = {
    "position_changed": ("venue", "symbol", "strategy"),
    "balance_changed": ("venue", "account", "currency"),
    "limit_checked": ("limit_name", "scope", "strategy", "venue", "symbol"),
    "breaker_changed": ("breaker",),
    "risk_measured": ("measure", "confidence", "window", "strategy", "venue", "symbol", "currency"),
    "connection_changed": ("venue", "connection"),
}
"""Events of which the last one counts, and the fields that tell their subjects apart."""

_TIMED = {
    "order_submitted": "tick_to_trade_seconds",
    "order_acknowledged": "duration_seconds",
    "order_filled": "duration_seconds",
    "order_canceled": "duration_seconds",
    "request_completed": "duration_seconds",
    "trade_completed": "duration_seconds",
}
"""Events that tell how long something took."""

_COUNTED = (
    *("order_submitted", "order_acknowledged", "order_filled", "order_canceled", "order_rejected", "order_expired"),
    *("order_unanswered", "order_anomaly_reported", "trade_completed", "opportunity_detected", "strategy_failed"),
)
_RECENT = {"order_filled": FILLS, "order_rejected": ENDED, "trade_completed": ENDED}
_STATES = ("halted", "resumed")


class Memory:
    """Listens on the bot's thread, where it only puts down what it is told; all of it is bounded."""

    def __init__(self, pump: _native.Pump) -> None:
        self._pump = pump
        self._undo: list[Callable[[], None]] = []
        self._trading: Trading | None = None
        self.watches: dict[str, _native.HistogramWatch] = {}
        """Percentiles of how long orders and trades took, by event."""
        self._begin()

    def _begin(self) -> None:
        self.last: dict[str, dict[Any, Said]] = {name: {} for name in _KEYED}
        """What was said last of each subject, by event."""
        self.recent: dict[str, deque[Said]] = {name: deque(maxlen=most) for name, most in _RECENT.items()}
        self.counts: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        """How trades ended."""
        self.realized: dict[Key, Any] = {}
        """Profit by strategy and currency, since the memory began."""
        self.session: dict[Key, Any] = {}
        self.unrealized: dict[Key, Any] = {}
        """By strategy, currency, venue and symbol."""
        self.state: tuple[str, Values, int] | None = None
        """The last halt or its end."""

    def follow(self, trading: Trading | None) -> None:
        """Listen to what the bot says from now on; to nobody without it."""
        if trading is self._trading:
            return
        self._trading = trading
        for undo in self._undo:
            undo()
        self._undo = [] if trading is None else [trading.subscribe(hear, [name]) for name, hear in self._listeners()]

    def forget(self) -> None:
        """Know nothing, as in a forked child."""
        self._begin()
        trading, self._trading = self._trading, None
        self.follow(trading)

    def _listeners(self) -> list[tuple[str, Callable[[Event, Values, int], None]]]:
        listeners: list[tuple[str, Callable[[Event, Values, int], None]]] = []
        listeners += [(name, self._keeping(name, fields)) for name, fields in _KEYED.items()]
        listeners += [(name, self._timing(name, field)) for name, field in _TIMED.items()]
        listeners += [(name, self._counting(name)) for name in _COUNTED]
        listeners += [(name, self._collecting(name)) for name in _RECENT]
        listeners += [(name, self._halting(name)) for name in _STATES]
        listeners += [("pnl_changed", self._adding()), ("trade_completed", self._judging())]
        return listeners

    def _keeping(self, name: str, fields: tuple[str, ...]) -> Callable[[Event, Values, int], None]:
        """The last of each subject."""
        rows, subject = self.last[name], itemgetter(*(_place(name, field) for field in fields))

        def keep(_: Event, values: Values, time_ns: int) -> None:
            key = subject(values)
            if key in rows or len(rows) < ROWS:
                rows[key] = values, time_ns

        return keep

    def _timing(self, name: str, field: str) -> Callable[[Event, Values, int], None]:
        """How long it took, in a histogram of our own."""
        record, place = self._histogram(name).record, _place(name, field)

        def time(_: Event, values: Values, __: int) -> None:
            seconds = values[place]
            if seconds is not None:
                record(seconds)

        return time

    def _histogram(self, name: str) -> _native.BoundHistogram:
        before = self.watches.get(name)
        if before is not None:
            self._pump.forget(before)
        registry = _native.Registry()
        own: Any = registry.instrument("histogram", 0, name, "s")
        registry.stream(own, name, "", "histogram")
        bound = _native.BoundHistogram(own, None)
        self.watches[name] = self._pump.watch(bound, name)
        return bound

    def _counting(self, name: str) -> Callable[[Event, Values, int], None]:
        counts = self.counts

        def count(_: Event, __: Values, ___: int) -> None:
            counts[name] += 1

        return count

    def _collecting(self, name: str) -> Callable[[Event, Values, int], None]:
        recent = self.recent[name]

        def collect(_: Event, values: Values, time_ns: int) -> None:
            recent.append((values, time_ns))

        return collect

    def _halting(self, name: str) -> Callable[[Event, Values, int], None]:
        def halt(_: Event, values: Values, time_ns: int) -> None:
            self.state = name, values, time_ns

        return halt

    def _adding(self) -> Callable[[Event, Values, int], None]:
        """Profit of each strategy in each currency."""
        realized, session, unrealized = self.realized, self.session, self.unrealized

        def gain(_: Event, values: Values, __: int) -> None:
            venue, symbol, strategy, currency, change, ___, open_, so_far = values
            key = strategy, currency
            if key not in session and len(session) >= ROWS:
                return
            session[key] = so_far
            realized[key] = exactly(add, realized.get(key, 0), change or 0)
            if open_ is not None:
                detail = *key, venue, symbol
                if detail in unrealized or len(unrealized) < ROWS:
                    unrealized[detail] = open_

        return gain

    def _judging(self) -> Callable[[Event, Values, int], None]:
        outcomes, place = self.outcomes, _place("trade_completed", "outcome")

        def judge(_: Event, values: Values, __: int) -> None:
            outcomes[str(values[place])] += 1

        return judge


def _place(name: str, field: str) -> int:
    """Where a field stands among an event's values."""
    return EVENTS[NAMES[name]].fields.index(field)


def fields(name: str, values: Values) -> dict[str, Any]:
    """An event's values by the names of their fields.

    >>> fields("breaker_changed", ("daily_loss", "closed", "open", "limit", None))["breaker_state"]
    'open'
    """
    return dict(zip(EVENTS[NAMES[name]].fields, values, strict=False))
