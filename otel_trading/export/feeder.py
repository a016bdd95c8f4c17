"""From where items wait to those who deliver them, in threads of their own: the bot never waits."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sized
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value

from otel_trading.export.tickets import Tickets

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.export.ledger import Lane, Ledger

    Safe = Callable[[], None]

Batch = TypeVar("Batch", bound=Sized)


class Taker(Protocol):
    """Takes batches over, and keeps account of them from there on."""

    target: str

    def take(self, batch: Any, count: int, lane: Lane, safe: Safe | None = None) -> None:  # noqa: ANN401 - any batch
        """Take a batch of so many items; never raises. ``safe`` is called when it outlives the process, or is done."""
        ...

    def flush(self, deadline: float) -> bool:
        """Whether all that was taken is delivered by the deadline (monotonic seconds)."""
        ...

    def restart_in_child(self) -> None:
        """Begin anew in a forked child."""

    def close(self) -> None:
        """Release what is held, and end what is under way."""


class Feeder(ABC, Generic[Batch]):
    """Takes batches from where they wait and hands them to a taker; one of a pipeline's outlets."""

    def __init__(self, taker: Taker, ledger: Ledger, *, delay: float) -> None:
        self.ledger = ledger
        self._taker = taker
        self._delay = delay
        self._start()

    def _start(self) -> None:
        self._in_hand: Batch | None = None
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._closing = False
        self._deadline = float("inf")
        self._tickets = Tickets()
        self._thread: threading.Thread | None = None

    @abstractmethod
    def _waiting(self) -> int:
        """How many items wait, without those of the batch in hand."""

    @abstractmethod
    def _next(self, *, rest: bool) -> Batch | None:
        """The next batch; with ``rest`` also one that is not full."""

    @abstractmethod
    def _discard(self) -> int:
        """Let go of all that waits; how many items."""

    @abstractmethod
    def _hand_over(self, batch: Batch) -> None:
        """Give a batch to the taker."""

    def restart_in_child(self) -> None:
        """Begin empty in a forked child: the parent still has what was queued and will send it."""
        closed = self._closing
        self._start()
        self._closing = closed
        self.ledger.reset()
        self._taker.restart_in_child()

    def request_flush(self) -> int:
        """Ask for all that is queued now to be handed over; the ticket is for ``wait_flushed``."""
        ticket = self._tickets.take()
        self._wake.set()
        return ticket

    def wait_flushed(self, ticket: int, deadline: float) -> bool:
        """Whether all that was queued at the ticket's time is handed over by the deadline (monotonic seconds)."""
        return self._thread is None or self._tickets.wait(ticket, deadline)

    def flush(self, timeout: float) -> bool:
        """Whether all that is queued now is delivered within ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        fed = self.wait_flushed(self.request_flush(), deadline)
        return self._taker.flush(deadline) and fed

    def request_close(self, deadline: float) -> None:
        """Take nothing more and hand over what is queued until the deadline."""
        with self._lock:
            self._closing = True
            self._deadline = deadline
        self._wake.set()

    def wait_closed(self) -> bool:
        """Wait until all is handed over, at most until the deadline; what is left is counted as lost."""
        thread = self._thread
        if thread is not None:
            thread.join(max(0.0, self._deadline - time.monotonic()))
        with self._lock:
            left = self._discard() + len(self._in_hand or ())
            self._in_hand = None
        if left:
            self.ledger.dropped("shut_down", left)
        with contextlib.suppress(Exception):
            self._taker.close()
        return left == 0

    def _launch(self) -> None:
        thread = threading.Thread(target=self._run, name=f"otel-{self.ledger.signal}", daemon=True)
        with contextlib.suppress(RuntimeError):  # no threads while the interpreter shuts down
            thread.start()
            self._thread = thread

    def _run(self) -> None:
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        due = time.monotonic() + self._delay
        while True:
            self._pause(due)
            self._wake.clear()
            closing, ticket = self._closing, self._tickets.newest
            rest = closing or self._tickets.outstanding or time.monotonic() >= due
            if rest:
                due = time.monotonic() + self._delay
            self._drain(rest=rest)
            self._tickets.settle(ticket)
            if closing:
                return

    def _pause(self, due: float) -> None:
        """Wait until there is something to do, or it is time (monotonic seconds) for what does not fill a batch."""
        self._wake.wait(max(0.0, due - time.monotonic()))

    def _drain(self, *, rest: bool) -> None:
        """Hand over what waits now."""
        upto = self._waiting()
        while upto > 0:
            with self._lock:
                batch = self._in_hand = self._next(rest=rest)
            if batch is None:
                return
            try:
                self._hand_over(batch)
            except Exception as error:  # a defect of ours costs a batch, not the delivery
                self.ledger.dropped("failed", len(batch))
                self.ledger.failed(f"{type(error).__name__}: {error}")
            with self._lock:
                self._in_hand = None
            upto -= len(batch)


def after(calls: int, then: Safe) -> Safe:
    """What has to be called so many times, from any thread, before ``then`` is; without a call to come, it is now.

    >>> said = []
    >>> call = after(2, lambda: said.append("done"))
    >>> call(); said
    []
    >>> call(); said
    ['done']
    """
    left = itertools.count(calls - 1, -1)

    def call() -> None:
        if next(left) == 0:
            then()

    if calls == 0:
        then()
    return call
