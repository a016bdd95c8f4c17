"""The metrics that were captured, by name and attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from otel_trading.export.distribution import Distribution
from otel_trading.testing.errors import NotCapturedError, listing, not_captured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opentelemetry.sdk.metrics.export import MetricsData

_VIOLATIONS = "trading.stage.budget.violations"
_OWN = "trading.telemetry."
"""What telemetry says of itself is there by name, and left out of listings."""


@dataclass(frozen=True, slots=True)
class Point:
    """One series at this moment: ``value`` of a counter or gauge, ``distribution`` of a histogram."""

    attributes: Mapping[str, Any]
    value: float | None
    distribution: Distribution | None
    raw: Any

    def __str__(self) -> str:
        labels = ", ".join(f"{key}={value!r}" for key, value in sorted(self.attributes.items()))
        if self.distribution is None:
            return f"{{{labels}}} {self.value}"
        return f"{{{labels}}} {self.distribution.count} measurements, sum {self.distribution.total:g}"


class CapturedMetric:
    """One metric, or those of its series whose attributes were selected.

    Counters and gauges have ``value``; histograms have ``count``, ``sum``, ``min``, ``max``, ``mean``, ``quantile``
    and its shorthands ``p50`` … ``p999``, within 1 % of the measured values. Series are added up.
    """

    def __init__(self, name: str, unit: str, kind: str, points: tuple[Point, ...]) -> None:
        self.name = name
        self.unit = unit
        self.kind = kind
        self.points = points

    def where(self, attributes: Mapping[str, Any] | None = None, /, **named: Any) -> CapturedMetric:  # noqa: ANN401 - values of attributes
        """The series with these attributes; in keywords dots are underscores.

        Raises ``NotCapturedError`` when there is none.
        """
        wanted = {**(attributes or {}), **named}
        points = tuple(point for point in self.points if _matches(point.attributes, wanted))
        if not points:
            raise NotCapturedError(f"{self.name} has no series with {wanted}\n{self._listing()}")
        return CapturedMetric(self.name, self.unit, self.kind, points)

    __call__ = where

    @property
    def attributes(self) -> list[Mapping[str, Any]]:
        """The attributes of each series."""
        return [point.attributes for point in self.points]

    @property
    def value(self) -> float:
        """A counter's total over the series, or the value of the only series of a gauge."""
        values = [point.value for point in self.points if point.value is not None]
        if len(values) != len(self.points):
            raise self._unlike("a histogram has no single value: ask for count, sum, mean, p99 …")
        if self.kind == "gauge" and len(values) > 1:
            raise self._unlike(f"a gauge of {len(values)} series has no single value: select one by its attributes")
        return sum(values)

    @property
    def distribution(self) -> Distribution:
        """What a histogram measured, all series together."""
        parts = [point.distribution for point in self.points if point.distribution is not None]
        if not parts:
            raise self._unlike(f"a {self.kind} has no distribution: ask for value")
        return Distribution.merged(parts)

    @property
    def count(self) -> int:
        """How many measurements."""
        return self.distribution.count

    @property
    def sum(self) -> float:
        """The sum of all measurements."""
        return self.distribution.total

    @property
    def min(self) -> float | None:
        """The least measurement, exactly."""
        return self.distribution.low

    @property
    def max(self) -> float | None:
        """The greatest measurement, exactly."""
        return self.distribution.high

    @property
    def mean(self) -> float:
        """The mean of all measurements."""
        return self.distribution.mean

    def quantile(self, q: float) -> float:
        """The measurement below which the share ``q`` of all lies."""
        return self.distribution.quantile(q)

    @property
    def p50(self) -> float:
        """The median."""
        return self.quantile(0.5)

    @property
    def p90(self) -> float:
        """The 90th percentile."""
        return self.quantile(0.9)

    @property
    def p95(self) -> float:
        """The 95th percentile."""
        return self.quantile(0.95)

    @property
    def p99(self) -> float:
        """The 99th percentile."""
        return self.quantile(0.99)

    @property
    def p999(self) -> float:
        """The 99.9th percentile."""
        return self.quantile(0.999)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name} [{self.unit}]: {'; '.join(str(point) for point in self.points)}>"

    def _listing(self) -> str:
        return listing((str(point) for point in self.points), "\n  ")

    def _unlike(self, message: str) -> NotCapturedError:
        return NotCapturedError(f"{self.name}: {message}\n{self._listing()}")


class CapturedMetrics:
    """All metrics by name, as they are at the moment they are asked for."""

    def __init__(self, collect: Callable[[], MetricsData | None], hint: Callable[[], str]) -> None:
        self._collect = collect
        self._hint = hint

    @property
    def data(self) -> MetricsData | None:
        """What an exporter would be handed, ``None`` when there is nothing."""
        return self._collect()

    @property
    def names(self) -> list[str]:
        """The names, without what telemetry says of itself."""
        return sorted(name for name, metric in self._all().items() if not _is_own(name, metric))

    def __getitem__(self, name: str) -> CapturedMetric:
        captured = self._all()
        if name not in captured:
            raise not_captured("metric", name, self.names, self._hint())
        return captured[name]

    def __contains__(self, name: object) -> bool:
        return name in self._all()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"<metrics: {', '.join(self.names) or 'none'}>"

    def _all(self) -> dict[str, CapturedMetric]:
        data = self._collect()
        captured: dict[str, CapturedMetric] = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points = tuple(_point(raw) for raw in metric.data.data_points)
                    before = captured[metric.name].points if metric.name in captured else ()
                    captured[metric.name] = CapturedMetric(
                        metric.name, metric.unit or "", _kind(metric.data), before + points
                    )
        return {name: metric for name, metric in captured.items() if metric.points}


def _is_own(name: str, metric: CapturedMetric) -> bool:
    """Whether telemetry says it of itself: also that no budget was exceeded, of timers that other tests made."""
    return name.startswith(_OWN) or (name == _VIOLATIONS and not metric.value)


def _point(raw: Any) -> Point:  # noqa: ANN401 - a point of any kind
    attributes = dict(raw.attributes or {})
    if hasattr(raw, "count"):
        return Point(attributes, None, Distribution.of_point(raw), raw)
    return Point(attributes, raw.value, None, raw)


def _kind(data: Any) -> str:  # noqa: ANN401 - data of any kind
    if hasattr(data, "is_monotonic"):
        return "counter" if data.is_monotonic else "up-down counter"
    return "histogram" if hasattr(data, "aggregation_temporality") else "gauge"


def _matches(attributes: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    underscored = {key.replace(".", "_"): value for key, value in attributes.items()}
    return all(
        (key in attributes and attributes[key] == value) or (key in underscored and underscored[key] == value)
        for key, value in wanted.items()
    )
