"""Collected metrics as one JSON object, in the form that ``json_dump`` documents."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from otel_trading.export.distribution import Distribution

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.sdk.metrics.export import MetricsData

_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p999": 0.999}


def render(metrics_data: MetricsData | None) -> bytes:
    """The metrics on one line; of several resources the first's attributes are told.

    >>> render(None)
    b'{"timestamp":0.0,"resource":{},"metrics":[]}'
    """
    resources = metrics_data.resource_metrics if metrics_data else ()
    metrics = [
        _metric(scope.scope.name, metric)
        for resource in resources
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ]
    times = [
        point.time_unix_nano
        for resource in resources
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    ]
    whole = {
        "timestamp": max(times, default=0) / 1e9,
        "resource": _attributes(resources[0].resource.attributes) if resources else {},
        "metrics": metrics,
    }
    return json.dumps(whole, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _metric(scope: str, metric: Any) -> dict[str, Any]:  # noqa: ANN401 - of any kind
    temporality = getattr(metric.data, "aggregation_temporality", None)
    delta = {"temporality": "delta"} if temporality is not None and temporality.name == "DELTA" else {}
    return {
        "name": metric.name,
        "unit": metric.unit or "",
        "kind": _kind(metric.data),
        "scope": scope,
        **delta,
        "points": [dict(_point(point)) for point in metric.data.data_points],
    }


def _kind(data: Any) -> str:  # noqa: ANN401 - data of any kind
    if hasattr(data, "is_monotonic"):
        return "counter" if data.is_monotonic else "up_down_counter"
    return "histogram" if hasattr(data, "aggregation_temporality") else "gauge"


def _point(point: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - of any kind
    yield "attributes", _attributes(point.attributes or {})
    if not hasattr(point, "count"):
        yield "value", _json(point.value)
        return
    yield "count", point.count
    if point.sum is not None:
        yield "sum", _json(point.sum)
    measured = Distribution.of_point(point)
    if measured.low is not None and measured.high is not None:
        yield "min", measured.low
        yield "max", measured.high
    if point.count:
        yield "quantiles", {name: _json(measured.quantile(share)) for name, share in _QUANTILES.items()}


def _attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _json(value) for key, value in attributes.items()}


def _json(value: Any) -> Any:  # noqa: ANN401 - an attribute's value, or a number
    """What JSON can hold: no NaN, no infinity, bytes as hexadecimal text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (list, tuple)):
        return [_json(item) for item in value]
    return value if value is None or isinstance(value, (str, int)) else str(value)
