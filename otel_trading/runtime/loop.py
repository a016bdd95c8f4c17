"""Lag and stalls of event loops.

A heartbeat on the loop measures how late the loop calls it. A watcher outside compares: a loop that runs, and whose
heartbeat is overdue by the threshold, is stalled, and where its thread is at that moment is the culprit.
"""

from __future__ import annotations

import re
import sys
import threading
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from opentelemetry.metrics import Observation

from otel_trading.runtime.running import RunHooks
from otel_trading.runtime.stacks import culprit
from otel_trading.runtime.voice import and_more, logger

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle
    from collections.abc import Iterable

    from opentelemetry.metrics import CallbackOptions, Meter

    from otel_trading.runtime.options import RuntimeOptions
    from otel_trading.runtime.troubles import Troubles
    from otel_trading.runtime.voice import Voice

_LONGEST_LOOK_AWAY = 1.0
_NUMBER_OF_A_THREAD = re.compile(r"[-_ ]?\d+.*$")
_STANDSTILL = " while the whole interpreter stood still: a native call kept it, or the process got no CPU"
_UNSEEN = "; it was over before it could be looked at"


class _Late(NamedTuple):
    """A heartbeat that came by the threshold too late: when it was due, and by how many seconds."""

    beat: Heartbeat
    due: float
    lag: float


class LoopState(NamedTuple):
    """A loop that runs: the name of its thread, for how many seconds it has not answered, and where it is then."""

    thread: str
    overdue: float
    frames: tuple[str, ...]


class Heartbeat:
    """The heartbeat of one loop during one run; holds the loop only weakly while nothing is scheduled on it."""

    def __init__(self, loop: AbstractEventLoop, watch: LoopWatch) -> None:
        self.loop = weakref.ref(loop)
        self.thread = 0
        self.due = float("inf")
        self.stalled_since = 0.0
        self.attributes = {"thread.name": "unknown"}
        self._watch = watch
        self._handle: TimerHandle | None = None
        self._over = False

    def begin(self) -> None:
        """Beat from now on; called in the loop's thread, a second time it does nothing."""
        loop = self.loop()
        if self._over or self._handle is not None or loop is None:
            return
        self.thread = threading.get_ident()
        self.attributes = {"thread.name": thread_label(threading.current_thread().name)}
        self._schedule(loop, time.monotonic())

    def finish(self) -> None:
        """Beat no more, as the run ends; what is overdue by the threshold is told."""
        lag = time.monotonic() - self.due
        if lag >= self._watch.stall_threshold:
            self._tell(self.due, lag)
        self.cancel()

    def cancel(self) -> None:
        """Beat no more."""
        self._over = True
        self.due = float("inf")
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.cancel()

    def _beat(self) -> None:
        loop = self.loop()
        if self._over or loop is None:
            return
        now = time.monotonic()
        due = self.due
        self._schedule(loop, now)
        self._tell(due, now - due)

    def _schedule(self, loop: AbstractEventLoop, now: float) -> None:
        interval = self._watch.interval
        self.due = now + interval
        self._handle = loop.call_later(interval, self._beat)

    def _tell(self, due: float, lag: float) -> None:
        self._watch.lag.record(max(0.0, lag), self.attributes)
        if lag >= self._watch.stall_threshold:
            self._watch.late.append(_Late(self, due, lag))


