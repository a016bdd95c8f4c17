"""Metrics under the names that dashboards already use, beside the kit's own; made when metrics are exported.

Nothing is measured twice: an alias copies the points of an instrument, keeps some of their attributes under other
names, and converts value, unit and buckets. ``alias_table`` holds the table, as plain data.

The name in the table is the name on the Prometheus page. Therefore aliases carry no unit (a unit would be appended),
and only names that end in ``_total`` are counters: another name would get that ending. A running total under another
name is a gauge, except for readers that ask for differences (delta temporality), which get it as a sum.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from otel_trading.export.distribution import Distribution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from opentelemetry.sdk.metrics.export import AggregationTemporality, Metric, MetricsData, ResourceMetrics
    from opentelemetry.sdk.metrics.export import ScopeMetrics as Scope

Labels = tuple[tuple[str, str], ...]
Where = tuple[tuple[str, tuple[str, ...]], ...]
Kind = Literal["counter", "gauge", "histogram"]
Statistic = Literal["sum", "max", "count", "mean", "quantile"]

SCOPE = "otel_trading.aliases"
"""Instrumentation scope of the copies: one for all, so that no series occurs twice."""


@dataclass(frozen=True, slots=True)
class Alias:
    """A name, and how to compute it from an instrument's points.

    ``where`` keeps points whose attribute has one of the values, ``labels`` are pairs of the alias' label and the
    attribute it comes from; points that then look the same are added up, or the greatest is taken
    (``statistic="max"``). ``scale`` multiplies values. ``bounds`` are the upper bounds of a histogram's
    buckets, after scaling. From a histogram a gauge shows ``count``, ``mean`` or ``quantile``; ``quantiles`` are
    pairs of the label ``quantile`` (none when empty) and the share. ``coded`` names an attribute of a state that
    ``codes`` turn into numbers; points above zero count.
    """

    name: str
    instrument: str
    kind: Kind
    description: str
    labels: Labels = ()
    where: Where = ()
    scale: float = 1
    statistic: Statistic = "sum"
    bounds: tuple[float, ...] = ()
    quantiles: tuple[tuple[str, float], ...] = ()
    coded: str = ""
    codes: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class _Found:
    """A point of an instrument that an alias is made of, and whether it holds totals or differences."""

    point: Any
    temporality: AggregationTemporality | None


def apply(metrics_data: MetricsData, aliases: Iterable[Alias] | None = None) -> MetricsData:
    """The metrics with those of the aliases added that their instruments have points for.

    Without ``aliases`` the whole table applies. The metrics handed in are not changed.
    """
    from otel_trading.trading.alias_table import ALIASES

    by_instrument: defaultdict[str, list[Alias]] = defaultdict(list)
    for alias in ALIASES if aliases is None else aliases:
        by_instrument[alias.instrument].append(alias)
    resources = [_with_aliases(resource, by_instrument) for resource in metrics_data.resource_metrics]
    return replace(metrics_data, resource_metrics=resources)


def _with_aliases(resource: ResourceMetrics, by_instrument: Mapping[str, list[Alias]]) -> ResourceMetrics:
    found: defaultdict[Alias, list[_Found]] = defaultdict(list)
    for scope in resource.scope_metrics:
        for metric in scope.metrics:
            temporality = getattr(metric.data, "aggregation_temporality", None)
            for alias in by_instrument.get(metric.name, ()):
                found[alias] += [
                    _Found(point, temporality) for point in metric.data.data_points if _matches(alias, point.attributes)
                ]
    made = (_metric(alias, points) for alias, points in found.items())
    metrics = [metric for metric in made if metric is not None]
    return replace(resource, scope_metrics=[*resource.scope_metrics, _scope(metrics)]) if metrics else resource


def _scope(metrics: list[Metric]) -> Scope:
    from opentelemetry.sdk.metrics.export import ScopeMetrics
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    return ScopeMetrics(scope=InstrumentationScope(SCOPE), metrics=metrics, schema_url="")


def _matches(alias: Alias, attributes: Mapping[str, Any] | None) -> bool:
    attributes = attributes or {}
    return all(attributes.get(key) in values for key, values in alias.where)


def _metric(alias: Alias, found: list[_Found]) -> Metric | None:
    """The alias' metric; none when its instrument has no point that fits."""
    from opentelemetry.sdk.metrics.export import Metric

    of_histogram = bool(found) and hasattr(found[0].point, "count")
    found = [each for each in found if hasattr(each.point, "count") == of_histogram]
    make = _from_histogram if of_histogram else _from_numbers
    data = make(alias, found) if found else None
    return data and Metric(name=alias.name, description=alias.description, unit="", data=data)


