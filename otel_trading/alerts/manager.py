"""Takes alerts in, has the rules asked, and sees that people are told."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from otel_trading import forks
from otel_trading._native import wall_ns as system_wall_ns
from otel_trading.alerts.inbox import Inbox
from otel_trading.settings.complaints import Complaints

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from typing import TypeVar

    from otel_trading import _native
    from otel_trading.alerts.channels.base import Channel
    from otel_trading.alerts.delivers import Delivers
    from otel_trading.alerts.model import AlertChannel, AlertPayload, Notification
    from otel_trading.alerts.rules.model import Rule
    from otel_trading.alerts.rules.own import Condition
    from otel_trading.alerts.silences import Silence
    from otel_trading.alerts.watch import Watch
    from otel_trading.health.model import HealthReport
    from otel_trading.logs.lines import Log
    from otel_trading.metrics.instruments import Meter
    from otel_trading.settings import Problem, Settings
    from otel_trading.trading.facade import Trading

    Function = TypeVar("Function", bound=Condition)

_TICK = 0.5
"""Seconds between two looks, unless something urgent happens."""
_PAUSE = 0.05
"""Seconds between two looks at least: whatever happens, the bot is interrupted twenty times a second at most."""
_WAITING = 1_000
"""Alerts of the bot's own that wait for a look."""
_SILENT_FOR = 3_600.0


