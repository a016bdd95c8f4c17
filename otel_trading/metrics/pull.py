"""Metrics that are pulled: the text Prometheus reads at ``/metrics``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import Histogram
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from otel_trading.metrics.buckets import ExplicitByUnit

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.metrics.export import MetricsData


class PullReader(PrometheusMetricReader):
    """Renders all metrics for a scrape, from a registry of its own, histograms with explicit buckets."""

    def __init__(self, also: Callable[[MetricsData], MetricsData] | None = None) -> None:
        self._also = also
        self.registry = CollectorRegistry(auto_describe=False)
        super().__init__(scope_info_enabled=False, registry=self.registry)
        # The base class passes no aggregation on; one of this reader's own leaves the OTLP reader's untouched.
        for instrument in self._instrument_class_aggregation:
            if issubclass(instrument, Histogram):
                self._instrument_class_aggregation[instrument] = ExplicitByUnit()  # type: ignore[assignment]

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **more: Any) -> None:  # noqa: ANN401
        super()._receive_metrics(self._also(metrics_data) if self._also else metrics_data, timeout_millis, **more)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The metrics and their content type, by the scraper's ``Accept`` header."""
        encoder, content_type = choose_encoder(accept)
        return encoder(self.registry), content_type
