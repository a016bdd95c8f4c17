"""Behind the outbox: has each channel told, or the log say that it was not."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from otel_trading.alerts.accounts import Accounts
from otel_trading.alerts.channels.log import NAME as LOG
from otel_trading.alerts.channels.log import LogChannel
from otel_trading.alerts.channels.threads import in_thread
from otel_trading.alerts.channels.threads import restart_in_child as threads_in_child
from otel_trading.alerts.model import AlertLevel, Notification
from otel_trading.alerts.rendering import without_secrets
from otel_trading.alerts.spool import Spool, noted, posted
from otel_trading.alerts.waiting import Item
from otel_trading.alerts.worker import Worker
from otel_trading.runtime.voice import Voice
from otel_trading.settings import report
from otel_trading.threads import NoThreadsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from otel_trading.alerts.channels.base import Channel
    from otel_trading.alerts.measures import Measures
    from otel_trading.alerts.model import AlertPayload
    from otel_trading.alerts.record import ChannelStatus, Outcome
    from otel_trading.logs.lines import Log

_REMEMBERED = 1_000
_NOTED_WITHIN = 0.5
"""Seconds that an attempt waits for the disk."""
_SAVED_WITHIN = 2.0
"""Seconds that the end waits for it: what is not there then is lost."""
_LOOK = 0.02


class Office:
    """All channels of the process: the log is told at once, by whoever posts, the others by a task each."""

    def __init__(
        self,
        log: Callable[[], Log | None],
        measures: Measures,
        clock: Callable[[], float],
        now: Callable[[], float],
        chance: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self._log = LogChannel(log)
        self._clock = clock
        self._now = now
        self._chance = chance
        self.new_id = new_id
        self.measures = measures
        self.accounts = Accounts(self._log, measures, clock, now)
        self._voice = Voice(clock=clock)
        self._workers: dict[str, Worker] = {}
        self._configured: set[str] = set()
        self._secrets: tuple[str, ...] = ()
        self._spool = Spool(None, "")
        self._begin()

    def _begin(self) -> None:
        self._lines: deque[dict[str, Any]] = deque(maxlen=_REMEMBERED)
        self._writing = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = self._ink = asyncio.Event()

    def acknowledged(self, alert: AlertPayload) -> None:
        """Tell the channels that have a word for it, such as PagerDuty, that somebody looks after an alert."""
        for worker in list(self._workers.values()):
            if worker.channel.acknowledges:
                told = Notification(self._clean(alert), (worker.channel.name,), "reminder", id=self.new_id())
                worker.add(Item(told, self._clock(), acknowledgement=True))

    def channels(self) -> Sequence[ChannelStatus]:
        """How the channels are; the log is always there and not among them."""
        return [worker.status for worker in list(self._workers.values())]

    def use(self, channels: Iterable[Channel], service: str = "", folder: str | None = None) -> None:
        """Have these channels from now on, beside those that the bot added; what waits for one that stays, waits on."""
        self._spool.rename(folder, service)
        wanted = {channel.name: channel for channel in channels}
        for name in self._configured - wanted.keys():
            self._remove(name)
        for channel in wanted.values():
            self._install(channel)
        self._configured = set(wanted)

    def add(self, channel: Channel) -> None:
        """Have one channel more, that the configuration says nothing of."""
        self._install(channel)
        self._configured.discard(channel.name)

    def flush(self, deadline: float) -> bool:
        """Wait until everything is delivered, at most until a time of the clock; whether it is."""
        while not all(worker.idle for worker in list(self._workers.values())):
            if self._clock() >= deadline or self._loop is None:
                return False
            if not any(worker.due() <= deadline for worker in list(self._workers.values())):
                return False
            time.sleep(_LOOK)
        return True

    def open(self) -> None:
        """Take over what earlier runs left, which this one did before it was closed."""
        self._spool.begin()

    def close(self) -> None:
        """Say in the log what was not delivered; what is critical of it is told by the next start."""
        for worker in list(self._workers.values()):
            for item in worker.clear():
                later = item.notification.alert.level is AlertLevel.CRITICAL and not item.digest
                item.error = item.error or "the bot ended first" + (", the next start tells it" if later else "")
                outcome: Outcome = "uncertain" if item.interrupted and not worker.channel.repeats else "failed"
                self.accounts.note(worker.channel.name, item, outcome)
                self.accounts.settle(worker.channel.name, item, outcome, last=True)
        self.accounts.sum_up()
        if not self._noting and not self._spool.open:
            self._spool.close()
            return
        closing = threading.Thread(target=self._close_spool, name="otel-alerts-spool", daemon=True)
        try:
            closing.start()
        except RuntimeError:  # no threads while the interpreter shuts down
            self._close_spool()
        else:
            closing.join(_SAVED_WITHIN)

    def restart_in_child(self) -> None:
        """Begin with nothing in a forked child: what waits is the parent's."""
        threads_in_child()
        self._voice.restart_in_child()
        self.accounts.restart_in_child()
        self._spool.restart_in_child()
        self._begin()
        for worker in self._workers.values():
            worker.restart_in_child()

    async def live(self) -> None:
        """Deliver until it is cancelled."""
        self._loop = asyncio.get_running_loop()
        self._changed, self._ink = asyncio.Event(), asyncio.Event()
        others = [asyncio.create_task(self._adopt()), asyncio.create_task(self._write())]
        tasks: dict[Worker, asyncio.Task[None]] = {}
        try:
            while True:
                self._changed.clear()
                self.measures.prepare()
                current = list(self._workers.values())
                for worker in tasks.keys() - set(current):
                    tasks.pop(worker).cancel()
                for worker in current:
                    if worker not in tasks:
                        tasks[worker] = asyncio.create_task(self._tend(worker))
                await self._changed.wait()
        finally:
            self._loop = None
            ended = [*others, *tasks.values()]
            for task in ended:
                task.cancel()
            await asyncio.gather(*ended, return_exceptions=True)

    def done(self, worker: Worker, item: Item, outcome: Outcome) -> None:
        """Note what became of an item; called by workers."""
        self.accounts.note(worker.channel.name, item, outcome)
        if item.notification.alert.level is AlertLevel.CRITICAL and not item.digest:
            self._scribble(noted("done", item.notification, worker.channel.name))
        self.accounts.settle(worker.channel.name, item, outcome)

    async def begins(self, worker: Worker, item: Item) -> None:
        """Note that an attempt begins, before it does; called by workers."""
        if item.notification.alert.level is AlertLevel.CRITICAL and not worker.channel.repeats:
            self._lines.append(noted("try", item.notification, worker.channel.name))
            try:
                await asyncio.wait_for(self._write_out(), _NOTED_WITHIN)
            except TimeoutError:
                return

    def failed(self, worker: Worker, item: Item) -> None:
        """Note that an attempt has surely delivered nothing; called by workers."""
        if item.notification.alert.level is AlertLevel.CRITICAL and not worker.channel.repeats:
            self._scribble(noted("failed", item.notification, worker.channel.name))

    def post(self, notification: Notification, at: float | None = None) -> None:
        """Have a notification delivered, from any thread; ``at`` is when it came, if that was not now."""
        notification = replace(
            notification,
            id=notification.id or self.new_id(),
            alert=self._clean(notification.alert),
            others=tuple(map(self._clean, notification.others[:_REMEMBERED])),
        )
        item = Item(notification, self._clock() if at is None else at)
        self._log.tell(notification)
        self.accounts.note(LOG, item, "sent")
        workers = [worker for name in dict.fromkeys(notification.channels) if (worker := self._worker(name, item))]
        names = tuple(worker.channel.name for worker in workers)
        if not names:
            return
        self.accounts.begin(notification.id, names)
        if notification.alert.level is AlertLevel.CRITICAL and notification.kind != "test":
            self._scribble(posted(notification, names, self._now()))
        for worker in workers:
            worker.add(replace(item))

    def _worker(self, name: str, item: Item) -> Worker | None:
        """The worker of a channel that wants to know."""
        worker = self._workers.get(name)
        if worker is None:
            if name != LOG and self._voice.kept_back(("unknown", name)) is not None:
                report(f"alerts: there is no channel {name!r}; known: {', '.join([LOG, *self._workers])}")
            return None
        asked = item.notification.kind in {"test", "resolved"} or item.rank >= worker.channel.level.rank
        return worker if asked else None

    def _clean(self, alert: AlertPayload) -> AlertPayload:
        """An alert without secrets, also those of the channels."""
        clean = without_secrets(alert)

        def masked(text: str) -> str:
            for secret in self._secrets:
                text = text.replace(secret, "****")
            return text

        return replace(
            clean,
            title=masked(clean.title),
            message=masked(clean.message),
            subject=masked(clean.subject),
            fields={masked(name): masked(value) for name, value in clean.fields.items()},
        )

    def _install(self, channel: Channel) -> None:
        before = self._workers.get(channel.name)
        if before is not None and before.channel == channel:
            return
        worker = Worker(channel, self, self._clock, self._chance)
        self._workers = {**self._workers, channel.name: worker}
        if before is not None:
            worker.take_over(before)
        self._know_secrets()
        self.ring()

    def _remove(self, name: str) -> None:
        worker = self._workers[name]
        self._workers = {other: each for other, each in self._workers.items() if other != name}
        for item in worker.clear():
            item.error = item.error or "the channel is gone"
            self.done(worker, item, "failed")
        self._know_secrets()
        self.ring()

    def _know_secrets(self) -> None:
        found = {secret for worker in self._workers.values() for secret in worker.channel.secrets()}
        self._secrets = tuple(sorted(found, key=len, reverse=True))

    def ring(self) -> None:
        """Have the loop look at what is new."""
        loop = self._loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(self._changed.set)
            loop.call_soon_threadsafe(self._ink.set)
        except RuntimeError:  # closed meanwhile
            return

    async def _tend(self, worker: Worker) -> None:
        while True:
            try:
                await worker.live()
            except Exception as error:
                report(f"alerts: the channel {worker.channel.name} begins anew: {type(error).__name__}: {error}")
            await asyncio.sleep(1.0)

    def _scribble(self, line: dict[str, Any]) -> None:
        self._lines.append(line)
        self.ring()

    async def _write(self) -> None:
        while True:
            self._ink.clear()
            await self._write_out()
            await self._ink.wait()

    async def _write_out(self) -> None:
        """Have the disk keep what happened; without one what is critical does not survive the process."""
        if not self._noting:
            return
        try:
            await in_thread(self._put_down, name="spool")
        except NoThreadsError:
            return  # they are written when all is closed
        except OSError as error:
            self._complain(error)

    @property
    def _noting(self) -> bool:
        """Whether something is not on the disk yet."""
        return bool(self._lines) or self._writing.locked()

    def _put_down(self) -> None:
        """Write what happened, after whoever is writing now."""
        with self._writing:
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            if lines:
                self._spool.write(lines)

    async def _adopt(self) -> None:
        """Deliver what an earlier run of the bot left."""
        try:
            left = await in_thread(self._spool.adopt, self._now(), name="spool")
        except NoThreadsError:
            return
        except OSError as error:
            self._complain(error)
            return
        begun = {(each.channel, each.notification.alert.key) for each in left if each.notification.kind == "first"}
        for each in left:
            worker = self._workers.get(each.channel)
            notification = replace(each.notification, alert=self._clean(each.notification.alert))
            item = Item(notification, self._clock())
            if worker is None or (each.tried and not worker.channel.repeats):
                item.error = (
                    "there is no such channel any more" if worker is None else "the bot ended while it was told"
                )
                outcome: Outcome = "failed" if worker is None else "uncertain"
                self.accounts.note(each.channel, item, outcome)
                self.accounts.lament(item, {each.channel: item.error}, outcome)
                self._scribble(noted("done", notification, each.channel))
                continue
            if (each.channel, item.key) not in begun:
                worker.know(item.key)
            self.accounts.begin(notification.id, (each.channel,))
            worker.add(item)

    def _complain(self, error: OSError) -> None:
        if self._voice.kept_back("spool") is not None:
            reason = error.strerror or type(error).__name__
            report(f"critical alerts that cannot be delivered do not outlive the bot: {reason}; see alerts_folder")

    def _close_spool(self) -> None:
        try:
            self._put_down()
            self._spool.close()
        except OSError as error:
            self._complain(error)
