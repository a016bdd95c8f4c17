"""All metrics of a provider at one moment, whichever engine it is of: as JSON, and as the SDK's data."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData

_readers: WeakKeyDictionary[MeterProvider, InMemoryMetricReader] = WeakKeyDictionary()


def json_renderer(provider: MeterProvider, page: object) -> Callable[[], bytes]:
    """What renders them as JSON at any time; ``page`` is the scrapers' page, where there is one."""
    from otel_trading.metrics.native.outlets import NativePage
    from otel_trading.metrics.native.provider import NativeMeterProvider

    if isinstance(page, NativePage):
        return page.dump
    if isinstance(provider, NativeMeterProvider):
        return NativePage(provider).dump
    from otel_trading.export import json_metrics

    prepare(provider)
    return lambda: json_metrics.render(collected(provider))


def prepare(provider: MeterProvider) -> None:
    """Have everything from now on in ``collected``: a provider of the SDK forgets what nobody has asked for yet."""
    from otel_trading.metrics.native.provider import NativeMeterProvider

    if not isinstance(provider, NativeMeterProvider):
        _sdk_reader(provider)


def collected(provider: MeterProvider) -> MetricsData | None:
    """All points, histograms in their finest form; ``None`` when there are none."""
    from otel_trading.metrics.native.provider import NativeMeterProvider

    if not isinstance(provider, NativeMeterProvider):
        return _sdk_reader(provider).get_metrics_data()
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    from otel_trading.metrics.native.aggregation import Aggregation
    from otel_trading.metrics.native.sdk_data import metrics_data

    reader = provider.take_reader(histogram=Aggregation("exponential", max_size=2_048))
    try:
        return metrics_data(reader.collect(), Resource({}), lambda number: InstrumentationScope(str(number)))
    finally:
        provider.give_back(reader)


def _sdk_reader(provider: MeterProvider) -> InMemoryMetricReader:
    """The one reader of a provider of the SDK, added at the first question."""
    from opentelemetry.sdk.metrics import Histogram
    from opentelemetry.sdk.metrics import MeterProvider as SdkMeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation

    if provider not in _readers:
        _readers[provider] = InMemoryMetricReader(
            preferred_aggregation={Histogram: ExponentialBucketHistogramAggregation()}
        )
        if isinstance(provider, SdkMeterProvider):
            provider.add_metric_reader(_readers[provider])
    return _readers[provider]
