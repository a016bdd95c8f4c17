"""Metrics that are pushed: collected and delivered at an interval by a thread of their own."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from otel_trading.export.delivery import Delivery, Outcome, Sender
from otel_trading.export.periodic import Periodic
from otel_trading.settings import report

if TYPE_CHECKING:
    from otel_trading.export.ledger import Ledger


class Pusher(Periodic):
    """Pushes every interval (seconds); a failed push is counted, and the next one carries the totals."""

    def __init__(self, sender: Sender[Any], ledger: Ledger, *, interval: float) -> None:
        self.ledger = ledger
        self._sender = sender
        self._reported: str | None = None
        super().__init__("otel-metrics", interval)

    @abstractmethod
    def _push(self) -> None:
        """Collect, and hand what was collected to ``_deliver``."""

    def restart_in_child(self) -> None:
        """Push from a thread of the child's own."""
        if not self._closing:
            self.ledger.reset()
            self._sender.restart_in_child()
            self._start()

    def wait_closed(self) -> bool:
        """See ``Periodic``."""
        closed = super().wait_closed()
        self._sender.close()
        return closed

    def _work(self) -> None:
        self._failing = False
        try:
            self._push()
        except Exception as error:
            self._settle(0, Delivery(Outcome.REFUSED, reason=f"{type(error).__name__}: {error}"))

    def _deliver(self, points: int, batch: Any) -> None:  # noqa: ANN401 - what the sender takes
        self.ledger.emitted(points)
        try:
            delivery = self._sender.send(batch)
        except Exception as error:
            delivery = Delivery(Outcome.REFUSED, reason=f"{type(error).__name__}: {error}")
        self._settle(points, delivery)

    def _settle(self, points: int, delivery: Delivery) -> None:
        if delivery.outcome is Outcome.SENT:
            rejected = min(delivery.rejected, points)
            self.ledger.sent(points - rejected)
            self._sender.receiver.back()
            if not rejected:
                return
            points = rejected
        else:
            self._failing = True
        reason = delivery.reason or "no answer"
        self.ledger.dropped("unreachable" if delivery.outcome is Outcome.RETRY else "refused", points)
        self.ledger.failed(reason)
        if delivery.outcome is Outcome.RETRY:
            if not self._closing:
                self._sender.receiver.gone(reason)
        elif reason != self._reported:
            self._reported = reason
            report(f"metrics: {self._sender.target} refuses points: {reason}; totals are sent with the next ones")
