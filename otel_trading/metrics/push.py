"""Metrics that are pushed: collected and delivered at an interval by a thread of their own."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value
from opentelemetry.sdk.metrics.export import MetricReader, MetricsData

from otel_trading.export.delivery import Delivery, Outcome, Sender
from otel_trading.export.tickets import Tickets
from otel_trading.settings import report

if TYPE_CHECKING:
    from otel_trading.export.ledger import Ledger


class PushReader(MetricReader):
    """Pushes every interval (seconds); a failed push is counted, and the next one carries the totals.

    ``preferred_temporality`` and ``preferred_aggregation`` are this reader's alone: another reader of the same
    provider may see the same histogram with other buckets.
    """

    def __init__(
        self,
        sender: Sender[Any],
        ledger: Ledger,
        *,
        interval: float,
        preferred_temporality: dict[type, Any] | None = None,
        preferred_aggregation: dict[type, Any] | None = None,
    ) -> None:
        super().__init__(preferred_temporality, preferred_aggregation)
        self.ledger = ledger
        self._sender = sender
        self._interval = interval
        self._failing = False
        self._reported: str | None = None
        self._start()

    def _start(self) -> None:
        self._wake = threading.Event()
        self._closing = False
        self._deadline = float("inf")
        self._tickets = Tickets()
        self._thread = threading.Thread(target=self._run, name="otel-metrics", daemon=True)
        with contextlib.suppress(RuntimeError):  # no threads while the interpreter shuts down
            self._thread.start()

    def restart_in_child(self) -> None:
        """Push from a thread of the child's own."""
        if not self._closing:
            self.ledger.reset()
            self._sender.restart_in_child()
            self._start()

    def request_flush(self) -> int:
        """Ask for a push now; the ticket is for ``wait_flushed``."""
        ticket = self._tickets.take()
        self._wake.set()
        return ticket

    def wait_flushed(self, ticket: int, deadline: float) -> bool:
        """Whether the push is done by the deadline (monotonic seconds)."""
        return self._tickets.wait(ticket, deadline) and not self._failing

    def request_close(self, deadline: float) -> None:
        """Push once more and end, at the latest at the deadline."""
        self._closing = True
        self._deadline = deadline
        self._wake.set()

    def wait_closed(self) -> bool:
        """Wait for the last push, at most until the deadline."""
        self._thread.join(max(0.0, self._deadline - time.monotonic()))
        self._sender.close()
        return not self._thread.is_alive() and not self._failing

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Push now, for callers that hold the SDK's provider."""
        return self.wait_flushed(self.request_flush(), time.monotonic() + timeout_millis / 1_000)

    def shutdown(self, timeout_millis: float = 30_000, **_: object) -> None:
        """Close, for callers that hold the SDK's provider."""
        self.request_close(time.monotonic() + timeout_millis / 1_000)
        self.wait_closed()

    def _run(self) -> None:
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        while True:
            self._wake.wait(self._interval)
            self._wake.clear()
            closing, ticket = self._closing, self._tickets.newest
            try:
                self.collect()
            except Exception as error:
                self._settle(0, Delivery(Outcome.REFUSED, reason=f"{type(error).__name__}: {error}"))
            self._tickets.settle(ticket)
            if closing:
                return

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: object) -> None:
        points = _count_points(metrics_data)
        if not points:
            return
        self.ledger.emitted(points)
        try:
            delivery = self._sender.send(metrics_data)  # type: ignore[arg-type]  # this signal's batch is one object
        except Exception as error:
            delivery = Delivery(Outcome.REFUSED, reason=f"{type(error).__name__}: {error}")
        self._settle(points, delivery)

    def _settle(self, points: int, delivery: Delivery) -> None:
        self._failing = delivery.outcome is not Outcome.SENT
        if not self._failing:
            rejected = min(delivery.rejected, points)
            self.ledger.sent(points - rejected)
            self._sender.receiver.back()
            if not rejected:
                return
            points = rejected
        reason = delivery.reason or "no answer"
        self.ledger.dropped("unreachable" if delivery.outcome is Outcome.RETRY else "refused", points)
        self.ledger.failed(reason)
        if delivery.outcome is Outcome.RETRY:
            if not self._closing:
                self._sender.receiver.gone(reason)
        elif reason != self._reported:
            self._reported = reason
            report(f"metrics: {self._sender.target} refuses points: {reason}; totals are sent with the next ones")


def _count_points(data: MetricsData) -> int:
    return sum(
        len(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )
