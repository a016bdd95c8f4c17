"""What an OTLP receiver of metrics prefers: temporality and histogram form."""

from __future__ import annotations

from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality
from opentelemetry.sdk.metrics.view import Aggregation, ExponentialBucketHistogramAggregation

from otel_trading.metrics.buckets import ExplicitByUnit

_CUMULATIVE, _DELTA = AggregationTemporality.CUMULATIVE, AggregationTemporality.DELTA


def temporalities(preference: str) -> dict[type, AggregationTemporality]:
    """Temporality by instrument for ``cumulative``, ``delta`` or ``lowmemory``, as the OTLP exporter's rules say.

    >>> temporalities("delta")[Counter].name, temporalities("delta")[UpDownCounter].name
    ('DELTA', 'CUMULATIVE')
    """
    delta = preference in {"delta", "lowmemory"}
    return {
        Counter: _DELTA if delta else _CUMULATIVE,
        Histogram: _DELTA if delta else _CUMULATIVE,
        UpDownCounter: _CUMULATIVE,
        ObservableCounter: _DELTA if preference == "delta" else _CUMULATIVE,
        ObservableUpDownCounter: _CUMULATIVE,
        ObservableGauge: _CUMULATIVE,
    }


def aggregations(histogram: str) -> dict[type, Aggregation]:
    """The histogram's aggregation; for one reader only, a view would impose it on all.

    >>> type(aggregations("base2_exponential_bucket_histogram")[Histogram]).__name__
    'ExponentialBucketHistogramAggregation'
    """
    exponential = histogram == "base2_exponential_bucket_histogram"
    return {Histogram: ExponentialBucketHistogramAggregation() if exponential else ExplicitByUnit()}
