from __future__ import annotations

import enum
import fractions
import logging
import types
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from opentelemetry import metrics as api

if TYPE_CHECKING:
    from tests.metrics.conftest import MakeBench

NO_NUMBERS = [None, "1", float("nan"), float("inf"), 10**400, Decimal("NaN"), object(), [1], 1j, np.array([1])]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: type(value).__name__)
def test_what_is_no_number_is_counted_and_never_raised(
    native: MakeBench, caplog: pytest.LogCaptureFixture, value: Any
) -> None:
    """It costs itself: no exception, no log line, one count; bound or not."""
    made = native()
    calls: list[Any] = [
        made.meter.create_counter("a").add,
        made.meter.create_up_down_counter("b").add,
        made.meter.create_gauge("c").set,
        made.meter.create_histogram("d").record,
    ]
    with caplog.at_level(logging.DEBUG):
        for call in calls:
            call(value)
            call(value, {"a": 1})
        made.meter.create_counter("a").bind({"b": 1}).add(value)  # type: ignore[attr-defined]
    assert caplog.records == []
    assert made.provider.dropped() == {"invalid_value": 9}
    assert made.metrics() == {} or [point.value for point in made.points("a")] in ([], [0])


@pytest.mark.parametrize("value", [-1, -0.5, Decimal(-1), -(10**30)])
def test_negative_values_are_refused_where_they_make_no_sense(native: MakeBench, value: Any) -> None:
    """A counter and a histogram refuse them, the others take them."""
    made = native()
    made.meter.create_counter("a").add(value)
    made.meter.create_histogram("b").record(value, {"a": 1})
    assert made.provider.dropped() == {"negative_value": 2}
    assert made.metrics() == {}
    made.meter.create_up_down_counter("c").add(value)
    made.meter.create_gauge("d").set(value)
    assert (made.values("c")[()], made.values("d")[()]) == (pytest.approx(float(value)),) * 2


def test_signed_histograms_take_negative_values(native: MakeBench) -> None:
    """Slippage goes both ways: negative buckets in the exponential form, negative bounds in the explicit one."""
    from opentelemetry.sdk.metrics import Histogram
    from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation

    for aggregation in ({}, {Histogram: ExponentialBucketHistogramAggregation()}):
        made = native(preferred_aggregation=aggregation)
        slippage = made.meter.create_signed_histogram(  # type: ignore[attr-defined]
            "slippage", "{bp}", explicit_bucket_boundaries_advisory=[-1, 0, 1]
        )
        assert isinstance(slippage, api.Histogram)
        for value in (-2, -1, 0, 0.5, 4):
            slippage.record(value)
        (point,) = made.points("slippage")
        assert (point.count, point.sum, point.min, point.max) == (5, 1.5, -2, 4)
        if aggregation:
            assert (sum(point.negative.bucket_counts), point.zero_count, sum(point.positive.bucket_counts)) == (2, 1, 2)
        else:
            assert (list(point.explicit_bounds), list(point.bucket_counts)) == ([-1, 0, 1], [2, 1, 1, 1])


NUMBERS = [
    (Decimal("0.1"), 0.1),
    (fractions.Fraction(1, 4), 0.25),
    (np.float64(0.5), 0.5),
    (np.float32(0.5), 0.5),
    (np.int64(3), 3),
    (np.uint8(3), 3),
    (10**19, 1e19),
    (2**64, 2.0**64),
    (True, 1),
    (enum.IntEnum("Side", "BUY").BUY, 1),  # type: ignore[attr-defined]
]


@pytest.mark.parametrize(("given", "expected"), NUMBERS, ids=[type(given).__name__ for given, _ in NUMBERS])
def test_numbers_of_all_kinds_are_taken(native: MakeBench, given: Any, expected: float) -> None:
    """Decimals, fractions, numpy's scalars and integers beyond 64 bits are measurements like others."""
    made = native()
    counter, gauge, histogram = (
        made.meter.create_counter("a"),
        made.meter.create_gauge("b"),
        made.meter.create_histogram("c"),
    )
    for attributes in (None, {"a": 1}):
        counter.add(given, attributes)
        counter.add(0.5, attributes)
        gauge.set(given, attributes)
        histogram.record(given, attributes)
    assert set(made.values("a").values()) == {expected + 0.5}
    assert set(made.values("b").values()) == {expected}
    assert [point.sum for point in made.points("c")] == [expected] * 2
    assert made.provider.dropped() == {}


class Side(str, enum.Enum):  # noqa: UP042 - its str() is not its value
    BUY = "buy"


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_attributes_are_cleaned(native: MakeBench) -> None:
    """What is no plain value becomes one, and then it is the same series as if it had been given so."""
    made = native()
    counter = made.meter.create_counter("a")
    pairs: list[tuple[Any, dict[str, Any]]] = [
        ({"side": Side.BUY}, {"side": "buy"}),
        ({"price": Decimal("1.50")}, {"price": "1.50"}),
        ({"legs": ["a", Side.BUY]}, {"legs": ("a", "buy")}),
        ({"big": 2**64}, {"big": str(2**64)}),
        ({5: "five"}, {"5": "five"}),
        ({"ratio": np.float64(0.5)}, {"ratio": 0.5}),
        (types.MappingProxyType({"venue": "kalshi"}), {"venue": "kalshi"}),
        ({"bad": "\ud800"}, {"bad": "?"}),
    ]
    for given, clean in pairs:
        counter.add(1, given)
        counter.add(1, clean)
    found = {tuple(point.attributes.items()): point.value for point in made.points("a")}
    assert found == {tuple(clean.items()): 2 for _, clean in pairs}
    assert made.provider.dropped() == {}


