"""Generated programs for a meter provider: instruments, readers, views, and what is done with them."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from hypothesis import strategies as st
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    ObservableCounter,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import (
    DefaultAggregation,
    DropAggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    LastValueAggregation,
    SumAggregation,
    View,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.metrics.export import MetricsData

    from tests.metrics.engines import Name

SYNCHRONOUS = {"counter": "add", "up_down_counter": "add", "histogram": "record", "gauge": "set"}
OBSERVABLE = ("observable_counter", "observable_up_down_counter", "observable_gauge")
KEYS = ("venue", "symbol", "größe", "a b")
BOUNDS = ((), (0.0,), (-1.0, 0.0, 0.5, 1.0, 2.0, 1_024.0), (5e-324, 1e-300, 1e-6, 1e6, 1e300))
LARGEST = 1e150
"""Sums of such values stay finite, and so do their differences."""


@dataclass(frozen=True)
class Instrument:
    kind: str
    unit: str
    scope: int
    bounds: tuple[float, ...] | None


@dataclass(frozen=True)
class Reader:
    delta: bool
    histogram: ExplicitBucketHistogramAggregation | ExponentialBucketHistogramAggregation | DefaultAggregation

    def made(self) -> InMemoryMetricReader:
        """An in-memory reader with these preferences."""
        delta = [Counter, Histogram, ObservableCounter] + (
            [UpDownCounter, ObservableUpDownCounter] if self.delta else []
        )
        temporality: dict[type, AggregationTemporality] = (
            dict.fromkeys(delta, AggregationTemporality.DELTA) if self.delta else {}
        )
        return InMemoryMetricReader(temporality, {Histogram: self.histogram})


@dataclass(frozen=True)
class Step:
    what: Literal["measure", "observe", "collect"]
    which: int
    attributes: Any = None
    values: tuple[Any, ...] = ()
    observed: tuple[tuple[Any, Any], ...] = ()


@dataclass
class Program:
    instruments: list[Instrument]
    readers: list[Reader]
    views: list[dict[str, Any]]
    steps: list[Step] = field(default_factory=list)

    def run(self, make: Callable[..., Any], engine: Name) -> list[tuple[int, MetricsData | None]]:
        """Run it on an engine; what each collection of which reader gave."""
        readers = [reader.made() for reader in self.readers]
        provider = make(engine, readers, [View(**view) for view in self.views])
        table: dict[int, tuple[tuple[Any, Any], ...]] = {}
        calls = [self._made(provider, number, table) for number in range(len(self.instruments))]
        collected: list[tuple[int, MetricsData | None]] = []
        for step in self.steps:
            if step.what == "collect":
                collected.append((step.which, readers[step.which].get_metrics_data()))
            elif step.what == "observe":
                table[step.which] = step.observed
            else:
                for value in step.values:
                    calls[step.which](value, step.attributes)
        collected += [(number, reader.get_metrics_data()) for number, reader in enumerate(readers)]
        provider.shutdown()
        return collected

    def _made(self, provider: Any, number: int, table: dict[int, Any]) -> Any:
        instrument = self.instruments[number]
        meter = provider.get_meter(f"library{instrument.scope}", "1.0")
        create, name = getattr(meter, f"create_{instrument.kind}"), f"Bot.{instrument.kind}.{number}"
        if instrument.kind in OBSERVABLE:
            create(name, [lambda _: [Observation(*seen) for seen in table.get(number, ())]], instrument.unit)
            return None
        advice = {"explicit_bucket_boundaries_advisory": instrument.bounds} if instrument.kind == "histogram" else {}
        return getattr(create(name, instrument.unit, f"Number {number}.", **advice), SYNCHRONOUS[instrument.kind])


powers = st.builds(lambda exponent, sign: sign * 2.0**exponent, st.integers(-1_074, 498), st.sampled_from((1, -1)))
near_powers = st.builds(lambda power, factor: power * factor, powers, st.sampled_from((1 + 2.0**-40, 1 - 2.0**-40)))
"""Next to bounds of all scales, but no nearer than the SDK's logarithm can tell."""
subnormals = st.floats(5e-324, sys.float_info.min, allow_subnormal=True)
floats = (
    st.floats(-LARGEST, LARGEST) | powers | near_powers | subnormals | st.sampled_from((0.0, -0.0, 0.5, 1.5, 100.0))
)
integers = st.integers(-10, 1_000) | st.integers(-(2**70), 2**70) | st.builds(lambda e: 2**e, st.integers(0, 70))
wrong = st.sampled_from((math.nan, math.inf, -math.inf))
ordinary = st.sampled_from((0, 1, 2, 3, 7, 1.0, 0.25, 0.001, 12.5)) | st.booleans()
values = ordinary | ordinary | integers | floats | wrong

