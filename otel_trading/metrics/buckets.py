"""Explicit buckets for ``/metrics``: the instrument's own, else boundaries that suit its unit."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.metrics.view import Aggregation, DefaultAggregation, ExplicitBucketHistogramAggregation

from otel_trading.metrics.boundaries import boundaries


class ExplicitByUnit(Aggregation):
    """Explicit buckets by the instrument's advisory, else by its unit."""

    def _create_aggregation(self, instrument: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the SDK's hook
        advisory = getattr(instrument, "_advisory", None)
        if getattr(advisory, "explicit_bucket_boundaries", None) or boundaries(instrument.unit) is None:
            return DefaultAggregation()._create_aggregation(instrument, *args, **kwargs)  # noqa: SLF001
        aggregation = ExplicitBucketHistogramAggregation(boundaries(instrument.unit))
        return aggregation._create_aggregation(instrument, *args, **kwargs)  # noqa: SLF001
