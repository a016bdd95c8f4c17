"""Work at an interval, from a thread of its own, that can be asked for at once and ended by a deadline."""

from __future__ import annotations

import contextlib
import threading
import time
from abc import ABC, abstractmethod

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value

from otel_trading.export.tickets import Tickets


class Periodic(ABC):
    """Works every interval (seconds), once more when it is closed; an outlet of the pipeline."""

    def __init__(self, name: str, interval: float) -> None:
        self._name = name
        self._interval = interval
        self._failing = False
        self._start()

    @abstractmethod
    def _work(self) -> None:
        """Do it once; raises nothing, and sets ``_failing``."""

    def _start(self) -> None:
        self._wake = threading.Event()
        self._closing = False
        self._deadline = float("inf")
        self._tickets = Tickets()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        with contextlib.suppress(RuntimeError):  # no threads while the interpreter shuts down
            self._thread.start()

    def request_flush(self) -> int:
        """Ask for the work now; the ticket is for ``wait_flushed``."""
        ticket = self._tickets.take()
        self._wake.set()
        return ticket

    def wait_flushed(self, ticket: int, deadline: float) -> bool:
        """Whether it is done by the deadline (monotonic seconds)."""
        return self._tickets.wait(ticket, deadline) and not self._failing

    def request_close(self, deadline: float) -> None:
        """Work once more and end, at the latest at the deadline."""
        self._closing = True
        self._deadline = deadline
        self._wake.set()

    def wait_closed(self) -> bool:
        """Wait for the last work, at most until the deadline."""
        self._thread.join(max(0.0, self._deadline - time.monotonic()))
        return not self._thread.is_alive() and not self._failing

    def _run(self) -> None:
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))  # what is sent is not the bot's own request
        while True:
            self._wake.wait(self._interval)
            self._wake.clear()
            closing, ticket = self._closing, self._tickets.newest
            self._work()
            self._tickets.settle(ticket)
            if closing:
                return
