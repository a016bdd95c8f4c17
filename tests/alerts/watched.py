"""A manager under the test's clock, and what it told."""

from __future__ import annotations

import itertools
from functools import cache
from typing import TYPE_CHECKING, Any

from otel_trading.alerts.manager import AlertManager
from otel_trading.health.model import HealthReport
from otel_trading.settings import resolve
from otel_trading.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from otel_trading.alerts.channels import Channel
    from otel_trading.alerts.model import AlertPayload, Notification
    from otel_trading.settings import Settings
    from otel_trading.testing import Captured


@cache
def _usual() -> Settings:
    return resolve({"runtime_disk_paths": ()}, variables={}).settings


KINDS = {"chat": "slack", "pager": "pagerduty", "mail": "email"}


class Kept:
    """An outbox that delivers nothing."""

    def __init__(self) -> None:
        self.posted: list[Notification] = []

    def post(self, notification: Notification) -> None:
        self.posted.append(notification)

    def deliveries(self) -> Sequence[Any]:
        return list(reversed(self.posted))

    def acknowledged(self, alert: AlertPayload) -> None:
        pass

    def add(self, channel: Channel) -> None:
        pass


class Watched:
    """What a test needs of alerts.

    ``after(seconds)`` lets time pass, with a look every half a second, and gives what was told meanwhile.
    """

    def __init__(self, clock: FakeClock | None = None, **options: Any) -> None:
        self.clock = clock or FakeClock()
        self.outbox = Kept()
        self.health = HealthReport("healthy", ready=True)
        self.stops: list[str] = []
        ids = itertools.count(1)
        self.manager = AlertManager(
            health=lambda: self.health,
            stop=self.stops.append,
            monotonic=self.clock.monotonic,
            wall_ns=self.clock.time_ns,
            new_id=lambda: f"n-{next(ids)}",
        )
        self.manager.outbox = self.outbox
        self.captured: Captured | None = None
        self.problems = [str(problem) for problem in self.use(**options)]

    def use(self, **options: Any) -> Any:
        if not options:
            problems = self.manager.configure(_usual(), KINDS)
        else:
            resolved = resolve({"runtime_disk_paths": (), **options}, variables={})
            assert not resolved.problems
            problems = self.manager.configure(resolved.settings, KINDS)
        if "alerts_folder" not in options:
            self.manager.rules()
            self.manager._watch.store._place = None
        return problems

    def only(self, *names: str) -> None:
        """Ask no other rules than these."""
        engine = self.manager._watch.engine
        engine.use([rule for rule in engine.rules.values() if rule.name in names])

    def listen_to(self, captured: Captured) -> None:
        self.captured = captured
        self.manager.hear(captured.trading, captured.handle.meter, captured.handle.timers.pump)

    def look(self) -> list[Notification]:
        before = len(self.outbox.posted)
        if self.captured is not None:
            self.captured.handle.timers.pump.tick()
            self.captured.trading.staleness.look()
        self.manager.look()
        return self.outbox.posted[before:]

    def after(self, seconds: float, step: float = 0.5) -> list[Notification]:
        told = []
        left = seconds
        while left > 0:
            self.clock.advance(min(step, left))
            left -= step
            told += self.look()
        return told


def said(notifications: Sequence[Notification]) -> Iterator[tuple[str, str, str]]:
    """Kind, level and key of all that was told, also of what was told beside something else."""
    for notification in notifications:
        for alert in (notification.alert, *notification.others):
            yield notification.kind, alert.level.value, alert.key
