"""Accounting: what was handed to telemetry, what was delivered, and what was lost for which reason."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Account:
    """One signal's account; ``emitted == sent + pending + the sum of dropped`` at any quiet moment."""

    emitted: int
    sent: int
    pending: int
    dropped: Mapping[str, int]
    last_error: str | None

    def with_dropped(self, dropped: Mapping[str, int]) -> Account:
        """The account together with what was lost before it got here.

        >>> Account(2, 2, 0, {}, None).with_dropped({"invalid_value": 3}).emitted
        5
        """
        together = Counter(self.dropped) + Counter(dropped)
        return replace(self, emitted=self.emitted + sum(dropped.values()), dropped=dict(together))

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
        self._dropped: Counter[str] = Counter()
        self._last_error: str | None = None

    def emitted(self, count: int = 1) -> None:
        """Count items the bot handed over."""
        with self._lock:
            self._emitted += count

    def sent(self, count: int) -> None:
        """Count items the receiver confirmed."""
        with self._lock:
            self._sent += count
            self._last_error = None

    def dropped(self, reason: str, count: int = 1) -> None:
        """Count items that are lost."""
        with self._lock:
            self._dropped[reason] += count

    def failed(self, error: str) -> None:
        """Remember why the last delivery did not work."""
        with self._lock:
            self._last_error = error

    def account(self) -> Account:
        """The state at this moment."""
        with self._lock:
            lost = self._dropped.total()
            pending = self._emitted - self._sent - lost
            return Account(self._emitted, self._sent, pending, dict(self._dropped), self._last_error)
