"""A snapshot as the SDK's ``MetricsData``, for readers and exporters of the SDK."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Buckets,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    from otel_trading import _native

_TEMPORALITIES = {"delta": AggregationTemporality.DELTA, "cumulative": AggregationTemporality.CUMULATIVE}
"""A gauge has none."""


def metrics_data(
    snapshot: _native.Snapshot, resource: Resource, scope: Callable[[int], InstrumentationScope]
) -> MetricsData | None:
    """All points under one resource and one entry per scope; ``None`` when there are no points.

    The SDK's encoders keep only one of two entries with an equal resource or scope.
    """
    by_scope: dict[int, list[Metric]] = {}
    for owner, name, description, unit, kind, temporality, monotonic, points in snapshot.metrics():
        if points:
            data = _data(kind, temporality, monotonic, points)
            by_scope.setdefault(owner, []).append(Metric(name, description, unit, data))
    if not by_scope:
        return None
    scopes = [(scope(owner), metrics) for owner, metrics in by_scope.items()]
    scope_metrics = [ScopeMetrics(owner, metrics, owner.schema_url or "") for owner, metrics in scopes]
    return MetricsData([ResourceMetrics(resource, scope_metrics, resource.schema_url)])


def _data(
    kind: str, temporality: str | None, monotonic: bool, points: Sequence[tuple[Any, ...]]
) -> Sum | Gauge | Histogram | ExponentialHistogram:
    if kind == "gauge" or temporality is None:
        return Gauge([_number(point, None) for point in points])
    interval = _TEMPORALITIES[temporality]
    if kind == "sum":
        return Sum([_number(point, point[1]) for point in points], interval, monotonic)
    if kind == "explicit":
        return Histogram([_explicit(point) for point in points], interval)
    return ExponentialHistogram([_exponential(point) for point in points], interval)


def _number(point: tuple[Any, ...], start_ns: int | None) -> NumberDataPoint:
    attributes, _, time_ns, value, exemplars = point
    return NumberDataPoint(attributes, start_ns, time_ns, value, _exemplars(exemplars))  # type: ignore[arg-type]  # a gauge has none in the SDK either


def _explicit(point: tuple[Any, ...]) -> HistogramDataPoint:
    attributes, start_ns, time_ns, count, total, least, greatest, bounds, counts, exemplars = point
    return HistogramDataPoint(
        attributes=attributes,
        start_time_unix_nano=start_ns,
        time_unix_nano=time_ns,
        count=count,
        sum=total,
        bucket_counts=counts,
        explicit_bounds=bounds,
        min=_or(least, math.inf),
        max=_or(greatest, -math.inf),
        exemplars=_exemplars(exemplars),
    )


def _exponential(point: tuple[Any, ...]) -> ExponentialHistogramDataPoint:
    attributes, start_ns, time_ns, count, total, least, greatest, scale, zeros, positive, negative, exemplars = point
    return ExponentialHistogramDataPoint(
        attributes=attributes,
        start_time_unix_nano=start_ns,
        time_unix_nano=time_ns,
        count=count,
        sum=total,
        scale=scale,
        zero_count=zeros,
        positive=Buckets(*positive),
        negative=Buckets(*negative),
        flags=0,
        min=_or(least, math.inf),
        max=_or(greatest, -math.inf),
        exemplars=_exemplars(exemplars),
    )


def _or(extreme: float | None, without: float) -> float:
    """What the SDK says where extremes are not recorded."""
    return without if extreme is None else extreme


def _exemplars(taken: Sequence[tuple[Any, ...]]) -> list[Exemplar]:
    return [
        Exemplar(filtered, value, time_ns, span_id, trace_id) for value, time_ns, trace_id, span_id, filtered in taken
    ]
