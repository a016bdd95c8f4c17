"""The emergency stop: one latch for all processes of a service, which outlives them."""

from __future__ import annotations

import _thread
import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from otel_trading import _native, forks
from otel_trading.risk.callbacks import CallbackOutcome, Callbacks
from otel_trading.risk.herald import Herald
from otel_trading.risk.signals import StopSignal
from otel_trading.risk.state import EmergencyState, file_of, made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.metrics import CallbackOptions, Observation

    from otel_trading.metrics.instruments import Meter
    from otel_trading.risk.callbacks import Callback
    from otel_trading.risk.herald import Bot, Listener

__all__ = ["CallbackOutcome", "Emergency", "EmergencyState", "observe"]

_WRITTEN_WITHIN = 0.1
"""Seconds that ``stop`` and ``resume`` wait for the disk: they hold without it, for this life."""

_SAID_WITHIN = 0.02
"""Seconds that whoever stopped has to say why, when it is another process."""

_SHARE = 0.5
"""Of the time that there is at the end of the bot: what is pending has to be delivered, too."""

_ON_A_LOOP = 0.5
"""Seconds that an event loop is held up at the end of the bot: callbacks may be waiting for that one."""

_IDLE = 1.0
"""Seconds between two looks while nothing happens; what happens wakes."""


