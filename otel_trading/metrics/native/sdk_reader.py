"""The SDK's metric readers, with whatever exporter is behind them, on the native core."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from otel_trading.metrics.native.sdk_data import metrics_data
from otel_trading.metrics.native.sdk_names import (
    CLASSES,
    MetricsTimeoutError,
    described,
    instrumentation_scope,
    require,
    stand_in,
)
from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricReader, MetricsData
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    from otel_trading.metrics.native.aggregation import Aggregation, Temporality
    from otel_trading.metrics.native.identity import Identity, Scope
    from otel_trading.metrics.native.reader import Collection

_NAMES = (
    "_collect",
    "_set_collect_callback",
    "_set_meter_provider",
    "_instrument_class_temporality",
    "_instrument_class_aggregation",
)


class SdkReader:
    """Serves a reader of the SDK: its temporalities and aggregations hold, and it gets ``MetricsData``."""

    def __init__(self, reader: MetricReader) -> None:
        require(reader, *_NAMES)
        if reader._collect is not None:  # noqa: SLF001
            raise ValueError(f"{type(reader).__name__} belongs to another meter provider already")
        self.reader = reader
        self._failed = False

    def wants(self, instrument: Identity) -> tuple[Aggregation, Temporality]:
        """See ``Subscriber``."""
        kind, reader = CLASSES[instrument.kind], self.reader
        aggregation = described(reader._instrument_class_aggregation[kind], stand_in(instrument))  # noqa: SLF001
        temporality = reader._instrument_class_temporality[kind]  # noqa: SLF001
        return aggregation, "delta" if temporality.name == "DELTA" else "cumulative"

    def beside(self, instrument: Identity) -> Aggregation | None:
        """See ``Subscriber``."""
        return None

    def attach(
        self,
        collection: Collection,
        provider: MeterProvider,
        resource: Callable[[], Resource],
        scope: Callable[[int], Scope],
    ) -> None:
        """Give the reader its way to the points."""
        self._collection = collection
        self._resource = resource
        self._scope = scope
        self._scopes: dict[int, InstrumentationScope] = {}
        self.reader._set_collect_callback(self._collect)  # type: ignore[arg-type]  # noqa: SLF001 - the hint differs from its call
        self.reader._set_meter_provider(provider)  # noqa: SLF001

    def restart_in_child(self) -> None:
        """Forget a collection whose thread the child does not have; the SDK leaves the reader locked for ever."""
        for name, lock in (("_lock", threading.RLock), ("_export_lock", threading.Lock)):
            if hasattr(self.reader, name):
                setattr(self.reader, name, lock())

    def detach(self) -> None:
        """Take the way to the points away."""
        self.reader._set_collect_callback(None)  # noqa: SLF001

    def _collect(self, _: MetricReader, timeout_millis: float = 10_000) -> MetricsData | None:
        try:
            snapshot = self._collection.collect(timeout_millis / 1_000)
            return metrics_data(snapshot, self._resource(), self._sdk_scope)
        except TimeoutError as error:
            raise MetricsTimeoutError(str(error)) from error
        except Exception as error:  # whatever else is raised would end a periodic reader's thread for good
            if not self._failed:
                self._failed = True
                report(f"metrics cannot be collected: {type(error).__name__}: {error}")
            return None

    def _sdk_scope(self, number: int) -> InstrumentationScope:
        if number not in self._scopes:
            self._scopes[number] = instrumentation_scope(self._scope(number))
        return self._scopes[number]
