"""Two engines' ``MetricsData``, point by point."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics.export import AggregationTemporality, ExponentialHistogram

from otel_trading import values

if TYPE_CHECKING:
    from collections.abc import Hashable

    from opentelemetry.sdk.metrics.export import MetricsData

DEVIATIONS = {
    "empty buckets": "the SDK sends empty buckets before and behind the filled ones; we do not",
    "scale after zeros": "a cumulative series of the SDK that was collected with zeros only stays at scale 0 or below",
    "whole deltas": "a series that had a fraction once reports doubles from then on, also in deltas",
    "rounding": "the SDK takes logarithms: a value an ulp from a bucket's bound may count next door; ours do not",
    "scale of deltas": "the SDK's stays at that of its widest interval so far, ours at that of the totals",
}
"""Where the engines differ on purpose, and why; each is undone before points are compared, or not generated."""

RELATIVE = 1e-9
EXACT = 2**53
"""Whole numbers up to here are kept whole by whatever they pass through."""


@dataclass
class Difference:
    """Collects what differs."""

    magnitude: float
    """The sum of the magnitudes of all values: cancellation may cost what is small beside it."""
    found: list[str] = field(default_factory=list)

    def exactly(self, what: str, sdk: object, ours: object) -> None:
        if sdk != ours:
            self.found.append(f"{what}: the SDK has {sdk!r}, we have {ours!r}")

    def nearly(self, what: str, sdk: float, ours: float) -> None:
        """Equal as sums in floating point are, whatever the order of the summands."""
        if not math.isclose(sdk, ours, rel_tol=RELATIVE, abs_tol=RELATIVE * self.magnitude):
            self.found.append(f"{what}: the SDK has {sdk!r}, we have {ours!r}")


def key_of(attributes: Any) -> Hashable:
    """Equal for attributes of equal content and types only."""
    cleaned = values.attributes(attributes)
    assert cleaned is not None
    return cleaned[1]


def flat(data: MetricsData | None) -> dict[Hashable, tuple[Any, Any]]:
    """Each point with its metric, by everything that identifies it."""
    points: dict[Hashable, tuple[Any, Any]] = {}
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    key = (scope.scope, metric.name, metric.description, metric.unit, key_of(point.attributes))
                    assert key not in points, f"twice: {key}"
                    points[key] = (metric, point)
    return points


def compare(sdk: MetricsData | None, ours: MetricsData | None, magnitude: float) -> list[str]:
    """What differs between two collections; empty when nothing does."""
    expected, actual = flat(sdk), flat(ours)
    difference = Difference(magnitude)
    difference.exactly(
        "series", {*map(repr, expected)} - {*map(repr, actual)}, {*map(repr, actual)} - {*map(repr, expected)}
    )
    for key in expected.keys() & actual.keys():
        of_one_point(f"{key}", expected[key], actual[key], difference)
    if sdk is not None and ours is not None:
        difference.exactly("resources", len(sdk.resource_metrics), len(ours.resource_metrics))
        difference.exactly("resource", sdk.resource_metrics[0].resource, ours.resource_metrics[0].resource)
        scopes = [[scope.schema_url for scope in data.resource_metrics[0].scope_metrics] for data in (sdk, ours)]
        difference.exactly("scopes", *scopes)
    return difference.found


def of_one_point(what: str, sdk: tuple[Any, Any], ours: tuple[Any, Any], difference: Difference) -> None:
    """Compare one point and its metric."""
    (theirs, their_point), (own, own_point) = sdk, ours
    difference.exactly(f"{what} type", type(theirs.data), type(own.data))
    if type(theirs.data) is not type(own.data):
        return
    for name in ("aggregation_temporality", "is_monotonic"):
        difference.exactly(f"{what} {name}", getattr(theirs.data, name, None), getattr(own.data, name, None))
    for name in ("value", "sum"):
        if hasattr(their_point, name):
            difference.nearly(f"{what} {name}", getattr(their_point, name), getattr(own_point, name))
    whole = isinstance(getattr(their_point, "value", None), int) and abs(their_point.value) <= EXACT
    if whole and getattr(theirs.data, "aggregation_temporality", None) != AggregationTemporality.DELTA:
        difference.exactly(f"{what} type of value", int, type(own_point.value))
    for name in ("count", "min", "max", "zero_count"):
        difference.exactly(f"{what} {name}", rounded(their_point, name), rounded(own_point, name))
    for name in ("explicit_bounds", "bucket_counts"):
        theirs_listed, own_listed = (list(getattr(point, name, ())) for point in (their_point, own_point))
        difference.exactly(f"{what} {name}", theirs_listed, own_listed)
    if isinstance(theirs.data, ExponentialHistogram):
        of_buckets(what, theirs.data, their_point, own_point, difference)


def of_buckets(what: str, metric: ExponentialHistogram, sdk: Any, ours: Any, difference: Difference) -> None:
    """Compare exponential buckets at the coarser of both scales, where a documented deviation allows two scales."""
    delta = metric.aggregation_temporality.name == "DELTA"
    if not delta and sdk.scale > 0:
        difference.exactly(f"{what} scale", sdk.scale, ours.scale)
    scale = min(sdk.scale, ours.scale)
    for side in ("positive", "negative"):
        theirs, own = (buckets(getattr(point, side), point.scale - scale) for point in (sdk, ours))
        difference.exactly(f"{what} {side} buckets at scale {scale}", theirs, own)


def buckets(side: Any, shift: int) -> dict[int, int]:
    """Filled buckets by index, merged to a scale that is coarser by ``shift``."""
    merged: dict[int, int] = {}
    for place, count in enumerate(side.bucket_counts):
        if count:
            index = (side.offset + place) >> shift
            merged[index] = merged.get(index, 0) + count
    return merged


def rounded(point: Any, name: str) -> float | None:
    """As a double, which is what leaves the process."""
    value = getattr(point, name, None)
    return None if value is None else float(value)
