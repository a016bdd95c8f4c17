"""Waiting for a thread to have done what was asked for by then."""

from __future__ import annotations

import threading
import time


class Tickets:
    """Each request gets a number; the worker says up to which number all is done.

    >>> tickets = Tickets()
    >>> ticket = tickets.take()
    >>> tickets.settle(tickets.newest)
    >>> tickets.wait(ticket, deadline=0.0)
    True
    """

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._done = 0
        self.newest = 0

    def take(self) -> int:
        """A number for a new request."""
        with self._changed:
            self.newest += 1
            return self.newest

    @property
    def outstanding(self) -> bool:
        """Whether a request is not done yet."""
        return self.newest > self._done

    def settle(self, ticket: int) -> None:
        """Everything requested up to this ticket is done."""
        with self._changed:
            self._done = max(self._done, ticket)
            self._changed.notify_all()

    def wait(self, ticket: int, deadline: float) -> bool:
        """Whether the request is done by the deadline (monotonic seconds)."""
        with self._changed:
            return self._changed.wait_for(lambda: self._done >= ticket, max(0.0, deadline - time.monotonic()))
