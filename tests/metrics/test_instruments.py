from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import metrics as api
from opentelemetry.metrics import Observation

if TYPE_CHECKING:
    from tests.metrics.conftest import MakeBench

CREATORS = {
    "create_counter": api.Counter,
    "create_up_down_counter": api.UpDownCounter,
    "create_histogram": api.Histogram,
    "create_gauge": api._Gauge,
    "create_observable_counter": api.ObservableCounter,
    "create_observable_up_down_counter": api.ObservableUpDownCounter,
    "create_observable_gauge": api.ObservableGauge,
}


@pytest.mark.parametrize(("create", "kind"), CREATORS.items())
def test_instruments_are_of_the_api(bench: MakeBench, create: str, kind: type) -> None:
    """What a meter makes is an instance of the API's class of its kind, and of no other kind."""
    made = getattr(bench().meter, create)("bot.thing", unit="s", description="A thing.")
    assert [other for other in CREATORS.values() if isinstance(made, other)] == [kind]
    assert isinstance(made, api.Instrument)


def test_sums_and_last_values(bench: MakeBench) -> None:
    """Counters add up, up-down counters go both ways, gauges hold the last value; each series by its attributes."""
    made = bench()
    frames, position, price = (
        made.meter.create_counter("bot.frames", "{frame}", "Frames received."),
        made.meter.create_up_down_counter("bot.position"),
        made.meter.create_gauge("bot.price"),
    )
    for venue, amount in (("kalshi", 1), ("binance", 2), ("kalshi", 3)):
        frames.add(amount, {"venue": venue})
        position.add(-amount, attributes={"venue": venue})
        price.set(amount / 2, {"venue": venue})
    metrics = made.metrics()
    assert (metrics["bot.frames"].unit, metrics["bot.frames"].description) == ("{frame}", "Frames received.")
    assert metrics["bot.frames"].data.is_monotonic
    assert not metrics["bot.position"].data.is_monotonic
    venues = (("venue", "binance"),), (("venue", "kalshi"),)
    assert made.values("bot.frames") == dict(zip(venues, (2, 4), strict=True))
    assert made.values("bot.position") == dict(zip(venues, (-2, -4), strict=True))
    assert made.values("bot.price") == dict(zip(venues, (1.0, 1.5), strict=True))


def test_whole_numbers_stay_whole(bench: MakeBench) -> None:
    """A sum of ints is an int, also beyond what a double holds exactly; one float makes it a float."""
    made = bench()
    whole, mixed = made.meter.create_counter("whole"), made.meter.create_counter("mixed")
    for amount in (2**53, 1, True):
        whole.add(amount)
    mixed.add(1)
    mixed.add(0.5)
    assert made.values("whole") == {(): 2**53 + 2}
    assert isinstance(made.values("whole")[()], int)
    assert made.values("mixed") == {(): 1.5}


def test_histograms_have_the_specifications_bounds(bench: MakeBench) -> None:
    """A histogram without advice has the default bounds, each of them inclusive, with count, sum, min and max."""
    made = bench()
    histogram = made.meter.create_histogram("bot.latency", "ms")
    for value in (0, 5, 5.1, 20_000):
        histogram.record(value)
    (point,) = made.points("bot.latency")
    assert list(point.explicit_bounds) == [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1e3, 2.5e3, 5e3, 7.5e3, 1e4]
    assert list(point.bucket_counts) == [1, 1, 1, *[0] * 12, 1]
    assert (point.count, point.sum, point.min, point.max) == (4, pytest.approx(20_010.1), 0, 20_000)


def test_advised_bounds_are_used(bench: MakeBench) -> None:
    """An instrument's own bounds take the place of the default ones."""
    made = bench()
    made.meter.create_histogram("bot.edge", explicit_bucket_boundaries_advisory=[1, 2.5]).record(2)
    (point,) = made.points("bot.edge")
    assert (list(point.explicit_bounds), list(point.bucket_counts)) == ([1, 2.5], [0, 1, 0])


def test_names_know_no_case(bench: MakeBench) -> None:
    """A name in other letters is the same instrument, and so is a second request for it."""
    made = bench()
    first = made.meter.create_counter("Bot.Frames", "1", "Frames.")
    assert made.meter.create_counter("bot.FRAMES", "1", "Frames.") is first
    assert made.provider.get_meter("bot", "1.0").create_counter("bot.frames", "1", "Frames.") is first
    first.add(1)
    assert made.values("bot.frames") == {(): 1}


