"""The two engines as capture uses them: everything from zero, read at the moment it is asked for."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol
from unittest import mock

from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from opentelemetry.sdk.metrics.export import MetricsData

    from otel_trading.metrics.native import NativeMeterProvider
    from otel_trading.metrics.native.observer import Values
    from otel_trading.testing.clock import FakeClock

_BUCKETS = 4_096
"""Scale 6 or finer over 64 powers of two: percentiles within 0.55 %."""


class Engine(Protocol):
    """What measures during a capture."""

    @property
    def provider(self) -> Any:  # noqa: ANN401 - either engine's
        """The provider that makes instruments."""

    @property
    def native(self) -> NativeMeterProvider | None:
        """The same, if it is the native one."""

    def collect(self) -> MetricsData | None:
        """Everything measured since the capture began."""


class _Reader(InMemoryMetricReader):
    """Reads totals and fine histograms."""

    def __init__(self) -> None:
        fine = ExponentialBucketHistogramAggregation(max_size=_BUCKETS)
        super().__init__(preferred_aggregation={Histogram: fine})


@contextmanager
def measuring(name: str, clock: FakeClock | None) -> Iterator[Engine]:
    """The engine of this name, at zero."""
    if name == "sdk":
        yield _Sdk(clock)
        return
    with _native(clock) as engine:
        yield engine


class _Sdk:
    """A provider of its own for every capture."""

    native = None

    def __init__(self, clock: FakeClock | None) -> None:
        self._reader = _Reader()
        self.provider = MeterProvider([self._reader], shutdown_on_exit=False)
        self.collect = _stamped(self._reader, clock)


class _Native:
    """The provider of the process, as its instruments are: set to zero, and read by the capture alone."""

    def __init__(self, provider: NativeMeterProvider, clock: FakeClock | None) -> None:
        self._reader = _Reader()
        self.provider = self.native = provider
        self.collect = _stamped(self._reader, clock)
        provider.add_metric_reader(self._reader)

    def close(self) -> None:
        self.provider.remove_metric_reader(self._reader)


@contextmanager
def _native(clock: FakeClock | None) -> Iterator[_Native]:
    provider = _process_provider()
    others = list(provider._readers)  # noqa: SLF001 - the kit's own, here and below
    if any(isinstance(other, _Reader) for other in others):
        raise RuntimeError("the native engine is captured already; engine='sdk' captures inside another capture")
    enabled = provider.enabled
    nothing = provider.registry.reader(keep_exemplars=False).collect([])
    with ExitStack() as stack:
        for other in others:  # they would send away what the test measures
            stack.enter_context(mock.patch.object(other, "collect", return_value=nothing))
        _begin_at_zero(provider)
        asked = provider._streams.asked()  # noqa: SLF001 - the kit's own
        with mock.patch.object(provider, "_observer", _InThisThread()):
            engine = _Native(provider, clock)
        try:
            yield engine
        finally:
            engine.close()
            provider._streams.ask_only(asked)  # noqa: SLF001 - see above
            _begin_at_zero(provider)
            provider.enabled = enabled


def _process_provider() -> NativeMeterProvider:
    """The provider that ``configure()`` made, or made now and left to it."""
    from otel_trading.metrics.native import NativeMeterProvider

    configuring: Any = sys.modules["otel_trading.configure"]
    provider: NativeMeterProvider | None = getattr(configuring, "_native_provider", None)
    if provider is None:
        provider = configuring._native_provider = NativeMeterProvider(histogram_size=_BUCKETS)  # noqa: SLF001
    provider.refine(_BUCKETS)
    return provider


def _begin_at_zero(provider: NativeMeterProvider) -> None:
    provider.registry.reset()


class _InThisThread:
    """Asks callbacks without the threads that protect a bot from callbacks that hang."""

    missed = 0

    def observe(self, instruments: Sequence[Any], reader: Hashable, timeout: float) -> list[Values]:
        """The values of all callbacks."""
        return [(seen, callback.run(timeout, wait=timeout)) for seen in instruments for callback in seen.callbacks]

    def restart_in_child(self) -> None:
        """Nothing to restart."""


def _stamped(source: InMemoryMetricReader, clock: FakeClock | None) -> Any:  # noqa: ANN401 - a method of Engine
    """Collects, and puts the clock's time on the points: not everything that stamps them can be told the time."""
    if clock is None:
        return source.get_metrics_data
    began = clock.time_ns()

    def collect() -> MetricsData | None:
        data = source.get_metrics_data()
        return data and replace(data, resource_metrics=[_resource(resource) for resource in data.resource_metrics])

    def _resource(resource: Any) -> Any:  # noqa: ANN401 - the SDK's tree, level by level
        return replace(resource, scope_metrics=[_scope(scope) for scope in resource.scope_metrics])

    def _scope(scope: Any) -> Any:  # noqa: ANN401
        return replace(scope, metrics=[_metric(metric) for metric in scope.metrics])

    def _metric(metric: Any) -> Any:  # noqa: ANN401
        points = [_point(point) for point in metric.data.data_points]
        return replace(metric, data=replace(metric.data, data_points=points))

    def _point(point: Any) -> Any:  # noqa: ANN401
        start = began if point.start_time_unix_nano else point.start_time_unix_nano
        return replace(point, start_time_unix_nano=start, time_unix_nano=clock.time_ns())

    return collect
