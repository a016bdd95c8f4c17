"""The last values of a process's series, as lines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from otel_trading.export import readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def values(requests: Iterable[bytes]) -> Iterator[tuple[int, str, str]]:
    """Time in nanoseconds since 1970, name with attributes, and value of each series, by name."""
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    found: dict[str, tuple[int, str, str]] = {}
    for request in requests:
        for resource in ExportMetricsServiceRequest.FromString(request).resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in getattr(metric, metric.WhichOneof("data") or "gauge").data_points:
                        name = _name(metric, point)
                        last = (point.time_unix_nano, name, _value(metric, point))
                        found[name] = max(found.get(name, last), last)
    return iter([found[name] for name in sorted(found)])


def _name(metric: Any, point: Any) -> str:  # noqa: ANN401 - messages of OTLP, whose types are made at run time
    pairs = [(pair.key, getattr(pair.value, pair.value.WhichOneof("value") or "", "")) for pair in point.attributes]
    return f"{metric.name}{{{', '.join(f'{key}={value}' for key, value in pairs)}}}" if pairs else str(metric.name)


def _value(metric: Any, point: Any) -> str:  # noqa: ANN401 - see _name
    """A number with its unit; of a histogram how many there were and their mean.

    >>> from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint, Metric, NumberDataPoint
    >>> _value(Metric(unit="{order}"), NumberDataPoint(as_int=7))
    '7'
    >>> _value(Metric(unit="s"), HistogramDataPoint(count=4, sum=0.002))
    '4, 500 µs on average'
    """
    unit = str(metric.unit)
    if not hasattr(point, "count"):
        return readable.value(getattr(point, point.WhichOneof("value")), unit)
    if not point.count:
        return "0"
    mean = point.sum / point.count
    return f"{point.count:,}, {readable.value(mean, unit) if math.isfinite(mean) else '?'} on average"
