from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from otel_trading import runtime as runtime_module
from otel_trading.runtime import Runtime, RuntimeOptions, start_runtime

Start = Callable[..., Runtime]
PATIENCE = 60.0


class Captured:
    """What instruments report, as the SDK collects it."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.meter = MeterProvider(metric_readers=[self._reader], shutdown_on_exit=False).get_meter("otel_trading")

    def points(self, name: str) -> list[Any]:
        """The data points of a metric; none when it reports nothing."""
        data = self._reader.get_metrics_data()
        if data is None:
            return []
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
        metrics = [metric for scope in scopes for metric in scope.metrics if metric.name == name]
        return [point for metric in metrics for point in metric.data.data_points]

    def by(self, name: str, attribute: str) -> dict[Any, float]:
        """The values of a metric by one of its attributes."""
        return {point.attributes[attribute]: point.value for point in self.points(name)}

    def total(self, name: str) -> float:
        """The sum of a metric's values, or the count of a histogram's."""
        return float(sum(point.count if hasattr(point, "count") else point.value for point in self.points(name)))


@pytest.fixture
def captured() -> Captured:
    """A meter, and what its instruments report."""
    return Captured()


@pytest.fixture
def start(captured: Captured) -> Iterator[Start]:
    """``start_runtime`` with quick intervals and nothing on but what is asked for; stopped at the end."""

    def start_here(**options: Any) -> Runtime:
        quick: dict[str, Any] = {"interval": 0.05, "disk_interval": 0.05, "heartbeat": 0.01, "stall_threshold": 0.2}
        off = dict.fromkeys(("gc", "event_loops", "process", "system"), False)
        return start_runtime(captured.meter, RuntimeOptions(**{**quick, **off, **options}))

    yield start_here
    if runtime_module._current is not None:
        runtime_module._current.stop()
        runtime_module._current = None


def eventually(happened: Callable[[], object], patience: float = PATIENCE) -> bool:
    """Whether it happens, waiting with patience."""
    deadline = time.monotonic() + patience
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
