"""Venues: whether the bot is connected, how old its data is, and what became of its requests."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod

from otel_trading.health.model import Component, Condition
from otel_trading.health.windows import EMPTY, RequestWindow, WindowStats

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.health.conditions import Conditions, Limits
    from otel_trading.health.model import State
    from otel_trading.trading.events import Event
    from otel_trading.trading.facade import Trading

EVENTS = ("connection_changed", "request_completed", "latency_updated")
_MOST_VENUES = 100
_MOST_SHOWN = 50
_FEWEST_REQUESTS = 10
"""Requests from which on a percentile or a share says something."""
_ALL, _NONE = "all", "none"


@dataclass(slots=True)
class _Link:
    """What is known of a connection beside its state."""

    since: float
    reason: str = ""
    losses: deque[float] = field(default_factory=lambda: deque(maxlen=16))


class _Venue:
    """What was heard of one venue."""

    def __init__(self, window: RequestWindow) -> None:
        self.window = window
        self.links: dict[str | None, _Link] = {}
        self.latency: tuple[Any, Any] | None = None


class Venues:
    """All venues that trading events tell of.

    Args:
        conditions: where it is told what is wrong.
        clock: seconds that only go on.
        wall_ns: nanoseconds since 1970.

    """

    def __init__(self, conditions: Conditions, clock: Callable[[], float], wall_ns: Callable[[], int]) -> None:
        self._conditions = conditions
        self._clock = clock
        self._wall_ns = wall_ns
        self._trading: Trading | None = None
        self._leave: Callable[[], None] | None = None
        self._venues: dict[str, _Venue] = {}
        self.components: tuple[Component, ...] = ()
        """What the last look found."""

    def attend(self, trading: Trading | None, window: float) -> None:
        """Listen to these trading events from now on, and to no others."""
        if trading is self._trading:
            return
        if self._leave is not None:
            self._leave()
        self._trading, self._window, self._leave = trading, window, None
        if trading is None:
            return
        heard = WeakMethod(self.hear)

        def listener(event: Event, values: tuple[Any, ...], time_ns: int) -> None:
            hear = heard()
            if hear is not None:
                hear(event, values, time_ns)
            else:
                leave()

        leave = self._leave = trading.subscribe(listener, EVENTS)

    def clear(self) -> None:
        """Know of no venue, as in a forked child."""
        self._venues.clear()
        self.components = ()

    def hear(self, event: Event, values: tuple[Any, ...], _: int) -> None:
        """Take in an event, on the bot's thread."""
        name, venue = event.name, self._venue(values[0])
        if venue is None:
            return
        if name == "trading.venue.request_completed":
            seconds = values[2]
            if seconds.__class__ is not float:
                seconds = float(seconds)
            venue.window.add(seconds, failed=values[3] is not None)
        elif name == "trading.venue.connection_changed":
            _, connection, state, reason, error = values[:5]
            now = self._clock()
            link = venue.links.get(connection)
            if link is None:
                if len(venue.links) >= _MOST_SHOWN:
                    return
                link = venue.links[connection] = _Link(now)
            link.since = now
            link.reason = f"{reason or error or ''}"
            if state == "disconnected":
                link.losses.append(now)
        else:
            venue.latency = values[1], values[2]

    def look(self, now: float, limits: Limits, critical: tuple[str, ...]) -> None:
        """See how all venues are."""
        trading = self._trading
        if trading is None:
            return
        connections: dict[str, list[tuple[str | None, str]]] = {}
        for name, connection, state in trading.connections():
            connections.setdefault(name, []).append((connection, state))
        feeds: dict[str, list[Any]] = {}
        for feed in trading.feeds:
            feeds.setdefault(feed.about.venue, []).append(feed)
        self._window = limits.window
        for venue in list(self._venues.values()):
            venue.window.seconds = limits.window
        names = sorted({*connections, *feeds, *self._venues})[:_MOST_VENUES]
        for kind in ("ConnectionDown", "HighLatency", "HighErrorRate"):
            self._conditions.keep(kind, set(names))
        self.components = tuple(
            self._component(name, now, limits, connections.get(name, []), feeds.get(name, []), critical)
            for name in names
        )

    def _venue(self, name: Any) -> _Venue | None:  # noqa: ANN401 - whatever the bot said
        venue = self._venues.get(name)
        if venue is None and isinstance(name, str) and len(self._venues) < _MOST_VENUES:
            venue = self._venues.setdefault(name, _Venue(RequestWindow(self._window, self._clock)))
        return venue

    def _component(
        self,
        name: str,
        now: float,
        limits: Limits,
        connections: list[tuple[str | None, str]],
        feeds: list[Any],
        critical: tuple[str, ...],
    ) -> Component:
        venue = self._venues.get(name)
        links = venue.links.copy() if venue is not None else {}
        lost = [(connection, state) for connection, state in connections if state != "connected"]
        texts = [_lost(connection, state, links.get(connection), now) for connection, state in lost]
        down = self._connection_down(name, now, limits, lost, texts)
        stale = [feed for feed in feeds if feed.is_stale]
        requests = venue.window.stats() if venue is not None else EMPTY
        slow = self._high_latency(name, now, limits, requests)
        failing = self._high_error_rate(name, now, limits, requests)
        reasons = [*texts]
        if down is not None and not lost:
            reasons.append(f"connected again, but not for {limits.recovers:g} s yet")
        reasons += [f"no data of {feed.about.subscription} for {feed.age or 0:.1f} s" for feed in stale[:_MOST_SHOWN]]
        reasons += [condition.text for condition in (slow, failing) if condition is not None]
        state: State = "down" if down is not None and lost else "degraded" if reasons else "healthy"
        details: dict[str, object] = {
            "websocket_connected": not lost,
            "recent_data": not stale,
            "latency_acceptable": slow is None,
            "error_rate_low": failing is None,
        }
        if connections:
            details["connections"] = {
                connection or "connection": _connection(state, links.get(connection), now, limits)
                for connection, state in connections[:_MOST_SHOWN]
            }
        if feeds:
            oldest = sorted(((feed.age or 0.0, feed.about.subscription) for feed in feeds), reverse=True)
            details["data_age"] = {subscription: round(age, 3) for age, subscription in oldest[:_MOST_SHOWN]}
        if requests.count:
            details["requests"] = _figures(requests)
        if venue is not None and venue.latency is not None:
            details["feed_latency"] = {"p50_ms": venue.latency[0], "p95_ms": venue.latency[1]}
        needed = _ALL in critical or name in critical
        return Component(
            *(f"venue {name}", state, needed, tuple(reasons), details), checked_ns=self._wall_ns(), kind="venue"
        )

    def _connection_down(
        self, name: str, now: float, limits: Limits, lost: list[tuple[str | None, str]], texts: list[str]
    ) -> Condition | None:
        return self._conditions.judge(
            Condition("ConnectionDown", name, len(lost), 0, "; ".join(texts)),
            now,
            bad=bool(lost),
            good=not lost,
            after=limits.connection,
            recovers=limits.recovers,
        )

    def _high_latency(self, name: str, now: float, limits: Limits, requests: WindowStats) -> Condition | None:
        limit, p99 = limits.latency, requests.p99
        enough = requests.count >= _FEWEST_REQUESTS
        said = f"99 % of its requests take up to {p99:.3g} s, the limit is {limit:.3g} s"
        return self._conditions.judge(
            Condition("HighLatency", name, 0.0 if math.isnan(p99) else p99, limit, said),
            now,
            bad=bool(limit) and enough and p99 > limit,
            good=not limit or not enough or p99 <= limit * limits.recovered_at,
            after=limits.holds,
            recovers=limits.recovers,
        )

    def _high_error_rate(self, name: str, now: float, limits: Limits, requests: WindowStats) -> Condition | None:
        rate, share = requests.error_rate, requests.error_share
        enough = requests.count >= _FEWEST_REQUESTS
        over = [
            (value, limit)
            for value, limit, counts in ((rate, limits.error_rate, True), (share, limits.error_share, enough))
            if limit and counts
        ]
        said = f"{rate:.3g} errors a second, {share:.0%} of its requests fail"
        return self._conditions.judge(
            Condition("HighErrorRate", name, rate, limits.error_rate, said),
            now,
            bad=any(value > limit for value, limit in over),
            good=all(value <= limit * limits.recovered_at for value, limit in over),
            after=limits.holds,
            recovers=limits.recovers,
        )


def _lost(connection: str | None, state: str, link: _Link | None, now: float) -> str:
    what = f"{connection} " if connection else ""
    since = "" if link is None else f" for {now - link.since:.1f} s"
    why = f": {link.reason}" if link is not None and link.reason else ""
    return f"{what}{state}{since}{why}"


def _connection(state: str, link: _Link | None, now: float, limits: Limits) -> dict[str, object]:
    if link is None:
        return {"state": state}
    losses = sum(now - lost <= limits.window for lost in link.losses.copy())
    about: dict[str, object] = {"state": state, "seconds": round(now - link.since, 3), "losses": losses}
    return {**about, "reason": link.reason} if link.reason else about


def _figures(requests: WindowStats) -> dict[str, object]:
    return {
        "count": requests.count,
        "errors": requests.errors,
        "p50_ms": round(requests.p50 * 1_000, 3),
        "p95_ms": round(requests.p95 * 1_000, 3),
        "p99_ms": round(requests.p99 * 1_000, 3),
        "error_rate": round(requests.error_rate, 4),
        "error_share": round(requests.error_share, 4),
    }
