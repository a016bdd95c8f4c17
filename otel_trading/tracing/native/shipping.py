"""Kept spans on their way: encoded by the core, delivered by a thread that waits for receivers."""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from otel_trading import _native
from otel_trading.export.ledger import Account
from otel_trading.export.queue import Shipper

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_trading.export.delivery import Sender
    from otel_trading.export.ledger import Ledger
    from otel_trading.tracing.native.provider import NativeTracerProvider


_LOOK = 0.05
"""Seconds between two looks for full requests."""

_DECIDED = frozenset({"sampled_out", "not_interesting", "late"})
"""Spans that the rules for retention are not for: nothing is lost with them."""


def lost(counts: Mapping[str, Any]) -> Counter[str]:
    """The spans of a provider's counts that should have been kept, by reason."""
    return Counter({reason: count for reason, count in counts["dropped"].items() if count and reason not in _DECIDED})


class TraceShipper(Shipper[_native.TraceBatch]):
    """Delivers what a provider keeps; ``settle`` leaves what comes from then on to another one."""

    def __init__(
        self,
        provider: NativeTracerProvider,
        sender: Sender[bytes],
        ledger: Ledger,
        *,
        capacity: int,
        batch_size: int,
        delay: float,
    ) -> None:
        self._provider = provider
        self._source: _native.Traces | None = provider.core
        provider.core.set_demand(True, batch_size, capacity)
        self._before = provider.core.counts()
        super().__init__(sender, ledger, delay=delay)
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
        """See ``Shipper``; traces that are not complete are decided as they are."""
        self.decide()
        return super().request_flush()

    def request_close(self, deadline: float) -> None:
        """See ``Shipper``; spans that end from now on are lost, unless there is another shipper by now."""
        if self._source is not None:
            self._source.close()
        self.settle()
        super().request_close(deadline)

    def wait_closed(self) -> bool:
        """See ``Shipper``; when all has arrived there is nothing to recover, and the recording goes."""
        closed = super().wait_closed()
        self._provider.core.finish()
        return closed

    def restart_in_child(self) -> None:
        """See ``Shipper``."""
        self._before = self._provider.core.counts()
        super().restart_in_child()
        if not self._closing:
            self._launch()

    def account(self) -> Account:
        """The ledger's account, together with what the core kept and lost in this shipper's time."""
        counts = self._provider.core.counts()
        gone = lost(counts) - lost(self._before)
        kept = sum(counts["kept"].values()) - sum(self._before["kept"].values())
        told = self.ledger.account()
        emitted = kept + counts["pending"] + gone.total() - gone["queue_full"]  # that was kept first
        together = Counter(told.dropped) + gone
        return Account(emitted, told.sent, emitted - told.sent - together.total(), dict(together), told.last_error)

    def decide(self) -> None:
        """Have the traces decided that are not complete, as they are."""
        source = self._source
        if source is not None:
            source.flush()

    def _pause(self) -> None:
        """See ``Shipper``; the core works without Python, so nobody tells when a request is full."""
        end = time.monotonic() + self._delay
        while (left := end - time.monotonic()) > 0:
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

    def _request(self, batch: _native.TraceBatch) -> bytes:
        return batch.request

    def _done(self, batch: _native.TraceBatch) -> None:
        self._provider.core.settled(batch)

    def _discard(self) -> int:
        left = sum(map(len, self._last))
        self._last.clear()
        return left + (self._source.clear() if self._source is not None else 0)
