"""A bounded queue with one sender thread: the bot never waits, nothing is lost uncounted."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value

from otel_trading.export.delivery import Delivery, Outcome, Sender
from otel_trading.export.tickets import Tickets
from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_trading.export.ledger import Ledger

Item = TypeVar("Item")

_FIRST_BACKOFF = 0.5
_LONGEST_BACKOFF = 15.0


class BatchQueue(Generic[Item]):
    """Collects items and delivers them in batches from a thread of its own.

    A batch that could not be delivered stays first in line until the receiver is back; meanwhile the queue fills,
    and when it is full the oldest waiting item is dropped and counted as ``queue_full``.
    """

    def __init__(self, sender: Sender[Item], ledger: Ledger, *, capacity: int, batch_size: int, delay: float) -> None:
        self.ledger = ledger
        self._sender = sender
        self._capacity = capacity
        self._batch_size = min(batch_size, capacity)
        self._delay = delay
        self._start()

    def _start(self) -> None:
        self._waiting: deque[Item] = deque()
        self._retrying: list[Item] = []
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._interrupt = threading.Event()
        self._closing = False
        self._deadline = float("inf")
        self._tickets = Tickets()
        self._refused = False
        self._thread: threading.Thread | None = None

    def restart_in_child(self) -> None:
        """Begin empty in a forked child: the parent still has what was queued and will send it."""
        closed = self._closing
        self._start()
        self._closing = closed
        self.ledger.reset()
        self._sender.restart_in_child()

    def put(self, item: Item) -> None:
        """Queue an item; never blocks and never raises."""
        self.ledger.emitted()
        with self._lock:
            if self._closing:
                self.ledger.dropped("shut_down")
                return
            if len(self._waiting) >= self._capacity:
                self._waiting.popleft()
                self.ledger.dropped("queue_full")
            self._waiting.append(item)
            full = len(self._waiting) >= self._batch_size
            if self._thread is None:
                self._launch()
        if full:
            self._wake.set()

    def request_flush(self) -> int:
        """Ask for delivery of all that is queued now; the ticket is for ``wait_flushed``."""
        ticket = self._tickets.take()
        self._wake.set()
        self._interrupt.set()
        return ticket

    def wait_flushed(self, ticket: int, deadline: float) -> bool:
        """Whether all that was queued at the ticket's time is delivered by the deadline (monotonic seconds)."""
        return self._thread is None or self._tickets.wait(ticket, deadline)

    def flush(self, timeout: float) -> bool:
        """Whether all that is queued now is delivered within ``timeout`` seconds."""
        return self.wait_flushed(self.request_flush(), time.monotonic() + timeout)

    def request_close(self, deadline: float) -> None:
        """Take nothing more and deliver what is queued until the deadline."""
        with self._lock:
            self._closing = True
            self._deadline = deadline
        self._wake.set()
        self._interrupt.set()

    def wait_closed(self) -> bool:
        """Wait for the end of the last delivery, at most until the deadline; what is left is counted as lost."""
        thread = self._thread
        if thread is not None:
            thread.join(max(0.0, self._deadline - time.monotonic()))
            if thread.is_alive():
                self._sender.close()
        with self._lock:
            left = len(self._waiting) + len(self._retrying)
            self._waiting.clear()
            self._retrying = []
        if left:
            self.ledger.dropped("shut_down", left)
        with contextlib.suppress(Exception):
            self._sender.close()
        return left == 0

    def _launch(self) -> None:
        thread = threading.Thread(target=self._run, name=f"otel-{self.ledger.signal}", daemon=True)
        with contextlib.suppress(RuntimeError):  # no threads while the interpreter shuts down
            thread.start()
            self._thread = thread

    def _run(self) -> None:
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        while True:
            self._wake.wait(self._delay)
            self._wake.clear()
            closing, ticket = self._closing, self._tickets.newest
            if self._drain(everything=closing or self._tickets.outstanding):
                self._tickets.settle(ticket)
            if closing:
                return

    def _drain(self, *, everything: bool) -> bool:
        """Deliver waiting batches; False when it has to be given up because the bot shuts down."""
        backoff = _FIRST_BACKOFF
        upto = len(self._waiting) + len(self._retrying)
        while upto > 0:
            batch = self._take()
            if not batch:
                return True
            delivery = self._attempt(batch)
            if delivery.outcome is Outcome.RETRY:
                self._keep(delivery)
                if self._closing and (time.monotonic() >= self._deadline or not self._sender.reachable()):
                    return False
                self._interrupt.wait(random.uniform(0.7, 1.0) * backoff)  # noqa: S311 - jitter, not a secret
                self._interrupt.clear()
                backoff = min(backoff * 2, _LONGEST_BACKOFF)
                continue
            self._settle(batch, delivery)
            upto -= len(batch)
            backoff = _FIRST_BACKOFF
            if not everything and len(self._waiting) < self._batch_size:
                return True
        return True

    def _take(self) -> list[Item]:
        with self._lock:
            if not self._retrying:
                count = min(self._batch_size, len(self._waiting))
                self._retrying = [self._waiting.popleft() for _ in range(count)]
            return self._retrying

    def _attempt(self, batch: Sequence[Item]) -> Delivery:
        try:
            return self._sender.send(batch)
        except Exception as error:
            return Delivery(Outcome.REFUSED, len(batch), f"{type(error).__name__}: {error}")

    def _settle(self, batch: Sequence[Item], delivery: Delivery) -> None:
        rejected = len(batch) if delivery.outcome is Outcome.REFUSED else min(delivery.rejected, len(batch))
        with self._lock:
            if self._retrying is not batch:
                return
            self._retrying = []
        if len(batch) > rejected:
            self.ledger.sent(len(batch) - rejected)
            self._sender.receiver.back()
        if rejected:
            self.ledger.dropped("refused", rejected)
            self.ledger.failed(delivery.reason or "refused")
            if not self._refused:
                report(
                    f"{self.ledger.signal}: {self._sender.target} refuses items: {delivery.reason}; they are dropped"
                )
        self._refused = bool(rejected)

    def _keep(self, delivery: Delivery) -> None:
        reason = delivery.reason or "no answer"
        self.ledger.failed(reason)
        if not self._closing:
            self._sender.receiver.gone(reason)