def _from_numbers(alias: Alias, found: list[_Found]) -> Any:  # noqa: ANN401 - a sum or a gauge
    if alias.kind == "histogram" or alias.statistic not in {"sum", "max"}:
        return None
    codes = dict(alias.codes)

    def value(points: list[Any]) -> int | float | None:
        values: list[int | float] = [point.value for point in points]
        if alias.coded:
            values = [codes[state] for point in points if (state := _state(alias, point)) in codes]
        if not values:
            return None
        total: int | float = max(values) if alias.statistic == "max" else sum(values)
        return total if alias.scale == 1 else total * alias.scale

    return _numbers(alias, found, lambda points: [("", value(points))])


def _state(alias: Alias, point: Any) -> Any:  # noqa: ANN401 - an attribute's value
    return (point.attributes or {}).get(alias.coded) if point.value > 0 else None


def _from_histogram(alias: Alias, found: list[_Found]) -> Any:  # noqa: ANN401 - a histogram, a sum or a gauge
    if alias.kind == "histogram":
        return _histogram(alias, found)
    if alias.statistic not in {"count", "mean", "quantile"}:
        return None

    def values(points: list[Any]) -> Iterator[tuple[str, int | float | None]]:
        measured = _merged(points)
        if alias.statistic == "count":
            yield "", measured.count
        elif measured.count and alias.statistic == "mean":
            yield "", measured.mean * alias.scale
        elif measured.count:
            yield from ((label, measured.quantile(share) * alias.scale) for label, share in alias.quantiles)

    return _numbers(alias, found, values)


def _numbers(
    alias: Alias, found: list[_Found], values: Callable[[list[Any]], Iterable[tuple[str, int | float | None]]]
) -> Any:  # noqa: ANN401 - a sum or a gauge
    """A sum or gauge with the points that ``values`` computes: pairs of the quantile, if any, and the value."""
    from opentelemetry.sdk.metrics.export import AggregationTemporality, Gauge, NumberDataPoint, Sum

    made = [
        NumberDataPoint({**labels, "quantile": quantile} if quantile else labels, *_times(points), value)
        for labels, points in _groups(alias, found)
        for quantile, value in values(points)
        if value is not None
    ]
    if not made:
        return None
    temporality = found[0].temporality
    running = alias.statistic in {"sum", "count"} and not alias.coded
    delta = running and temporality is AggregationTemporality.DELTA
    if temporality is not None and (alias.kind == "counter" or delta):
        return Sum(made, temporality, is_monotonic=alias.kind == "counter")
    return Gauge(made)


def _histogram(alias: Alias, found: list[_Found]) -> Any:  # noqa: ANN401 - an explicit histogram
    from opentelemetry.sdk.metrics.export import Histogram, HistogramDataPoint

    made = []
    for labels, points in _groups(alias, found):
        measured = _merged(points).scaled(alias.scale)
        counts = measured.rebinned(alias.bounds)
        made.append(
            HistogramDataPoint(
                labels,
                *_times(points),
                measured.count,
                measured.total,
                counts,
                alias.bounds,
                measured.low if measured.low is not None else float("inf"),
                measured.high if measured.high is not None else float("-inf"),
            )
        )
    temporality = found[0].temporality
    return Histogram(made, temporality) if made and temporality is not None else None


def _groups(alias: Alias, found: list[_Found]) -> list[tuple[dict[str, Any], list[Any]]]:
    """The points by the labels the alias keeps; an attribute that a point lacks is left out."""
    groups: defaultdict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for each in found:
        attributes = each.point.attributes or {}
        key = tuple((label, attributes[name]) for label, name in alias.labels if name in attributes)
        groups[key].append(each.point)
    return [(dict(key), points) for key, points in groups.items()]


def _merged(points: list[Any]) -> Distribution:
    return Distribution.merged([Distribution.of_point(point) for point in points])


def _times(points: list[Any]) -> tuple[int, int]:
    starts = [point.start_time_unix_nano for point in points if point.start_time_unix_nano]
    return min(starts, default=0), max(point.time_unix_nano for point in points)
