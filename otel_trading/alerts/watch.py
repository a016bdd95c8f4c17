"""The rules at work: made on the ops thread, so that nobody who starts a bot waits for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from otel_trading.alerts.engine import Engine
from otel_trading.alerts.model import AlertLevel, AlertPayload, Notification
from otel_trading.alerts.readings import Disks, Latencies, session_pnl
from otel_trading.alerts.records import Records
from otel_trading.alerts.routing import LOG
from otel_trading.alerts.rules.configured import configured, routes, unknown_channels, unknown_rules
from otel_trading.alerts.rules.declared import RULES
from otel_trading.alerts.rules.model import Rule
from otel_trading.alerts.rules.own import OwnRules, condition
from otel_trading.alerts.rules.state import State
from otel_trading.alerts.silences import Silence
from otel_trading.alerts.store import Store
from otel_trading.alerts.telling import Telling
from otel_trading.health.model import HealthReport
from otel_trading.resource import service_name
from otel_trading.settings.complaints import Complaints

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from otel_trading import _native
    from otel_trading.alerts.engine import Change
    from otel_trading.alerts.rules.model import Finding
    from otel_trading.alerts.rules.own import Condition
    from otel_trading.alerts.rules.state import Heard
    from otel_trading.metrics.instruments import Meter
    from otel_trading.settings import Problem, Settings
    from otel_trading.trading.facade import Trading


class Watch:
    """Everything the manager does not do itself; used under its lock.

    Args:
        health: how the bot is.
        stop: stops trading, for rules that say so.
        dropped: how many events found no room.
        monotonic: seconds of a clock that never goes back.
        wall_ns: nanoseconds since 1970.
        new_id: makes ids.

    """

    def __init__(
        self,
        *,
        health: Callable[[], HealthReport] | None,
        stop: Callable[[str], object] | None,
        dropped: Callable[[], int],
        monotonic: Callable[[], float],
        wall_ns: Callable[[], int],
        new_id: Callable[[], str],
    ) -> None:
        self._health, self._stop = health, stop
        self._monotonic, self._wall_ns, self._new_id = monotonic, wall_ns, new_id
        self._state = State()
        self.engine = Engine(RULES.values())
        self.records = Records(lambda: self.engine.firing, dropped)
        self.telling = Telling(new_id, self.records.suppressed)
        self.store = Store(self.telling.silences)
        self._own = OwnRules()
        self._disks = Disks()
        self._said: Mapping[str, Any] = {}
        self._trading: Trading | None = None
        self._latencies: Latencies | None = None
        self._complaints = Complaints("alerts")

    # How it is set up

    def configure(self, settings: Settings) -> list[Problem | str]:
        """Work with these settings from now on; what cannot be used."""
        telling = self.telling
        kinds = telling.routing.kinds
        telling.routing.routes, problems = routes(settings.alerts_routes, kinds)
        telling.grouping.interval = settings.alerts_group_interval
        telling.restraint.rate = settings.alerts_rate
        telling.remind_after = settings.alerts_reminder_interval
        self._said = settings.alerts_rules
        problems += self._use_rules()
        problems += unknown_rules(self._said, self.engine.rules)
        problems += unknown_channels(self.engine.rules.values(), kinds)
        paths = (*settings.runtime_disk_paths, settings.log_file, settings.spool_folder, settings.flight_folder)
        self._disks.paths = tuple(dict.fromkeys(path for path in paths if path))
        self.store.place(settings.alerts_folder, service_name(settings))
        return problems

    def hear(self, trading: Trading, meter: Meter, pump: _native.Pump) -> None:
        """Ask there for what no event says."""
        self.rest()
        self._trading, self._latencies = trading, Latencies(meter, pump)

    def rest(self) -> None:
        """Leave the feeds' histograms to others: a series has one who looks at its windows."""
        if self._latencies is not None:
            self._latencies.close()

    def add_rule(self, name: str, level: str, function: Condition, said: dict[str, Any]) -> None:
        """Ask one of the bot's own."""
        title = str(said.pop("title", None) or name.replace("_", " ").capitalize())
        rule = Rule(name, AlertLevel(level.upper()), condition(function), title, str(said.pop("message", "")))
        rule, problems = configured(rule, {key.rstrip("_"): value for key, value in said.items()})
        self._own.rules[name] = rule
        for problem in (*problems, *self._use_rules()):
            self._complaints.say(f"{problem}")

    def _use_rules(self) -> list[Problem | str]:
        problems: list[Problem | str] = []
        rules = []
        for declared in {**RULES, **self._own.rules}.values():
            rule, wrong = configured(declared, self._said.get(declared.name, {}))
            rules.append(rule)
            problems += wrong
        self.engine.use(rules)
        return problems

    def restart_in_child(self) -> None:
        """Begin with nothing in a forked child."""
        self.rest()
        self._state.clear()
        self.engine.clear()
        self.telling.clear()
        self.records.recent.clear()
        for each in (self._own, self._disks, self.store):
            each.restart_in_child()

    # What is asked of it

    def look(self, heard: Sequence[Heard], fired: Sequence[AlertPayload], *, aside: bool) -> list[Notification]:
        """Take in what came, ask the rules, and say who is told; the bot's own rules are asked ``aside``."""
        self.store.look()
        now, now_ns = self._monotonic(), self._wall_ns()
        self._state.take(heard, now)
        changes = [change for alert in fired for change in self.engine.fire(alert, now, now_ns)]
        changes += self._asked(now, now_ns, aside=aside)
        for change in changes:
            self.records.changed(change)
            self._stop_if_told(change)
        return self.telling.look(changes, self.engine.firing, now, now_ns)

    def active(self) -> Sequence[AlertPayload]:
        """What is not over, most serious first."""
        alerts = [track.payload() for track in self.engine.firing]
        return sorted(alerts, key=lambda alert: (-alert.level.rank, alert.timestamp))

    def silence(
        self, rule: str, subject: str, level: str, seconds: float, until: datetime | None, reason: str, by: str
    ) -> Silence:
        """Tell nobody of some alerts for a while."""
        now_ns = self._wall_ns()
        ends = round(until.timestamp() * 1e9) if until is not None else now_ns + round(seconds * 1e9)
        most = AlertLevel(level.upper())
        made = Silence(self._new_id()[:12], rule or "*", subject or "*", most, ends, reason, by, now_ns)
        self.telling.silences.add(made)
        return made

    def silences(self) -> Sequence[Silence]:
        """Those that hold."""
        return self.telling.silences.now(self._wall_ns())

    def acknowledge(self, key: str, by: str) -> bool:
        """Have an alert not told again; whether it fires."""
        track = self.engine.tracks.get(key)
        if track is None or track.phase != "firing":
            return False
        track.acknowledged = by or "somebody"
        return True

    def tests(self, channel: str | None) -> list[Notification]:
        """A test for a channel, or for each; ``LookupError`` when there is no such channel."""
        there = dict.fromkeys((LOG, *self.telling.routing.kinds))
        if channel is not None and channel not in there:
            raise LookupError(f"there is no channel {channel}; there are {', '.join(there)}")
        now = datetime.fromtimestamp(self._wall_ns() / 1e9, UTC)
        return [
            Notification(
                AlertPayload(
                    *(AlertLevel.INFO, "Test", f"This is a test of the channel {name}. Nothing happened.", now),
                    *({"channel": name}, "test", name),
                ),
                *((name,), "test", (), self._new_id()),
            )
            for name in ((channel,) if channel is not None else there)
        ]

    def _asked(self, now: float, now_ns: int, *, aside: bool) -> list[Change]:
        trading = self._trading
        feeds = [] if trading is None else list(trading.feeds)
        view = self._state.view(
            now,
            now_ns,
            self._report(),
            feeds=feeds,
            latency={} if self._latencies is None else self._latencies.read(feeds),
            session_pnl={} if trading is None else session_pnl(trading),
            disks=self._disks.read(now),
            firing=frozenset(track.key for track in self.engine.firing),
        )
        if not aside or not self._own.rules:
            return self.engine.look(view, now)
        own = [self.engine.rules[name] for name in self._own.rules]
        found: dict[str, Sequence[Finding] | None] = {rule.name: None for rule in own}
        for name, answer in self._own.ask([rule for rule in own if rule.awake], view, now).items():
            if isinstance(answer, BaseException):
                self.engine.failed(name, answer)
            else:
                found[name] = answer
        return self.engine.look(view, now, found)

    def _report(self) -> HealthReport:
        if self._health is not None:
            try:
                return self._health()
            except Exception as error:
                self._complaints.say(f"health cannot be asked: {type(error).__name__}: {error}")
        return HealthReport("healthy", ready=True)

    def _stop_if_told(self, change: Change) -> None:
        if not change.track.rule.stop or self._stop is None or change.kind == "resolved":
            return
        alert = change.track.payload()
        try:
            self._stop(f"{alert.rule}: {alert.title}")
        except Exception as error:
            self._complaints.say(f"trading could not be stopped: {type(error).__name__}: {error}")
