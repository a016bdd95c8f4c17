"""What became of notifications: on record, in metrics, and in the log where nobody was told."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from otel_trading.alerts.model import AlertLevel
from otel_trading.alerts.record import Delivery
from otel_trading.runtime.voice import Voice, and_more
from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from otel_trading.alerts.channels.log import LogChannel
    from otel_trading.alerts.measures import Measures
    from otel_trading.alerts.record import Outcome
    from otel_trading.alerts.waiting import Item

_REMEMBERED = 1_000
_SINGLE, _NAMED = 5, 10


class Accounts:
    """Keeps the newest deliveries, and knows of each notification who is not done with it."""

    def __init__(
        self, log: LogChannel, measures: Measures, clock: Callable[[], float], now: Callable[[], float]
    ) -> None:
        self._log = log
        self._measures = measures
        self._clock = clock
        self._now = now
        self._voice = Voice(clock=clock)
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._records: deque[Delivery] = deque(maxlen=_REMEMBERED)
        self._left: Counter[str] = Counter()
        """At the end: by rule, what has no line of its own; under an empty name, how many have one."""
        self._open: OrderedDict[str, dict[str, str]] = OrderedDict()
        """By notification: the channels that are not done with it (""), and those that could not deliver it (why)."""

    def deliveries(self) -> Sequence[Delivery]:
        """What became of notifications, the newest first."""
        with self._lock:
            return list(reversed(self._records))

    def begin(self, notification: str, channels: tuple[str, ...]) -> None:
        """Know that these channels are to deliver a notification."""
        with self._lock:
            self._open.setdefault(notification, {}).update(dict.fromkeys(channels, ""))
            while len(self._open) > _REMEMBERED:
                self._open.popitem(last=False)

    def restart_in_child(self) -> None:
        """Begin with nothing in a forked child."""
        self._voice.restart_in_child()
        self._begin()

    def note(self, channel: str, item: Item, outcome: Outcome) -> None:
        told = item.notification
        delivery = Delivery(
            datetime.fromtimestamp(self._now(), UTC),
            channel,
            told.alert.key,
            "acknowledged" if item.acknowledgement else told.kind,
            told.alert.level,
            outcome,
            item.attempts,
            max(0.0, self._clock() - item.posted),
            "" if outcome == "sent" else item.error,
            told.id,
        )
        with self._lock:
            self._records.append(delivery)
        try:
            self._measures.note(delivery)
        except Exception as error:
            report(f"deliveries of alerts are not measured: {type(error).__name__}: {error}")

    def settle(self, channel: str, item: Item, outcome: Outcome, *, last: bool = False) -> None:
        """Say in the log what did not arrive: on one channel at a bounded rate, on all of them each time.

        With ``last`` most is said by ``sum_up`` in one line.
        """
        with self._lock:
            state = self._open.get(item.notification.id)
            if state is not None:
                if outcome in {"sent", "suppressed"}:
                    del self._open[item.notification.id]
                    state = None
                    lost = False
                else:
                    state[channel] = item.error or outcome
                    lost = all(state.values())
                    if lost:
                        del self._open[item.notification.id]
            else:
                lost = item.digest
        if outcome in {"sent", "suppressed"}:
            return
        alert = item.notification.alert
        if lost and last and alert.level is not AlertLevel.CRITICAL and self._left.total() >= _SINGLE:
            self._left[alert.title if item.digest else alert.rule or alert.title] += 1
        elif lost:
            self._left.update([""] if last else ())
            self.lament(item, state or {channel: item.error}, outcome)
        else:
            kept_back = self._voice.kept_back(("failing", channel))
            if kept_back is not None:
                said = f"{channel} could not be told of an alert: {item.error}{and_more(kept_back)}"
                self._log.say(AlertLevel.WARNING, said, "alert.channel.failed", {"channel": channel})

    def sum_up(self) -> None:
        """Say what is left at the end, beyond what has a line of its own."""
        del self._left[""]
        if self._left:
            names = ", ".join(f"{count} {name}" for name, count in self._left.most_common(_NAMED))
            said = f"{self._left.total()} more alerts not delivered, as the bot ended first: {names}"
            self._log.say(AlertLevel.ERROR, said, "alert.undelivered", {"count": self._left.total()})
        self._left.clear()

    def lament(self, item: Item, reasons: dict[str, str], outcome: Outcome) -> None:
        alert = item.notification.alert
        kept_back = 0 if alert.level is AlertLevel.CRITICAL else self._voice.kept_back(("lost", alert.key))
        if kept_back is None:
            return
        perhaps = "perhaps not" if outcome == "uncertain" else "not"
        why = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        said = f"alert {perhaps} delivered: {alert.title} ({why}){and_more(kept_back)}"
        data = {"alert": alert.key, "alert_level": alert.level.lower(), "kind": item.notification.kind}
        self._log.say(AlertLevel.ERROR, said, "alert.undelivered", data)
