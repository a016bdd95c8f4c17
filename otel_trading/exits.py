"""The end of the process: what is pending goes out within one deadline, however the process ends.

A normal end, ``sys.exit``, an exception and Ctrl-C come to ``atexit``. A signal whose default is the end of the process
does not, so it gets a handler: it stops the bot where it is, has everything delivered, and lets the signal do what it
always does. Where the bot has a handler of its own that one decides; what is pending is flushed beside it. Processes of
``multiprocessing`` end without ``atexit``, but not without its finalizers.

SIGHUP asks a process that writes log files to open them anew, as logrotate does when it has renamed them, and one that
has a configuration file to take it as it is now; then it does not end the process, unless it says that the terminal is
gone.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import logging
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from types import FrameType

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGINT") if hasattr(signal, name)
)  # Windows has no SIGHUP
_HANG_UP = getattr(signal, "SIGHUP", None)
_PATIENCE = 0.2
"""Seconds in which the bot's main thread leaves telemetry's code; then the shutdown does not wait for it."""

_GRACE = 0.5
"""Seconds a shutdown may be late before the process ends without it."""

_LAST = -100
"""Priority of the finalizer: after all of the bot's, and after the children have ended."""

_TELEMETRY = frozenset({"otel_trading", "opentelemetry", "logging"})
_BOTS = ("otel_trading.cli", "otel_trading.demo", "otel_trading.bench", "otel_trading.testing")
"""Ours, but what runs there is a bot."""

_AROUND = ("otel_trading.runtime",)
"""What is called around the bot's event loop: it holds nothing while that runs."""


class _Delivering(Protocol):
    """What has to be delivered: the telemetry handle."""

    ended: threading.Event

    @property
    def delivering(self) -> bool: ...

    @property
    def patience(self) -> float: ...

    def flush(self) -> bool: ...

    def shutdown(self) -> bool: ...

    def reload_soon(self, by: str) -> bool: ...


class Exits:
    """The ways out of the process, watched from ``configure()`` to ``shutdown()``."""

    def __init__(self, telemetry: _Delivering) -> None:
        self.in_charge: Callable[[int, FrameType | None], bool] | None = None
        """Who takes a signal instead, as long as it says so."""
        self.ends_by: int | None = None
        """The signal that the process ends by after a normal end."""
        self._telemetry = telemetry
        self._handlers: dict[int, _Handler] = {}
        self._finalized = 0
        atexit.register(self._at_the_end)

    def watch(self, *, signals: bool) -> None:
        """Watch them from now on, with or without signals; a second time does nothing more."""
        process = sys.modules.get("multiprocessing.process")
        if process is not None and process.parent_process() is not None:
            self._at_the_end_of_a_process()
        if not signals:
            self.give_back()
            return
        for number in _SIGNALS:
            with contextlib.suppress(ValueError):  # only the main thread may set handlers
                self._take(number)

    def give_back(self) -> None:
        """Leave signals as they were found, but for those that have got another handler meanwhile."""
        for number, handler in list(self._handlers.items()):
            current: object = signal.getsignal(number)
            if current is handler:
                try:
                    signal.signal(number, handler.previous)
                except ValueError:  # another thread than the main one: it stays, and does what the previous would do
                    continue
            del self._handlers[number]

    def restart_in_child(self) -> None:
        """Watch the ways out of a forked child."""
        self.in_charge, self.ends_by = None, None
        for handler in self._handlers.values():
            handler.restart_in_child()
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.register_after_fork(self, Exits._at_the_end_of_a_process)

    def _take(self, number: int) -> None:
        current = signal.getsignal(number)
        if current is None or current is signal.SIG_IGN or current is self._handlers.get(number):
            return
        if number == signal.SIGINT and current is not signal.SIG_DFL:
            return  # it raises KeyboardInterrupt or cancels the bot's tasks, and the process ends as usual
        from otel_trading._native import end_by
        from otel_trading.logs.sinks import reopen_files
        from otel_trading.signals import handle

        handler = _Handler(self._telemetry, current, end_by, reopen_files, self._hand_over)
        handle(number, handler)
        self._handlers[number] = handler

    def _hand_over(self, number: int, frame: FrameType | None) -> bool:
        return self.in_charge is not None and self.in_charge(number, frame)

    def _at_the_end(self) -> None:
        with contextlib.suppress(KeyboardInterrupt):  # a second Ctrl-C means at once
            self._telemetry.shutdown()
        if getattr(sys, "last_type", None) is KeyboardInterrupt and not hasattr(sys, "ps1"):
            _end_by_ctrl_c()
        if self.ends_by is not None:
            _end_as_if_killed(self.ends_by)

    def _at_the_end_of_a_process(self) -> None:
        if self._finalized != os.getpid():
            self._finalized = os.getpid()
            from multiprocessing.util import Finalize

            Finalize(None, self._at_the_end, exitpriority=_LAST)


