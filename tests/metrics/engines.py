"""The two engines behind one interface, so that a behaviour is tested once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource

from otel_trading.metrics.native import NativeMeterProvider

if TYPE_CHECKING:
    from opentelemetry import metrics as api
    from opentelemetry.sdk.metrics.export import MetricReader, MetricsData
    from opentelemetry.sdk.metrics.view import View

Name = Literal["sdk", "native"]
RESOURCE = Resource({"service.name": "test-bot"})
PATIENCE = 30.0
"""Seconds a callback may take before a busy machine looks like a hanging callback."""


def provider(engine: Name, readers: list[MetricReader], views: list[View] | None = None) -> Any:
    """A meter provider of an engine: the SDK's class or ours."""
    if engine == "sdk":
        return MeterProvider(readers, RESOURCE, shutdown_on_exit=False, views=views or [])
    return NativeMeterProvider(readers, RESOURCE, views or [], callback_timeout=PATIENCE)


class Bench:
    """An engine with one in-memory reader."""

    def __init__(self, engine: Name, views: list[View] | None = None, **reader: Any) -> None:
        self.engine = engine
        self.reader = InMemoryMetricReader(**reader)
        self.provider = provider(engine, [self.reader], views)
        self.meter: api.Meter = self.provider.get_meter("bot", "1.0")

    def data(self) -> MetricsData | None:
        """What the reader sees now."""
        return self.reader.get_metrics_data()

    def metrics(self) -> dict[str, Any]:
        """What the reader sees now, by name."""
        data = self.data()
        if data is None:
            return {}
        (resource,) = data.resource_metrics
        return {metric.name: metric for scope in resource.scope_metrics for metric in scope.metrics}

    def points(self, name: str) -> list[Any]:
        """The points of one metric, none when it is not there."""
        found = self.metrics().get(name)
        return list(found.data.data_points) if found else []

    def values(self, name: str) -> dict[tuple[tuple[str, Any], ...], Any]:
        """The numbers of a sum or gauge by their attributes."""
        return {tuple(sorted(point.attributes.items())): point.value for point in self.points(name)}
