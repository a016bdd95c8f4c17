"""Events as OpenTelemetry metrics: durations of stages, budgets, queue depth, and how recording itself does.

Counters, gauges and histograms under names of the bot's own are for ``get_statistics``; what shall be exported under
a name has an instrument for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.metrics import CallbackOptions, Histogram, Meter, Observation

from otel_trading.metrics.event_ids import EventID, event_name
from otel_trading.metrics.event_recorder import reader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_trading.metrics.event_collector import MetricsCollector

_STAGE = "trading.stage.name"
_MOST_CALLS = 2_000


class EventExport:
    """Gives a collector's events to instruments of a meter, at each collection of whatever reader.

    On meters without native histograms at most 2,000 durations of a stage are recorded at a collection; when there
    are more, each bucket gets its share of them.
    """

    def __init__(self, collector: MetricsCollector, meter: Meter) -> None:
        self._collector = collector
        self._durations = meter.create_histogram("trading.stage.duration", "s", "Time that a stage of the bot takes.")
        self._bound: dict[int, Any] = {}
        meter.create_observable_gauge(
            "trading.telemetry.sampling.ratio", [self._rate], "1", "Share of events that is recorded."
        )
        meter.create_observable_gauge(
            "trading.telemetry.buffer.utilization.ratio", [self._utilization], "1", "The fullest the event queue was."
        )

    def violations(self, _: CallbackOptions) -> Iterable[Observation]:
        """For ``trading.stage.budget.violations``: measurements over their budget, by stage."""
        for series in self._exported():
            if series["budget_ns"] is not None or series["violations"]:
                yield Observation(series["violations"], {_STAGE: event_name(series["event"])})

    def offered(self, _: CallbackOptions) -> Iterable[Observation]:
        """For ``trading.telemetry.events``: events that asked to be recorded."""
        yield Observation(reader.health()["offered"], {"signal": "events"})

    def dropped(self, _: CallbackOptions) -> Iterable[Observation]:
        """For ``trading.telemetry.dropped``: events that were lost, by reason; sampling is no loss."""
        health = reader.health()
        yield Observation(health["dropped"], {"signal": "events", "reason": "ring_full"})
        for reason, key in (("invalid_value", "invalid"), ("unmatched_start", "unmatched_starts")):
            if health[key]:
                yield Observation(health[key], {"signal": "events", "reason": reason})

    def depth(self, _: CallbackOptions) -> Iterable[Observation]:
        """For ``trading.queue.depth``: items that wait on the event bus, as it was said last."""
        for series in self._exported():
            if series["event"] == EventID.QUEUE_BACKLOG and series["last"] is not None:
                yield Observation(series["last"], {"queue.name": "event_bus"})

    def pour(self) -> None:
        """Record the durations since the last time."""
        for event, values in reader.fresh():
            bound = self._bound.get(event)
            if bound is None:
                attributes = {_STAGE: event_name(event)}
                bind = getattr(self._durations, "bind", None)
                bound = self._bound[event] = bind(attributes) if bind else _Repeated(self._durations, attributes)
            if not reader.pour(values, bound):
                _record(bound, values)

    def _exported(self) -> list[dict[str, Any]]:
        return reader.statistics() if self._collector.options.export_enabled else []

    def _rate(self, _: CallbackOptions) -> Iterable[Observation]:
        # Callbacks come before histograms are read, in every collection.
        if self._collector.options.export_enabled:
            self.pour()
        yield Observation(self._collector.current_rate)

    def _utilization(self, _: CallbackOptions) -> Iterable[Observation]:
        yield Observation(reader.health()["utilization"])


class _Repeated:
    """One series of a histogram that knows no handles."""

    def __init__(self, histogram: Histogram, attributes: dict[str, str]) -> None:
        self._histogram, self._attributes = histogram, attributes

    def record(self, value: float) -> None:
        self._histogram.record(value, self._attributes)


def _record(bound: Any, values: list[tuple[float, int]]) -> None:  # noqa: ANN401 - any handle
    total = sum(times for _, times in values)
    share = min(1.0, _MOST_CALLS / total)
    for value, times in values:
        for _ in range(max(1, round(times * share))):
            bound.record(value)
