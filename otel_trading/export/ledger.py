"""Accounting: what was handed to telemetry, what was delivered, and what was lost for which reason."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from otel_trading import redaction

if TYPE_CHECKING:
    from collections.abc import Mapping

Lane = Literal["important", "low"]
"""What is lost last, and what goes first when there is no more room."""


@dataclass(frozen=True, slots=True)
class Account:
    """One signal's account; ``emitted + recovered == sent + pending + the sum of dropped`` at any quiet moment.

    ``recovered`` came from processes before this one; ``spooled`` of the pending ones are safe on the disk. ``retried``
    counts items whose request had to be sent again, ``repeated`` how many of them may have arrived once too often.
    ``low`` holds what of ``dropped`` was not important. ``requests`` and ``bytes`` are what receivers confirmed.
    """

    emitted: int
    sent: int
    pending: int
    dropped: Mapping[str, int]
    last_error: str | None
    recovered: int = 0
    spooled: int = 0
    retried: int = 0
    repeated: int = 0
    requests: int = 0
    bytes: int = 0
    low: Mapping[str, int] = field(default_factory=dict)
    levels: Mapping[tuple[str, Lane, str], int] = field(default_factory=dict)
    """Of the log records that are dropped, those whose level is known: by reason, lane and level."""

    def with_dropped(self, dropped: Mapping[str, int], low: Mapping[str, int] | None = None) -> Account:
        """The account together with what was lost before it got here.

        >>> Account(2, 2, 0, {}, None).with_dropped({"invalid_value": 3}).emitted
        5
        """
        together = Counter(self.dropped) + Counter(dropped)
        all_low = Counter(self.low) + Counter(low or {})
        return replace(self, emitted=self.emitted + sum(dropped.values()), dropped=dict(together), low=dict(all_low))

    def with_lost(self, dropped: Mapping[str, int], low: Mapping[str, int]) -> Account:
        """The account after some of what was pending was lost.

        >>> Account(5, 2, 3, {}, None).with_lost({"spool_full": 3}, {}).pending
        0
        """
        lost = sum(dropped.values())
        account = self.with_dropped(dropped, low)
        return replace(account, emitted=self.emitted, pending=self.pending - lost)

    @property
    def lost(self) -> int:
        """All drops, whatever the reason."""
        return sum(self.dropped.values())


class Ledger:
    """Counts one signal's items; safe to use from any thread and from a signal handler.

    >>> ledger = Ledger("traces")
    >>> ledger.emitted(3); ledger.sent(2); ledger.dropped("queue_full")
    >>> ledger.account().pending, ledger.account().lost
    (0, 1)
    """

    def __init__(self, signal: str) -> None:
        self.signal = signal
        self.reset()

    def reset(self) -> None:
        """Start from zero, with a fresh lock: also in a forked child."""
        self._lock = threading.RLock()
        self._emitted = 0
        self._sent = 0
        self._recovered = 0
        self._retried = 0
        self._repeated = 0
        self._requests = 0
        self._bytes = 0
        self._dropped: Counter[str] = Counter()
        self._low: Counter[str] = Counter()
        self._last_error: str | None = None

    def emitted(self, count: int = 1) -> None:
        """Count items the bot handed over."""
        with self._lock:
            self._emitted += count

    def recovered(self, count: int) -> None:
        """Count items that a process before this one could not deliver."""
        with self._lock:
            self._recovered += count

    def sent(self, count: int, size: int = 0) -> None:
        """Count items the receiver confirmed, in a request of so many bytes."""
        with self._lock:
            self._sent += count
            self._requests += 1
            self._bytes += size
            self._last_error = None

    def retried(self, count: int) -> None:
        """Count items whose request did not work and will be sent again."""
        with self._lock:
            self._retried += count

    def repeated(self, count: int) -> None:
        """Count confirmed items that may have arrived before: the answer to an earlier request was lost."""
        with self._lock:
            self._repeated += count

    def dropped(self, reason: str, count: int = 1, lane: Lane = "important") -> None:
        """Count items that are lost."""
        with self._lock:
            self._dropped[reason] += count
            if lane == "low":
                self._low[reason] += count

    def failed(self, error: str) -> None:
        """Remember why the last delivery did not work."""
        with self._lock:
            self._last_error = redaction.redact(error)

    def account(self) -> Account:
        """The state at this moment."""
        with self._lock:
            return Account(
                emitted=self._emitted,
                sent=self._sent,
                pending=self._emitted + self._recovered - self._sent - self._dropped.total(),
                dropped=dict(self._dropped),
                last_error=self._last_error,
                recovered=self._recovered,
                retried=self._retried,
                repeated=self._repeated,
                requests=self._requests,
                bytes=self._bytes,
                low=dict(self._low),
            )
