"""The outbox: takes notifications from any thread, and has them delivered by the ops thread."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from typing import TYPE_CHECKING
from uuid import uuid4

from otel_trading.alerts.measures import Measures
from otel_trading.forks import whole_imports
from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from otel_trading.alerts.channels.base import Channel
    from otel_trading.alerts.model import AlertPayload, Notification
    from otel_trading.alerts.office import Office
    from otel_trading.alerts.record import ChannelStatus, Delivery
    from otel_trading.logs.lines import Log
    from otel_trading.metrics.instruments import Meter

_EARLY = 1_000
"""Notifications that may wait for the ops thread to begin."""

_LOOK = 0.02


class Outbox:
    """What has to be delivered, and what became of it; a resident of the ops thread.

    ``log`` gives the bot's logger of alerts, ``None`` where telemetry is off. The log is told by the thread that posts,
    at the very beginning by the ops thread, which imports what delivers, so that no bot waits for that.

    >>> from otel_trading.alerts.model import AlertLevel, AlertPayload, Notification
    >>> outbox = Outbox()
    >>> outbox.post(Notification(AlertPayload(AlertLevel.INFO, "large fill", "0.5 BTC"), (), "first"))
    >>> outbox.deliveries()[0].channel, outbox.deliveries()[0].outcome
    ('log', 'sent')
    """

    name = "the delivery of alerts"

    def __init__(
        self,
        log: Callable[[], Log | None] = lambda: None,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
        new_id: Callable[[], str] = lambda: uuid4().hex,
    ) -> None:
        self._log = log
        self._clock = clock
        self._now = now
        self._chance = chance
        self._new_id = new_id
        self._measures = Measures()
        self._use: tuple[tuple[Channel, ...], str, str | None] = ((), "", None)
        self._office: Office | None = None
        self._housed = False
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._early: deque[tuple[Notification, float]] = deque()

    def post(self, notification: Notification) -> None:
        """Have a notification delivered, from any thread; never raises and never waits."""
        try:
            with self._lock:
                office = self._office
                if office is None and self._housed and len(self._early) < _EARLY:
                    self._early.append((notification, self._clock()))
                    return
            (office or self._opened()).post(notification)
        except Exception as error:
            report(f"an alert cannot be posted: {type(error).__name__}: {error}")

    def acknowledged(self, alert: AlertPayload) -> None:
        """Tell the channels that have a word for it, such as PagerDuty, that somebody looks after an alert."""
        if self._office is not None:
            self._office.acknowledged(alert)

    def deliveries(self) -> Sequence[Delivery]:
        """What became of notifications, the newest first."""
        return [] if self._office is None else self._office.accounts.deliveries()

    def channels(self) -> Sequence[ChannelStatus]:
        """How the channels are; the log is always there and not among them."""
        return [] if self._office is None else self._office.channels()

    def use(self, channels: Iterable[Channel], service: str = "", folder: str | None = None) -> None:
        """Have these channels from now on, beside those that were added; what waits for one that stays, waits on."""
        with self._lock:
            self._use = (tuple(channels), service, folder)
            if self._office is not None:
                self._office.use(*self._use)

    def add(self, channel: Channel) -> None:
        """Have one channel more, of which the configuration says nothing."""
        self._opened().add(channel)

    def measure(self, meter: Meter) -> None:
        """Measure deliveries on this meter from now on."""
        self._measures.use(meter)
        if self._office is not None:
            self._office.ring()

    def housed(self, *, housed: bool) -> None:
        """Hear whether the ops thread lives, or will at once."""
        self._housed = housed
        if housed and self._office is not None:
            self._office.open()

    def flush(self, timeout: float) -> bool:
        """Wait until everything is delivered, at most so many seconds and only while that can be; whether it is."""
        deadline = self._clock() + timeout
        while self._are_early and self._clock() < deadline:
            time.sleep(_LOOK)
        return not self._are_early if self._office is None else self._office.flush(deadline)

    def close(self) -> None:
        """Say in the log what was not delivered; what is critical of it is told by the next start."""
        self._housed = False
        if self._are_early:
            self._opened()
        if self._office is not None:
            self._office.close()

    def restart_in_child(self) -> None:
        """Begin with nothing in a forked child: what waits is the parent's."""
        self._begin()
        if self._office is not None:
            self._office.restart_in_child()

    async def live(self) -> None:
        """Deliver until it is cancelled."""
        await self._opened().live()

    @property
    def _are_early(self) -> bool:
        """Whether notifications wait for the office; the one that is opening has taken them all when it is asked."""
        with self._lock:
            return self._office is None and bool(self._early)

    def _opened(self) -> Office:
        with whole_imports():
            from otel_trading.alerts.office import Office
        with self._lock:
            if self._office is None:
                office = Office(self._log, self._measures, self._clock, self._now, self._chance, self._new_id)
                office.use(*self._use)
                while self._early:
                    office.post(*self._early.popleft())
                self._office = office
        return self._office
