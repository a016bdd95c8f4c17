"""What events say, kept until rules look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from otel_trading.alerts.rules.view import Breaker, Connection, Fills, Halt, Happened, Limit, Position, Silent, View
from otel_trading.alerts.rules.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from otel_trading.alerts.rules.view import Disk
    from otel_trading.health.model import HealthReport
    from otel_trading.trading.events import Event
    from otel_trading.trading.feeds import Feed

    Heard = tuple[Event, Sequence[Any], int]

_K = TypeVar("_K")
_V = TypeVar("_V")
_MOST = 2_000
"""Things of one kind that are remembered."""
_HOUR, _MINUTE = 3_600.0, 60.0
_FRESH = 120.0
"""Seconds that a latency holds that the bot told itself."""


class State:
    """Follows what rules ask for; nothing here waits or asks anybody."""

    def __init__(self) -> None:
        self._on: dict[str, Callable[[Happened, float], None]] = {
            "trading.venue.connection_changed": self._connection,
            "trading.position.changed": self._position,
            "trading.risk.limit_checked": self._limit,
            "trading.circuit_breaker.changed": self._breaker,
            "trading.halted": self._halted,
            "trading.resumed": self._resumed,
            "trading.order.submitted": self._submitted,
            "trading.order.filled": self._filled,
            "trading.venue.request_completed": self._request,
            "trading.market_data.error": self._error,
            "trading.market_data.latency_updated": self._latency,
            "trading.market_data.stale": self._stale,
            "trading.market_data.resumed": self._came_again,
        }
        self._submissions, self._fills = Window(_HOUR), Window(_HOUR)
        self._errors = Window(_MINUTE)
        self.clear()

    def clear(self) -> None:
        """Know nothing, as in a forked child."""
        self._connections: dict[tuple[str, str], tuple[str, float, str | None]] = {}
        self._positions: dict[tuple[str, str, str | None], Position] = {}
        self._limits: dict[tuple[Any, ...], tuple[float, Limit]] = {}
        self._breakers: dict[str, Breaker] = {}
        self._halt: Halt | None = None
        self._told_latency: dict[str, tuple[float, float]] = {}
        self._silent: dict[tuple[str, str, str | None, str], float] = {}
        self._events: list[Happened] = []
        for window in (self._submissions, self._fills, self._errors):
            window.clear()

    def take(self, heard: Iterable[Heard], now: float) -> None:
        """Take events in; ``now`` is the monotonic time in seconds."""
        for event, values, time_ns in heard:
            happened = Happened(event, values, time_ns)
            self._events.append(happened)
            take = self._on.get(event.name)
            if take is not None:
                take(happened, now)

    def view(
        self,
        now: float,
        now_ns: int,
        health: HealthReport,
        *,
        feeds: Iterable[Feed] = (),
        latency: Mapping[str, float],
        session_pnl: Mapping[tuple[str | None, str], float],
        disks: tuple[Disk, ...] = (),
        firing: frozenset[str] = frozenset(),
    ) -> View:
        """The state as it is now, with the events since the last time."""
        events, self._events = tuple(self._events), []
        submitted, filled = self._submissions.totals(now), self._fills.totals(now)
        told = {venue: p95 for venue, (since, p95) in self._told_latency.items() if now - since <= _FRESH}
        return View(
            now_ns=now_ns,
            health=health,
            subscriptions=self._ages(feeds, now),
            latency={**told, **latency},
            connections={
                key: Connection(state, now - since, reason) for key, (state, since, reason) in self._connections.items()
            },
            positions=dict(self._positions),
            limits=tuple(limit._replace(seconds=now - since) for since, limit in self._limits.values()),
            breakers=dict(self._breakers),
            halt=self._halt,
            session_pnl=session_pnl,
            fills={venue: Fills(count, filled.get(venue, 0)) for venue, count in submitted.items()},
            errors={venue: count / _MINUTE for venue, count in self._errors.totals(now).items()},
            disks=disks,
            events=events,
            firing=firing,
        )

    def _ages(self, feeds: Iterable[Feed], now: float) -> tuple[Silent, ...]:
        """Of each subscription, and of what the bot calls silent at venues where it has none."""
        found, venues = [], set()
        for feed in feeds:
            about, age = feed.about, feed.age
            venues.add(about.venue)
            if age is not None:
                found.append(Silent(about.venue, about.subscription, about.symbol, about.type, age, feed.threshold))
        found += [Silent(*key, now - since, 0.0) for key, since in self._silent.items() if key[0] not in venues]
        return tuple(found)

    def _connection(self, event: Happened, now: float) -> None:
        key, state = (event["venue"], event["connection"] or ""), event["connection_state"]
        if state == "disconnected" and event["wanted"]:
            self._connections.pop(key, None)
            return
        before, since, reason = self._connections.get(key, ("", now, None))
        lost = before in {"disconnected", "reconnecting"}
        if state == "connecting" and lost:
            state = "reconnecting"
        still_lost = lost and state != "connected"
        said = event["reason"] or event["error_type"]
        entry = (state, since if still_lost else now, said or reason if still_lost else said)
        _remember(self._connections, key, entry)

    def _position(self, event: Happened, _: float) -> None:
        key = event["venue"], event["symbol"], event["strategy"]
        size = event["position"]
        if size == 0:
            self._positions.pop(key, None)
            return
        worth = event["position_notional"]
        held = Position(_number(size), _number(worth), event["currency"])
        _remember(self._positions, key, held)

    def _limit(self, event: Happened, now: float) -> None:
        name, scope, result, used, limit, utilization, strategy, venue, symbol, _ = event.values
        key = name, scope, strategy, venue, symbol
        numbers = _number(used), _number(limit), _number(utilization)
        _remember(self._limits, key, (now, Limit(name, scope, strategy, venue, symbol, result, *numbers, 0.0)))

    def _breaker(self, event: Happened, _: float) -> None:
        _remember(self._breakers, event["breaker"], Breaker(event["breaker_state"], event["reason"] or event["text"]))

    def _halted(self, event: Happened, _: float) -> None:
        self._halt = Halt(event["trigger"], event["reason"] or event["text"])

    def _resumed(self, _: Happened, __: float) -> None:
        self._halt = None

    def _submitted(self, event: Happened, now: float) -> None:
        self._submissions.add(now, event["venue"] or "")

    def _filled(self, event: Happened, now: float) -> None:
        if event["status"] == "filled":
            self._fills.add(now, event["venue"] or "")

    def _request(self, event: Happened, now: float) -> None:
        if event["error_type"] is not None:
            self._errors.add(now, event["venue"])

    def _error(self, event: Happened, now: float) -> None:
        self._errors.add(now, event["venue"])

    def _latency(self, event: Happened, now: float) -> None:
        _remember(self._told_latency, event["venue"], (now, float(event["p95_ms"]) / 1_000))

    def _stale(self, event: Happened, now: float) -> None:
        key = event["venue"], event["subscription"] or "", event["symbol"], event["data_type"] or ""
        _remember(self._silent, key, now - (event["staleness_seconds"] or 0.0))

    def _came_again(self, event: Happened, _: float) -> None:
        self._silent.pop((event["venue"], event["subscription"] or "", event["symbol"], event["data_type"] or ""), None)


def _remember(known: dict[_K, _V], key: _K, value: _V) -> None:
    if key not in known and len(known) >= _MOST:
        del known[next(iter(known))]
    known[key] = value


def _number(value: Any) -> float | None:  # noqa: ANN401 - amounts
    return None if value is None else float(value)
