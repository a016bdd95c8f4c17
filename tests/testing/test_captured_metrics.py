from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import pytest
from opentelemetry.metrics import CallbackOptions, Observation

from otel_trading.testing import Captured, NotCapturedError, capture

if TYPE_CHECKING:
    from collections.abc import Iterable


def test_percentiles_are_within_one_percent(telemetry: Captured) -> None:
    """Over nine powers of ten every percentile is as near to the measured value as promised."""
    generator = random.Random(7)  # noqa: S311 - the same in every run
    seconds = sorted(10 ** generator.uniform(-6, 3) for _ in range(5_000))
    histogram = telemetry.meter.create_histogram("bot.wide.duration", "s")
    for value in seconds:
        histogram.record(value)
    captured = telemetry.metrics["bot.wide.duration"]
    assert (captured.count, captured.min, captured.max) == (5_000, seconds[0], seconds[-1])
    assert captured.sum == pytest.approx(math.fsum(seconds))
    assert captured.mean == pytest.approx(math.fsum(seconds) / 5_000)
    shorthands = {
        0.5: captured.p50,
        0.9: captured.p90,
        0.95: captured.p95,
        0.99: captured.p99,
        0.999: captured.p999,
    }
    for share, found in shorthands.items():
        assert found == pytest.approx(seconds[math.ceil(share * 5_000) - 1], rel=0.01)


def test_a_single_measurement_is_every_percentile(telemetry: Captured) -> None:
    """One slow fill is found exactly."""
    telemetry.meter.create_histogram("trading.order.fill.duration", "s").record(0.9)
    fill = telemetry.metrics["trading.order.fill.duration"]
    assert (fill.p50, fill.p99, fill.count, fill.sum) == (0.9, 0.9, 1, 0.9)


def test_series_are_selected_by_attributes(telemetry: Captured) -> None:
    """By call with keywords, by where with names that have dots, and together they are added up."""
    frames = telemetry.meter.create_counter("bot.frames")
    frames.add(2, {"venue": "binance", "trading.order.side": "buy"})
    frames.add(3, {"venue": "kraken", "trading.order.side": "buy"})
    captured = telemetry.metrics["bot.frames"]
    assert captured(venue="binance").value == 2
    assert captured.where({"trading.order.side": "buy"}).value == captured(trading_order_side="buy").value == 5
    assert captured.where(venue="kraken", trading_order_side="buy").value == 3
    assert captured.attributes == [
        {"venue": "binance", "trading.order.side": "buy"},
        {"venue": "kraken", "trading.order.side": "buy"},
    ]


def test_a_series_that_is_not_there_is_told_with_those_that_are(telemetry: Captured) -> None:
    """The error names the attributes that were asked for and every series of the metric."""
    telemetry.meter.create_counter("bot.frames").add(2, {"venue": "binance"})
    with pytest.raises(NotCapturedError, match=r"no series with \{'venue': 'kraken'\}(.|\n)*venue='binance'\} 2"):
        telemetry.metrics["bot.frames"](venue="kraken")


def test_a_metric_that_is_not_there_is_told_with_those_that_are(telemetry: Captured) -> None:
    """The error suggests the likely name and lists all, without what telemetry says of itself."""
    telemetry.meter.create_counter("bot.frames").add(2)
    telemetry.meter.create_counter("bot.orders").add(2)
    with pytest.raises(NotCapturedError) as caught:
        telemetry.metrics["bot.frame"]
    expected = "no metric 'bot.frame' was captured; did you mean 'bot.frames'?\ncaptured: bot.frames, bot.orders"
    assert str(caught.value) == expected
    assert list(telemetry.metrics) == telemetry.metrics.names == ["bot.frames", "bot.orders"]
    assert "bot.frame" not in telemetry.metrics
    assert "bot.frames" in telemetry.metrics
    assert telemetry.metrics["trading.telemetry.events"].value == 0


def test_instruments_without_measurements_are_not_captured(telemetry: Captured) -> None:
    """An instrument that was only made is no metric yet."""
    telemetry.meter.create_counter("bot.frames")
    assert "bot.frames" not in telemetry.metrics
    assert len(telemetry.metrics) == 0


def test_gauges_have_one_value_a_series(telemetry: Captured) -> None:
    """A gauge's value is that of one series; of several it is asked which."""
    position = telemetry.meter.create_gauge("trading.position.quantity")
    position.set(3, {"symbol": "BTC"})
    assert telemetry.metrics["trading.position.quantity"].value == 3
    position.set(-1, {"symbol": "ETH"})
    with pytest.raises(NotCapturedError, match="a gauge of 2 series has no single value"):
        _ = telemetry.metrics["trading.position.quantity"].value
    assert telemetry.metrics["trading.position.quantity"](symbol="ETH").value == -1


def test_what_a_kind_does_not_have_is_said(telemetry: Captured) -> None:
    """A counter has no percentiles and a histogram no value; the error says what to ask for."""
    telemetry.meter.create_counter("bot.frames").add(1)
    telemetry.meter.create_histogram("bot.decide", "s").record(1)
    with pytest.raises(NotCapturedError, match="a counter has no distribution: ask for value"):
        _ = telemetry.metrics["bot.frames"].p99
    with pytest.raises(NotCapturedError, match="a histogram has no single value: ask for count"):
        _ = telemetry.metrics["bot.decide"].value
    assert repr(telemetry.metrics["bot.decide"]) == "<histogram bot.decide [s]: {} 1 measurements, sum 1>"


def test_observables_are_asked_at_the_moment(telemetry: Captured) -> None:
    """An observable shows its present value at every look."""
    depth = [4]

    def observe(_: CallbackOptions) -> Iterable[Observation]:
        yield Observation(depth[0])

    telemetry.meter.create_observable_gauge("trading.queue.depth", [observe])
    assert telemetry.metrics["trading.queue.depth"].value == 4
    depth[0] = 5
    assert telemetry.metrics["trading.queue.depth"].value == 5


def test_two_libraries_may_use_one_name(telemetry: Captured) -> None:
    """The series of two scopes are shown together."""
    for scope in ("first", "second"):
        telemetry.meter_provider.get_meter(scope).create_counter("bot.frames").add(1)
    assert telemetry.metrics["bot.frames"].value == 2


def test_the_engine_can_be_chosen() -> None:
    """The sdk engine is there by name; an unknown one is refused when it is asked for."""
    with capture(engine="sdk") as telemetry:
        telemetry.meter.create_counter("bot.frames").add(1)
        assert telemetry.metrics["bot.frames"].value == 1
