"""Data points of metrics one by one, as the encoder takes them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.sdk.metrics.export import Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics

from otel_trading.export.mending import SCOPE_TEXTS, kept, text_or_none
from otel_trading.export.values import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from otel_trading.export.values import Mender


@dataclass(frozen=True, slots=True)
class Point:
    """One data point of a metric, with what it belongs to."""

    resource: ResourceMetrics
    scope: ScopeMetrics
    metric: Metric
    point: Any


def points(data: MetricsData) -> Iterator[Point]:
    """All data points, in order."""
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in getattr(metric.data, "data_points", ()):
                    yield Point(resource, scope, metric, point)


def joined(items: Iterable[Point]) -> MetricsData:
    """Data points as the SDK hands them over: those of one metric together, those of one scope and resource as well."""
    tree: dict[Any, tuple[ResourceMetrics, dict[Any, tuple[ScopeMetrics, dict[Any, tuple[Metric, list[Any]]]]]]] = {}
    for item in items:
        metric = item.metric
        _, scopes = tree.setdefault(item.resource.resource, (item.resource, {}))
        _, metrics = scopes.setdefault(item.scope.scope, (item.scope, {}))
        key = (metric.name, metric.unit, metric.description, type(metric.data))
        metrics.setdefault(key, (metric, []))[1].append(item.point)
    return MetricsData(
        [
            replace(resource, scope_metrics=[_scope(scope, metrics) for scope, metrics in scopes.values()])
            for resource, scopes in tree.values()
        ]
    )


def _scope(scope: ScopeMetrics, metrics: Mapping[Any, tuple[Metric, list[Any]]]) -> ScopeMetrics:
    return replace(
        scope,
        metrics=[
            replace(metric, data=replace(cast("Any", metric.data), data_points=found))
            for metric, found in metrics.values()
        ],
    )


def mended_point(item: Point, mender: Mender) -> Point:
    """A data point that can be encoded; raises when its value is no number."""
    metric, point = item.metric, item.point
    changed: dict[str, Any] = {
        "attributes": mender.attributes(point.attributes),
        "exemplars": [each for each in (_exemplar(exemplar, mender) for exemplar in point.exemplars) if each],
    }
    if isinstance(point, NumberDataPoint):
        changed["value"] = number(point.value)
    else:
        names = {field.name for field in fields(point)} & {"sum", "min", "max"}
        changed |= {name: float(getattr(point, name)) for name in names if getattr(point, name) is not None}
    return Point(
        replace(item.resource, resource=kept(item.resource.resource, mender, "schema_url")),
        replace(item.scope, scope=kept(item.scope.scope, mender, *SCOPE_TEXTS)),
        replace(
            metric,
            name=mender.text(metric.name),
            description=text_or_none(metric.description, mender),
            unit=text_or_none(metric.unit, mender),
        ),
        replace(point, **changed),
    )


def _exemplar(exemplar: Any, mender: Mender) -> Any:  # noqa: ANN401
    """The exemplar, or nothing: the point is worth more than what illustrates it."""
    try:
        return replace(
            exemplar,
            value=number(exemplar.value),
            filtered_attributes=mender.attributes(exemplar.filtered_attributes),
        )
    except Exception:
        return None