def test_other_identities_are_other_instruments(bench: MakeBench) -> None:
    """Kind, unit, description and scope each make another instrument, and all of them work."""
    made = bench()
    instruments: list[Any] = [
        made.meter.create_counter("bot.frames"),
        made.meter.create_counter("bot.frames", "{frame}"),
        made.meter.create_counter("bot.frames", description="Frames."),
        made.meter.create_up_down_counter("bot.frames"),
        made.provider.get_meter("bot", "2.0").create_counter("bot.frames"),
        made.provider.get_meter("bot", "1.0", "https://schema").create_counter("bot.frames"),
        made.provider.get_meter("bot", "1.0", attributes={"a": 1}).create_counter("bot.frames"),
    ]
    assert len({id(instrument) for instrument in instruments}) == len(instruments)
    for instrument in instruments:
        instrument.add(1)
    data = made.data()
    assert data is not None
    (resource,) = data.resource_metrics
    points: list[Any] = [
        point for scope in resource.scope_metrics for metric in scope.metrics for point in metric.data.data_points
    ]
    assert [point.value for point in points] == [1] * len(instruments)
    scopes = [scope.scope for scope in resource.scope_metrics]
    assert len(scopes) == len(set(scopes)) == 4
    assert resource.resource.attributes["service.name"] == "test-bot"


def test_attributes_of_equal_value_and_other_type_are_other_series(bench: MakeBench) -> None:
    """True, 1, 1.0 and "1" are four values, alone and within a sequence; order of keys and kind of sequence are not."""
    made = bench()
    counter = made.meter.create_counter("bot.frames")
    for value in (True, 1, 1.0, "1", [True], [1], [1.0], (1,), ["1"]):
        counter.add(1, {"a": value, "b": 1})
        counter.add(1, {"b": 1, "a": value})
    points = made.points("bot.frames")
    assert sorted(point.value for point in points) == [2] * 7 + [4]


def test_a_dict_may_change_after_the_call(bench: MakeBench) -> None:
    """Attributes are copied: the same dict with another content is another series."""
    made = bench()
    counter, attributes = made.meter.create_counter("bot.frames"), {"venue": "kalshi"}
    counter.add(1, attributes)
    attributes["venue"] = "binance"
    counter.add(2, attributes)
    assert made.values("bot.frames") == {(("venue", "binance"),): 2, (("venue", "kalshi"),): 1}


def test_no_attributes_and_an_empty_dict_are_one_series(bench: MakeBench) -> None:
    """Nothing, None and an empty dict mean the same."""
    made = bench()
    counter = made.meter.create_counter("bot.frames")
    counter.add(1)
    counter.add(1, None)
    counter.add(1, {})
    assert made.values("bot.frames") == {(): 3}


def test_observables_report_what_callbacks_return(bench: MakeBench) -> None:
    """Functions, generators of observations and generators that are sent the options are all asked."""
    made = bench()

    def listed(_: api.CallbackOptions) -> list[Observation]:
        return [Observation(1, {"from": "list"})]

    def yielded(_: api.CallbackOptions) -> Any:
        yield Observation(2, {"from": "generator"})

    def sent() -> Any:
        options = yield
        while True:
            assert options.timeout_millis > 0
            options = yield [Observation(3, {"from": "send"})]

    for create in ("observable_counter", "observable_up_down_counter", "observable_gauge"):
        getattr(made.meter, f"create_{create}")(create, [listed, yielded, sent()])
    expected = {(("from", "list"),): 1, (("from", "generator"),): 2, (("from", "send"),): 3}
    for create in ("observable_counter", "observable_up_down_counter", "observable_gauge"):
        assert made.values(create) == expected
        assert made.values(create) == expected


def test_what_is_not_observed_is_not_reported(bench: MakeBench) -> None:
    """A series whose callback says nothing is left out of that collection."""
    made = bench()
    answers = [[Observation(1, {"a": 1}), Observation(2, {"a": 2})], [Observation(3, {"a": 2})], []]
    remaining = iter(answers)
    made.meter.create_observable_counter("seen", [lambda _: next(remaining)])
    assert made.values("seen") == {(("a", 1),): 1, (("a", 2),): 2}
    assert made.values("seen") == {(("a", 2),): 3}
    assert made.values("seen") == {}


def test_nothing_measured_is_nothing_collected(bench: MakeBench) -> None:
    """Instruments without measurements do not appear, and without any a reader gets nothing."""
    made = bench()
    made.meter.create_counter("bot.frames")
    made.meter.create_observable_gauge("bot.depth")
    assert made.data() is None