class AlertManager:
    """All alerts of the process; lives on the ops thread.

    Args:
        outbox: who delivers; without one nobody is told.
        health: how the bot is.
        stop: stops trading, for rules that say so.
        house: gives it a thread, where it needs one and has none.
        monotonic: seconds of a clock that never goes back.
        wall_ns: nanoseconds since 1970.
        new_id: makes ids.

    >>> alerts = AlertManager()
    >>> alerts.info("Started", "with 3 pairs", pairs=3)
    >>> [(alert.level.value, alert.title, alert.fields) for alert in alerts.recent()]
    [('INFO', 'Started', {'pairs': '3'})]

    """

    name = "alerting"

    def __init__(
        self,
        outbox: Delivers | None = None,
        *,
        health: Callable[[], HealthReport] | None = None,
        stop: Callable[[str], object] | None = None,
        house: Callable[[], object] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall_ns: Callable[[], int] = system_wall_ns,
        new_id: Callable[[], str] = lambda: uuid4().hex,
    ) -> None:
        self.enabled = True
        """Whether rules are asked and people are told."""
        self.outbox = outbox
        self._health, self._stop, self._house = health, stop, house
        self._monotonic, self._wall_ns, self._new_id = monotonic, wall_ns, new_id
        self._lock = forks.lock()
        self._inbox = Inbox(self._wake)
        self._fired: deque[AlertPayload | tuple[str, str, str, Mapping[str, object], int]] = deque(maxlen=_WAITING)
        self._complaints = Complaints("alerts")
        self._made: Watch | None = None
        self._settings: Settings | None = None
        self._kinds: dict[str, str] = {}
        self._reports: tuple[Meter, Log] | None = None
        self._heard: tuple[Trading, Meter, _native.Pump] | None = None
        self._undo: Callable[[], None] | None = None
        self._reporting = True
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bell: asyncio.Event | None = None

    # What the bot says

    def fire(self, alert: AlertPayload) -> None:
        """Tell of an alert, from any thread; never raises and never waits.

        One whose state is ``firing`` fires until the same one is told as ``resolved``; the same is what has the same
        rule and subject, or title.
        """
        if self.enabled:
            self._fired.append(alert)
            self._inbox.wake()

    def info(self, title: str, message: str = "", **fields: object) -> None:
        """Tell of something that is good to know."""
        self._tell("INFO", title, message, fields)

    def warning(self, title: str, message: str = "", **fields: object) -> None:
        """Tell of something to keep an eye on."""
        self._tell("WARNING", title, message, fields)

    def error(self, title: str, message: str = "", **fields: object) -> None:
        """Tell of something that has to be looked at."""
        self._tell("ERROR", title, message, fields)

    def critical(self, title: str, message: str = "", **fields: object) -> None:
        """Tell of something that cannot wait."""
        self._tell("CRITICAL", title, message, fields)

    def rule(
        self,
        name: str,
        level: str = "WARNING",
        **said: Any,  # noqa: ANN401 - as in the configuration
    ) -> Callable[[Function], Function]:
        """Have a function asked twice a second, on a thread of the kit's, whether something holds.

        It gets a ``View`` and gives a boolean, the words for it, or a ``Finding`` for each subject.

        Args:
            name: what the rule is called in the configuration.
            level: how serious it is.
            said: what the configuration could say too, such as ``for_=60``, ``channels``, ``stop``; and ``title``.

        >>> alerts = AlertManager()
        >>> @alerts.rule("edge_gone", level="WARNING", for_=60, title="No edge any more")
        ... def edge_gone(view):
        ...     return view.errors.get("binance", 0) > 2
        >>> [rule.for_ for rule in alerts.rules() if rule.name == "edge_gone"]
        [60.0]

        """

        def decorated(function: Function) -> Function:
            with self._lock:
                self._watch.add_rule(name, level, function, dict(said))
            return function

        return decorated

    # What people ask

    def active(self) -> Sequence[AlertPayload]:
        """What is not over, most serious first."""
        self._catch_up()
        with self._lock:
            return self._watch.active()

    def recent(self) -> Sequence[AlertPayload]:
        """What fired or ended last, newest first."""
        self._catch_up()
        with self._lock:
            return list(reversed(self._watch.records.recent))

    def rules(self) -> Sequence[Rule]:
        """All rules as they are configured."""
        with self._lock:
            return list(self._watch.engine.rules.values())

    def silences(self) -> Sequence[Silence]:
        """What nobody is told about now."""
        with self._lock:
            return self._watch.silences()

    def silence(
        self,
        rule: str = "",
        subject: str = "",
        *,
        level: str = "CRITICAL",
        seconds: float = _SILENT_FOR,
        until: datetime | None = None,
        reason: str = "",
        by: str = "",
    ) -> Silence:
        """Tell nobody of some alerts for a while; that one is over which was told before is told all the same.

        Args:
            rule: a rule's name, with ``*`` and ``?``; all without one.
            subject: what the alert is about, in the same way.
            level: up to this level.
            seconds: for how long.
            until: or until when.
            reason: for those who wonder.
            by: who says so.

        Raises:
            ValueError: when there is no such level.

        """
        with self._lock:
            made = self._watch.silence(rule, subject, level, seconds, until, reason, by)
        self._wake()
        return made

    def end_silence(self, known: str) -> bool:
        """End a silence by its id; whether there was one."""
        with self._lock:
            found = self._watch.telling.silences.remove(known)
        self._wake()
        return found

    def acknowledge(self, key: str, by: str = "somebody") -> bool:
        """Have an alert that fires not told again until it is over; whether there is one."""
        with self._lock:
            known = self._watch.acknowledge(key, by)
        if known and self.outbox is not None:
            for alert in self.active():
                if alert.key == key:
                    self.outbox.acknowledged(alert)
        return known

    def deliveries(self) -> Sequence[Any]:
        """What became of notifications, newest first."""
        return () if self.outbox is None else self.outbox.deliveries()

    def test(self, channel: str | None = None) -> tuple[str, ...]:
        """Send a test through a channel, or through each; the names of those.

        Raises:
            LookupError: when there is no such channel.

        """
        with self._lock:
            tests = self._watch.tests(channel)
        for each in tests:
            self._post(each)
        return tuple(each.channels[0] for each in tests)

    # How it is set up

    def configure(self, settings: Settings, kinds: Mapping[str, str] | None = None) -> list[Problem | str]:
        """Work with these settings from now on, and with channels of these names and kinds; what cannot be used."""
        problems: list[Problem | str] = []
        with self._lock:
            self.enabled = settings.alerts_enabled and not settings.disabled
            self._settings = settings
            if kinds is not None:
                self._kinds = dict(kinds)
            if self._made is not None:
                self._made.telling.routing.kinds = self._kinds
                problems = self._made.configure(settings)
            elif self.enabled and (settings.alerts_rules or settings.alerts_routes):
                _, problems = self._make()
        if self.enabled:
            self.listen()
        else:
            self.deafen()
        return problems

    def add_channel(self, channel: AlertChannel | Channel) -> None:
        """Tell people through one more channel, by its name."""
        with self._lock:
            self._kinds = {**self._kinds, channel.name: str(getattr(channel, "kind", channel.name))}
            if self._made is not None:
                self._made.telling.routing.kinds = self._kinds
        from otel_trading.alerts.channels.base import Channel as Known
        from otel_trading.alerts.channels.custom import Custom

        if self.outbox is None:
            self._complaints.say(f"nobody delivers alerts, so nobody is told by {channel.name}")
        else:
            self.outbox.add(channel if isinstance(channel, Known) else Custom(name=channel.name, channel=channel))

    def report_to(self, meter: Meter, log: Log) -> None:
        """Say what it does to this meter and logger."""
        with self._lock:
            self._reports = meter, log
            if self._made is not None:
                self._made.records.report_to(meter, log)

    def hear(self, trading: Trading, meter: Meter, pump: _native.Pump) -> None:
        """Hear of what happens there from now on."""
        with self._lock:
            if self._undo is not None and self._heard is not None and self._heard[0] is not trading:
                self.deafen()
            self._heard = trading, meter, pump
            if self._made is not None:
                self._made.hear(*self._heard)
        if self.enabled:
            self.listen()

    def listen(self) -> None:
        """Hear of trading events."""
        self._reporting = True
        if self._made is not None:
            self._made.records.on = True
        if self._heard is not None and self._undo is None:
            self._undo = self._inbox.subscribe(self._heard[0])

    def deafen(self) -> None:
        """Hear of none, and report nothing: the bot pays for nothing."""
        self._reporting = False
        if self._made is not None:
            self._made.records.on = False
            self._made.rest()
        undo, self._undo = self._undo, None
        if undo is not None:
            undo()

    def restart_in_child(self) -> None:
        """Begin with nothing in a forked child, which has a thread for it as soon as something urgent happens."""
        self._loop = self._bell = None
        self._inbox.clear()
        self._fired.clear()
        if self._made is not None:
            self._made.restart_in_child()

    # How it lives

    async def live(self) -> None:
        """See ``Resident``."""
        self._loop, self._bell = asyncio.get_running_loop(), asyncio.Event()
        try:
            while True:
                self.look()
                await asyncio.sleep(_PAUSE)
                with suppress(TimeoutError):
                    async with asyncio.timeout(_TICK):
                        await self._bell.wait()
                self._bell.clear()
        finally:
            self._loop = self._bell = None
            self.look()  # what the bot said last
            if self._made is not None:
                self._made.store.close()

    def look(self) -> None:
        """Ask the rules now, and tell people; what lives on the ops thread does it all the time."""
        if not self.enabled:
            return
        with self._lock:
            heard = self._inbox.take()
            fired = [self._payload(self._fired.popleft()) for _ in range(len(self._fired))]
            notifications = self._watch.look(heard, fired, aside=self._loop is not None)
        for notification in notifications:
            self._post(notification)

    @property
    def _watch(self) -> Watch:
        """The rules at work, made when they are needed for the first time; the lock is held."""
        if self._made is None:
            made, problems = self._make()
            for problem in problems:
                self._complaints.say(f"{problem}")
            return made
        return self._made

    def _make(self) -> tuple[Watch, list[Problem | str]]:
        with forks.whole_imports():
            from otel_trading.alerts.watch import Watch
        made = Watch(
            health=self._health,
            stop=self._stop,
            dropped=lambda: self._inbox.dropped,
            monotonic=self._monotonic,
            wall_ns=self._wall_ns,
            new_id=self._new_id,
        )
        made.telling.routing.kinds, made.records.on = self._kinds, self._reporting
        problems = [] if self._settings is None else made.configure(self._settings)
        if self._reports is not None:
            made.records.report_to(*self._reports)
        if self._heard is not None:
            made.hear(*self._heard)
        self._made = made
        return made, problems

    def _tell(self, level: str, title: str, message: str, fields: Mapping[str, object]) -> None:
        if self.enabled:
            self._fired.append((level, title, message, fields, self._wall_ns()))
            self._inbox.wake()

    def _payload(self, said: AlertPayload | tuple[str, str, str, Mapping[str, object], int]) -> AlertPayload:
        from otel_trading.alerts.shown import told

        return told(*said) if isinstance(said, tuple) else said

    def _post(self, notification: Notification) -> None:
        if self.outbox is None:
            return
        try:
            self.outbox.post(notification)
        except Exception as error:
            self._complaints.say(f"an alert could not be handed over: {type(error).__name__}: {error}")

    def _catch_up(self) -> None:
        """Where nobody lives, who asks does the work."""
        if self._loop is None:
            self.look()

    def _wake(self) -> None:
        """Have a look at once."""
        loop, bell = self._loop, self._bell
        if loop is None or bell is None:
            if self._house is not None:
                self._house()
            return
        with suppress(RuntimeError):  # it is just closed
            loop.call_soon_threadsafe(bell.set)
