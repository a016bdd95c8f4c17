"""What belongs together goes out together, and not more than people can read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from otel_trading.alerts.model import AlertLevel, AlertPayload, Notification

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from otel_trading.alerts.tracks import Track

    Kind = Literal["first", "escalation", "reminder", "resolved", "test"]

_OTHERS = 50
"""Alerts that one notification carries beside its first."""
_MINUTE = 60.0
HELD_BACK = "alerts_held_back"
"""The rule of the notification that speaks for those that were held back."""


@dataclass(slots=True)
class Batch:
    """Alerts of one rule on their way to the same channels."""

    kind: Kind
    rule: str
    channels: tuple[str, ...]
    deadline: float
    alerts: list[AlertPayload]
    tracks: list[Track]

    @property
    def level(self) -> AlertLevel:
        """That of the most serious one."""
        return max((alert.level for alert in self.alerts), key=lambda level: level.rank)

    def notification(self, new_id: Callable[[], str]) -> Notification:
        """What goes out."""
        first, *others = sorted(self.alerts, key=lambda alert: -alert.level.rank)
        return Notification(first, self.channels, self.kind, tuple(others[:_OTHERS]), new_id())


class Grouping:
    """Has the first alert of a rule go out at once, and those that follow within some seconds in one notification."""

    def __init__(self) -> None:
        self.interval = 3.0
        """Seconds between two notifications of the same rule, unless it is critical."""
        self._waiting: list[Batch] = []
        self._last: dict[tuple[str, str, tuple[str, ...]], float] = {}

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        self._last.clear()

    def add(self, kind: Kind, track: Track, channels: tuple[str, ...], now: float) -> None:
        """Take an alert; what waits of the same one goes out before it."""
        alert = track.payload()
        critical = alert.level is AlertLevel.CRITICAL
        key = (track.rule.name, kind, channels)
        joined: Batch | None = None
        for batch in reversed(self._waiting):
            if any(other.key == track.key for other in batch.tracks):
                batch.deadline = now
                break
            if joined is None and (batch.rule, batch.kind, batch.channels) == key:
                joined = batch
        if joined is None:
            deadline = max(now, self._last.get(key, -self.interval) + self.interval)
            joined = Batch(kind, track.rule.name, channels, deadline, [], [])
            self._waiting.append(joined)
        joined.alerts.append(alert)
        joined.tracks.append(track)
        if critical:
            joined.deadline = now

    def due(self, now: float) -> list[Batch]:
        """Those that go out now, the oldest first."""
        ready = [batch for batch in self._waiting if batch.deadline <= now]
        if ready:
            self._waiting = [batch for batch in self._waiting if batch.deadline > now]
            self._last = {key: last for key, last in self._last.items() if now - last < self.interval}
        for batch in ready:
            self._last[batch.rule, batch.kind, batch.channels] = now
        return ready


class Restraint:
    """Holds back what is more than ``rate`` notifications a minute, and tells how many that were.

    What is critical has as many of its own; that something is over is always told.
    """

    def __init__(self) -> None:
        self.rate = 30
        self._passed: dict[bool, list[float]] = {False: [], True: []}
        self._held: list[Batch] = []
        self._since = 0.0

    def clear(self) -> None:
        """Forget what was held back."""
        self._passed = {False: [], True: []}
        self._held.clear()

    def passes(self, batch: Batch, now: float) -> bool:
        """Whether it goes out; otherwise it is held back."""
        if batch.kind == "resolved":
            return True
        passed = self._passed[batch.level is AlertLevel.CRITICAL]
        passed[:] = [each for each in passed if now - each < _MINUTE]
        if len(passed) < self.rate:
            passed.append(now)
            return True
        if not self._held:
            self._since = now
        self._held.append(batch)
        return False

    def digest(self, now: float, now_ns: int, new_id: Callable[[], str]) -> Notification | None:
        """What speaks for those that were held back, once a minute."""
        if not self._held or now - self._since < _MINUTE:
            return None
        held, self._held = self._held, []
        alerts = [alert for batch in held for alert in batch.alerts]
        level = max((batch.level for batch in held), key=lambda level: level.rank)
        channels = tuple(dict.fromkeys(channel for batch in held for channel in batch.channels))
        counts = Counter(alert.rule or alert.title for alert in alerts)
        said = ", ".join(f"{rule} {count}" for rule, count in counts.most_common())
        more = "1 more alert" if len(alerts) == 1 else f"{len(alerts)} more alerts"
        began = datetime.fromtimestamp(now_ns / 1e9, UTC)
        fields = {"count": f"{len(alerts)}"}
        title = f"{more} in the last minute"
        alert = AlertPayload(level, title, f"{said}.", began, fields, HELD_BACK, state="event")
        return Notification(alert, channels, "first", tuple(alerts[:_OTHERS]), new_id())
