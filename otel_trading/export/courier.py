"""Delivers requests: what is fresh first, then at a measured pace what waits in the spool."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value

from otel_trading.export.delivery import Delivery, Outcome
from otel_trading.export.tickets import Tickets
from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading import _native
    from otel_trading.export.delivery import Sender
    from otel_trading.export.destination import Signal
    from otel_trading.export.feeder import Safe
    from otel_trading.export.ledger import Lane, Ledger
    from otel_trading.export.store import Store

_FIRST_BACKOFF = 0.5
_LONGEST_BACKOFF = 15.0
_FRESH = 8 << 20
"""Bytes of requests that wait in memory; what is beyond is read from the spool when its turn comes."""

_TENDING = 1.0
"""Seconds between two looks after the spool while there is nothing to do."""

_HOPELESS = 8
"""Attempts after which a request that finds no answer is given up, when others found one in between."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """A request that was not tried yet, and is still in memory; ``number`` is its place in the spool."""

    number: int
    lane: Lane
    items: int
    body: bytes


@dataclass(slots=True)
class _Failures:
    """Of one request: ``alone`` counts those between which others were confirmed."""

    alone: int = 0
    confirmed: int = -1

    def another(self, confirmed: int) -> None:
        self.alone += confirmed > self.confirmed >= 0
        self.confirmed = confirmed


class Courier:
    """Delivers one signal's requests from a thread of its own; one of a pipeline's outlets.

    ``pace`` is how many bytes a second are replayed from the spool. ``timed`` hears the duration of each export in
    seconds.
    """

    def __init__(self, signal: Signal, sender: Sender[bytes], ledger: Ledger, store: Store, *, pace: float) -> None:
        self.signal: Signal = signal
        self.ledger = ledger
        self.target = sender.target
        self.timed: Callable[[float], None] | None = None
        self._sender = sender
        self._store = store
        self._pace = pace
        self._start()

    def _start(self) -> None:
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._fresh: deque[Fresh] = deque()
        self._fresh_bytes = 0
        self._in_hand: Fresh | _native.Parcel | None = None
        self._unsafe: dict[int, Safe] = {}
        self._failures: dict[int, _Failures] = {}
        self._first: int | None = None
        self._after: int | None = None
        self._uncertain: Counter[int] = Counter()
        self._tickets = Tickets()
        self._flushing: list[tuple[int, int]] = []
        self._backoff = _FIRST_BACKOFF
        self._not_before = 0.0
        self._replay_at = 0.0
        self._confirmed = 0
        self._closing = False
        self._replays = True
        self._given_up = False
        self._deadline = float("inf")
        self._refused = False
        self._thread: threading.Thread | None = None

    # What feeds it

    def put(self, body: bytes, items: int, lane: Lane, safe: Safe | None = None) -> None:
        """Take over a request of so many items; ``safe`` is called when it is on the disk, or delivered."""
        try:
            number = self._store.append(self.signal, lane, items, body)
        except ValueError as error:
            self.ledger.failed(str(error))
            self.ledger.dropped("too_large", items, lane)
            return
        if number is None:
            self.ledger.dropped("shut_down", items, lane)
            return
        if self._first is None:
            self._first = number
        if safe is not None:
            if self._store.durable(number):
                safe()
            else:
                self._unsafe[number] = safe
        with self._lock:
            keep = self._fresh_bytes + len(body) <= _FRESH
            if keep:
                self._fresh.append(Fresh(number, lane, items, body))
                self._fresh_bytes += len(body)
            else:
                self._store.release(number)
            if self._thread is None:
                self._launch()
        self._wake.set()

    def recover(self, body: bytes, items: int, safe: Safe) -> None:
        """As ``put``, of what a process before this one recorded."""
        self.ledger.recovered(items)
        self.put(body, items, "important", safe)

    def launch(self) -> None:
        """Begin with what processes before this one left."""
        with self._lock:
            if self._thread is None:
                self._launch()

    # As an outlet

    def request_flush(self) -> int:
        """Ask for delivery of all that waits; the ticket is for ``wait_flushed``."""
        ticket = self._tickets.take()
        self._flushing.append((ticket, time.time_ns()))
        self._not_before = 0.0
        self._wake.set()
        return ticket

    def wait_flushed(self, ticket: int, deadline: float) -> bool:
        """Whether all that waited at the ticket's time is delivered by the deadline (monotonic seconds)."""
        return self._thread is None or self._tickets.wait(ticket, deadline)

    def request_close(self, deadline: float, *, replays: bool = True) -> None:
        """Deliver what waits until the deadline, as long as the receiver answers.

        What is not fresh is left to another courier of the same store unless this one ``replays``.
        """
        self._replays = replays
        self._deadline = deadline
        self._not_before = 0.0
        self._closing = True
        self._wake.set()

    def wait_closed(self) -> bool:
        """Wait for the last delivery, at most until the deadline; what is left stays in the spool."""
        thread = self._thread
        if thread is not None:
            thread.join(max(0.0, self._deadline - time.monotonic()))
            self._given_up = True
            if thread.is_alive():
                self._sender.close()
                thread.join(_TENDING / 10)
        with contextlib.suppress(Exception):
            self._sender.close()
        self._shelve(in_hand=True)
        return not self._store.waiting(self.signal)

    def restart_in_child(self) -> None:
        """Begin anew in a forked child, whose spool is another one."""
        closed = self._closing
        self._start()
        self._closing = closed
        self.ledger.reset()
        self._sender.restart_in_child()

    # The thread

    def _launch(self) -> None:
        thread = threading.Thread(target=self._run, name=f"otel-send-{self.signal}", daemon=True)
        with contextlib.suppress(RuntimeError):  # no threads while the interpreter shuts down
            thread.start()
            self._thread = thread

    def _run(self) -> None:
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        while not self._given_up:
            try:
                if self._step():
                    return
            except Exception as error:  # a defect of ours costs a moment, not the delivery
                self.ledger.failed(f"{type(error).__name__}: {error}")
                self._shelve(in_hand=True)
                self._wake.wait(_TENDING)

    def _step(self) -> bool:
        """Deliver a request, or wait for one; whether that was all."""
        self._store.adopt()
        self._wake.clear()
        parcel = self._next()
        if parcel is not None:
            self._settle(parcel, self._attempt(parcel))
        self._settle_tickets()
        if parcel is None:
            if self._closing and not (self._replays and self._store.waiting(self.signal)):
                return True
            self._wake.wait(self._pause())
        return False

    def _settle_tickets(self) -> None:
        """All is delivered for the flushes that asked for no more than that."""
        while self._flushing and not self._store.waiting(self.signal, self._flushing[0][1]):
            ticket, _ = self._flushing.pop(0)
            self._tickets.settle(ticket)

    def _next(self) -> Fresh | _native.Parcel | None:
        now = time.monotonic()
        if now < self._not_before:
            return None
        with self._lock:
            if self._fresh:
                self._in_hand = fresh = self._fresh.popleft()
                self._fresh_bytes -= len(fresh.body)
                return fresh
            if not self._replays or (now < self._replay_at and not self._closing):
                return None
            self._in_hand = parcel = self._store.next(self.signal, self._after)
        if parcel is not None:
            self._replay_at = now + len(parcel.body) / self._pace
        return parcel

    def _pause(self) -> float:
        """Seconds until there may be something to do."""
        self._store.tend()
        left = max(self._not_before, self._replay_at) - time.monotonic()
        return left if 0.0 < left < _TENDING else _TENDING

    def _attempt(self, parcel: Fresh | _native.Parcel) -> Delivery:
        started = time.perf_counter()
        try:
            return self._sender.send(parcel.body)
        except Exception as error:
            return Delivery(Outcome.REFUSED, parcel.items, f"{type(error).__name__}: {error}")
        finally:
            if self.timed is not None:
                self.timed(time.perf_counter() - started)

    def _settle(self, parcel: Fresh | _native.Parcel, delivery: Delivery) -> None:
        if delivery.outcome is Outcome.RETRY and not self._is_hopeless(parcel):
            self._try_again(parcel, delivery)
            return
        rejected = min(delivery.rejected, parcel.items) if delivery.outcome is Outcome.SENT else parcel.items
        self._leaves(parcel, parcel.items - rejected)
        if delivery.outcome is Outcome.SENT:
            self._backoff = _FIRST_BACKOFF
            self._confirmed += 1
            self._after = None
            self._sender.receiver.back()
        if rejected:
            reason = "undeliverable" if delivery.outcome is Outcome.RETRY else "refused"
            self._drop(parcel, rejected, reason, delivery.reason or reason)
        self._refused = bool(rejected)

    def _leaves(self, parcel: Fresh | _native.Parcel, confirmed: int) -> None:
        """The parcel needs no place any more; so many of its items have arrived."""
        number = parcel.number
        with self._lock:
            self._in_hand = None
            self._store.settle(number)
            if not isinstance(parcel, Fresh) and (parcel.adopted or self._first is None or number < self._first):
                self.ledger.recovered(parcel.items)
            if confirmed:
                self.ledger.sent(confirmed, len(parcel.body))
        self.ledger.repeated(confirmed * self._uncertain.pop(number, 0))
        self._failures.pop(number, None)
        safe = self._unsafe.pop(number, None)
        if safe is not None:
            safe()

    def _drop(self, parcel: Fresh | _native.Parcel, count: int, reason: str, why: str) -> None:
        self.ledger.dropped(reason, count, "low" if parcel.lane == "low" else "important")
        self.ledger.failed(why)
        if not self._refused:
            report(f"{self.signal}: {self.target} refuses items: {why}; they are dropped")

    def _try_again(self, parcel: Fresh | _native.Parcel, delivery: Delivery) -> None:
        reason = delivery.reason or "no answer"
        self.ledger.retried(parcel.items)
        self.ledger.failed(reason)
        self._failures.setdefault(parcel.number, _Failures()).another(self._confirmed)
        self._after = parcel.number  # the next attempt is another's: one request must not hold up all others
        if delivery.uncertain:
            self._uncertain[parcel.number] += 1
        with self._lock:
            self._in_hand = None
            self._store.release(parcel.number)
        self._shelve()
        if self._closing:
            if time.monotonic() >= self._deadline or not self._sender.reachable():
                self._given_up = True
        else:
            self._sender.receiver.gone(reason)
        wait = random.uniform(0.7, 1.0) * self._backoff  # noqa: S311 - jitter, not a secret
        self._backoff = min(self._backoff * 2, _LONGEST_BACKOFF)
        self._not_before = time.monotonic() + max(wait, delivery.retry_after or 0.0)

    def _is_hopeless(self, parcel: Fresh | _native.Parcel) -> bool:
        """Whether it is the request that finds no answer, not the receiver that is away."""
        failures = self._failures.get(parcel.number)
        return failures is not None and failures.alone >= _HOPELESS

    def _shelve(self, *, in_hand: bool = False) -> None:
        """Leave what is fresh to the spool: memory is bounded, and an outage may be long."""
        with self._lock:
            for fresh in self._fresh:
                self._store.release(fresh.number)
            self._fresh.clear()
            self._fresh_bytes = 0
            if in_hand and self._in_hand is not None:
                self._store.release(self._in_hand.number)
                self._in_hand = None