scalars = st.sampled_from((True, False, 0, 1, 0.0, 1.0, 2, "1", "", "kalshi", "Ω", "\U0001f4c8", 2**63 - 1, -(2**63)))
sequences = st.lists(scalars, max_size=3) | st.lists(scalars, max_size=3).map(tuple)
others = st.none() | st.binary(max_size=2) | sequences | st.lists(sequences, max_size=2)
attributes = st.none() | st.dictionaries(st.sampled_from(KEYS), scalars | scalars | others, max_size=3)
few_attributes = st.sampled_from((None, {}, {"venue": "kalshi"}, {"venue": "binance", "symbol": "BTC"}, {"venue": 1}))
few_attributes |= st.sampled_from(
    ({"venue": [1, "a"]}, {"venue": (1, "a")}, {"venue": [True, "a"]}, {"venue": [1.0, "a"]})
)
any_attributes = few_attributes | few_attributes | attributes
bursts = st.lists(values, min_size=1, max_size=6).map(tuple)

instruments = st.builds(
    Instrument,
    st.sampled_from((*SYNCHRONOUS, *OBSERVABLE, "histogram")),
    st.sampled_from(("", "s", "{order}")),
    st.integers(0, 1),
    st.none() | st.sampled_from(BOUNDS),
)
exponential = st.builds(
    ExponentialBucketHistogramAggregation, st.sampled_from((160, 4, 20)), st.sampled_from((20, 0, 3))
)
explicit = st.builds(ExplicitBucketHistogramAggregation, st.none() | st.sampled_from(BOUNDS))
default = st.builds(DefaultAggregation)
readers = st.builds(
    Reader, st.booleans(), default | explicit | exponential | st.builds(ExponentialBucketHistogramAggregation)
)


@st.composite
def views(draw: st.DrawFn, count: int) -> list[dict[str, Any]]:
    """Views that rename one instrument, filter or aggregate several, or drop them."""
    made: list[dict[str, Any]] = []
    for number in range(draw(st.integers(0, 3))):
        which = draw(st.sampled_from(("one", "all", "kind", "unit", "meter")))
        selections: dict[str, dict[str, Any]] = {
            "one": {"instrument_name": f"bot.*.{draw(st.integers(0, count - 1))}"},
            "all": {"instrument_name": "*"},
            "kind": {"instrument_type": draw(st.sampled_from((Counter, Histogram, ObservableCounter)))},
            "unit": {"instrument_unit": draw(st.sampled_from(("s", "{*")))},
            "meter": {"meter_name": "library0", "meter_version": draw(st.sampled_from(("1.0", "2.0")))},
        }
        view = selections[which]
        view["attribute_keys"] = draw(st.none() | st.sets(st.sampled_from(KEYS), max_size=2))
        view["description"] = f"view {number}"  # two views of an instrument stay two metrics
        view["aggregation"] = draw(
            st.none()
            | default
            | explicit
            | exponential
            | st.sampled_from((SumAggregation(), LastValueAggregation(), DropAggregation()))
        )
        if which == "meter":
            view["instrument_name"] = "bot.?*"
        elif which != "one" and draw(st.booleans()):
            view["meter_schema_url"] = ""
        made.append(view)
    return made


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Whole programs, short enough to understand when they fail."""
    chosen = draw(st.lists(instruments, min_size=1, max_size=4))
    program = Program(chosen, draw(st.lists(readers, min_size=1, max_size=3)), draw(st.just([]) | views(len(chosen))))
    measured = [number for number, one in enumerate(chosen) if one.kind in SYNCHRONOUS]
    observed = [number for number, one in enumerate(chosen) if one.kind in OBSERVABLE]
    steps = st.builds(Step, st.just("collect"), st.integers(0, len(program.readers) - 1))
    if measured:
        measure = st.builds(Step, st.just("measure"), st.sampled_from(measured), any_attributes, bursts)
        steps |= measure | measure | measure
    if observed:
        seen = st.lists(st.tuples(values, any_attributes), max_size=4).map(tuple)
        steps |= st.builds(Step, st.just("observe"), st.sampled_from(observed), observed=seen)
    program.steps = draw(st.lists(steps, max_size=40))
    return program
