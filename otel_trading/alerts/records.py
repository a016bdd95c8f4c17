"""What alerts say of themselves: metrics, log lines, and what was told lately."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from opentelemetry.metrics import Observation

from otel_trading.trading.conventions import create

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.metrics import CallbackOptions

    from otel_trading.alerts.engine import Change
    from otel_trading.alerts.model import AlertPayload
    from otel_trading.alerts.tracks import Track
    from otel_trading.logs.lines import Log
    from otel_trading.metrics.instruments import Meter

_REMEMBERED = 1_000
_LINES = {"fired": "alert fired", "event": "alert fired", "again": "alert fired", "resolved": "alert is over"}


class Records:
    """Keeps the newest alerts, and reports each.

    Args:
        firing: what fires now.
        dropped: how many events found no room.

    """

    def __init__(self, firing: Callable[[], Iterable[Track]], dropped: Callable[[], int]) -> None:
        self.recent: deque[AlertPayload] = deque(maxlen=_REMEMBERED)
        self.on = True
        """Whether there is anything to report."""
        self._firing = firing
        self._dropped = dropped
        self._meter: Meter | None = None
        self._log: Log | None = None
        self._changes: Any = None
        self._notifications: Any = None

    def report_to(self, meter: Meter, log: Log) -> None:
        """Report to this meter and logger from now on."""
        self._log = log
        if meter is self._meter:
            return
        self._meter = meter
        self._changes = create(meter, "trading.alert.changes")
        self._notifications = create(meter, "trading.alert.notifications")
        create(meter, "trading.alert.active", [self._active])
        create(meter, "trading.alert.events.dropped", [self._left_out])

    def changed(self, change: Change) -> None:
        """An alert fires, or is over."""
        alert = change.track.payload()
        self.recent.append(alert)
        if self._changes is not None:
            kind = "resolved" if change.kind == "resolved" else "fired"
            named = {"trading.alert.rule": change.track.rule.name, "trading.alert.level": alert.level.lower()}
            self._changes.add(1, {**named, "trading.alert.change": kind})
        if self._log is not None:
            event = "alert_resolved" if change.kind == "resolved" else "alert_fired"
            self._log.info(
                _LINES[change.kind],
                event=event,
                tags=("alert",),
                alert_rule=alert.rule,
                alert_subject=alert.subject,
                alert_level=alert.level.lower(),
                title=alert.title,
                text=alert.message,
            )

    def suppressed(self, track: Track, channels: tuple[str, ...]) -> None:
        """Somebody would have been told."""
        if self._notifications is None:
            return
        for channel in channels:
            named = {"trading.alert.level": track.level.lower(), "trading.alert.channel": channel}
            self._notifications.add(1, {**named, "trading.alert.outcome": "suppressed"})

    def _active(self, _: CallbackOptions) -> Iterable[Observation]:
        firing = list(self._firing()) if self.on else []
        counts = Counter((track.rule.name, track.level.lower()) for track in firing)
        for (rule, level), count in counts.items():
            yield Observation(count, {"trading.alert.rule": rule, "trading.alert.level": level})

    def _left_out(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._dropped())] if self.on else []
