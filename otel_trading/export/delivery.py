"""What became of one export, read from the receiver's answer rather than from the exporter's word for it."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import urlsplit

from otel_trading import forks
from otel_trading.export import bounded
from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Mapping

Batch_contra = TypeVar("Batch_contra", contravariant=True)

PROBE_TIMEOUT = 0.3
"""Longest time, in seconds, to see whether a receiver accepts connections."""


class Outcome(Enum):
    """Delivered, worth another try, or refused for good."""

    SENT = "sent"
    RETRY = "retry"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Delivery:
    """The outcome of one export, how many of its items the receiver rejected, and why.

    ``retry_after`` is how many seconds the receiver asks to be left alone. ``uncertain`` says that there was no answer
    although the whole request was sent, so that it may have arrived. ``code`` is gRPC's name of what went wrong, where
    the receiver gave one.
    """

    outcome: Outcome
    rejected: int = 0
    reason: str | None = None
    retry_after: float | None = None
    uncertain: bool = False
    code: str | None = field(default=None, compare=False)


class Receiver:
    """What is known of one receiver: it complains once when it is gone, for all signals that go there."""

    def __init__(self, target: str) -> None:
        self.target = target
        self._lock = forks.lock()
        self._gone = False

    def gone(self, reason: str) -> None:
        """Say that nothing can be delivered, if that is news."""
        with self._lock:
            news, self._gone = not self._gone, True
        if news:
            report(f"nothing can be delivered to {self.target} ({reason}); it waits and is sent again")

    def back(self) -> None:
        """Say that deliveries arrive again, if that is news."""
        with self._lock:
            news, self._gone = self._gone, False
        if news:
            report(f"deliveries to {self.target} arrive again")


class Sender(Protocol[Batch_contra]):
    """Hands a batch to a receiver; never raises, gives up when closed."""

    target: str
    receiver: Receiver

    def send(self, batch: Batch_contra, /) -> Delivery:
        """Deliver the batch, or say why not."""
        ...

    def reachable(self) -> bool:
        """Whether the receiver accepts connections."""
        ...

    def restart_in_child(self) -> None:
        """Leave the parent's connections to the parent, in a forked child."""

    def close(self) -> None:
        """Release connections and end a delivery that is under way."""


def accepts_connections(url: str, timeout: float = PROBE_TIMEOUT) -> bool:
    """Whether something listens at the URL's host and port.

    >>> accepts_connections("http://127.0.0.1:1")
    False
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout).close()
    except (OSError, UnicodeError):
        return False
    return True


def probe(urls: Mapping[str, str], timeout: float = PROBE_TIMEOUT) -> set[str]:
    """The keys whose URL accepts connections, asked side by side; bounded also where a name cannot be resolved.

    >>> probe({"nobody": "http://127.0.0.1:1"})
    set()
    """
    answering: set[str] = set()

    def ask(key: str, url: str) -> None:
        if accepts_connections(url, timeout):
            answering.add(key)

    deadline = time.monotonic() + timeout
    bounded.finished(bounded.start([partial(ask, *item) for item in urls.items()], "otel-probe"), deadline)
    return set(answering)