class LoopWatch:
    """Watches every loop that runs in this process, except telemetry's own."""

    interval: float
    stall_threshold: float

    def __init__(self, meter: Meter, troubles: Troubles, voice: Voice) -> None:
        self.lag = meter.create_histogram(
            "trading.runtime.event_loop.lag", "s", "How late an event loop calls what is due."
        )
        self._stalls = meter.create_counter(
            "trading.runtime.event_loop.stalls", "{stall}", "Event loops that did not answer for the threshold's time."
        )
        self._stall_duration = meter.create_histogram(
            "trading.runtime.event_loop.stall.duration", "s", "How long stalled event loops did not answer."
        )
        meter.create_observable_up_down_counter(
            "trading.runtime.event_loop.stalled", [self._stalled], "{event_loop}", "Event loops stalled at this moment."
        )
        self.late: deque[_Late] = deque(maxlen=1024)
        self._beats: dict[int, Heartbeat] = {}
        self._troubles = troubles
        self._voice = voice
        self._hooks = RunHooks(self._begins, self._ends)
        self._planned = float("inf")
        self._on = False

    def install(self, options: RuntimeOptions) -> None:
        """Watch the loop this is called in, and all that start to run from now on; again it changes the times."""
        self.interval = options.heartbeat
        self.stall_threshold = options.stall_threshold
        self._planned = float("inf")
        self._on = True
        self._hooks.install()
        running = running_loop()
        if running is not None and id(running) not in self._beats:
            self.watch(running)

    def remove(self) -> None:
        """Watch none any more."""
        self._on = False
        self._hooks.remove()
        for beat in list(self._beats.values()):
            self._forget(beat)
        self._settle(_UNSEEN)

    def restart_in_child(self) -> None:
        """Forget the parent's loops: they do not run in a forked child."""
        self._beats = {}
        self.late.clear()
        self._planned = float("inf")

    def watch(self, loop: AbstractEventLoop) -> bool:
        """Watch a loop that runs already, or will; False when it is not one to watch."""
        if not self._on or loop.is_closed() or not _in_real_time(loop):
            return False
        beat = self._beat_of(loop)
        loop.call_soon_threadsafe(beat.begin)
        return True

    def overdue(self) -> dict[str, float]:
        """By how many seconds each running loop is late at this moment, by its thread; from any thread."""
        now = time.monotonic()
        late: dict[str, float] = {}
        for beat in list(self._beats.values()):
            if beat.due < float("inf"):
                name = beat.attributes["thread.name"]
                late[name] = max(late.get(name, 0.0), now - beat.due)
        return late

    def look(self, now: float) -> float:
        """Find stalled loops, and when to look again; for the runtime thread."""
        standstill = now - self._planned > self.stall_threshold / 2
        self._settle(_STANDSTILL if standstill else _UNSEEN)
        next_look = now + min(_LONGEST_LOOK_AWAY, self.stall_threshold)
        for beat in list(self._beats.values()):
            loop = beat.loop()
            if loop is None or loop.is_closed():
                self._forget(beat)
                continue
            deadline = beat.due + self.stall_threshold
            if deadline > now:
                next_look = min(next_look, deadline)
            elif not loop.is_running():
                self._forget(beat)
            elif beat.due != beat.stalled_since:
                self._found_stalled(beat, now, _STANDSTILL if standstill else "")
        self._planned = next_look
        return next_look

    def states(self) -> list[LoopState]:
        """How every loop that runs is at this moment; from any thread, also while a loop is stuck."""
        found = []
        for beat in list(self._beats.values()):
            loop, due = beat.loop(), beat.due
            if loop is None or loop.is_closed() or not loop.is_running():
                continue
            overdue = max(0.0, time.monotonic() - due)
            frames: tuple[str, ...] = ()
            if overdue >= self.stall_threshold:
                frames = culprit(beat.thread)
                if beat.due != due:  # it answered meanwhile
                    overdue, frames = 0.0, ()
            found.append(LoopState(beat.attributes["thread.name"], overdue, frames))
        return found

    def _begins(self, loop: AbstractEventLoop) -> None:
        try:
            if self._on and not threading.current_thread().name.startswith("otel-") and _in_real_time(loop):
                self._ended(loop)
                self._beat_of(loop).begin()
        except Exception as error:
            self._troubles.note("event_loop", error)

    def _ends(self, loop: AbstractEventLoop) -> None:
        try:
            beat = self._beats.pop(id(loop), None)
            if beat is not None:
                beat.finish()
        except Exception as error:
            self._troubles.note("event_loop", error)

    def _ended(self, loop: AbstractEventLoop) -> None:
        """Drop the heartbeat of an earlier run whose end was not noticed: it began before the hooks."""
        beat = self._beats.pop(id(loop), None)
        if beat is not None:
            beat.cancel()

    def _beat_of(self, loop: AbstractEventLoop) -> Heartbeat:
        beat = self._beats.get(id(loop))
        if beat is None or beat.loop() is not loop:
            beat = self._beats[id(loop)] = Heartbeat(loop, self)
        return beat

    def _forget(self, beat: Heartbeat) -> None:
        for key, known in list(self._beats.items()):
            if known is beat:
                del self._beats[key]
        loop = beat.loop()
        if loop is not None and not loop.is_closed() and loop.is_running():
            loop.call_soon_threadsafe(beat.cancel)
        else:
            beat.cancel()

    def _found_stalled(self, beat: Heartbeat, now: float, why: str) -> None:
        due = beat.due
        frames = culprit(beat.thread)
        if beat.due != due or now < due:  # it answered meanwhile, and the heartbeat has told
            return
        beat.stalled_since = due
        # counted before the line is written: a stall inside a log handler makes the line wait for its end
        self._stalls.add(1, beat.attributes)
        more = self._voice.kept_back(("stall", frames[-1:]))
        if more is not None:
            logger.warning(
                "otel-trading: the event loop of %s has not answered for %.1f s%s; it is in %s%s",
                beat.attributes["thread.name"],
                now - due,
                why,
                " <- ".join(frames) or "no callback now",
                and_more(more),
            )

    def _settle(self, why_unseen: str) -> None:
        """Take in the stalls that ended."""
        while self.late:
            beat, due, lag = self.late.popleft()
            self._stall_duration.record(lag, beat.attributes)
            name = beat.attributes["thread.name"]
            if beat.stalled_since == due:
                logger.info("otel-trading: the event loop of %s answers again after %.1f s", name, lag)
                continue
            self._stalls.add(1, beat.attributes)  # over before it could be looked at
            more = self._voice.kept_back(("unseen stall", name))
            if more is not None:
                logger.warning(
                    "otel-trading: the event loop of %s did not answer for %.1f s%s%s",
                    *(name, lag, why_unseen, and_more(more)),
                )

    def _stalled(self, _: CallbackOptions) -> Iterable[Observation]:
        if self._on:
            yield Observation(sum(beat.stalled_since == beat.due for beat in list(self._beats.values())))


def thread_label(name: str) -> str:
    """A thread's name without its number, so that pools do not make a series each.

    >>> thread_label("MainThread"), thread_label("Thread-7 (run)"), thread_label("quotes_3"), thread_label("7")
    ('MainThread', 'Thread', 'quotes', 'unknown')
    """
    return _NUMBER_OF_A_THREAD.sub("", name) or "unknown"


def running_loop() -> AbstractEventLoop | None:
    """The loop this is called in, if any."""
    if "asyncio" not in sys.modules:
        return None
    from asyncio import get_running_loop

    try:
        return get_running_loop()
    except RuntimeError:
        return None


def _in_real_time(loop: AbstractEventLoop) -> bool:
    """Whether its clock is not made up, as a backtest's may be: a heartbeat would move that clock."""
    from asyncio import BaseEventLoop

    return not isinstance(loop, BaseEventLoop) or type(loop).time is BaseEventLoop.time
