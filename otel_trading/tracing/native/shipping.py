"""Kept spans on their way: encoded by the core, handed over by a thread that knows where they go."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from otel_trading import _native
from otel_trading.export.feeder import Feeder
from otel_trading.tracing.native.latest import latest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_trading.export.feeder import Taker
    from otel_trading.export.ledger import Account, Ledger
    from otel_trading.tracing.native.provider import NativeTracerProvider


_LOOK = 0.05
"""Seconds between two looks for full requests."""

_DECIDED = frozenset({"sampled_out", "not_interesting", "late"})
"""Spans that the rules for retention are not for: nothing is lost with them."""


def lost(counts: Mapping[str, Any]) -> Counter[str]:
    """The spans of a provider's counts that should have been kept, by reason."""
    return Counter({reason: count for reason, count in counts["dropped"].items() if count and reason not in _DECIDED})


class TraceShipper(Feeder[_native.TraceBatch]):
    """Hands over what a provider keeps; ``settle`` leaves what comes from then on to another one."""

    def __init__(
        self,
        provider: NativeTracerProvider,
        taker: Taker,
        ledger: Ledger,
        *,
        capacity: int,
        batch_size: int,
        delay: float,
    ) -> None:
        self._provider = provider
        self._latest = latest()
        self._source: _native.Traces | None = provider.core
        provider.core.set_demand(True, batch_size, capacity)
        self._before = provider.core.counts()
        super().__init__(taker, ledger, delay=delay)
        provider.deliver = self.flush
        self._launch()

    def _start(self) -> None:
        self._last: deque[_native.TraceBatch] = deque()
        super()._start()

    def settle(self) -> None:
        """Take over what waits, and nothing more."""
        with self._lock:
            if self._source is None:
                return
            self._source.flush()
            while (batch := self._source.take(rest=True)) is not None:
                self._last.append(batch)
            self._source = None
            if self._provider.deliver == self.flush:
                self._provider.deliver = None

    def request_flush(self) -> int:
        """See ``Feeder``; traces that are not complete are decided as they are."""
        self.decide()
        return super().request_flush()

    def request_close(self, deadline: float) -> None:
        """See ``Feeder``; spans that end from now on are lost, unless there is another shipper by now."""
        if self._source is not None:
            self._source.close()
        self.settle()
        super().request_close(deadline)

    def wait_closed(self) -> bool:
        """See ``Feeder``; when all is handed over there is nothing to recover, and the recording goes."""
        closed = super().wait_closed()
        self._provider.core.finish()
        return closed

    def restart_in_child(self) -> None:
        """See ``Feeder``."""
        self._before = self._provider.core.counts()
        super().restart_in_child()
        if not self._closing:
            self._launch()

    def account(self, told: Account) -> Account:
        """The ledger's account, together with what the core kept and lost in this shipper's time."""
        counts = self._provider.core.counts()
        gone = lost(counts) - lost(self._before)
        kept = sum(counts["kept"].values()) - sum(self._before["kept"].values())
        before = told.emitted  # what was refused on the way to the core
        emitted = before + kept + counts["pending"] + gone.total() - gone["queue_full"]  # that was kept first
        together = Counter(told.dropped) + gone
        pending = emitted + told.recovered - told.sent - together.total()
        return replace(told, emitted=emitted, pending=pending, dropped=dict(together))

    def decide(self) -> None:
        """Have the traces decided that are not complete, as they are."""
        source = self._source
        if source is not None:
            source.flush()

    def _pause(self, due: float) -> None:
        """See ``Feeder``; the core works without Python, so nobody tells when a request is full."""
        while (left := due - time.monotonic()) > 0:
            source = self._source
            if self._wake.wait(min(left, _LOOK)) or source is None or source.full():
                return

    def _waiting(self) -> int:
        source = self._source
        return sum(map(len, self._last)) + (source.ready() if source is not None else 0)

    def _next(self, *, rest: bool) -> _native.TraceBatch | None:
        if self._last:
            return self._last.popleft()
        return self._source.take(rest=rest) if self._source is not None else None

    def _hand_over(self, batch: _native.TraceBatch) -> None:
        # What is safe has not to be recovered from the recording.
        request = batch.request
        self._taker.take(request, len(batch), "important", partial(self._provider.core.settled, batch))
        self._latest.add(request)

    def _discard(self) -> int:
        left = sum(map(len, self._last))
        self._last.clear()
        return left + (self._source.clear() if self._source is not None else 0)
