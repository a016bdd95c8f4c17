"""Aliases for the native core's collections; the SDK's take them by ``aliases.apply``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otel_trading.trading.alias_table import ALIASES
from otel_trading.trading.aliases import SCOPE, apply

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import Metric

    from otel_trading import _native
    from otel_trading.trading.rates import History

_INSTRUMENTS = {name for alias in ALIASES for name in (alias.instrument, alias.whole) if name}


def add_to(snapshot: _native.Snapshot, history: History | None = None) -> None:
    """Add the aliases of what was collected to it; only their instruments' points are looked at."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    from otel_trading.metrics.native.sdk_data import metrics_data

    found = metrics_data(_Selected(snapshot), Resource({}), lambda _: InstrumentationScope("collected"))  # type: ignore[arg-type]  # it asks for metrics() alone
    if found is None:
        return
    made = [scope for resource in apply(found, history=history).resource_metrics for scope in resource.scope_metrics]
    aliases = [metric for scope in made if scope.scope.name == SCOPE for metric in scope.metrics]
    if aliases:
        snapshot.add(SCOPE, [_tuple(metric) for metric in aliases])


class _Selected:
    """The instruments' points, once: of a histogram collected in two forms the finer one."""

    def __init__(self, snapshot: _native.Snapshot) -> None:
        self._snapshot = snapshot

    def metrics(self) -> list[tuple[Any, ...]]:
        found = self._snapshot.metrics(_INSTRUMENTS)
        fine = {(owner, name) for owner, name, _, _, kind, *_ in found if kind == "exponential"}
        return [metric for metric in found if metric[4] != "explicit" or metric[:2] not in fine]


def _tuple(metric: Metric) -> tuple[Any, ...]:
    """A metric of the SDK as the core's tuple; aliases are sums, gauges and explicit histograms."""
    data: Any = metric.data
    points = [_point(point) for point in data.data_points]
    temporality = getattr(data, "aggregation_temporality", None)
    kind = "gauge" if temporality is None else "sum" if hasattr(data, "is_monotonic") else "explicit"
    return (
        metric.name,
        metric.description or "",
        metric.unit or "",
        kind,
        temporality and temporality.name.lower(),
        getattr(data, "is_monotonic", False),
        points,
    )


def _point(point: Any) -> tuple[Any, ...]:  # noqa: ANN401 - of a number or a histogram
    head = (dict(point.attributes or {}), point.start_time_unix_nano or 0, point.time_unix_nano)
    if hasattr(point, "value"):
        return (*head, point.value, ())
    bounds, counts = list(point.explicit_bounds), list(point.bucket_counts)
    return (*head, point.count, point.sum, point.min, point.max, bounds, counts, ())