class Emergency(_native.Latch):
    """One latch: engaged it stays so until somebody resumes, through restarts and in all processes of the service.

    ``engaged`` is one look at memory. It is true as soon as anybody stops: by ``stop()``, over HTTP, by
    ``otel-trading emergency stop``, a signal, a file or a rule.

    >>> emergency = Emergency()
    >>> emergency.engaged
    False
    >>> emergency.stop("volatility out of hand"), emergency.stop("again")
    (True, False)
    >>> emergency.engaged, emergency.state.reason, emergency.state.by
    (True, 'volatility out of hand', 'api')
    >>> emergency.resume("checked by hand")
    True
    """

    name = "the emergency stop"

    def __init__(self, bot: Bot | None = None) -> None:
        self._callbacks = Callbacks()
        self._herald = Herald(bot, self._callbacks)
        self._signal = StopSignal(self._signalled)
        self._lock = forks.lock()
        self._told = self.version
        self._last = EmergencyState(engaged=False)
        self._ready = True
        self._watched = False
        self._complained = ""
        self._trigger: Path | None = None
        self.wanted: Callable[[], None] = _nothing
        """Called when there is a callback for stops that this process does not make."""
        self.path: Path | None = None
        """The file of the state; ``None`` where it is in memory only."""

    @property
    def state(self) -> EmergencyState:
        """All that is known of it."""
        return EmergencyState(*self.record())

    @property
    def has_callbacks(self) -> bool:
        """Whether somebody is to be called at a stop."""
        return len(self._callbacks) > 0

    @property
    def outcomes(self) -> tuple[CallbackOutcome, ...]:
        """What became of the callbacks of the last stop, once they are through; see ``wait``."""
        return self._callbacks.outcomes

    def stop(self, reason: str, *, by: str = "api") -> bool:
        """Stop trading; False when it was stopped already. No order goes out from then on.

        Callbacks and all that is told follow in other threads. It waits a tenth of a second at most for the disk.

        Args:
            reason: why, for people.
            by: what decided it: ``api``, ``http``, ``cli``, ``rule``.

        """
        if not self.engage(str(reason), str(by)):
            return False
        self._changed()
        return True

    def resume(self, reason: str = "", *, by: str = "api") -> bool:
        """Trade again; False when it was not stopped, or while the file is there that stops."""
        trigger = self._trigger
        if trigger is not None and self.engaged and os.path.lexists(trigger):
            self._herald.wrong(f"trading is not resumed: {trigger} is there, which stops it; remove it first")
            return False
        self.look()  # the stop is told before its end
        if not self.release(str(reason), str(by)):
            return False
        self._changed()
        return True

    def on_stop(self, callback: Callback, *, loop: asyncio.AbstractEventLoop | None = None) -> Callable[[], None]:
        """Have something done when trading is stopped, once a stop: to cancel what is open. What undoes it.

        A function is called in a thread of its own. A coroutine function runs on ``loop``, without one on the loop that
        runs now, else on one of its own; while its loop is blocked it waits. It is given the ``EmergencyState`` if it
        takes an argument. What it raises, and when it takes longer than ``emergency_timeout``, is told. A stop that a
        process finds when it starts calls nothing.

        >>> emergency = Emergency()
        >>> canceled = []
        >>> undo = emergency.on_stop(lambda state: canceled.append(state.reason))
        >>> emergency.stop("volatility"), emergency.wait(5), canceled
        (True, True, ['volatility'])
        """
        undo = self._callbacks.add(callback, loop)
        self.wanted()
        return undo

    def on_change(self, listener: Listener) -> Callable[[], None]:
        """Have a function called with the state after every change, by the ops thread: it has to be quick. The undo."""
        return self._herald.listen(listener)

    def wait(self, timeout: float) -> bool:
        """Wait until the callbacks of the last stop are through, at most so many seconds; whether they are."""
        end = time.monotonic() + timeout
        while self._told != self.version and self._ready:
            if time.monotonic() > end:
                return False
            time.sleep(0.001)
        if not self._lock.acquire(timeout=max(0.0, end - time.monotonic())):
            return False
        self._lock.release()  # it is told, and they are called
        return self._callbacks.wait(max(0.0, end - time.monotonic()))

    def apply(
        self,
        service: str,
        folder: str | None,
        *,
        trigger: str | None = None,
        signal: str | None = None,
        timeout: float = 10.0,
    ) -> list[str]:
        """Share the state with all processes of a service from now on; what cannot be had, in words.

        Args:
            service: the name of the service.
            folder: where states are; ``none`` keeps it in memory.
            trigger: a file that stops as soon as it is there.
            signal: a signal that stops.
            timeout: seconds that each callback may take.

        """
        self._ready = False
        self._herald.service = service
        self._callbacks.timeout = timeout
        problems: list[str] = []
        try:
            place = made(folder)
            self.path = None if place is None else file_of(place, service)
        except (OSError, RuntimeError) as error:  # no home
            self.path = None
            problems.append(_in_memory(error))
        self._trigger = None if trigger is None else Path(trigger).expanduser().absolute()
        try:
            known = self.keep(self.path, self._trigger)
        except OSError as error:
            self.path = None
            problems.append(_in_memory(error))
        else:
            trouble = self.trouble
            if not known:
                problems.append(f"emergency stop: {self.path} does not answer; whether trading is stopped is not known")
            elif trouble is not None:
                self._complained = trouble
                problems.append(_in_memory(trouble))
        problem = self._signal.use(signal)
        return [*problems, problem] if problem else problems

    def begin(self) -> None:
        """All is there to tell with: tell of a stop that was found."""
        with self._lock:
            state, self._ready = self.state, True
            if self.version != self._told:
                self._told, self._last = self.version, state
                if state.engaged:
                    self._herald.found(state)

    def look(self) -> None:
        """Tell what happened since the last look."""
        with self._lock:
            version = self.version
            if not self._ready:
                return
            if version != self._told:
                state = self._known()
                self._told = version
                if state != self._last:
                    self._last = state
                    if state.engaged:
                        self._herald.stopped(state, lambda: self.version != version)
                    else:
                        self._herald.resumed(state)
        self._complain()

    async def live(self) -> None:
        """Look whenever something happens; on the ops thread."""
        loop, fd = asyncio.get_running_loop(), self.fileno()
        rung = asyncio.Event()
        loop.add_reader(fd, self._ring, rung)
        self._watched = True
        try:
            while True:
                self.look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_IDLE):  # wait_for forgets to leave when it rings meanwhile
                        await rung.wait()
                rung.clear()
        finally:
            self._watched = False
            loop.remove_reader(fd)

    def observed(self, _: CallbackOptions) -> Iterable[Observation]:
        """Whether it is engaged, for metrics; in a test of the bot's, which is not about it, once it was."""
        from opentelemetry.metrics import Observation

        known = self.version or self._herald.service
        return [Observation(int(self.engaged))] if known else []

    def finish(self, deadline: float) -> None:
        """At the end of the bot, in monotonic seconds: tell what is not told, and let callbacks get through."""
        self.look()
        left = (deadline - time.monotonic()) * _SHARE
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            left = min(left, _ON_A_LOOP)
        if not self.wait(max(0.0, left)):
            self._herald.wrong("emergency stop: the bot ends before its callbacks are through")

    def give_back(self) -> None:
        """Leave the signal as it was found; the latch holds on."""
        self._signal.give_back()

    def restart_after_fork(self) -> None:
        """Go on in a forked child: the same latch, and none of the parent's callbacks."""
        self._watched = False
        self._callbacks.restart_in_child()
        try:
            self.restart_in_child(timeout=0.0)
        except OSError as error:
            self._herald.wrong(_in_memory(error))

    def _changed(self) -> None:
        if not self._watched:
            self.look()
        if self.path is not None:
            self.saved(_WRITTEN_WITHIN)

    def _signalled(self, name: str) -> None:
        """In a signal handler: whatever waits is done by others."""
        if self.engage(f"signal {name}", "signal") and not self._watched:
            with suppress(RuntimeError):  # no threads while the interpreter shuts down
                _thread.start_new_thread(self.look, ())

    def _ring(self, rung: asyncio.Event) -> None:
        self.heard()
        rung.set()

    def _known(self) -> EmergencyState:
        """The state with its reason, which another process may be about to say."""
        end = time.monotonic() + _SAID_WITHIN
        while True:
            state = self.state
            if state.by or time.monotonic() > end:
                return state
            time.sleep(0.001)

    def _complain(self) -> None:
        for note in self.notes():
            self._herald.wrong(f"emergency stop: {note}")
        trouble = self.trouble or ""
        if trouble != self._complained:
            self._complained = trouble
            kept = f"emergency stop: the state is kept in {self.path} again"
            self._herald.wrong(_in_memory(trouble) if trouble else kept)


def observe(meter: Meter, emergency: Callable[[], Emergency]) -> None:
    """Report whether the one in use is engaged, as a metric."""
    from otel_trading.trading.conventions import create

    create(meter, "trading.emergency_stop.engaged", [lambda options: emergency().observed(options)])


def _nothing() -> None:
    """Nobody watches."""


def _in_memory(error: object) -> str:
    return (
        f"emergency stop: the state is kept in this process only, and ends with it ({error}); "
        "set OTEL_TRADING_EMERGENCY_FOLDER to a folder that can be written to"
    )
