"""Bounded queues with a sender thread each: the bot never waits, nothing is lost uncounted."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sized
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value

from otel_trading.export.delivery import Delivery, Outcome, Sender
from otel_trading.export.tickets import Tickets
from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from otel_trading.export.ledger import Ledger

Item = TypeVar("Item")
Batch = TypeVar("Batch", bound=Sized)

_FIRST_BACKOFF = 0.5
_LONGEST_BACKOFF = 15.0


class Shipper(ABC, Generic[Batch]):
    """Delivers batches from a thread of its own.

    A batch that could not be delivered stays first in line until the receiver is back.
    """

    def __init__(self, sender: Sender[Any], ledger: Ledger, *, delay: float) -> None:
        self.ledger = ledger
        self._sender = sender
        self._delay = delay
        self._start()

    def _start(self) -> None:
        self._in_hand: Batch | None = None
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._interrupt = threading.Event()
        self._closing = False
        self._deadline = float("inf")
        self._tickets = Tickets()
        self._refused = False
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

    def _request(self, batch: Batch) -> Any:  # noqa: ANN401 - what the sender takes
        """The batch as the sender takes it."""
        return batch

    def _done(self, batch: Batch) -> None:
        """Hear that a batch has arrived or was refused."""

    def restart_in_child(self) -> None:
        """Begin empty in a forked child: the parent still has what was queued and will send it."""
        closed = self._closing
        self._start()
        self._closing = closed
        self.ledger.reset()
        self._sender.restart_in_child()

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
            left = self._discard() + len(self._in_hand or ())
            self._in_hand = None
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
            self._pause()
            self._wake.clear()
            closing, ticket = self._closing, self._tickets.newest
            if self._drain(everything=closing or self._tickets.outstanding):
                self._tickets.settle(ticket)
            if closing:
                return

    def _pause(self) -> None:
        """Wait until there is something to do."""
        self._wake.wait(self._delay)

    def _drain(self, *, everything: bool) -> bool:
        """Deliver waiting batches; False when it has to be given up because the bot shuts down."""
        backoff = _FIRST_BACKOFF
        upto = self._waiting() + len(self._in_hand or ())
        rest = True
        while upto > 0:
            batch = self._take(rest=rest)
            if batch is None:
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
            rest = everything
        return True

    def _take(self, *, rest: bool) -> Batch | None:
        with self._lock:
            if self._in_hand is None:
                self._in_hand = self._next(rest=rest)
            return self._in_hand

    def _attempt(self, batch: Batch) -> Delivery:
        try:
            return self._sender.send(self._request(batch))
        except Exception as error:
            return Delivery(Outcome.REFUSED, len(batch), f"{type(error).__name__}: {error}")

    def _settle(self, batch: Batch, delivery: Delivery) -> None:
        rejected = len(batch) if delivery.outcome is Outcome.REFUSED else min(delivery.rejected, len(batch))
        with self._lock:
            if self._in_hand is not batch:
                return
            self._in_hand = None
        self._done(batch)
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


class BatchQueue(Shipper["list[Item]"], Generic[Item]):
    """Collects items and delivers them in batches.

    While the receiver is away the queue fills; when it is full the oldest waiting item is dropped and counted as
    ``queue_full``.
    """

    def __init__(self, sender: Sender[Item], ledger: Ledger, *, capacity: int, batch_size: int, delay: float) -> None:
        self._capacity = capacity
        self._batch_size = min(batch_size, capacity)
        self.done: Callable[[list[Item]], None] | None = None
        """Is told of each batch that has arrived, or was refused."""
        super().__init__(sender, ledger, delay=delay)

    def _start(self) -> None:
        self._items: deque[Item] = deque()
        super()._start()

    @property
    def sender(self) -> Sender[Item]:
        """Who takes what is queued."""
        return self._sender

    @property
    def order(self) -> AbstractContextManager[Any]:
        """While this is held nobody else queues anything."""
        return self._lock

    def _done(self, batch: list[Item]) -> None:
        if self.done is not None:
            self.done(batch)

    def put(self, item: Item) -> None:
        """Queue an item; never blocks and never raises."""
        self.ledger.emitted()
        with self._lock:
            if self._closing:
                self.ledger.dropped("shut_down")
                return
            if len(self._items) >= self._capacity:
                self._items.popleft()
                self.ledger.dropped("queue_full")
            self._items.append(item)
            full = len(self._items) >= self._batch_size
            if self._thread is None:
                self._launch()
        if full:
            self._wake.set()

    def _waiting(self) -> int:
        return len(self._items)

    def _next(self, *, rest: bool) -> list[Item] | None:
        count = min(self._batch_size, len(self._items))
        if count == 0 or (count < self._batch_size and not rest):
            return None
        return [self._items.popleft() for _ in range(count)]

    def _discard(self) -> int:
        left = len(self._items)
        self._items.clear()
        return left
