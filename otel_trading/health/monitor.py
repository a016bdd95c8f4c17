"""Looks at all components from time to time."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

from otel_trading import forks
from otel_trading._native import wall_ns
from otel_trading.health.announcing import Announcer
from otel_trading.health.checks.running import Checks
from otel_trading.health.conditions import Conditions, Limits
from otel_trading.health.configured import Declared, limits_of
from otel_trading.health.delivery import Delivery
from otel_trading.health.judging import as_report, spread
from otel_trading.health.model import Component, HealthReport
from otel_trading.health.resources import Disks, Process
from otel_trading.health.surroundings import Surroundings, written_to
from otel_trading.health.surveying import Survey
from otel_trading.health.systemd import Service, Systemd
from otel_trading.health.told import Told
from otel_trading.health.venues import Venues
from otel_trading.health.watched import loop_components
from otel_trading.runtime.stacks import culprit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from otel_trading.health.checks.check import Check
    from otel_trading.health.model import Condition, State
    from otel_trading.metrics.instruments import Meter
    from otel_trading.settings import Problem, Settings
    from otel_trading.trading.facade import Trading

    Listener = Callable[[Component | None, Component], object]
    ConditionListener = Callable[[Condition, bool], object]

_ABSENT = 10.0
"""Looks after which it counts as missing that health itself does not look."""


class HealthMonitor(Told):
    """How the bot is, and what of it; ``telemetry.health``.

    It lives on a thread of its own, so it answers while the bot's event loop is stuck, and says where that is. No call
    raises into the bot, or waits.

    >>> import otel_trading as ot
    >>> telemetry = ot.configure(traces_exporter="none", metrics_exporter="none", logs_exporter="none",
    ...                          ops_port=0, banner=False)
    >>> @telemetry.health.check("strategy", interval=5)
    ... def strategy():
    ...     return {"positions": 3}
    >>> telemetry.health.not_ready("warming up")
    >>> telemetry.health.report().ready
    False
    >>> telemetry.health.ready()
    >>> telemetry.shutdown()
    True
    """

    name = "health"

    def __init__(
        self,
        around: Surroundings | None = None,
        *,
        clock: Callable[[], float] | None = None,
        wall: Callable[[], int] | None = None,
        random: Random | None = None,
        systemd: Systemd | None = None,
    ) -> None:
        clock, wall = clock or time.monotonic, wall or wall_ns
        self._around = around or Surroundings()
        self._clock = clock
        self._announcer = Announcer(self._around.lines, clock)
        super().__init__(Checks(self._checked, wall, random or Random()), clock, wall)  # noqa: S311 - jitter
        self._declared = Declared(self._checks)
        self._lock = forks.lock()
        self.limits = Limits()
        self._conditions = Conditions(wall)
        self._venues = Venues(self._conditions, clock, wall)
        self._disks = Disks(self._conditions, wall)
        self._process = Process(clock, wall)
        self._delivery = Delivery(clock, wall)
        self._survey = Survey(self._disks, self._process, self._delivery, self._around)
        self._service = Service(systemd or Systemd(), lambda: self.alive)
        self._listeners: list[Listener] = []
        self._condition_listeners: list[ConditionListener] = []
        self._known: dict[str, Component] = {}
        self._since: dict[str, tuple[State, int]] = {}
        self._interval = 1.0
        self._critical_venues: tuple[str, ...] = ("all",)
        self._awaited = False
        self._thread: int | None = None
        self._looked = clock()

    def report(self) -> HealthReport:
        """How it is now, from any thread; nothing is waited for."""
        if self._thread is None:
            with self._lock:
                self._see(self._clock())
        components = self._components()
        emergency = self._around.emergency
        reasons = self._readiness.reasons(awaited=self._awaited)
        if emergency is not None and emergency.engaged:
            reasons = (*reasons, "the emergency stop is engaged")
        unchecked = [check.name for check in self._checks.all() if check.terms.critical and not check.checked]
        reasons += tuple(f"{name} is not checked yet" for name in unchecked)
        report = as_report(components, reasons, self._wall_ns())
        return replace(report, conditions=self._conditions.active(), metrics=self._process.metrics)

    @property
    def is_healthy(self) -> bool:
        """Whether all is well."""
        return self.report().state == "healthy"

    @property
    def alive(self) -> bool:
        """Whether it goes on: no event loop, and no critical thread that is watched, is stuck."""
        now, stuck = self._clock(), self.limits.stuck
        if any(watched.critical and watched.overdue(now) for watched in self._watches.all()):
            return False
        return not any(loop.overdue >= stuck for loop in self._around.loops())

    def conditions(self) -> tuple[Condition, ...]:
        """What is wrong for a while: ``ConnectionDown``, ``HighLatency``, ``HighErrorRate``, ``LowDiskSpace``."""
        return self._conditions.active()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call this with a component before and after its state changed, on telemetry's thread; the result ends it."""
        return _listen(self._listeners, listener)

    def subscribe_conditions(self, listener: ConditionListener) -> Callable[[], None]:
        """Call this with a condition, and whether it begins or ends, on telemetry's thread; the result ends it."""
        return _listen(self._condition_listeners, listener)

    def shutting_down(self, reason: str = "shutdown") -> None:
        """The bot ends; it is not ready any more, and systemd is told."""
        self._readiness.ending = self._readiness.ending or reason or "shutdown"
        self._service.end(self._readiness.ending)

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """The configuration is read anew within the block, which systemd is told."""
        told = self._service.reloading()
        try:
            yield
        finally:
            if told:
                self._service.reloaded()

    # What telemetry does with it

    def apply(self, settings: Settings) -> list[Problem | str]:
        """Work with these settings from now on; what cannot be used, in words."""
        self.limits = limits_of(settings)
        self._interval = settings.health_interval
        self._critical_venues = settings.health_critical_venues
        self._awaited = settings.health_await_ready
        self._service.wanted = settings.health_systemd
        self._service.checks_loops = settings.health_watchdog_loops
        self._service.begin()
        self._readiness.ending = ""
        self._survey.paths = written_to(settings)
        self._survey.memory = (settings.memory_threshold, settings.container_memory_threshold)
        return self._declared.apply(settings)

    def attend(self, trading: Trading | None) -> None:
        """Listen to these trading events from now on, or to none."""
        self._venues.attend(trading, self.limits.window)

    def observe(self, meter: Meter) -> None:
        """Show the states of components, and the durations of checks, with this meter."""
        self._announcer.observe(meter, lambda: list(self._known.values()))

    async def live(self) -> None:
        """See ``Resident``."""
        self._looked = self._clock()
        self._thread = threading.get_ident()
        try:
            async with asyncio.TaskGroup() as tasks:
                for work in (self._checks.live(), self._survey.live(), self._looking(), self._service.live()):
                    tasks.create_task(work)
        finally:
            self._thread = None

    def look(self) -> HealthReport:
        """Look at all components, and tell of what has changed."""
        with self._lock:
            self._see(self._clock())
            components = self._components()
            changes, self._conditions.changes = self._conditions.changes, []
            known, self._known = self._known, {each.name: each for each in components}
            self._since = {each.name: (each.state, each.since_ns) for each in components}
            self._looked = self._clock()
        for condition, began in changes:
            self._announcer.condition(condition, began=began)
            self._announcer.tell(self._condition_listeners, condition, began)
        for component in components:
            before = known.pop(component.name, None)
            if component.state != ("healthy" if before is None else before.state):
                self._announcer.tell(self._listeners, before, component)
        for gone in known.values():
            if gone.state != "healthy":
                over = replace(gone, state="healthy", reasons=("it is not there any more",))
                self._announcer.tell(self._listeners, gone, over)
        self._announcer.say(components)
        report = self.report()
        if self._thread is not None:
            self._service.tell(report, up=not self._readiness.reasons(awaited=self._awaited))
        return report

    def rest(self) -> None:
        """Report no component until somebody looks again."""
        self._known = {}

    def restart_in_child(self) -> None:
        """Know of nothing of the parent's in a forked child; checks and components stay declared."""
        self._thread = None
        self._watches.clear()
        self._venues.clear()
        self._conditions.clear()
        self._checks.restart_in_child()
        self._announcer.clear()
        self._known, self._since = {}, {}
        self._service.restart_in_child()

    def _see(self, now: float) -> None:
        self._venues.look(now, self.limits, self._critical_venues)
        self._disks.look(now, self.limits)

    def _components(self) -> list[Component]:
        now, now_ns = self._clock(), self._wall_ns()
        found = [
            *self._venues.components,
            *loop_components(self._around.loops(), self.limits.stuck, now_ns),
            *self._watches.components(now, now_ns),
            *self._disks.components,
            *self._process.components,
            *self._delivery.components,
            *self._itself(now, now_ns),
            *self._emergency(now_ns),
            *(own.now for own in list(self._own.values())),
            *(check.component for check in self._checks.all()),
        ]
        return [self._dated(component, now_ns) for component in spread(found, self._needs)]

    def _dated(self, component: Component, now_ns: int) -> Component:
        state, since = self._since.get(component.name, ("", 0))
        if component.since_ns:
            return component
        return Component(  # much quicker than replace(): this is done for all components at each report
            *(component.name, component.state, component.critical, component.reasons, component.details),
            component.dependencies,
            since if state == component.state else now_ns,
            component.checked_ns,
            component.kind,
        )

    def _itself(self, now: float, now_ns: int) -> list[Component]:
        """Health's own thread, where it does not look any more."""
        thread, missing = self._thread, now - self._looked
        if thread is None or missing < max(_ABSENT * self._interval, self.limits.stuck):
            return []
        where = " <- ".join(culprit(thread)) or "no callback now"
        said = f"nobody has looked at the components for {missing:.1f} s: otel-ops is in {where}"
        return [Component("health", "degraded", False, (said,), {}, (), 0, now_ns, "telemetry")]

    def _emergency(self, now_ns: int) -> list[Component]:
        if self._around.emergency is None:
            return []
        state = self._around.emergency.state
        if not state.engaged:
            return [Component("emergency_stop", "healthy", True, checked_ns=now_ns, kind="emergency_stop")]
        said = f"engaged by {state.by or 'somebody'}{f': {state.reason}' if state.reason else ''}"
        details = {"reason": state.reason, "by": state.by}
        return [
            Component(
                "emergency_stop", "degraded", True, (said,), details, (), state.since_ns, now_ns, "emergency_stop"
            )
        ]

    def _checked(self, check: Check, seconds: float) -> None:
        self._announcer.checked(check.name, check.component.state, seconds)

    async def _looking(self) -> None:
        while True:
            try:
                self.look()
            except Exception as error:
                self._complaints.say(f"health could not look: {type(error).__name__}: {error}")
            await asyncio.sleep(self._interval)


def _listen(listeners: list[Any], listener: Any) -> Callable[[], None]:  # noqa: ANN401 - either kind
    listeners.append(listener)

    def undo() -> None:
        if listener in listeners:
            listeners.remove(listener)

    return undo