class _Handler:
    """Handles one signal; called in the main thread, between any two steps of the bot's or of telemetry's code.

    So it takes no lock and waits for nothing that the interrupted code might hold: others do the work.
    """

    def __init__(
        self,
        telemetry: _Delivering,
        previous: Any,  # noqa: ANN401 - what signal takes
        end_by: Any,  # noqa: ANN401
        reopen_files: Callable[[], bool],
        hand_over: Callable[[int, FrameType | None], bool],
    ) -> None:
        self.previous = previous
        self._telemetry = telemetry
        self._end_by = end_by
        self._reopen_files = reopen_files
        self._hand_over = hand_over
        self.restart_in_child()

    def restart_in_child(self) -> None:
        """Begin anew in a forked child."""
        self._terminal = _terminal()
        self._ending = False
        self._stopped = False
        self._flushing = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self._hand_over(number, frame):
            return
        asked = number == _HANG_UP and self._telemetry.delivering and self._begins_anew()
        if callable(self.previous):
            if not self._flushing and self._telemetry.delivering:
                self._flushing = True
                self._beside(self._flush)
            self.previous(number, frame)
        elif asked and not self._is_hung_up():
            return
        elif self._ending or self._telemetry.ended.is_set():
            self._end_by(number)
        else:
            self._ending = True
            if self._beside(self._end, number):
                self._stop(frame)
            elif self._telemetry.delivering:
                self._end_by(number)

    def _begins_anew(self) -> bool:
        """Whether there is something that a hang-up asks for: files to open, or to read."""
        reopens = self._reopen_files()
        return self._telemetry.reload_soon("SIGHUP") or reopens

    def _is_hung_up(self) -> bool:
        """Whether the process has lost the terminal that it had, other than by leaving its session."""
        return self._terminal is not None and _terminal() is None and os.getsid(0) == self._terminal

    @staticmethod
    def _beside(work: Any, *args: Any) -> bool:  # noqa: ANN401 - any function and its arguments
        """Start the work in a thread, without waiting for its start; whether there are threads to be had."""
        try:
            _thread.start_new_thread(work, args)
        except RuntimeError:  # none, or the interpreter shuts down
            return False
        return True

    def _flush(self) -> None:
        try:
            self._telemetry.flush()
        finally:
            self._flushing = False

    def _stop(self, frame: FrameType | None) -> None:
        """Stop the bot: here, or as soon as telemetry's code, which may hold what delivery needs, is left."""
        outside = out_of_telemetry(frame)
        if outside is frame:
            self._stand_still()
        elif outside is not None:
            outside.f_trace = self._stand_still
            sys.settrace(_look_at_nothing_else)

    def _stand_still(self, *_: object) -> None:
        self._stopped = True
        while True:
            time.sleep(60)

    def _end(self, number: int) -> None:
        try:
            self._wait_for_the_bot()
            ended = self._telemetry.ended
            self._beside(self._telemetry.shutdown)
            ended.wait(self._telemetry.patience + _GRACE)
        finally:
            self._end_by(number)

    def _wait_for_the_bot(self) -> None:
        end = time.monotonic() + _PATIENCE
        while not self._stopped and time.monotonic() < end:
            time.sleep(0.001)


def _end_by_ctrl_c() -> None:
    """Let Python end as it does by a Ctrl-C that nobody caught: it forgets that when a thread of ours has imported."""
    with contextlib.suppress(KeyboardInterrupt):
        exec("raise KeyboardInterrupt", {})  # noqa: S102 - what Python looks at is how the last text ended that was run


def _end_as_if_killed(number: int) -> None:
    """End by a signal after all; what ``atexit`` does behind this is to flush logs and the standard streams."""
    from otel_trading._native import end_by

    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # closed, or nobody reads it
            stream.flush()
    end_by(number)


def _terminal() -> int | None:
    """The session, if it has a terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return None
    return os.getsid(0)


def _look_at_nothing_else(*_: object) -> None:
    """Trace no other frame."""


def out_of_telemetry(frame: FrameType | None) -> FrameType | None:
    """The innermost frame with no code of telemetry in it or below: the frame itself in the bot's own code."""
    outside = frame
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        package = name.partition(".")[0]
        if package in _TELEMETRY and not name.startswith(_BOTS):
            if not name.startswith(_AROUND):
                outside = frame.f_back
        elif package not in sys.stdlib_module_names:
            break
        frame = frame.f_back
    return outside