@pytest.mark.parametrize(
    "attributes", [["venue"], "venue", 5, {"a": Unprintable()}], ids=["list", "text", "number", "dict"]
)
def test_unusable_attributes_are_counted_and_never_raised(
    native: MakeBench, caplog: pytest.LogCaptureFixture, attributes: Any
) -> None:
    """A measurement that cannot be assigned to a series is dropped, not given to another series."""
    made = native()
    with caplog.at_level(logging.DEBUG):
        made.meter.create_counter("a").add(1, attributes)
        made.meter.create_counter("a").bind(attributes).add(1)  # type: ignore[attr-defined]
    assert caplog.records == []
    assert made.provider.dropped() == {"invalid_attributes": 2}
    assert made.metrics() == {}


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("9 lives", ""),
        ("", ""),
        (None, ""),
        ("a" * 256, ""),
        ("bot.größe", ""),
        (5, ""),
        ("a", "x" * 64),
        ("a", "µs"),
        ("a", 5),
    ],
)
def test_unusable_names_and_units_are_reported_once_and_record_nothing(
    native: MakeBench, messages: list[str], name: Any, unit: Any
) -> None:
    """The bot gets an instrument with all methods that does nothing, and one message however often it asks."""
    made = native()
    for _ in range(2):
        counter: Any = made.meter.create_counter(name, unit)
        counter.add(1)
        counter.bind({"a": 1}).add(1)
        counter.remove({"a": 1})
        histogram: Any = made.meter.create_histogram(name, unit)
        histogram.record(1)
        with histogram.bind({"a": 1}).time():
            pass
        assert isinstance(made.meter.create_gauge(name, unit), api._Gauge)
        observable = made.meter.create_observable_gauge(name, [lambda _: [api.Observation(1)]], unit)
        assert isinstance(observable, api.ObservableGauge)
    assert made.data() is None
    assert len(messages) == 1
    assert "records nothing" in messages[0]


def test_a_unit_may_be_none(native: MakeBench) -> None:
    """No unit and no description are empty ones; the SDK raises ``TypeError``."""
    made = native()
    made.meter.create_counter("a", None, None).add(1)  # type: ignore[arg-type]
    assert (made.metrics()["a"].unit, made.metrics()["a"].description) == ("", "")


@pytest.mark.parametrize("advice", ["12", 5, [2, 1], [1, 1], [float("inf")], [None], {1: 2}.keys()], ids=str)
def test_unusable_advice_is_reported_and_not_used(native: MakeBench, messages: list[str], advice: Any) -> None:
    """Boundaries that are no ascending numbers cost nothing but themselves."""
    made = native()
    made.meter.create_histogram("a", explicit_bucket_boundaries_advisory=advice).record(1)
    if advice == {1: 2}.keys():
        assert list(made.points("a")[0].explicit_bounds) == [1]
        return
    assert len(made.points("a")[0].explicit_bounds) == 15
    assert ["the advice for 'a' is not used" in message for message in messages] == [True]


def test_conflicts_are_reported_once_and_both_work(native: MakeBench, messages: list[str]) -> None:
    """A name with two kinds or units, or with other advice, is said once."""
    made = native()
    for _ in range(2):
        made.meter.create_counter("a").add(1)
        made.meter.create_gauge("a").set(5)
        made.meter.create_histogram("b", explicit_bucket_boundaries_advisory=[1]).record(1)
        made.meter.create_histogram("b", explicit_bucket_boundaries_advisory=[2]).record(1)
    data = made.data()
    assert data is not None
    metrics = data.resource_metrics[0].scope_metrics[0].metrics
    assert sorted((metric.name, type(metric.data).__name__) for metric in metrics) == [
        ("a", "Gauge"),
        ("a", "Sum"),
        ("b", "Histogram"),
    ]
    assert [list(point.explicit_bounds) for point in made.points("b")] == [[1.0]]
    assert sorted("both a counter" in message for message in messages) == [False, True]
    assert sorted("other boundaries" in message for message in messages) == [False, True]


def test_a_library_full_of_problems_does_not_flood_the_log(native: MakeBench, messages: list[str]) -> None:
    """Different messages are limited, too."""
    made = native()
    for number in range(1_000):
        made.meter.create_counter(f"{number}")
    assert len(messages) == 51
    assert "not reported" in messages[-1]


def test_a_meter_without_a_name_works(native: MakeBench, messages: list[str]) -> None:
    """What it measures is not lost; that nobody can tell whose it is, is said once."""
    made = native()
    for _ in range(2):
        made.provider.get_meter("").create_counter("a").add(1)
    assert made.values("a") == {(): 2}
    assert len(messages) == 1
