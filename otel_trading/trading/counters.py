"""Counters of messages, orders and latency that the bot itself can read: exact, and without a lock where it counts."""

from __future__ import annotations

import math
import os
import threading
import time
import weakref
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from otel_trading.export.distribution import Distribution
from otel_trading.trading.alias_table import MICROSECONDS
from otel_trading.trading.bound import bound
from otel_trading.trading.conventions import create

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.metrics import Meter

_RECEIVED, _SENT, _PLACED, _FILLED = range(4)
_SMALL = 128
"""Whole numbers below have a bucket each; above, each power of two has 64: a measurement is known to 0.8 %."""


class _Range:
    """Where the buckets of a distribution are among the cells: total, greatest, then counts.

    ``parts`` of a unit are told apart, ``bits`` of them at most.
    """

    __slots__ = ("counts", "end", "greatest", "last", "parts", "total")

    def __init__(self, start: int, parts: int, bits: int) -> None:
        self.parts = parts
        self.total = start
        self.greatest = start + 1
        self.counts = start + 2
        self.end = self.counts + ((bits - 5) << 6)
        self.last = self.end - 1

    def record(self, cells: array[float], value: float) -> None:
        """Count a value in the bucket it is at most the upper bound of; one out of range goes to the last."""
        number = math.ceil(value * self.parts) - 1 if value else 0
        shift = number.bit_length() - 7
        place = self.counts + (number if shift <= 0 else (shift << 6) + (number >> shift))
        cells[place if place < self.last else self.last] += 1  # noqa: FURB136 - a call costs more than all the rest
        cells[self.total] += value
        if value > cells[self.greatest]:  # noqa: PLR1730 - as above
            cells[self.greatest] = value

    def read(self, cells: list[float]) -> Distribution:
        """What was counted."""
        buckets = tuple(
            (*self._bounds(place), int(count)) for place, count in enumerate(cells[self.counts : self.end]) if count
        )
        measured = sum(count for _, _, count in buckets)
        greatest = cells[self.greatest] if measured else None
        return Distribution(measured, cells[self.total], None, greatest, buckets, exponential=True)

    def _bounds(self, place: int) -> tuple[float, float]:
        shift = 0 if place < _SMALL else (place >> 6) - 1
        lower = place if place < _SMALL else ((place & 63) + 64) << shift
        return lower / self.parts, (lower + (1 << shift)) / self.parts


_LATENCY = _Range(start=4, parts=8, bits=35)
"""Eighths of a microsecond up to more than an hour."""

_SPREAD = _Range(start=_LATENCY.end, parts=1_024, bits=24)
"""Thousandths of a basis point up to the whole price."""

_CELLS = _SPREAD.end
_GREATEST = (_LATENCY.greatest, _SPREAD.greatest)


@dataclass(frozen=True, slots=True)
class CountersSnapshot:
    """All counters at one moment; ``taken_at`` is on the monotonic clock, in seconds.

    ``latency_us`` and ``spread_bps`` hold the distributions: ``quantile(0.99)``, ``mean``, ``count``, ``high``.
    """

    taken_at: float
    messages_received: int
    messages_sent: int
    orders_placed: int
    orders_filled: int
    latency_us: Distribution
    spread_bps: Distribution

    @property
    def latency_histogram(self) -> list[int]:
        """Measurements of latency in ten buckets, up to 10, 50, 100, 250, 500 µs, 1, 5, 10, 50 ms and above."""
        return self.latency_us.rebinned(MICROSECONDS)

    def messages_per_second(self, since: CountersSnapshot) -> float:
        """Messages received and sent a second from an earlier snapshot to this one; 0 when no time has passed."""
        seconds = self.taken_at - since.taken_at
        before = since.messages_received + since.messages_sent
        return (self.messages_received + self.messages_sent - before) / seconds if seconds > 0 else 0.0


