"""The kit's delivery for providers of opentelemetry-sdk: exporters that keep on the disk what cannot be sent.

They take the place of ``OTLPSpanExporter`` and its like, and read the same variables; ``configure()`` needs none of
them.

>>> from opentelemetry.sdk.trace import TracerProvider
>>> from opentelemetry.sdk.trace.export import BatchSpanProcessor
>>> provider = TracerProvider(shutdown_on_exit=False)
>>> exporter = SpoolSpanExporter(service_name="bot", endpoint="http://127.0.0.1:9", spool_enabled=False)
>>> provider.add_span_processor(BatchSpanProcessor(exporter))
>>> with provider.get_tracer("bot").start_as_current_span("tick"):
...     pass
>>> provider.force_flush()
True
>>> exporter.account().pending
1
>>> exporter.shutdown(timeout_millis=0)
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otel_trading.export.courier import Courier
from otel_trading.export.delivery import Receiver
from otel_trading.export.destination import Signal, destination
from otel_trading.export.ledger import Ledger
from otel_trading.export.store import Store, terms_of
from otel_trading.export.takers import ObjectTaker
from otel_trading.export.transport import OtlpSender
from otel_trading.export.transport.sender import place_of
from otel_trading.metrics.preference import aggregations, temporalities
from otel_trading.metrics.push import count_points
from otel_trading.settings import report, resolve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.trace import ReadableSpan

    from otel_trading.export.ledger import Account
    from otel_trading.settings import Resolved

_FLUSH = 30_000.0


class _Delivery:
    """A spool, and what sends from it; by the options of ``configure()``."""

    def __init__(self, signal: Signal, resolved: Resolved) -> None:
        report(*resolved.problems)
        settings = resolved.settings
        chosen = destination(resolved, signal)
        self.ledger = Ledger(signal)
        terms, problems = terms_of(settings, settings.service_name or "unknown_service")
        report(*problems)
        self._store = Store(terms)
        sender = OtlpSender(signal, chosen, Receiver(place_of(chosen.url)))
        self._courier = Courier(signal, sender, self.ledger, self._store, pace=settings.spool_replay_rate)
        self._taker = ObjectTaker(self._courier)
        self._courier.launch()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._restart_in_child)

    def take(self, batch: Any, count: int) -> None:  # noqa: ANN401 - the SDK's objects
        self.ledger.emitted(count)
        self._taker.take(batch, count, "important")

    def flush(self, timeout_millis: float) -> bool:
        return self._taker.flush(time.monotonic() + timeout_millis / 1_000)

    def close(self, timeout_millis: float) -> None:
        self._courier.request_close(time.monotonic() + timeout_millis / 1_000)
        self._courier.wait_closed()
        self._store.close()

    def _restart_in_child(self) -> None:
        self._store.restart_in_child()
        self._courier.restart_in_child()


class _Spooling:
    """What exporters of all signals have."""

    _delivery: _Delivery

    def force_flush(self, timeout_millis: float = _FLUSH) -> bool:
        """Whether all that was taken is delivered in time."""
        return self._delivery.flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 5_000.0, **_: Any) -> None:  # noqa: ANN401 - what readers hand over
        """Deliver what can be delivered in time; the rest is for the next start."""
        self._delivery.close(timeout_millis)

    def account(self) -> Account:
        """What was taken, sent and lost."""
        return self._delivery.ledger.account()


class SpoolSpanExporter(_Spooling, SpanExporter):
    """Exports spans over OTLP by way of a spool; takes the options of ``configure()`` by name."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - the options of the table
        self._delivery = _Delivery("traces", resolve(options))

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Take spans over: they are safe, and delivered when the receiver takes them."""
        self._delivery.take(spans, len(spans))
        return SpanExportResult.SUCCESS


class SpoolLogExporter(_Spooling, LogRecordExporter):
    """As ``SpoolSpanExporter``, of log records."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - the options of the table
        self._delivery = _Delivery("logs", resolve(options))

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """See ``SpoolSpanExporter``."""
        self._delivery.take(batch, len(batch))
        return LogRecordExportResult.SUCCESS


class SpoolMetricExporter(_Spooling, MetricExporter):
    """As ``SpoolSpanExporter``, of metrics; for a ``PeriodicExportingMetricReader``."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - the options of the table
        resolved = resolve(options)
        settings = resolved.settings
        super().__init__(temporalities(settings.temporality), aggregations(settings.histogram_aggregation))
        self._delivery = _Delivery("metrics", resolved)

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: Any) -> MetricExportResult:  # noqa: ANN401
        """See ``SpoolSpanExporter``."""
        self._delivery.take(metrics_data, count_points(metrics_data))
        return MetricExportResult.SUCCESS
