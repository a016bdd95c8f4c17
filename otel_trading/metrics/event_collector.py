"""The collector: switches of event recording, and what was recorded."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from otel_trading.metrics.event_ids import EventID, event_name
from otel_trading.metrics.event_options import EventOptions
from otel_trading.metrics.event_recorder import reader, recorder
from otel_trading.metrics.over_budget import over_budget

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_logger = logging.getLogger("otel_trading.events")

_WINDOWS = (1, 5, 60)
_QUANTILES = ("p50", "p95", "p99", "p999")


@dataclass(frozen=True, slots=True)
class StageTime:
    """When a trace was in a stage."""

    stage: str
    events: int
    """How often it began, or happened."""
    first_ns: int
    """Unix nanoseconds of the first event."""
    last_ns: int
    """Unix nanoseconds of the last event or end."""


class MetricsCollector:
    """Switches recording and tells what was recorded; there is one for the process.

    >>> MetricsCollector() is MetricsCollector()
    True
    """

    _instance: ClassVar[Self | None] = None

    options: EventOptions
    _budgeted: set[int]

    def __new__(cls) -> Self:
        """The collector of the process."""
        if cls._instance is None:
            self = super().__new__(cls)
            self.options = EventOptions(enabled=False)
            self._budgeted = set(self.options.budgets())
            cls._instance = self
        return cls._instance

    record_start = staticmethod(recorder.start)
    record_end = staticmethod(recorder.end)

    def configure(self, options: EventOptions) -> None:
        """Record as these options say, from now on; what was recorded so far stays."""
        reader.prepare(options.buffer_size, options.sampling_seed)
        reader.set_sampling(options.sampling_rate, options.sampling_threshold)
        budgets = options.budgets()
        for event in {*self._budgeted, *budgets}:
            reader.set_budget(event, budgets.get(event))
        self._budgeted = set(budgets)
        self.options = options
        reader.set_enabled(options.enabled)

    @property
    def enabled(self) -> bool:
        """Whether events are recorded; may be switched at any time."""
        return reader.enabled

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        reader.set_enabled(bool(enabled))

    @property
    def sampling_rate(self) -> float:
        """The share of events that is recorded while the load is low; may be changed at any time."""
        return reader.sampling[0]

    @sampling_rate.setter
    def sampling_rate(self, rate: float) -> None:
        reader.set_sampling(rate, reader.sampling[1])

    @property
    def current_rate(self) -> float:
        """The share of events that is recorded at this moment; 0 when recording is off."""
        return reader.sampling[2]

    def set_budget(self, event: int, seconds: float | None) -> None:
        """Another budget for a stage, or none; until the next ``configure``."""
        self._budgeted.add(int(event))
        reader.set_budget(int(event), None if seconds is None else round(seconds * 1e9))

    def tick(self) -> int:
        """Read the queue, move the windows, adjust the sampling; how many budgets were found exceeded and told.

        Called every ``aggregation_interval_ms`` by whoever does the work in the background.
        """
        violations = reader.tick()
        tell(violations)
        return len(violations)

    def get_statistics(self) -> dict[str, dict[str, Any]]:
        """Everything recorded so far, by event: percentiles in nanoseconds, counts, rates, budgets.

        Stages have ``p50_ns`` to ``p999_ns``, ``mean_ns``, ``min_ns``, ``max_ns``, ``violations``, ``budget_ns`` when
        there is a budget, and ``windows`` with the same over the last 1, 5 and 60 seconds. Counters have ``total``,
        gauges ``last``, histograms ``p50`` to ``p999``, ``mean``, ``min``, ``max``. All have ``count``
        and ``rate``, the count a second over the last second.
        """
        return {_key(series["event"]): _summary(series) for series in reader.statistics()}

    def chains(self) -> dict[str, dict[str, Any]]:
        """How long traces take from stage to stage (``a -> b``) and from the first to the last (``a => b``)."""
        return {
            f"{event_name(origin)} {'=>' if whole else '->'} {event_name(to)}": _nanoseconds(seconds)
            for origin, to, whole, seconds in reader.ways()
        }

    def explain(self, trace_id: int | str) -> list[StageTime] | None:
        """The stages of a recent trace in the order it went through them; ``None`` when it is not known."""
        from otel_trading.metrics.events import trace_key

        stages = reader.explain(trace_key(trace_id))
        if stages is None:
            return None
        now = time.time_ns()
        return [StageTime(event_name(event), events, now - first, now - last) for event, events, first, last in stages]

    def health(self) -> dict[str, Any]:
        """How the queue does: offered, skipped, dropped, invalid, unmatched, utilization, rate and more."""
        return reader.health()

    def reset(self) -> None:
        """Count from zero; measurements under way may still end."""
        reader.reset()


def tell(violations: Iterable[tuple[int, int, int, int]]) -> None:
    """Log budgets that were exceeded: (event, budget, times, worst), in nanoseconds."""
    for event, budget, times, worst in violations:
        _logger.warning("%s", over_budget(event_name(event), worst / 1e9, budget / 1e9, times))


def _key(event: int) -> str:
    return EventID(event).name if event in EventID.__members__.values() else event_name(event)


def _summary(series: Mapping[str, Any]) -> dict[str, Any]:
    summary: dict[str, Any] = {"count": series["count"], "rate": series["rate"]}
    if series["seconds"]:
        summary |= _nanoseconds(series["seconds"])
        summary |= {"count": series["count"], "violations": series["violations"]}
        if series["budget_ns"] is not None:
            summary["budget_ns"] = series["budget_ns"]
    if series["windows"]:
        summary["windows"] = {
            span: {"count": window["count"], "rate": window["rate"], **_scaled(window, ("mean", "max", *_QUANTILES))}
            for span, window in zip(_WINDOWS, series["windows"], strict=True)
        }
    if series["values"]:
        values = series["values"]
        summary |= {name: values[name] for name in ("min", "max", *_QUANTILES)}
        summary["mean"] = values["sum"] / values["count"]
    summary |= {name: series[name] for name in ("total", "last") if series[name] is not None}
    return summary


def _nanoseconds(seconds: Mapping[str, Any]) -> dict[str, Any]:
    mean = seconds["sum"] / seconds["count"]
    return {
        **_scaled({**seconds, "mean": mean}, ("mean", "min", "max", *_QUANTILES)),
        "count": seconds["count"],
    }


def _scaled(seconds: Mapping[str, Any], names: Iterable[str]) -> dict[str, float]:
    return {f"{name}_ns": seconds[name] * 1e9 for name in names}
