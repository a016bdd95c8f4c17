"""Lines on their way: read and encoded by the core, handed over by the thread ``otel-writer``."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter, deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from otel_trading import _native
from otel_trading.export.feeder import Feeder
from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel_trading.export.feeder import Taker
    from otel_trading.export.ledger import Account, Lane, Ledger
    from otel_trading.logs.lines import Lines
    from otel_trading.logs.sinks import Sink

_ROUNDS = 1_000
"""Times the ring is read at most in one go: a bot that logs all the time must not keep a flush waiting for ever."""

_AFTER_A_DEFECT = 0.1
"""Seconds until the thread goes on after an exception."""

_PREDECESSOR = 1.0
"""Seconds that a shipper waits for the one before to write its last lines: its disk may hang."""


class Nowhere:
    """Where lines go that nobody wants over OTLP; a ``Taker`` that gets nothing."""

    target = "lines"

    def take(self, batch: Any, count: int, lane: Lane, safe: Any = None) -> None:  # noqa: ANN401
        """See ``Taker``."""

    def flush(self, deadline: float) -> bool:
        """See ``Taker``."""
        return True

    def restart_in_child(self) -> None:
        """See ``Taker``."""

    def close(self) -> None:
        """See ``Taker``."""


def release(lines: Lines) -> LogShipper | None:
    """Have whoever delivers these lines, who is returned, take what waits, and nothing more."""
    before, lines.shipper = lines.shipper, None
    if before is not None:
        before.let_go()
    lines.core.next_turn()
    return before


class LogShipper(Feeder[_native.LogBatch]):
    """Hands requests to a taker and lines to sinks, until another one of the same lines takes over."""

    def __init__(
        self,
        lines: Lines,
        taker: Taker | None,
        ledger: Ledger,
        sinks: Sequence[Sink] = (),
        *,
        batch_size: int,
        delay: float,
    ) -> None:
        before = release(lines)
        lines.shipper = self
        self._turn = lines.core.next_turn()
        self._lines = lines
        self._source: _native.Logs | None = lines.core
        self._delivers = taker is not None
        self.sinks = list(sinks)
        self.restarts = 0
        """How often an exception stopped the thread."""
        least = min((sink.level for sink in self.sinks), default=None)
        lines.core.set_demand(batch_size if self._delivers else None, least)
        self._before = lines.core.counts()
        self._lost_lines: Counter[tuple[str, str]] = Counter()
        super().__init__(taker or Nowhere(), ledger, delay=delay)
        self._predecessor: LogShipper | None = before
        self._launch()

    def _start(self) -> None:
        self._predecessor = None
        self._writing = threading.Lock()
        self._last: deque[_native.LogBatch] = deque()
        self._last_lines: deque[_native.LogLines] = deque()
        super()._start()

    # As a feeder

    def let_go(self) -> None:
        """Take what waits, and nothing more: what comes from now on is another one's."""
        with self._lock:
            source = self._source
            if source is None:
                return
            for _ in range(_ROUNDS):
                source.drain(True)
                self._last_lines.append(source.take_lines())
                while (batch := source.take()) is not None:
                    self._last.append(batch)
                if not source.unread:
                    break
            self._source = None

    def write_rest(self, timeout: float = -1) -> None:
        """Write the lines that were taken, behind those of the shipper before; from whichever thread.

        ``timeout`` seconds are waited for another thread that does so.
        """
        if not self._writing.acquire(timeout=timeout):
            return
        try:
            before, self._predecessor = self._predecessor, None
            if before is not None:
                before.write_rest(_PREDECESSOR)
            while self._last_lines:
                self._write_some(self._last_lines.popleft())
        finally:
            self._writing.release()

    def request_flush(self) -> int:
        """See ``Feeder``."""
        ticket = super().request_flush()
        self._lines.core.wake()
        return ticket

    def request_close(self, deadline: float) -> None:
        """See ``Feeder``; lines that come from now on are lost, unless there is another shipper by now."""
        if self._source is not None:
            self._source.close()
        self.let_go()
        super().request_close(deadline)
        self._lines.core.wake()

    def wait_closed(self) -> bool:
        """See ``Feeder``; the sinks are closed last."""
        closed = super().wait_closed()
        left = Counter[str]()
        while self._last_lines:
            left.update(self._last_lines.popleft().of(0)[1])
        self._lose("shut_down", left)
        for sink in self.sinks:
            with contextlib.suppress(Exception):
                self._lose("disk", sink.close())
        return closed and not left

    def restart_in_child(self) -> None:
        """See ``Feeder``."""
        self._before = self._lines.core.counts()
        self._lost_lines = Counter()
        super().restart_in_child()
        for sink in self.sinks:
            with contextlib.suppress(Exception):
                sink.reopen()
        if not self._closing:
            self._launch()

    def reopen(self) -> None:
        """Have the sinks open their files anew."""
        for sink in self.sinks:
            with contextlib.suppress(Exception):
                sink.reopen()

    def account(self, told: Account) -> Account:
        """The ledger's account, together with what the core took and lost in this shipper's time."""
        counts = self._lines.core.counts()
        lost = Counter(counts["lost"]) - Counter(self._before["lost"])
        emitted = counts["emitted"] - self._before["emitted"]
        dropped, low = Counter(told.dropped), Counter(told.low)
        levels: Counter[tuple[str, Lane, str]] = Counter()
        for (reason, lane, level), count in lost.items():
            dropped[reason] += count
            levels[reason, lane, level] += count
            if lane == "low":
                low[reason] += count
        pending = emitted + told.recovered - told.sent - dropped.total()
        account = replace(told, emitted=emitted, pending=pending, dropped=dict(dropped), low=dict(low))
        of_sinks = Counter[str]()
        for (reason, level), count in list(self._lost_lines.items()):
            of_sinks[reason] += count
            levels[reason, "important", level] += count
        return replace(account.with_dropped(of_sinks), levels=dict(levels))

    # The thread

    def _launch(self) -> None:
        thread = threading.Thread(target=self._run, name="otel-writer", daemon=True)
        with contextlib.suppress(RuntimeError):  # no threads while the interpreter shuts down
            thread.start()
            self._thread = thread

    def _run(self) -> None:
        while True:
            try:
                return super()._run()
            except Exception as error:  # a defect of ours costs a moment, not the delivery
                self.restarts += 1
                self.ledger.failed(f"{type(error).__name__}: {error}")
                if self.restarts == 1:
                    report(f"logs: the writer failed and goes on: {type(error).__name__}: {error}")
                time.sleep(_AFTER_A_DEFECT)

    def _pause(self, due: float) -> None:
        """See ``Feeder``; the core works meanwhile, without Python."""
        source = self._source
        if source is None:
            super()._pause(due)
        elif not self._wake.is_set():
            source.wait(max(0.0, due - time.monotonic()), self._turn)

    def _drain(self, *, rest: bool) -> None:
        """See ``Feeder``: lines first, so that what is settled is written as well."""
        for _ in range(_ROUNDS):
            with self._lock:  # so that lines of another thread that lets them go come behind
                source = self._source
                if source is not None:
                    source.drain(rest)
                    self._last_lines.append(source.take_lines())
            self.write_rest()
            self._hand_over_all()
            if source is None or not source.unread:
                break
        self._flush_sinks()

    def _hand_over_all(self) -> None:
        while True:
            with self._lock:
                batch = self._in_hand = self._next(rest=True)
            if batch is None:
                return
            try:
                self._hand_over(batch)
            except Exception as error:  # a defect of ours costs a batch, not the delivery
                self.ledger.dropped("failed", len(batch), batch.lane)
                self.ledger.failed(f"{type(error).__name__}: {error}")
            with self._lock:
                self._in_hand = None

    def _write_some(self, lines: _native.LogLines) -> None:
        if not len(lines):
            return
        for sink in self.sinks:
            text, counts = lines.of(sink.level)
            if text:
                self._lose("disk", self._write_to(sink, text, counts))
        if not self._delivers:
            self.ledger.sent(len(lines))

    def _flush_sinks(self) -> None:
        """Have them try again what waits, also while there is nothing new."""
        for sink in self.sinks:
            with contextlib.suppress(Exception):
                sink.flush()

    def _write_to(self, sink: Sink, text: bytes, counts: Mapping[str, int]) -> Mapping[str, int]:
        try:
            return sink.write(text, counts)
        except Exception as error:
            self.ledger.failed(f"{type(sink).__name__}: {type(error).__name__}: {error}")
            return counts

    def _lose(self, reason: str, lost: Mapping[str, int]) -> None:
        for level, count in lost.items():
            if count:
                self._lost_lines[reason, level] += count

    def _waiting(self) -> int:
        source = self._source
        return sum(map(len, self._last)) + (source.waiting if source is not None else 0)

    def _next(self, *, rest: bool) -> _native.LogBatch | None:
        if self._last:
            return self._last.popleft()
        return self._source.take() if self._source is not None else None

    def _hand_over(self, batch: _native.LogBatch) -> None:
        # What is safe has not to be recovered from the recording.
        self._taker.take(batch.request, len(batch), batch.lane, partial(self._lines.core.settled, batch))

    def _discard(self) -> int:
        left = sum(map(len, self._last))
        self._last.clear()
        return left


class Closing:
    """The last of a pipeline's outlets: when all lines are settled there is nothing to recover."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def request_flush(self) -> int:
        """Nothing waits here."""
        return 0

    def wait_flushed(self, ticket: int, deadline: float) -> bool:
        """See ``request_flush``."""
        return True

    def request_close(self, deadline: float) -> None:
        """Nothing waits here."""

    def wait_closed(self) -> bool:
        """Remove the recording, unless lines of it are not settled, or another pipeline records by now."""
        if self._lines.core.closed:
            self._lines.core.finish()
        return True

    def restart_in_child(self) -> None:
        """The core sees to it itself."""
