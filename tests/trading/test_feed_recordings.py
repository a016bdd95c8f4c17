"""Feeds over real frames: their host's clock was 1.27 s behind, and spot book tickers tell no event time."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import pytest

from otel_trading.export.distribution import Distribution
from otel_trading.trading.feeds import Feeds
from tests.demo.venue.venue_clients import recordings
from tests.metrics.engines import Bench

if TYPE_CHECKING:
    from pathlib import Path

MS = 1_000_000
SECOND = 1_000 * MS
VENUES = {"spot": "binance", "perp": "binanceusdm"}


class Frame(NamedTuple):
    """When it was received, and when its event was; 0 where it does not say."""

    stream: str
    received: int
    event: int


@cache
def frames(file: Path) -> tuple[Frame, ...]:
    """Those of a recording, without the snapshot that was asked for."""
    found = []
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            received, _, text = line.partition(" ")
            message = json.loads(text)
            if "stream" in message:
                stream, event = message["stream"].split("@")[1], message["data"].get("E", 0)
                found.append(Frame(stream, int(received), event * MS))
    return tuple(found)


def played(venue: str, recorded: list[Frame], engine: str = "native") -> tuple[Bench, Feeds]:
    """All frames through feeds."""
    bench = Bench(engine)  # type: ignore[arg-type]
    feeds = Feeds(lambda: bench.meter)  # type: ignore[arg-type, return-value]  # the API's meter is the engine's
    for frame in recorded:
        feeds.feed(VENUES[venue], frame.stream, type=frame.stream).message(frame.event, frame.received)
    return bench, feeds


def latencies(bench: Bench) -> Distribution:
    return Distribution.merged([Distribution.of_point(point) for point in bench.points("trading.market_data.latency")])


@pytest.mark.parametrize("engine", ["native", "sdk"])
@pytest.mark.parametrize("venue", ["spot", "perp"])
def test_both_recordings(venue: str, engine: str) -> None:
    """Counts and negatives are exact, no latency is below zero, and the latencies are those of an estimate by hand."""
    recorded = list(frames(recordings()[venue]))  # type: ignore[literal-required]
    if engine == "sdk":
        recorded = recorded[:8_000]
    bench, feeds = played(venue, recorded, engine)
    counted = {feed.about.subscription: feed.messages for feed in feeds}
    assert counted == Counter(frame.stream for frame in recorded)

    raw = [frame.received - frame.event for frame in recorded if frame.event]
    assert all(latency < 0 for latency in raw)
    assert sum(feed.negatives for feed in feeds) == len(raw)
    negatives = bench.values("trading.market_data.latency.negative")
    assert sum(negatives.values()) == len(raw)
    assert sum(feed.refused for feed in feeds) == 0

    least, expected = raw[0], []
    for latency in raw:
        least = min(least, latency)
        expected.append((latency - least) / 1e9)
    found = latencies(bench)
    assert (found.count, found.low) == (len(raw), 0)
    assert found.total == pytest.approx(sum(expected))
    assert found.high == pytest.approx(max(expected))
    (offset,) = bench.values("trading.clock.offset").values()
    assert offset == pytest.approx(-least / 1e9)
    assert 1.2 < offset < 1.4
    assert sorted(expected)[len(expected) // 2] < 0.1


def test_spot_book_tickers_are_counted_and_aged_only() -> None:
    """They have no event time: no latency, no negative, no error."""
    recorded = [frame for frame in frames(recordings()["spot"]) if frame.stream == "bookTicker"]
    bench, feeds = played("spot", recorded)
    (feed,) = feeds
    assert feed.messages == len(recorded) == 28_040
    assert (feed.negatives, feed.refused, latencies(bench).count) == (0, 0, 0)
    assert feed.age is not None
    assert feed.age < 600


@pytest.mark.parametrize("seconds", [2, -2])
def test_a_step_in_the_middle(seconds: int) -> None:
    """The venue's clock is set while frames come: forward is followed with the third frame, back within the window."""
    recorded = list(frames(recordings()["perp"]))
    middle = recorded[len(recorded) // 2].received
    stepped = [
        frame._replace(event=frame.event + seconds * SECOND) if frame.event and frame.received > middle else frame
        for frame in recorded
    ]
    bench, feeds = played("perp", stepped)
    timed = sum(1 for frame in stepped if frame.event)
    refused = sum(feed.refused for feed in feeds)
    found = latencies(bench)
    (steps,) = bench.values("trading.clock.steps").values()
    (offset,) = bench.values("trading.clock.offset").values()
    assert found.count + refused == timed
    assert found.low == 0
    if seconds > 0:
        assert (refused, steps) == (2, 1)
        assert offset == pytest.approx(3.27, abs=0.1)
        assert found.quantile(0.999) < 1
    else:
        assert (refused, steps) == (0, 0)
        assert offset == pytest.approx(1.27, abs=0.1)
        assert found.quantile(0.9) > 1.9
