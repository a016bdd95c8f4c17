"""From findings to alerts: pending, firing, resolved, with patience on both sides."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from otel_trading.alerts.rules.model import Finding, Rule
from otel_trading.alerts.tracks import Track
from otel_trading.settings.complaints import Complaints

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Literal

    from otel_trading.alerts.model import AlertPayload
    from otel_trading.alerts.rules.view import View

_MOST = 2_000
"""Alerts that are followed at once."""
_FLAPS = 8
_FLAPPING_FOR = 900.0
"""Seconds that a beginning is remembered: what begins again and again has to stay away for longer to be over."""
_SHORTEST_HOLD, _LONGEST_HOLD = 30.0, 1_800.0


class Change(NamedTuple):
    """Something that people may want to know."""

    kind: Literal["fired", "resolved", "event", "again"]
    track: Track


class Engine:
    """Follows what rules find.

    >>> from otel_trading.alerts.model import AlertLevel
    >>> from otel_trading.alerts.rules import Finding, Rule, View
    >>> hot = Rule("hot", AlertLevel.WARNING, lambda view, rule: [Finding()] if view.halt else [], "It is hot", for_=5)
    >>> engine = Engine([hot])
    >>> from otel_trading.alerts.rules.view import Halt
    >>> for now in (0.0, 4.0, 6.0):
    ...     print(now, [(change.kind, change.track.key) for change in engine.look(View(halt=Halt("h", None)), now)])
    0.0 []
    4.0 []
    6.0 [('fired', 'hot')]
    >>> [change.kind for change in engine.look(View(), 7.0)]
    ['resolved']
    """

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self.rules: dict[str, Rule] = {}
        self.tracks: dict[str, Track] = {}
        """All that is pending or fires."""
        self.failures: dict[str, int] = {}
        """How often each rule could not be asked."""
        self.overflow = 0
        """Findings that were left out, because too many alerts are followed."""
        self._moments: dict[str, Track] = {}
        self._beginnings: dict[str, deque[float]] = {}
        self._complaints = Complaints("alert rules")
        self.use(rules)

    def use(self, rules: Iterable[Rule]) -> None:
        """Follow these rules from now on; what fires of those that stay goes on firing."""
        self.rules = {rule.name: rule for rule in rules}
        for followed in (self.tracks, self._moments):
            for track in followed.values():
                if track.given is None and track.rule.name in self.rules:
                    track.rule = self.rules[track.rule.name]

    def clear(self) -> None:
        """Follow nothing, as in a forked child."""
        self.tracks.clear()
        self._moments.clear()
        self._beginnings.clear()

    @property
    def firing(self) -> list[Track]:
        """All that fires."""
        return [track for track in self.tracks.values() if track.phase == "firing"]

    def look(self, view: View, now: float, found: Mapping[str, Sequence[Finding] | None] | None = None) -> list[Change]:
        """Ask all rules; ``found`` is what was found elsewhere, ``None`` for a rule that could not be asked."""
        changes: list[Change] = []
        for rule in self.rules.values():
            if not rule.awake:
                continue
            findings = found[rule.name] if found and rule.name in found else self._asked(rule, view)
            if findings is None:
                continue  # what is not known is not over
            if rule.moment:
                self._happened(rule, findings, view, now, changes)
            else:
                self._compare(rule, findings, view, now, changes)
        self._forget_sleeping(now, changes)
        self._end_moments(now, changes)
        return changes

    def fire(self, alert: AlertPayload, now: float, now_ns: int) -> list[Change]:
        """Follow an alert that the bot itself tells of."""
        rule = self.rules.get(alert.rule) or Rule(alert.rule or alert.key, alert.level, _nothing, alert.title)
        if alert.state == "event":
            return self._tell(alert, rule, now, now_ns)
        known = self.tracks.get(alert.key)
        fires = known is not None and known.phase == "firing"
        if alert.state == "resolved":
            if known is None or not fires:
                return []
            known.given = alert
            return [self._end(known, now)]
        if known is not None and fires:
            known.given, known.clear_since = alert, None
            return []
        track = Track(alert.key, rule, Finding(alert.subject), now_ns, now, given=alert)
        if not self._room(track):
            return []
        self.tracks[track.key] = track
        return [self._fire(track, now)]

    def _tell(self, alert: AlertPayload, rule: Rule, now: float, now_ns: int) -> list[Change]:
        key = f"{alert.key} {alert.title} {alert.message}"
        known = self._moments.get(key)
        if known is not None:
            known.times += 1
            return []
        track = Track(key, replace(rule, moment=True), Finding(alert.subject), now_ns, now, "event", alert)
        return self._begin_moment(track, now)

    def _asked(self, rule: Rule, view: View) -> Sequence[Finding] | None:
        try:
            return list(rule.when(view, rule))
        except Exception as error:
            self.failed(rule.name, error)
            return None

    def failed(self, rule: str, error: BaseException) -> None:
        """A rule could not be asked; it is counted, and said once."""
        self.failures[rule] = self.failures.get(rule, 0) + 1
        self._complaints.say(f"the alert rule {rule} cannot be asked: {type(error).__name__}: {error}")

    def _compare(self, rule: Rule, findings: Sequence[Finding], view: View, now: float, changes: list[Change]) -> None:
        holds = {_key(rule, finding): finding for finding in findings}
        for key, finding in holds.items():
            track = self.tracks.get(key)
            if track is None:
                track = Track(key, rule, finding, view.now_ns, now)
                if not self._room(track):
                    continue
                self.tracks[key] = track
            track.finding, track.clear_since = finding, None
            if track.phase == "pending" and now - track.since >= rule.for_:
                changes.append(self._fire(track, now))
        mine = [t for t in self.tracks.values() if t.rule.name == rule.name and t.given is None]
        for track in mine:
            if track.key not in holds:
                self._clear(track, now, changes)

    def _clear(self, track: Track, now: float, changes: list[Change]) -> None:
        """It does not hold now."""
        if track.phase == "pending":
            del self.tracks[track.key]
            return
        if track.clear_since is None:
            track.clear_since = now
        if now - track.clear_since >= self._patience(track):
            changes.append(self._end(track, now))

    def _patience(self, track: Track) -> float:
        """Seconds that it must not hold before it is over: the longer the more often it came back."""
        begun = self._beginnings.get(track.key, ())
        again = sum(1 for each in begun if track.fired - each <= _FLAPPING_FOR) - 1
        if again < 2:  # noqa: PLR2004 - once more is no flapping yet
            return track.rule.resolve_after
        hold = max(_SHORTEST_HOLD, track.rule.resolve_after) * 2.0 ** (again - 2)
        return float(min(_LONGEST_HOLD, hold))

    def _fire(self, track: Track, now: float) -> Change:
        track.phase, track.fired = "firing", now
        if track.key not in self._beginnings and len(self._beginnings) >= _MOST:
            del self._beginnings[next(iter(self._beginnings))]
        self._beginnings.setdefault(track.key, deque(maxlen=_FLAPS)).append(now)
        return Change("fired", track)

    def _end(self, track: Track, now: float) -> Change:
        self.tracks.pop(track.key, None)
        track.phase, track.ended = "resolved", now
        return Change("resolved", track)

    def _forget_sleeping(self, now: float, changes: list[Change]) -> None:
        """What belongs to rules that are off, or gone, is over."""
        for track in list(self.tracks.values()):
            rule = self.rules.get(track.rule.name)
            if track.given is None and (rule is None or not rule.awake):
                if track.phase == "firing":
                    changes.append(self._end(track, now))
                else:
                    del self.tracks[track.key]

    def _happened(self, rule: Rule, findings: Sequence[Finding], view: View, now: float, changes: list[Change]) -> None:
        for finding in findings:
            key = _key(rule, finding)
            known = self._moments.get(key)
            if known is not None:
                known.times += 1
                known.finding, known.began_ns = finding, view.now_ns
                continue
            changes += self._begin_moment(Track(key, rule, finding, view.now_ns, now, "event"), now)

    def _begin_moment(self, track: Track, now: float) -> list[Change]:
        if not self._room(track):
            return []
        track.fired = now
        self._moments[track.key] = track
        return [Change("event", track)]

    def _end_moments(self, now: float, changes: list[Change]) -> None:
        """What happened meanwhile is told once more, with how often."""
        for key, track in list(self._moments.items()):
            if now - track.fired < track.rule.again:
                continue
            if track.times and track.rule.again < _LONGEST_HOLD:
                track.fired = now
                changes.append(Change("again", track))
            else:
                del self._moments[key]

    def _room(self, track: Track) -> bool:
        if len(self.tracks) + len(self._moments) < _MOST:
            return True
        self.overflow += 1
        self._complaints.say(f"more than {_MOST} alerts at once: {track.key} and others are left out")
        return False


def _key(rule: Rule, finding: Finding) -> str:
    return f"{rule.name}/{finding.subject}" if finding.subject else rule.name


def _nothing(_: View, __: Rule) -> list[Finding]:
    return []
