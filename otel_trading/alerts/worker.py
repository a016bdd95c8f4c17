"""Tells one channel, one message at a time."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from otel_trading.alerts.channels.errors import LaterError, RefusedError, UnansweredError
from otel_trading.alerts.pace import Bucket, pause_after
from otel_trading.alerts.record import ChannelStatus
from otel_trading.alerts.rendering import render
from otel_trading.alerts.waiting import IMPORTANT, Item, Waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.alerts.channels.base import Channel
    from otel_trading.alerts.record import Outcome

_ROOM = 100
"""Notifications that may wait for a channel."""
_REMEMBERED = 2_000
_MANY = 3
"""More than these, and more than may go at once, become one message."""


class Office(Protocol):
    """Whom a worker tells."""

    @property
    def new_id(self) -> Callable[[], str]:
        """Where ids come from."""
        ...

    def done(self, worker: Worker, item: Item, outcome: Outcome) -> None:
        """Note what became of an item."""

    async def begins(self, worker: Worker, item: Item) -> None:
        """Note that an attempt begins."""

    def failed(self, worker: Worker, item: Item) -> None:
        """Note that an attempt has surely delivered nothing, and that there will be another one."""


class Worker:
    """One channel's queue and the task that empties it."""

    def __init__(
        self,
        channel: Channel,
        office: Office,
        clock: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self.channel = channel
        self._office = office
        self._clock = clock
        self._chance = chance
        self._bucket = Bucket(channel.pace, clock)
        self._threads: OrderedDict[str, str | None] = OrderedDict()
        """The alerts that this channel knows of, and what messages about them refer to."""
        self._failing = ""
        self._failures = 0
        self._resume_at = 0.0
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._waiting = Waiting(_ROOM)
        self._under_way: Item | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None

    def add(self, item: Item) -> None:
        """Take a notification, from any thread."""
        with self._lock:
            gone = self._waiting.add(item)
        if gone is not None:
            gone.error = "too many wait: it is counted in a digest"
            self._office.done(self, gone, "suppressed")
        if gone is not item:
            self._ring()

    def know(self, key: str) -> None:
        """Take it that the channel was told of an alert."""
        self._threads.setdefault(key, None)

    @property
    def idle(self) -> bool:
        """Whether nothing waits."""
        with self._lock:
            return not self._waiting and not self._waiting.overflow and self._under_way is None

    def due(self) -> float:
        """When the next thing happens, by the clock; at no time when nothing waits."""
        with self._lock:
            if self._under_way is not None:
                return self._clock()
            soonest = self._waiting.soonest()
            if soonest is None:
                return self._clock() if self._waiting.overflow else float("inf")
            rank = max(item.rank for item in self._waiting)
            pause = self._bucket.wait(important=rank >= IMPORTANT.rank)
            return max(soonest, self._clock() + pause)

    def take_over(self, other: Worker) -> None:
        """Have what waits for another one, and know what it knows."""
        self._threads = other._threads
        for item in other.clear():
            if item.interrupted and not self.channel.repeats:
                item.error = "the channel was changed while it was told"
                self._remember(item.key, None)
                self._office.done(self, item, "uncertain")
            else:
                item.interrupted = False
                self.add(item)

    @property
    def status(self) -> ChannelStatus:
        """How it is."""
        with self._lock:
            waiting = len(self._waiting) + self._waiting.overflow.total() + (self._under_way is not None)
        return ChannelStatus(self.channel.name, self.channel.kind, self.channel.level, waiting, self._failing)

    def clear(self) -> list[Item]:
        """Everything that waits; nothing does afterwards."""
        with self._lock:
            left = list(self._waiting)
            if self._waiting.overflow:
                left.append(self._waiting.digest_of_overflow(self._clock()))
            if self._under_way is not None:
                self._under_way.interrupted = True
                left.insert(0, self._under_way)
            self._waiting, self._under_way = Waiting(_ROOM), None
        return left

    def restart_in_child(self) -> None:
        """Leave what waits to the parent."""
        self._begin()

    async def live(self) -> None:
        """Send what comes until it is cancelled."""
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        try:
            while True:
                self._wake.clear()
                item, pause = self._next()
                if item is not None:
                    await self._attempt(item)
                else:
                    await self._sleep(pause)
        finally:
            self._loop = None

    def _ring(self) -> None:
        loop, wake = self._loop, self._wake
        if loop is None or wake is None:
            return
        try:
            loop.call_soon_threadsafe(wake.set)
        except RuntimeError:  # closed meanwhile
            return

    async def _sleep(self, pause: float | None) -> None:
        assert self._wake is not None  # noqa: S101 - only live() calls this
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._wake.wait()

    def _next(self) -> tuple[Item | None, float | None]:
        """The item to send now, or for how long there is none."""
        now = self._clock()
        over: list[tuple[Item, Outcome]] = []
        with self._lock:
            self._drop(now, over)
            item, pause = self._chosen(now, over)
            if item is not None:
                self._under_way = item
        for each, outcome in over:
            self._office.done(self, each, outcome)
        return item, pause

    def _drop(self, now: float, over: list[tuple[Item, Outcome]]) -> None:
        """What is too old, and ends of alerts that nobody heard of."""
        begun: set[str] = set()
        for item in list(self._waiting):
            if now > item.posted + self.channel.give_up_after:
                item.error = item.error or "it waited too long"
                over.append((item, "failed"))
            elif item.notification.kind == "resolved" and item.key not in self._threads and item.key not in begun:
                item.error = "its beginning was not told"
                over.append((item, "suppressed"))
            else:
                begun.add(item.key)
                continue
            self._waiting.remove(item)

    def _chosen(self, now: float, over: list[tuple[Item, Outcome]]) -> tuple[Item | None, float | None]:
        waiting = self._waiting
        if waiting.overflow and not waiting.digests and len(waiting) <= _ROOM // 2:
            waiting.back(waiting.digest_of_overflow(now))
        item = waiting.best(now)
        if item is None:
            soonest = waiting.soonest()
            return None, None if soonest is None else max(0.0, soonest - now)
        important = item.rank >= IMPORTANT.rank
        pause = max(self._bucket.wait(important=important), 0.0 if important else self._resume_at - now)
        if pause > 0:
            return None, pause
        many = 0 if important or not self.channel.folds or waiting.digests else waiting.foldable()
        if many > max(_MANY, self._bucket.at_once()):
            item, folded = waiting.fold(now)
            for each in folded:
                each.error = "it is told in a digest"
                over.append((each, "suppressed"))
                self._remember(each.key, None)
        else:
            waiting.remove(item)
        return item, None

    async def _attempt(self, item: Item) -> None:
        self._bucket.take()
        item.attempts += 1
        first = item.notification.kind in {"first", "test"}
        try:
            if not item.notification.id:
                item.notification = replace(item.notification, id=self._office.new_id())
            message = render(item.notification, self.channel.service)
            await self._office.begins(self, item)
            async with asyncio.timeout(self.channel.patience):
                if item.acknowledgement:
                    receipt = await self.channel.acknowledge(message)
                else:
                    receipt = await self.channel.deliver(message, None if first else self._threads.get(item.key))
        except LaterError as error:
            self._again(item, error, error.seconds)
        except (UnansweredError, TimeoutError) as error:
            if self.channel.repeats:
                self._again(item, error, None)
            else:
                self._over(item, "uncertain", str(error) or "no answer: timed out")
        except RefusedError as error:
            self._over(item, "failed", str(error))
        except Exception as error:  # a defect of a channel costs this message
            self._over(item, "failed", f"{type(error).__name__}: {error}")
        else:
            self._bucket.pause(receipt.pause)
            self._failures, self._resume_at = 0, 0.0
            self._remember(item.key, receipt.thread)
            self._over(item, "sent", "")

    def _again(self, item: Item, error: Exception, seconds: float | None) -> None:
        """Put it back for later: after what the service says, else a little longer each time."""
        now = self._clock()
        self._failures += 1
        item.error = self._failing = self.channel.cleaned(str(error) or "no answer: timed out")
        if seconds is not None:
            self._bucket.pause(seconds)
        pause = pause_after(item.attempts, self._chance)
        item.not_before = now + max(pause, seconds or 0.0)
        self._resume_at = now + pause_after(self._failures, self._chance)
        if item.not_before > item.posted + self.channel.give_up_after:
            self._over(item, "failed", item.error)
            return
        with self._lock:
            if self._under_way is item:  # else it was taken away meanwhile
                self._under_way = None
                self._waiting.back(item)
        self._office.failed(self, item)

    def _over(self, item: Item, outcome: Outcome, error: str) -> None:
        """Let it go."""
        item.error = self._failing = self.channel.cleaned(error)
        if outcome == "uncertain":
            self._remember(item.key, None)
        if item.notification.kind == "resolved":
            self._threads.pop(item.key, None)
        with self._lock:
            if self._under_way is not item:
                return
            self._under_way = None
        self._office.done(self, item, outcome)

    def _remember(self, key: str, thread: str | None) -> None:
        self._threads[key] = thread or self._threads.get(key)
        self._threads.move_to_end(key)
        while len(self._threads) > _REMEMBERED:
            self._threads.popitem(last=False)
