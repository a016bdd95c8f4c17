"""The SDK's private names that its readers and views cannot be served without, in one place.

Imported only for a reader or a view of the SDK; raises ``ImportError`` with what is missing where a version of the
SDK has renamed them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk import version

try:
    from opentelemetry.metrics._internal.instrument import _MetricsHistogramAdvisory
    from opentelemetry.sdk.metrics import MetricsTimeoutError
    from opentelemetry.sdk.metrics._internal.aggregation import (
        _DropAggregation,
        _ExplicitBucketHistogramAggregation,
        _ExponentialBucketHistogramAggregation,
        _LastValueAggregation,
        _SumAggregation,
    )
    from opentelemetry.sdk.metrics._internal.instrument import (
        _Counter,
        _Gauge,
        _Histogram,
        _ObservableCounter,
        _ObservableGauge,
        _ObservableUpDownCounter,
        _UpDownCounter,
    )
except ImportError as missing:
    raise ImportError(
        f"opentelemetry-sdk {version.__version__} is not one whose metric readers and views the native engine knows: "
        f"{missing}; use the sdk engine or another version"
    ) from missing

from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_trading.metrics.native.aggregation import DEFAULT, DROP, Aggregation

if TYPE_CHECKING:
    from otel_trading.metrics.native.identity import Identity, Kind, Scope

__all__ = ["CLASSES", "MetricsTimeoutError", "described", "instrumentation_scope", "require", "stand_in"]

CLASSES: dict[Kind, type[Any]] = {
    "counter": _Counter,
    "up_down_counter": _UpDownCounter,
    "gauge": _Gauge,
    "histogram": _Histogram,
    "signed_histogram": _Histogram,
    "observable_counter": _ObservableCounter,
    "observable_up_down_counter": _ObservableUpDownCounter,
    "observable_gauge": _ObservableGauge,
}


def require(thing: object, *names: str) -> None:
    """Raise ``AttributeError`` that says which of the names the thing lacks."""
    missing = [name for name in names if not hasattr(thing, name)]
    if missing:
        raise AttributeError(
            f"{type(thing).__name__} of opentelemetry-sdk {version.__version__} has no {', '.join(missing)}: "
            "the native engine cannot serve it; use the sdk engine or another version"
        )


def instrumentation_scope(scope: Scope) -> InstrumentationScope:
    """A scope as the SDK's."""
    attributes: Any = dict(scope.attributes)
    return InstrumentationScope(scope.name, scope.version, scope.schema_url, attributes)


def stand_in(instrument: Identity) -> Any:  # noqa: ANN401 - an instrument of the SDK that measures nothing
    """What the SDK's views and aggregations take for an instrument of theirs."""
    kind = CLASSES[instrument.kind]
    made: Any = object.__new__(kind)
    made.name, made.unit, made.description = instrument.name, instrument.unit, instrument.description
    made.instrumentation_scope = instrumentation_scope(instrument.scope)
    if kind is _Histogram:
        made._advisory = _MetricsHistogramAdvisory(instrument.advised)  # noqa: SLF001
    return made


def described(aggregation: Any, instrument: Any) -> Aggregation:  # noqa: ANN401 - the SDK's
    """What an aggregation of the SDK, also one of a user's own, makes of an instrument."""
    made = aggregation._create_aggregation(instrument, None, lambda _kind: lambda **_options: None, 0)  # noqa: SLF001
    if isinstance(made, _DropAggregation):
        return DROP
    if isinstance(made, _SumAggregation):
        return Aggregation("sum")
    if isinstance(made, _LastValueAggregation):
        return Aggregation("last_value")
    if isinstance(made, _ExplicitBucketHistogramAggregation):
        require(made, "_boundaries", "_record_min_max")
        return Aggregation("explicit", tuple(map(float, made._boundaries)), min_max=made._record_min_max)  # noqa: SLF001
    if isinstance(made, _ExponentialBucketHistogramAggregation):
        require(made, "_max_size", "_max_scale", "_record_min_max")
        size, scale, extremes = made._max_size, made._max_scale, made._record_min_max  # noqa: SLF001
        return Aggregation("exponential", max_size=size, max_scale=scale, min_max=extremes)
    return DEFAULT
