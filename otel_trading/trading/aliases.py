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
from otel_trading.trading.rates import Totals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from opentelemetry.sdk.metrics.export import AggregationTemporality, Metric, MetricsData, ResourceMetrics
    from opentelemetry.sdk.metrics.export import ScopeMetrics as Scope

    from otel_trading.trading.rates import History

Labels = tuple[tuple[str, str], ...]
Where = tuple[tuple[str, tuple[str | bool, ...]], ...]
Kind = Literal["counter", "gauge", "histogram"]
Statistic = Literal["sum", "max", "count", "mean", "quantile", "rate", "ratio"]

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

    From running totals a gauge shows the ``rate``, a second, or the ``ratio`` to the points of ``whole`` that
    ``whole_where`` keeps, over the last ``window`` seconds; there is none while the whole is nothing.
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
    whole: str = ""
    whole_where: Where = ()
    window: float = 0


@dataclass(frozen=True, slots=True)
class _Found:
    """A point of an instrument that an alias is made of, and whether it holds totals or differences."""

    point: Any
    temporality: AggregationTemporality | None
    part: bool = True
    whole: bool = False


def apply(
    metrics_data: MetricsData, aliases: Iterable[Alias] | None = None, history: History | None = None
) -> MetricsData:
    """The metrics with those of the aliases added that their instruments have points for.

    Without ``aliases`` the whole table applies. Without ``history`` rates and ratios are those since the start. The
    metrics handed in are not changed.
    """
    from otel_trading.trading.alias_table import ALIASES

    by_instrument: defaultdict[str, list[Alias]] = defaultdict(list)
    for alias in ALIASES if aliases is None else aliases:
        by_instrument[alias.instrument].append(alias)
        if alias.whole and alias.whole != alias.instrument:
            by_instrument[alias.whole].append(alias)
    resources = [_with_aliases(resource, by_instrument, history) for resource in metrics_data.resource_metrics]
    return replace(metrics_data, resource_metrics=resources)


def _with_aliases(
    resource: ResourceMetrics, by_instrument: Mapping[str, list[Alias]], history: History | None
) -> ResourceMetrics:
    found: defaultdict[Alias, list[_Found]] = defaultdict(list)
    for scope in resource.scope_metrics:
        for metric in scope.metrics:
            temporality = getattr(metric.data, "aggregation_temporality", None)
            for alias in by_instrument.get(metric.name, ()):
                found[alias] += _fitting(alias, metric, temporality)
    made = (_metric(alias, points, history) for alias, points in found.items())
    metrics = [metric for metric in made if metric is not None]
    return replace(resource, scope_metrics=[*resource.scope_metrics, _scope(metrics)]) if metrics else resource


def _scope(metrics: list[Metric]) -> Scope:
    from opentelemetry.sdk.metrics.export import ScopeMetrics
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    return ScopeMetrics(scope=InstrumentationScope(SCOPE), metrics=metrics, schema_url="")


def _fitting(alias: Alias, metric: Metric, temporality: AggregationTemporality | None) -> Iterator[_Found]:
    """The instrument's points that the alias is about; of a ratio the part's, and the whole's."""
    for point in metric.data.data_points:
        part = metric.name == alias.instrument and _matches(alias.where, point.attributes)
        whole = metric.name == alias.whole and _matches(alias.whole_where, point.attributes)
        if part or whole:
            yield _Found(point, temporality, part=part, whole=whole)


def _matches(where: Where, attributes: Mapping[str, Any] | None) -> bool:
    attributes = attributes or {}
    return all(attributes.get(key) in values for key, values in where)


def _metric(alias: Alias, found: list[_Found], history: History | None) -> Metric | None:
    """The alias' metric; none when its instrument has no point that fits."""
    from opentelemetry.sdk.metrics.export import Metric

    if alias.statistic in {"rate", "ratio"}:
        gauge = _over_time(alias, found, history)
        return gauge and Metric(name=alias.name, description=alias.description, unit="", data=gauge)

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


def _over_time(alias: Alias, found: list[_Found], history: History | None) -> Any:  # noqa: ANN401 - a gauge
    from opentelemetry.sdk.metrics.export import AggregationTemporality, Gauge, NumberDataPoint

    made = []
    for labels, group in _grouped(alias, [each for each in found if not hasattr(each.point, "count")]):
        start, end = _times([each.point for each in group])
        now = Totals(
            end, *(sum(each.point.value for each in group if chosen(each)) for chosen in (_is_part, _is_whole))
        )
        before = Totals(start, 0, 0)
        if history is not None and group[0].temporality is AggregationTemporality.CUMULATIVE:
            before = history.since((alias.name, *labels.items()), alias.window, before, now)
        seconds = (now.time_ns - before.time_ns) / 1e9
        divisor = seconds if alias.statistic == "rate" else now.whole - before.whole
        if divisor > 0:
            made.append(NumberDataPoint(labels, start, end, (now.part - before.part) / divisor * alias.scale))
    return Gauge(made) if made else None


def _is_part(each: _Found) -> bool:
    return each.part


def _is_whole(each: _Found) -> bool:
    return each.whole


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
    """The points by the labels the alias keeps."""
    return [(labels, [each.point for each in group]) for labels, group in _grouped(alias, found)]


def _grouped(alias: Alias, found: list[_Found]) -> list[tuple[dict[str, Any], list[_Found]]]:
    """What was found by the labels the alias keeps; an attribute that a point lacks is left out."""
    groups: defaultdict[tuple[Any, ...], list[_Found]] = defaultdict(list)
    for each in found:
        attributes = each.point.attributes or {}
        groups[tuple((label, attributes[name]) for label, name in alias.labels if name in attributes)].append(each)
    return [(dict(key), group) for key, group in groups.items()]


def _merged(points: list[Any]) -> Distribution:
    return Distribution.merged([Distribution.of_point(point) for point in points])


def _times(points: list[Any]) -> tuple[int, int]:
    starts = [point.start_time_unix_nano for point in points if point.start_time_unix_nano]
    return min(starts, default=0), max(point.time_unix_nano for point in points)