class VenueCounters:
    """Counts the messages and orders of one venue, for the bot to read and as metrics.

    Each call adds to a cell that only its thread writes, and to the kit's instrument. ``snapshot`` copies the cells
    of all threads at once: no count is lost or seen twice, whatever they do meanwhile. In a forked child all counts
    begin at zero. Nothing raises: a count or value that is none is left to the instrument, which counts it as lost.

    >>> from opentelemetry.metrics import NoOpMeter
    >>> counters = VenueCounters(NoOpMeter("bot"), "binance")
    >>> counters.increment_messages_received()
    >>> counters.record_latency_us(850)
    >>> snapshot = counters.snapshot()
    >>> snapshot.messages_received, snapshot.latency_us.quantile(0.99), snapshot.latency_histogram
    (1, 850.0, [0, 0, 0, 0, 0, 1, 0, 0, 0, 0])
    """

    def __init__(
        self,
        meter: Meter,
        venue: str,
        attributes: Mapping[str, Any] | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        own = {"trading.venue.name": venue, **(attributes or {})}
        messages = create(meter, "trading.venue.messages")
        placed = create(meter, "trading.order.submissions")
        reports = create(meter, "trading.execution.reports")
        filled = {**own, "trading.execution.type": "trade", "trading.order.status": "filled"}
        latency = create(meter, "trading.order.ack.duration")
        spread = create(meter, "trading.market_data.book.spread.bps")
        self._add_received = bound(messages, "add", {**own, "network.io.direction": "receive"})
        self._add_sent = bound(messages, "add", {**own, "network.io.direction": "transmit"})
        self._add_placed = bound(placed, "add", own)
        self._add_filled = bound(reports, "add", filled)
        self._record_latency = bound(latency, "record", own)
        self._record_spread = bound(spread, "record", own)
        self._now = now
        self._restart()
        _all.add(self)

    def _restart(self) -> None:
        self._lock = threading.Lock()
        self._ended: array[float] = _zeros()
        self._threads: list[array[float]] = []
        self._leaving: list[array[float]] = []
        self._local = _Local(self._threads, self._leaving)

    def increment_messages_received(self, count: int = 1) -> None:
        """Count messages that came from the venue."""
        self._add_received(count)
        self._count(_RECEIVED, count)

    def increment_messages_sent(self, count: int = 1) -> None:
        """Count messages that went to the venue."""
        self._add_sent(count)
        self._count(_SENT, count)

    def increment_orders_placed(self, count: int = 1) -> None:
        """Count orders that were submitted."""
        self._add_placed(count)
        self._count(_PLACED, count)

    def increment_orders_filled(self, count: int = 1) -> None:
        """Count orders that were filled completely."""
        self._add_filled(count)
        self._count(_FILLED, count)

    def record_latency_us(self, latency: float) -> None:
        """Record the time from an order's submission to its acknowledgement, in microseconds."""
        if not _is_amount(latency):
            self._record_latency(latency)
            return
        self._record_latency(latency * 1e-6)
        _LATENCY.record(self._local.cells, latency)

    def record_spread_bps(self, spread: float) -> None:
        """Record the distance of best ask and best bid in basis points; of a crossed book it is 0."""
        if isinstance(spread, (int, float)) and spread < 0:
            spread = 0.0
        self._record_spread(spread)
        if _is_amount(spread):
            _SPREAD.record(self._local.cells, spread)

    def snapshot(self) -> CountersSnapshot:
        """All counts at this moment."""
        with self._lock:
            while self._leaving:
                leaving = self._leaving.pop()
                self._threads[:] = [cells for cells in self._threads if cells is not leaving]
                self._ended = array("d", _merged([self._ended, leaving]))
            parts = [self._ended, *self._threads]
            at_once = b"".join(parts)  # one call of the interpreter: no thread counts while it copies
            taken_at = self._now()
        copies = [array("d", at_once[start : start + 8 * _CELLS]) for start in range(0, len(at_once), 8 * _CELLS)]
        cells = _merged(copies)
        return CountersSnapshot(
            taken_at=taken_at,
            messages_received=int(cells[_RECEIVED]),
            messages_sent=int(cells[_SENT]),
            orders_placed=int(cells[_PLACED]),
            orders_filled=int(cells[_FILLED]),
            latency_us=_LATENCY.read(cells),
            spread_bps=_SPREAD.read(cells),
        )

    def _count(self, place: int, count: int) -> None:
        if count.__class__ is int and count > 0:
            self._local.cells[place] += count


class _Local(threading.local):
    """The cells of each thread; made when the thread counts for the first time."""

    def __init__(self, threads: list[array[float]], leaving: list[array[float]]) -> None:
        self.cells = _zeros()
        self.hand_in = _HandIn(self.cells, leaving)
        threads.append(self.cells)


class _HandIn:
    """Hands a thread's cells in when the thread has ended, to be added to those of others."""

    def __init__(self, cells: array[float], leaving: list[array[float]]) -> None:
        self._cells = cells
        self._leaving = leaving

    def __del__(self) -> None:
        self._leaving.append(self._cells)


_all: weakref.WeakSet[VenueCounters] = weakref.WeakSet()


def _restart_all() -> None:
    for counters in list(_all):
        counters._restart()  # noqa: SLF001 - of this module


os.register_at_fork(after_in_child=_restart_all)


def _zeros() -> array[float]:
    return array("d", bytes(8 * _CELLS))


def _merged(parts: list[array[float]]) -> list[float]:
    if len(parts) == 1:
        return list(parts[0])
    cells: list[float] = [sum(column, 0.0) for column in zip(*parts, strict=True)]
    for place in _GREATEST:
        cells[place] = max(part[place] for part in parts)
    return cells


def _is_amount(value: object) -> bool:
    return isinstance(value, (int, float)) and 0 <= value < math.inf
