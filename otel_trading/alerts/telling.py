"""When people are told: first, again as it gets worse or nobody cares, and when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.alerts.grouping import Grouping, Restraint
from otel_trading.alerts.routing import Routing
from otel_trading.alerts.silences import Silences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from otel_trading.alerts.engine import Change
    from otel_trading.alerts.grouping import Kind
    from otel_trading.alerts.model import AlertLevel, Notification
    from otel_trading.alerts.tracks import Track

    Suppressed = Callable[[Track, tuple[str, ...]], None]


class Telling:
    """Decides what is told to whom, and when.

    Args:
        new_id: makes ids of notifications.
        suppressed: called with what somebody would have been told, if it were not silenced or held back.

    """

    def __init__(self, new_id: Callable[[], str], suppressed: Suppressed) -> None:
        self.routing = Routing()
        self.silences = Silences()
        self.grouping = Grouping()
        self.restraint = Restraint()
        self.remind_after = 14_400.0
        """Seconds after which an alert that still fires, and that nobody has acknowledged, is told again."""
        self._new_id = new_id
        self._suppressed = suppressed

    def clear(self) -> None:
        """Forget what waits, as in a forked child."""
        self.grouping.clear()
        self.restraint.clear()

    def look(self, changes: Iterable[Change], firing: Iterable[Track], now: float, now_ns: int) -> list[Notification]:
        """What goes out now."""
        firing = list(firing)
        for kind, track in changes:
            if kind == "resolved":
                if track.channels:  # also where it is silent now: who was told must hear that it is over
                    self.grouping.add("resolved", track, track.channels, now)
            elif kind != "fired":
                self._moment("first" if kind == "event" else "reminder", track, firing, now, now_ns)
        for track in firing:
            self._follow(track, firing, now, now_ns)
        return self._out(now, now_ns)

    def _moment(self, kind: Kind, track: Track, firing: list[Track], now: float, now_ns: int) -> None:
        channels = self._wanted(track)
        if self._quiet(track, firing, now_ns):
            self._suppressed(track, channels)
        else:
            self.grouping.add(kind, track, channels, now)
            track.told, track.channels = track.level, channels
        track.times = 0

    def _follow(self, track: Track, firing: list[Track], now: float, now_ns: int) -> None:
        told = track.told
        if told is not None and track.acknowledged:
            return
        if self._quiet(track, firing, now_ns):
            return
        if told is None:
            self._tell("first", track, track.level, (), now)
            track.first_told = now
            return
        steps = track.rule.steps
        if track.step < len(steps) and now - track.first_told >= steps[track.step].after:
            step = steps[track.step]
            track.step += 1
            if step.level is not None and step.level.rank > track.raised.rank:
                track.raised = step.level
            self._tell("escalation", track, track.level, step.channels, now)
        elif track.level.rank > told.rank:
            self._tell("escalation", track, track.level, (), now)
        elif now - track.last_told >= self.remind_after:
            self._tell("reminder", track, told, (), now)

    def _tell(self, kind: Kind, track: Track, level: AlertLevel, further: tuple[str, ...], now: float) -> None:
        if track.told is None or level.rank > track.told.rank:
            track.told = level
        known = (name for name in (*self._wanted(track), *further) if name == "log" or name in self.routing.kinds)
        track.channels = tuple(dict.fromkeys((*track.channels, *known)))
        track.last_told = now
        self.grouping.add(kind, track, track.channels, now)

    def _wanted(self, track: Track) -> tuple[str, ...]:
        level = max(track.level, track.told or track.level, key=lambda level: level.rank)
        return self.routing.channels(track.rule.name, level, track.rule.channels)

    def _quiet(self, track: Track, firing: list[Track], now_ns: int) -> bool:
        before = track.quiet
        alert = track.payload()
        if self.silences.silent(alert.rule or track.rule.name, alert.subject, track.level, now_ns):
            track.quiet = "silenced"
        elif _covered(track, firing):
            track.quiet = "covered"
        else:
            track.quiet = ""
        if track.quiet and not before and track.phase == "firing" and track.told is None:
            self._suppressed(track, self._wanted(track))
        return bool(track.quiet)

    def _out(self, now: float, now_ns: int) -> list[Notification]:
        found = []
        for batch in self.grouping.due(now):
            if self.restraint.passes(batch, now):
                found.append(batch.notification(self._new_id))
                continue
            for track in batch.tracks:
                self._suppressed(track, batch.channels)
                if batch.kind == "first":
                    track.channels = ()  # nobody knows it by name, so nobody hears that it is over
        digest = self.restraint.digest(now, now_ns, self._new_id)
        return found if digest is None else [*found, digest]


def _covered(track: Track, firing: list[Track]) -> bool:
    """Whether another alert says more of the same thing."""
    by = track.rule.covered_by
    if not by:
        return False
    subject, venue = track.finding.subject, track.venue
    return any(
        other.rule.name in by and (other.finding.subject == subject or (venue is not None and other.venue == venue))
        for other in firing
    )
