"""The one thread of runtime telemetry: jobs by their time, each failure counted, none the end."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.runtime.troubles import Troubles

    Run = Callable[[float], float]

THREAD_NAME = "otel-runtime"

_LONGEST_SLEEP = 3600.0
_AFTER_FAILURE = 5.0


class Worker:
    """Runs jobs in a daemon thread.

    A job is called with the time (monotonic seconds) and returns when it wants to be called again.
    """

    def __init__(self, troubles: Troubles, clock: Callable[[], float] = time.monotonic) -> None:
        self._troubles = troubles
        self._clock = clock
        self._jobs: dict[str, Run] = {}
        self._reset()

    def _reset(self) -> None:
        self._due: dict[str, float] = {}
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self, jobs: dict[str, Run]) -> None:
        """Start the thread with these jobs, all due at once, in their order."""
        self._reset()
        self._jobs = jobs
        self._due = dict.fromkeys(jobs, float("-inf"))
        thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no thread to be had, or the interpreter shuts down
            self._troubles.note("thread", error)
        else:
            self._thread = thread

    def stop(self, timeout: float) -> bool:
        """Whether the thread ends within ``timeout`` seconds."""
        self._stopping = True
        self._wake.set()
        if self._thread is None or self._thread is threading.current_thread():
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        wake = self._wake
        while not self._stopping and wake is self._wake:
            try:
                pause = self._pause(self._turn())
            except Exception as error:
                self._troubles.note("thread", error)
                pause = _AFTER_FAILURE
            wake.wait(pause)

    def _turn(self) -> float:
        """Run what is due; the time of what comes next."""
        for name, run in self._jobs.items():
            now = self._clock()
            if self._due[name] <= now and not self._stopping:
                try:
                    self._due[name] = run(now)
                except Exception as error:
                    self._troubles.note(name, error)
                    self._due[name] = now + _AFTER_FAILURE
        return min(self._due.values(), default=float("inf"))

    def _pause(self, until: float) -> float:
        return min(max(0.0, until - self._clock()), _LONGEST_SLEEP)
