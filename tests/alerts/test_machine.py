"""The alerts of any course of events."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from otel_trading.alerts.model import AlertLevel
from otel_trading.alerts.rules import Finding
from tests.alerts.watched import Watched

if TYPE_CHECKING:
    from otel_trading.alerts.silences import Silence

SUBJECTS = st.sampled_from(["a", "b", "c"])
LEVELS = st.sampled_from(["WARNING", "ERROR", "CRITICAL"])


class Alerts(RuleBasedStateMachine):
    """One rule with several subjects that hold or do not, silences, acknowledgements, moments."""

    def __init__(self) -> None:
        super().__init__()
        self.watched = Watched()
        telling = self.watched.manager._watch.telling
        telling.restraint.rate, telling.remind_after = 1_000, 600.0
        self.holds: dict[str, str] = {}
        self.seen = 0
        self.open: dict[str, str] = {}
        """What was told and is not over, with its level."""
        self.held_since: dict[str, float] = {}
        self.not_since: dict[str, float] = {}
        self.silent: set[str] = set()
        self.silent_until: dict[str, float] = {}
        self.acknowledged: set[str] = set()
        self.moments: dict[str, int] = {}
        self.moments_told: dict[str, int] = {}
        self.watched.manager.rule("edge", for_=4, resolve_after=3, title="edge", escalation="1min")(self.condition)
        self.watched.only("edge")

    def condition(self, _: Any) -> list[Finding]:
        return [Finding(subject, {}, AlertLevel(level)) for subject, level in self.holds.items()]

    @property
    def now(self) -> float:
        return self.watched.clock.monotonic()

    @rule(subject=SUBJECTS, level=LEVELS)
    def begins(self, subject: str, level: str) -> None:
        self.holds[subject] = level

    @rule(subject=SUBJECTS)
    def ends(self, subject: str) -> None:
        self.holds.pop(subject, None)

    @rule(subject=SUBJECTS, seconds=st.integers(5, 120))
    def is_silenced(self, subject: str, seconds: int) -> None:
        made = self.watched.manager.silence("edge", subject, seconds=seconds)
        self.silent.add(made.id)
        self.silent_until[subject] = max(self.now + seconds, self.silent_until.get(subject, 0.0))

    @rule()
    def silences_end(self) -> None:
        for known in list(self.silent):
            self.watched.manager.end_silence(known)
        self.silent.clear()
        self.silent_until = {subject: min(until, self.now) for subject, until in self.silent_until.items()}

    @rule(subject=SUBJECTS)
    def is_acknowledged(self, subject: str) -> None:
        if self.watched.manager.acknowledge(f"edge/{subject}"):
            self.acknowledged.add(subject)

    @rule(place=st.integers(0, 2), times=st.integers(1, 3))
    def happens(self, place: int, times: int) -> None:
        for _ in range(times):
            self.watched.manager.error(f"moment {place}")
            self.moments[f"moment {place}"] = self.moments.get(f"moment {place}", 0) + 1

    @rule(seconds=st.sampled_from([0.5, 1, 3, 4, 10, 61]))
    def time_passes(self, seconds: float) -> None:
        step = 5.0 if seconds > 100 else 0.5
        for _ in range(math.ceil(seconds / step)):
            self.watched.clock.advance(step)
            for subject in ("a", "b", "c"):
                (self.held_since if subject in self.holds else self.not_since).setdefault(subject, self.now)
                (self.not_since if subject in self.holds else self.held_since).pop(subject, None)
            self.watched.manager.look()
            self.check()

    def check(self) -> None:
        """Each notification is one that has to be."""
        told = self.watched.outbox.posted[self.seen :]
        self.seen += len(told)
        for notification in told:
            alerts = (notification.alert, *notification.others)
            assert len({alert.key for alert in alerts}) == len(alerts)
            for alert in alerts:
                if alert.rule != "edge":
                    self.moments_told[alert.title] = self.moments_told.get(alert.title, 0) + int(
                        alert.fields.get("times", "1")
                    )
                    continue
                self.check_one(notification.kind, alert.subject, alert.level)

    def check_one(self, kind: str, subject: str, level: AlertLevel) -> None:
        if kind == "first":
            assert subject not in self.open, "told twice"
            self.open[subject] = level
        elif kind == "resolved":
            assert subject in self.open, "over without a beginning"
            del self.open[subject]
            self.acknowledged.discard(subject)
        else:
            assert subject in self.open
            assert kind in {"escalation", "reminder"}
            if kind == "escalation":
                assert level.rank >= AlertLevel(self.open[subject]).rank
                self.open[subject] = level

    @invariant()
    def nothing_is_lost(self) -> None:
        """What holds for long enough was told, unless it is silent; what does not hold any more is not open."""
        active = {alert.subject for alert in self.watched.manager.active() if alert.rule == "edge"}
        for subject, since in self.held_since.items():
            if self.now - since > 4 + 3 + 1 and subject in self.holds:
                assert subject in active
                if self.now - self.silent_until.get(subject, 0.0) > 5:
                    assert subject in self.open
        for subject, since in self.not_since.items():
            if self.now - since > 1_900:  # flapping holds it for at most half an hour
                assert subject not in self.open
        assert set(self.open) <= active | set(self.not_since)

    def teardown(self) -> None:
        """In the end all is over and told, each moment with how often it was."""
        self.holds.clear()
        self.silences_end()
        for step in (2_000, 2_000, 2_000, 5):
            for _ in range(4):
                self.watched.clock.advance(step)
                self.watched.manager.look()
                self.check()
        assert self.open == {}
        assert self.watched.manager.active() == []
        assert self.moments_told == self.moments


TestAlerts = Alerts.TestCase
TestAlerts.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)


class Silent(RuleBasedStateMachine):
    """While it is silent nobody is told, but that what was told is over."""

    def __init__(self) -> None:
        super().__init__()
        self.watched = Watched()
        telling = self.watched.manager._watch.telling
        telling.grouping.interval, telling.remind_after = 0.0, 20.0
        self.on = False
        self.watched.manager.rule("edge", escalation="10s")(lambda _: self.on)
        self.watched.only("edge")
        self.silence: Silence | None = self.watched.manager.silence(seconds=1e6)

    @rule()
    def turns(self) -> None:
        self.on = not self.on

    @rule(seconds=st.integers(1, 60))
    def time_passes(self, seconds: int) -> None:
        told = self.watched.after(seconds)
        if self.silence is not None:
            assert {each.kind for each in told} <= {"resolved"}
            assert len(told) <= 1

    @rule()
    def is_lifted(self) -> None:
        if self.silence is not None:
            self.watched.manager.end_silence(self.silence.id)
            self.silence = None

    @rule()
    def comes_back(self) -> None:
        if self.silence is None:
            self.silence = self.watched.manager.silence(seconds=1e6)


TestSilent = Silent.TestCase
TestSilent.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
