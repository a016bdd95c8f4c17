"""Metrics that are pushed as the SDK's ``MetricsData``, to any of its exporters."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics.export import MetricReader, MetricsData

from otel_trading.metrics.pusher import Pusher

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.export.feeder import Taker
    from otel_trading.export.ledger import Ledger


class PushReader(MetricReader, Pusher):
    """A reader of the SDK that pushes.

    ``preferred_temporality`` and ``preferred_aggregation`` are this reader's alone: another reader of the same
    provider may see the same histogram with other buckets.
    """

    def __init__(
        self,
        taker: Taker,
        ledger: Ledger,
        *,
        interval: float,
        preferred_temporality: dict[type, Any] | None = None,
        preferred_aggregation: dict[type, Any] | None = None,
        also: Callable[[MetricsData], MetricsData] | None = None,
    ) -> None:
        self._also = also
        MetricReader.__init__(self, preferred_temporality, preferred_aggregation)
        Pusher.__init__(self, taker, ledger, interval=interval)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Push now, for callers that hold the SDK's provider."""
        deadline = time.monotonic() + timeout_millis / 1_000
        return self.wait_flushed(self.request_flush(), deadline) and self._taker.flush(deadline)

    def shutdown(self, timeout_millis: float = 30_000, **_: object) -> None:
        """Close, for callers that hold the SDK's provider."""
        self.request_close(time.monotonic() + timeout_millis / 1_000)
        self.wait_closed()

    def _push(self) -> None:
        self.collect()

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: object) -> None:
        if self._also is not None:
            metrics_data = self._also(metrics_data)
        points = count_points(metrics_data)
        if points:
            self._deliver(points, metrics_data)


def count_points(data: MetricsData) -> int:
    """How many data points there are."""
    return sum(
        len(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )
