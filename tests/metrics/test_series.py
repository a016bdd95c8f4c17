from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.metrics import Counter, Histogram, UpDownCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader

from otel_trading.metrics.native import Aggregation, NativeMeterProvider, NativeReader, Rule

if TYPE_CHECKING:
    from tests.metrics.conftest import MakeBench

OVERFLOW = (("otel.metric.overflow", True),)
DELTA: dict[type, AggregationTemporality] = dict.fromkeys(
    (Counter, Histogram, UpDownCounter), AggregationTemporality.DELTA
)


def numbers(reader: NativeReader, name: str) -> dict[tuple[tuple[str, Any], ...], Any]:
    """The values of a sum or gauge by attributes."""
    for _, found, *_, points in reader.collect().metrics():
        if found == name:
            return {tuple(point[0].items()): point[3] for point in points}
    return {}


def test_beyond_the_limit_there_is_one_series_for_all(native: MakeBench) -> None:
    """The limit counts the overflow series; what goes there is counted, nothing is lost, known series go on."""
    reader = InMemoryMetricReader()
    provider = NativeMeterProvider([reader], cardinality_limit=10)
    counter = provider.get_meter("bot").create_counter("a")
    for order in range(1_000):
        counter.add(1, {"order": order})
    counter.add(5, {"order": 0})
    data = reader.get_metrics_data()
    assert data is not None
    points = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    values = {tuple(point.attributes.items()): point.value for point in points}  # type: ignore[union-attr]
    assert len(values) == 10
    assert values[("order", 0),] == 6
    assert values[OVERFLOW] == 991
    assert provider.dropped()["cardinality_limit"] == 991


def test_the_limit_is_per_instrument(native: MakeBench) -> None:
    """One that overflows takes no series from another."""
    reader = NativeReader()
    provider = NativeMeterProvider([reader], cardinality_limit=3)
    meter = provider.get_meter("bot")
    for name in ("a", "b"):
        for number in range(5):
            meter.create_counter(name).add(1, {"number": number})
    assert numbers(reader, "a") == numbers(reader, "b") == {(("number", 0),): 1, (("number", 1),): 1, OVERFLOW: 3}


def test_a_bound_instrument_is_the_unbound_one(native: MakeBench) -> None:
    """A call on a handle lands in the same series as the call with these attributes, whatever the order."""
    for preferred in ({}, DELTA):
        made = native(preferred_temporality=preferred)
        attributes = {"venue": "kalshi", "legs": ["a", "b"], "n": 1}
        for create, call, value in (
            ("create_counter", "add", 2),
            ("create_up_down_counter", "add", -2),
            ("create_gauge", "set", 2.5),
            ("create_histogram", "record", 0.25),
        ):
            instrument: Any = getattr(made.meter, create)(create)
            getattr(instrument, call)(value, attributes)
            bound = instrument.bind(attributes)
            getattr(bound, call)(value)
            getattr(instrument, call)(value, {"n": 1, "legs": ("a", "b"), "venue": "kalshi"})
            attributes_before = dict(attributes)
            attributes["venue"] = "changed"
            getattr(bound, call)(value)
            attributes.update(attributes_before)
        assert list(made.values("create_counter").values()) == [8]
        assert list(made.values("create_up_down_counter").values()) in ([-8], [])
        (gauge,) = native().points("create_gauge") or [None]
        assert gauge is None
    made = native()
    histogram: Any = made.meter.create_histogram("h")
    bound = histogram.bind({"a": 1})
    for value in (1, 2.5, True):
        histogram.record(value, {"a": 1})
        bound.record(value)
    (point,) = made.points("h")
    assert (point.count, point.sum, point.min, point.max) == (6, 9.0, 1, 2.5)


def test_a_handle_counts_what_was_measured_before_and_after_a_reader_came(native: MakeBench) -> None:
    """Binding before there is any reader loses nothing."""
    provider = NativeMeterProvider()
    counter = provider.get_meter("bot").create_counter("a")
    bound = counter.bind({"a": 1})
    bound.add(1)
    reader = NativeReader()
    provider.add_metric_reader(reader)
    bound.add(2)
    assert numbers(reader, "a") == {(("a", 1),): 3}


def test_a_removed_series_is_gone_and_may_begin_anew(native: MakeBench) -> None:
    """After remove() the series is not reported; measured again it begins at zero."""
    made = native()
    gauge: Any = made.meter.create_gauge("position")
    counter: Any = made.meter.create_counter("fills")
    for symbol in ("BTC", "ETH"):
        gauge.set(1, {"symbol": symbol})
        counter.add(5, {"symbol": symbol})
    assert gauge.remove({"symbol": "BTC"})
    assert counter.remove({"symbol": "BTC"})
    assert not gauge.remove({"symbol": "BTC"})
    assert not gauge.remove({"symbol": "DOGE"})
    assert made.values("position") == {(("symbol", "ETH"),): 1}
    assert made.values("fills") == {(("symbol", "ETH"),): 5}
    counter.add(2, {"symbol": "BTC"})
    assert made.values("fills") == {(("symbol", "ETH"),): 5, (("symbol", "BTC"),): 2}


def test_a_handle_to_a_removed_series_begins_it_anew(native: MakeBench) -> None:
    """A handle that somebody still holds works on, from zero."""
    made = native()
    counter: Any = made.meter.create_counter("fills")
    bound = counter.bind({"symbol": "BTC"})
    bound.add(5)
    assert counter.remove({"symbol": "BTC"})
    assert made.values("fills") == {}
    bound.add(2)
    counter.add(1, {"symbol": "BTC"})
    assert made.values("fills") == {(("symbol", "BTC"),): 3}


def test_a_removed_series_makes_room(native: MakeBench) -> None:
    """The limit counts the series there are, not those there were."""
    reader = NativeReader()
    provider = NativeMeterProvider([reader], cardinality_limit=3)
    gauge: Any = provider.get_meter("bot").create_gauge("position")
    for symbol in range(20):
        gauge.set(1, {"symbol": symbol})
        assert gauge.remove({"symbol": symbol})
    gauge.set(1, {"symbol": "last"})
    assert numbers(reader, "position") == {(("symbol", "last"),): 1}
    assert provider.dropped() == {}


def test_removing_what_is_not_there_costs_nothing(native: MakeBench) -> None:
    """Neither the series of all others nor a place is touched when attributes without a series are removed."""
    reader = NativeReader()
    provider = NativeMeterProvider([reader], cardinality_limit=3)
    counter: Any = provider.get_meter("bot").create_counter("a")
    assert not counter.remove({"number": 0})
    for number in range(4):
        counter.add(1, {"number": number})
    before = provider.dropped()
    for unknown in ({"number": 9}, {"legs": ["a"]}, {"number": 2}, None, "wrong"):
        assert not counter.remove(unknown)
    assert numbers(reader, "a") == {(("number", 0),): 1, (("number", 1),): 1, OVERFLOW: 2}
    assert provider.dropped()["cardinality_limit"] == before["cardinality_limit"] == 2


def test_attributes_beyond_the_limit_are_not_remembered(native: MakeBench) -> None:
    """What goes to the overflow series takes no memory, whatever its attributes are."""
    provider = NativeMeterProvider([NativeReader()], cardinality_limit=3)
    counter = provider.get_meter("bot").create_counter("a")

    def measure(start: int) -> None:
        for number in range(start, start + 2_000):
            counter.add(1, {"number": number})
            counter.add(1, {"numbers": [number, "a"]})

    measure(0)
    tracemalloc.start()
    measure(2_000)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 20_000


def test_gauges_that_nobody_sets_expire(native: MakeBench) -> None:
    """A price of a dead feed is not reported for ever; a gauge that is set stays, and others are not touched."""
    reader = NativeReader()
    provider = NativeMeterProvider([reader], gauge_ttl=10.0)
    meter = provider.get_meter("bot")
    price, frames = meter.create_gauge("price"), meter.create_counter("frames")
    price.set(1, {"symbol": "dead"})
    price.set(1, {"symbol": "alive"})
    frames.add(1)
    second = 10**9
    begin = second * 2_000_000_000

    def seen(at: int) -> dict[str, list[Any]]:
        return {name: [point[0] for point in points] for _, name, *_, points in reader.collect(time_ns=at).metrics()}

    assert len(seen(begin)["price"]) == 2
    price.set(2, {"symbol": "alive"})
    assert len(seen(begin + 9 * second)["price"]) == 2
    price.set(3, {"symbol": "alive"})
    later = seen(begin + 12 * second)
    assert later["price"] == [{"symbol": "alive"}]
    assert later["frames"] == [{}]


def test_without_a_time_to_live_gauges_stay(bench: MakeBench) -> None:
    """By default the last value is reported at every collection."""
    made = bench()
    made.meter.create_gauge("price").set(1)
    assert made.values("price") == made.values("price") == {(): 1}


def test_readers_have_deltas_of_their_own(bench: MakeBench) -> None:
    """What one reader took is still there for the others, count, sum, extremes and buckets."""
    from tests.metrics.engines import provider

    readers = [InMemoryMetricReader(DELTA), InMemoryMetricReader(DELTA), InMemoryMetricReader()]
    meter = provider(bench().engine, list(readers)).get_meter("bot")
    counter, histogram = meter.create_counter("a"), meter.create_histogram("b", explicit_bucket_boundaries_advisory=[5])

    def seen(number: int) -> tuple[Any, ...]:
        data = readers[number].get_metrics_data()
        if data is None:
            return ()
        points: list[Any] = [metric.data.data_points[0] for metric in data.resource_metrics[0].scope_metrics[0].metrics]
        (one,) = [point.value for point in points if hasattr(point, "value")]
        (two,) = [point for point in points if hasattr(point, "count")]
        return one, two.count, two.sum, two.min, two.max, list(two.bucket_counts)

    counter.add(1)
    histogram.record(9)
    assert seen(0) == (1, 1, 9, 9, 9, [0, 1])
    counter.add(2)
    histogram.record(3)
    assert seen(0) == (2, 1, 3, 3, 3, [1, 0])
    assert seen(0) == ()
    assert seen(1) == seen(2) == (3, 2, 12, 3, 9, [1, 1])
    counter.add(4)
    histogram.record(4)
    assert seen(1) == (4, 1, 4, 4, 4, [1, 0])
    assert seen(2) == (7, 3, 16, 3, 9, [2, 1])


def test_views_share_the_measurements(native: MakeBench) -> None:
    """Two rules on an instrument make two metrics, each with its own attributes and form."""
    reader = NativeReader()
    rules = (
        Rule(instrument="bot.*", kind="histogram", name=None, keys=frozenset({"venue"})),
        Rule(instrument="bot.decide", name="bot.decide.fine", keys=frozenset(), aggregation=Aggregation("exponential")),
        Rule(instrument="bot.secret", aggregation=Aggregation("drop")),
    )
    provider = NativeMeterProvider([reader], views=rules)
    meter = provider.get_meter("bot")
    for symbol in ("BTC", "ETH"):
        meter.create_histogram("bot.decide").record(1, {"venue": "kalshi", "symbol": symbol})
    meter.create_counter("bot.secret").add(1)
    found = {
        name: (kind, [(point[0], point[3]) for point in points])
        for _, name, _, _, kind, *_, points in reader.collect().metrics()
    }
    assert found == {
        "bot.decide": ("explicit", [({"venue": "kalshi"}, 2)]),
        "bot.decide.fine": ("exponential", [({}, 2)]),
    }


@pytest.mark.parametrize("temporality", ["cumulative", "delta", "lowmemory"])
def test_a_readers_preference_decides_the_temporality(temporality: Any) -> None:
    """Counters and histograms follow the preference, up-down counters are always cumulative."""
    reader = NativeReader(temporality=temporality, histogram=Aggregation("exponential"))
    meter = NativeMeterProvider([reader]).get_meter("bot")
    meter.create_counter("c").add(1)
    meter.create_up_down_counter("u").add(1)
    meter.create_histogram("h").record(1)
    found = {name: (kind, temporality) for _, name, _, _, kind, temporality, *_ in reader.collect().metrics()}
    expected = "cumulative" if temporality == "cumulative" else "delta"
    assert found == {"c": ("sum", expected), "u": ("sum", "cumulative"), "h": ("exponential", expected)}
