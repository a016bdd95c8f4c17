"""What watches the bot and answers for it, on a thread of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from otel_trading.alerts.delivery import Outbox
from otel_trading.alerts.manager import AlertManager
from otel_trading.health.monitor import HealthMonitor
from otel_trading.health.surroundings import Surroundings
from otel_trading.ops.answers import Answers
from otel_trading.ops.cockpit.cockpit import Cockpit
from otel_trading.ops.thread import OpsThread
from otel_trading.resource import service_name
from otel_trading.risk.emergency import Emergency
from otel_trading.risk.gate import Risk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_trading import _native
    from otel_trading.alerts.channels.base import Channel
    from otel_trading.logs.lines import Log
    from otel_trading.metrics.instruments import Meter
    from otel_trading.ops.answers import Running
    from otel_trading.ops.cockpit.cockpit import Watched as Shown
    from otel_trading.ops.pages import Provider
    from otel_trading.ops.server import OpsServer
    from otel_trading.ops.thread import Resident
    from otel_trading.risk.herald import Bot
    from otel_trading.runtime.loop import LoopState
    from otel_trading.settings import Problem, Settings
    from otel_trading.trading.facade import Trading
    from otel_trading.trading.fanout import Lines

    class Watched(Running, Shown, Bot, Protocol):
        """What there is to be watched."""

        def alert_log(self) -> Log | None: ...
        @property
        def lines(self) -> Lines: ...
        def event_loops(self) -> Sequence[LoopState]: ...


_LEAVES_WITHIN = 1.0
"""Seconds that residents have to leave when telemetry ends."""


class Operations:
    """Started and changed by ``configure()``, stopped with telemetry."""

    def __init__(self, telemetry: Watched) -> None:
        self.thread = OpsThread()
        self.emergency = Emergency(telemetry)
        self.risk = Risk(self.emergency, lambda: telemetry.meter)
        self.health = HealthMonitor(
            Surroundings(
                loops=telemetry.event_loops,
                status=telemetry.status,
                restarts=lambda: self.thread.restarts,
                lines=lambda: telemetry.lines,
                emergency=self.emergency,
            )
        )
        self.outbox = Outbox(telemetry.alert_log)
        self.alerts = AlertManager(self.outbox, health=self.health.report, stop=self._stop, house=self._house)
        self.answers = Answers(telemetry, self.emergency, self.health, self.alerts)
        self.cockpit = Cockpit(telemetry)
        self.pages: list[Provider] = [self.cockpit]
        """Who adds pages to the ops server."""
        self.server: OpsServer | None = None
        self._trading: Trading | None = None
        self._on = False
        self._watching = True
        self._begun = False
        self._guests: list[Resident] = []
        self.serves = True
        """Whether there may be a server here: the one of a forked child is its parent's, unless it asks for one."""
        self.emergency.wanted = self._watch_for_stops

    def apply(self, settings: Settings) -> list[Problem | str]:
        """Work with these settings from now on; what cannot be had, in words."""
        self.answers.sampling.begin(settings)
        problems: list[Problem | str] = [
            *self._stop_by(settings),
            *self._serve(settings),
            *self.health.apply(settings),
            *self._tell_people(settings),
        ]
        self._on, self._begun = not settings.disabled, True
        self._watching = settings.health_enabled and not settings.disabled and self.serves
        self._look_on()
        self._house()
        return problems

    def invite(self, guests: Sequence[Resident]) -> None:
        """Have these live on the thread, too, also while telemetry is off."""
        self._guests = list(guests)
        if self._begun:
            self._house()

    def attend(self, trading: Trading, meter: Meter, pump: _native.Pump) -> None:
        """Listen to what the bot says happens."""
        self._trading = trading
        self.alerts.hear(trading, meter, pump)
        self._look_on()

    def deafen(self) -> None:
        """Hear nothing of what the bot says, until ``listen``."""
        self.alerts.deafen()
        self.health.attend(None)
        self.cockpit.follow(None, on=False)

    def listen(self) -> None:
        """Have whoever is on, and nobody else, hear what the bot says."""
        if self.alerts.enabled:
            self.alerts.listen()
        self._look_on()

    def tell_last(self, timeout: float) -> None:
        """Have people told what they are not told yet, for at most ``timeout`` seconds; nobody is told more."""
        self.alerts.look()
        self.outbox.flush(timeout)
        self.outbox.close()

    def stop(self) -> None:
        """Have all leave, and give the port back."""
        server, self.server = self.server, None
        self._on = self._begun = False
        self.emergency.give_back()
        self.deafen()
        self.health.shutting_down("telemetry ends")
        self.thread.close(_LEAVES_WITHIN)
        self.health.rest()
        if server is not None:
            server.close()

    def restart_in_child(self) -> None:
        """Leave the port to the parent."""
        self.thread.restart_in_child()  # before anybody lets go of what lives there
        server, self.server = self.server, None
        self.cockpit.restart_in_child()
        self.serves = self._watching = False
        self.health.restart_in_child()
        self.alerts.restart_in_child()
        self.outbox.restart_in_child()
        self.risk.restart_in_child()
        self.emergency.restart_after_fork()
        if self._begun:
            self.thread.house([*((self.emergency,) if self._on else ()), *self._guests])
        if server is not None:
            server.close_in_child()

    def _look_on(self) -> None:
        """Have whoever is on, and nobody else, see what the bot says happens."""
        self.health.attend(self._trading if self._watching else None)
        self.cockpit.follow(self._trading, on=self.server is not None)

    def _house(self) -> None:
        self.thread.house(self._residents())

    def _stop(self, reason: str) -> None:
        self.emergency.stop(reason, by="rule")

    def _residents(self) -> list[Resident]:
        stops = (self.emergency,) if self._on or self.emergency.has_callbacks else ()
        if not self._on:
            return [*stops, *self._guests]
        health = (self.health,) if self._watching else ()
        alerts = (self.alerts,) if self.alerts.enabled else ()
        served = () if self.server is None else (self.server, self.answers.levels, self.cockpit)
        return [*stops, *health, *alerts, self.outbox, *served, *self._guests]

    def _tell_people(self, settings: Settings) -> list[Problem | str]:
        """Have rules asked and people told by the channels of these settings; what cannot be used, in words."""
        service = service_name(settings)
        channels: list[Channel] = []
        problems: list[Problem | str] = []
        if settings.has_channels and not settings.disabled:
            from otel_trading.alerts.channels.building import build

            channels, told = build(settings, service)
            problems += told
        self.outbox.use(channels, service, settings.alerts_folder)
        self.outbox.housed(housed=not settings.disabled)
        return problems + self.alerts.configure(settings, {channel.name: channel.kind for channel in channels})

    def _watch_for_stops(self) -> None:
        """Somebody wants to be called at a stop: there is a thread for that from now on, telemetry on or off."""
        if self._begun and not self._on:
            self._house()

    def _stop_by(self, settings: Settings) -> list[str]:
        """Have the emergency stop where the settings say, also while telemetry is off."""
        return self.emergency.apply(
            service_name(settings),
            settings.emergency_folder,
            trigger=settings.emergency_file,
            signal=settings.emergency_signal,
            timeout=settings.emergency_timeout,
        )

    def _serve(self, settings: Settings) -> list[Problem | str]:
        """Have the running server when its terms stay, else a new one, which takes its ports over."""
        from otel_trading.ops.opening import opened
        from otel_trading.ops.terms import Terms

        wanted = settings.ops_enabled and not settings.disabled and self.serves
        terms = Terms.of(settings) if wanted else None
        before = self.server
        if before is not None and before.terms == terms:
            return []
        self.server, problems = (None, []) if terms is None else opened(self.answers, terms, before, self.pages)
        if before is not None:
            before.close()
        return problems
