"""Metrics that are pushed: collected at an interval and handed over by a thread of their own."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from otel_trading.export.periodic import Periodic
from otel_trading.settings import report

if TYPE_CHECKING:
    from otel_trading.export.feeder import Safe, Taker
    from otel_trading.export.ledger import Lane, Ledger


class Pusher(Periodic):
    """Collects every interval (seconds) and hands what it has to a taker."""

    def __init__(self, taker: Taker, ledger: Ledger, *, interval: float) -> None:
        self.ledger = ledger
        self._taker = taker
        self._reported: str | None = None
        super().__init__("otel-metrics", interval)

    @abstractmethod
    def _push(self) -> None:
        """Collect, and hand what was collected to ``_deliver``."""

    def restart_in_child(self) -> None:
        """Push from a thread of the child's own."""
        if not self._closing:
            self.ledger.reset()
            self._taker.restart_in_child()
            self._start()

    def wait_closed(self) -> bool:
        """See ``Periodic``."""
        closed = super().wait_closed()
        self._taker.close()
        return closed

    def _work(self) -> None:
        self._failing = False
        try:
            self._push()
        except Exception as error:
            self._failing = True
            reason = f"{type(error).__name__}: {error}"
            self.ledger.failed(reason)
            if reason != self._reported:
                self._reported = reason
                report(f"metrics cannot be collected: {reason}")

    def _deliver(self, points: int, batch: Any, lane: Lane = "important", safe: Safe | None = None) -> None:  # noqa: ANN401 - what the taker takes
        self.ledger.emitted(points)
        self._taker.take(batch, points, lane, safe)
