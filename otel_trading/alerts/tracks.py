"""Alerts as they are followed: one for each rule and subject, from the first sign to the end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from otel_trading.alerts.model import AlertLevel, AlertPayload

if TYPE_CHECKING:
    from otel_trading.alerts.model import State
    from otel_trading.alerts.rules.model import Finding, Rule

Phase = Literal["pending", "firing", "resolved", "event"]


@dataclass(slots=True, eq=False)
class Track:
    """One alert; times are monotonic seconds.

    Args:
        key: what tells it from all others.
        rule: where it comes from.
        finding: what was found last.
        began_ns: when it began, in nanoseconds since 1970.
        since: the same by the monotonic clock.
        phase: how far it is.
        given: what it says, where the bot itself said it.
        times: how often it happened since it was told.

    """

    key: str
    rule: Rule
    finding: Finding
    began_ns: int
    since: float
    phase: Phase = "pending"
    given: AlertPayload | None = None
    fired: float = 0.0
    ended: float = 0.0
    clear_since: float | None = None
    times: int = 1
    raised: AlertLevel = AlertLevel.INFO
    told: AlertLevel | None = None
    first_told: float = 0.0
    last_told: float = 0.0
    channels: tuple[str, ...] = ()
    step: int = 0
    acknowledged: str = ""
    quiet: str = ""
    """Why nobody is told: ``silenced`` or ``covered``."""
    _stored: tuple[object, AlertPayload] | None = field(default=None, repr=False)

    @property
    def level(self) -> AlertLevel:
        """How serious it is now."""
        own = self.given.level if self.given is not None else self.finding.level or self.rule.level
        return max(own, self.raised, key=lambda level: level.rank)

    @property
    def venue(self) -> str | None:
        """The venue that it is about."""
        venue = (self.given.fields if self.given is not None else self.finding.fields).get("venue")
        return None if venue is None else str(venue)

    def payload(self) -> AlertPayload:
        """What is told of it."""
        state: State = "firing" if self.phase == "pending" else self.phase
        level = max(self.level, self.told or self.level, key=lambda level: level.rank)
        made_of = (self.finding, self.given, state, level, self.times, self.ended)
        if self._stored is not None and self._stored[0] == made_of:
            return self._stored[1]
        began = datetime.fromtimestamp(self.began_ns / 1e9, UTC)
        if self.given is not None:
            made = replace(self.given, level=level, state=state)
        else:
            made = self.rule.payload(self.finding, level, state, began)
        if self.phase == "resolved":
            lasted = lasting(self.ended - self.since)
            made = replace(made, message=f"Over after {lasted}. {made.message}".strip())
        elif self.times > 1:
            more = f"{self.times} times"
            fields = {**made.fields, "times": f"{self.times}"}
            made = replace(made, message=f"{made.message} ({more})".strip(), fields=fields)
        self._stored = made_of, made
        return made


def lasting(seconds: float) -> str:
    """A duration in words.

    >>> lasting(0.4), lasting(75), lasting(7_500), lasting(90_000)
    ('0 s', '1 min 15 s', '2 h 5 min', '1 d 1 h')
    """
    left = round(seconds)
    parts = []
    for name, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"
