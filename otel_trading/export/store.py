"""The process's spool: where requests wait on the disk until a receiver has confirmed them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from otel_trading import _native
from otel_trading.folders import prepared, state_folder
from otel_trading.settings import report

if TYPE_CHECKING:
    from otel_trading.export.destination import Signal
    from otel_trading.export.ledger import Lane
    from otel_trading.settings import Settings

_ADOPTING = 10.0
"""Seconds between two looks for what dead processes left."""
_TENDING = 1.0
"""Seconds between two looks for what is too old, not synchronised, or could go back to the disk."""


class Terms(NamedTuple):
    """What a spool is opened with: bytes on the disk and in memory, seconds, and when it is synchronised."""

    folder: Path | None
    service: str
    budget: int = 256 << 20
    memory: int = 16 << 20
    max_age: float = 172_800.0
    sync: Literal["none", "interval", "always"] = "none"


class Depth(NamedTuple):
    """What waits of one signal: requests, items in them, those of dead processes, bytes, and when the oldest was made.

    That is in Unix nanoseconds, 0 when nothing waits.
    """

    requests: int
    items: int
    adopted_items: int
    bytes: int
    oldest_ns: int

    def age(self, now_ns: int) -> float:
        """Seconds since the oldest was made, 0 when nothing waits.

        >>> Depth(1, 4, 0, 960, oldest_ns=2_000_000_000).age(now_ns=5_500_000_000)
        3.5
        """
        return max(0, now_ns - self.oldest_ns) / 1e9 if self.oldest_ns else 0.0


_ADDED: tuple[Literal["records"], Literal["items"], Literal["adopted_items"], Literal["bytes"]] = (
    "records",
    "items",
    "adopted_items",
    "bytes",
)
_NOTHING: _native._SpoolStats = {"depths": {}, "dropped": {}, "disk_bytes": 0, "memory_bytes": 0, "trouble": None}


class Figures:
    """How a spool does at one moment."""

    def __init__(self, stats: _native._SpoolStats) -> None:
        self._stats = stats
        self.disk_bytes = stats["disk_bytes"]
        self.memory_bytes = stats["memory_bytes"]
        self.trouble = stats["trouble"]

    def depth(self, signal: Signal) -> Depth:
        """What of a signal waits, or is in hand."""
        found = [depth for (whose, _), depth in self._stats["depths"].items() if whose == signal]
        oldest = min((depth["oldest_ns"] for depth in found if depth["oldest_ns"]), default=0)
        records, items, adopted, size = (sum(d[name] for d in found) for name in _ADDED)
        return Depth(records, items, adopted, size, oldest)

    def dropped(self, signal: Signal, lane: Lane | None = None) -> Counter[str]:
        """Items of a signal that had to make room, were too old or are damaged, by reason."""
        found: Counter[str] = Counter()
        for (whose, which, reason), count in self._stats["dropped"].items():
            if whose == signal and lane in (None, which):
                found[reason] += count
        return found


class Store:
    """A spool that is opened when it is needed first, and anew in a forked child; safe to use from any thread.

    Several pipelines may use it one after the other: what one leaves, the next delivers.
    """

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self._start()

    def _start(self) -> None:
        self._lock = threading.RLock()
        self._spool: _native.Spool | None = None
        self._adopt_at = 0.0
        self._closed = False
        self._tended = 0.0
        self._trouble: str | None = None

    def restart_in_child(self) -> None:
        """Leave the parent's spool to the parent."""
        if self._spool is not None:
            self._spool.abandon()
        closed = self._closed
        self._start()
        self._closed = closed
        self._adopt_at = time.monotonic() + _ADOPTING  # what is from before is the parent's to find

    def append(self, signal: Signal, lane: Lane, items: int, body: bytes) -> int | None:
        """Keep a request; its number, which is in hand until ``release`` or ``settle``. ``None`` after ``close``."""
        spool = self._opened()
        if spool is None:
            return None
        number = spool.append(signal, lane, items, body, hold=True)
        self._tell(spool)
        return number

    def durable(self, number: int) -> bool:
        """Whether a request outlives the process."""
        return self._spool is not None and self._spool.durable(number)

    def settle(self, number: int) -> None:
        """A request needs no place any more."""
        if self._spool is not None:
            self._spool.settle(number)

    def release(self, number: int) -> None:
        """A request waits again, to be taken by ``next``."""
        if self._spool is not None:
            self._spool.release(number)

    def next(self, signal: Signal, after: int | None = None) -> _native.Parcel | None:
        """The oldest waiting request of a signal, important ones first; if there is one, one behind ``after``."""
        if self._spool is None:
            return None
        found = self._spool.next(signal, after)
        return found if found is not None or after is None else self._spool.next(signal)

    def waiting(self, signal: Signal, upto_ns: int | None = None) -> bool:
        """Whether a request of the signal is not settled, of those made until then (Unix nanoseconds)."""
        oldest = self._spool.oldest(signal) if self._spool is not None else None
        return oldest is not None and (upto_ns is None or oldest <= upto_ns)

    def adopt(self) -> None:
        """Take over what processes of this service left that are dead, forked children too; quick when it just did."""
        with self._lock:
            now = time.monotonic()
            if now < self._adopt_at or self._closed:
                return
            self._adopt_at = now + _ADOPTING
            spool = self._opened()
        if spool is None:
            return
        for adopted in spool.adopt():
            if adopted.damage:
                damage = "; ".join(adopted.damage)
                report(f"{adopted.path} is damaged: {damage}; what is intact in it is delivered")

    def tend(self) -> None:
        """Do what has to be done now and then; quick when it was done a moment ago."""
        spool, now = self._spool, time.monotonic()
        if spool is None or now - self._tended < _TENDING:
            return
        self._tended = now
        spool.maintain()
        self._tell(spool)

    @property
    def trouble(self) -> str | None:
        """Why requests are kept in memory instead of on the disk."""
        return self._spool.trouble if self._spool is not None else None

    @property
    def closed(self) -> bool:
        """Whether it was given up."""
        return self._closed

    def close(self) -> None:
        """Give up the spool; what waits on the disk is for the next start, what is in memory only is dropped."""
        with self._lock:
            self._closed = True
            spool = self._spool
        if spool is not None:
            spool.close()

    def figures(self) -> Figures:
        """How the spool does at this moment."""
        return Figures(self._spool.stats() if self._spool is not None else _NOTHING)

    def _opened(self) -> _native.Spool | None:
        with self._lock:
            if self._spool is None and not self._closed:
                terms = self.terms
                self._spool = _native.Spool(
                    terms.folder,
                    terms.service,
                    budget=terms.budget,
                    memory=terms.memory,
                    max_age=terms.max_age,
                    sync=terms.sync,
                )
                self._tell(self._spool)
            return None if self._closed else self._spool

    def _tell(self, spool: _native.Spool) -> None:
        """Say that the disk cannot be used, or can be used again, if that is news."""
        trouble = spool.trouble
        if trouble == self._trouble:
            return
        with self._lock:
            before, self._trouble = self._trouble, trouble
        if trouble is not None and before is None:
            report(
                f"spool_folder={self.terms.folder} cannot be used ({trouble}): what is not delivered waits in memory"
            )
        elif trouble is None:
            report(f"spool_folder={self.terms.folder} can be used again")


def terms_of(settings: Settings, service: str) -> tuple[Terms, list[str]]:
    """What the options ask for, and what is wrong with it."""
    folder, problems = None, []
    if settings.spool_enabled and not settings.disabled:
        given = settings.spool_folder
        try:
            folder = prepared(Path(given) if given else state_folder("spool"), given=bool(given))
        except (OSError, RuntimeError) as error:  # a home that nobody knows
            reason = getattr(error, "strerror", None) or str(error)
            where = getattr(error, "filename", None) or given or "the folder"
            problems.append(f"spool_folder: {where}: {reason}; what is not delivered waits in memory")
    budget, memory = settings.spool_budget, settings.spool_memory
    return Terms(folder, service, budget, memory, settings.spool_max_age, settings.spool_sync), problems
