"""The feature flags of event recording."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from otel_trading.metrics.event_ids import EventID, event_id

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0}
_DURATION = re.compile(r"\s*([0-9.]+(?:e-?[0-9]+)?)\s*(ns|us|µs|ms|s|min)\s*", re.IGNORECASE)

_LEAST_EVENTS, _MOST_EVENTS = 2, 1 << 24
_LONGEST_BUDGET = 1e6

BUDGETS: Mapping[str, float] = MappingProxyType(
    {
        EventID.CANDLE_PROCESSING.stage: 0.050,
        EventID.SIGNAL_GENERATION.stage: 0.010,
        EventID.ORDER_EXECUTION.stage: 0.005,
    }
)
"""Seconds that the stages of a trade may take by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventOptions:
    """How events are recorded.

    >>> EventOptions.from_mapping({"sampling_rate": 0.5, "sla_thresholds": {"ORDER_EXECUTION": "5ms"}}).budgets()
    {3: 5000000}
    >>> EventOptions(buffer_size=1)
    Traceback (most recent call last):
    ValueError: buffer_size is 2 to 16777216 events, not 1
    """

    enabled: bool = True
    """The switch: off makes all recording calls no-ops; may be changed at any time."""

    sampling_rate: float = 1.0
    """The share of events that is recorded while the load is low, 0 to 1; may be changed at any time."""

    sampling_threshold: float = 1_000.0
    """Events a second above which fewer are recorded, down to a tenth; 0 never records fewer."""

    sampling_seed: int | None = None
    """Makes sampling repeatable, for tests and replays."""

    export_enabled: bool = True
    """Whether what was recorded leaves the process; statistics are there either way."""

    buffer_size: int = 131_072
    """Events between two readings of the queue, 32 bytes each; rounded up to a power of two."""

    aggregation_interval_ms: int = 100
    """How often the queue is read."""

    export_interval_s: float = 60.0
    """How often what was recorded is exported."""

    sla_thresholds: Mapping[str, float | str] = field(default_factory=lambda: dict(BUDGETS))
    """Seconds (or text such as ``50ms``) a stage may take, by name; longer ones are counted and told."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.sampling_rate <= 1.0:
            raise ValueError(f"sampling_rate is a share between 0 and 1, not {self.sampling_rate}")
        if math.isnan(self.sampling_threshold):
            raise ValueError("sampling_threshold is a number of events a second")
        if not _LEAST_EVENTS <= self.buffer_size <= _MOST_EVENTS:
            raise ValueError(f"buffer_size is {_LEAST_EVENTS} to {_MOST_EVENTS} events, not {self.buffer_size}")
        if self.aggregation_interval_ms <= 0 or self.export_interval_s <= 0:
            raise ValueError("intervals are above 0")
        self.budgets()

    @classmethod
    def from_mapping(cls, options: Mapping[str, Any]) -> Self:
        """From a table of a configuration file; unknown keys raise ``TypeError``."""
        return cls(**options)

    def budgets(self) -> dict[int, int]:
        """Nanoseconds by event id."""
        return {event_id(str(name).lower()): _nanoseconds(limit) for name, limit in self.sla_thresholds.items()}


def _nanoseconds(limit: float | str) -> int:
    """A budget in nanoseconds.

    >>> _nanoseconds("50ms"), _nanoseconds(0.005)
    (50000000, 5000000)
    """
    if isinstance(limit, str):
        match = _DURATION.fullmatch(limit)
        if match is None:
            raise ValueError(f"{limit!r} is no duration such as 50ms")
        limit = float(match[1]) * _UNITS[match[2].lower()]
    if not 0 < limit < _LONGEST_BUDGET:
        raise ValueError(f"a stage's budget is above 0 and below a million seconds, not {limit}")
    return round(limit * 1e9)
