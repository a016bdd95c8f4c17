"""The generated market: sequences, determinism, and books that never cross."""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
from typing import Any

from otel_trading.demo.venue import GeneratedMarket, Venues
from otel_trading.demo.venue.market import VENUES, Frame, VenueName
from tests.demo.venue.venue_clients import until, watching


def take(seed: int, count: int) -> list[Frame]:
    return list(itertools.islice(GeneratedMarket(seed).frames(lambda position_ns: position_ns // 1_000_000), count))


def contents(frames: list[Frame], venue: VenueName, stream: str) -> list[dict[str, Any]]:
    return [json.loads(frame.payload) for frame in frames if (frame.venue, frame.stream) == (venue, stream)]


def test_the_same_seed_gives_the_same_market() -> None:
    """Frame for frame, and the snapshots too."""
    assert take(3, 3000) == take(3, 3000)
    assert GeneratedMarket(3).snapshots() == GeneratedMarket(3).snapshots()


def test_another_seed_gives_another_market() -> None:
    """Seeds are not decoration."""
    assert take(3, 100) != take(4, 100)


def test_time_never_goes_back() -> None:
    """Frames of both venues come in one order of time."""
    times = [frame.time_ns for frame in take(1, 20_000)]
    assert times == sorted(times)


def test_depth_updates_connect_without_a_gap() -> None:
    """Each delta begins where the one before ended, the first one at the snapshot."""
    frames = take(1, 20_000)
    for venue in VENUES:
        last = json.loads(GeneratedMarket(1).snapshots()[venue])["lastUpdateId"]
        deltas = contents(frames, venue, "depth")
        assert len(deltas) > 50
        for delta in deltas:
            assert delta["U"] == last + 1
            assert delta["u"] >= delta["U"]
            assert ("pu" in delta) == (venue == "perp")
            if venue == "perp":
                assert delta["pu"] == last
            last = delta["u"]


def test_quotes_never_cross_and_their_ids_rise() -> None:
    """The bid stays below the ask, and update ids never fall."""
    frames = take(2, 20_000)
    for venue in VENUES:
        quotes = contents(frames, venue, "bookTicker")
        assert all(float(quote["b"]) < float(quote["a"]) for quote in quotes)
        ids = [quote["u"] for quote in quotes]
        assert ids == sorted(ids)


def test_the_deltas_add_up_to_the_quotes() -> None:
    """After each delta, the book built of all deltas has the last quote on top."""
    for venue in VENUES:
        snapshot = json.loads(GeneratedMarket(5).snapshots()[venue])
        book = {side: dict(snapshot[side]) for side in ("bids", "asks")}
        quote: dict[str, Any] = {}
        checked = 0
        for frame in take(5, 20_000):
            if frame.venue != venue or frame.stream == "trade":
                continue
            content = json.loads(frame.payload)
            if frame.stream == "bookTicker":
                quote = content
                continue
            for side, changes in (("bids", content["b"]), ("asks", content["a"])):
                for price, size in changes:
                    book[side][price] = size
                    if not float(size):
                        del book[side][price]
            if quote:
                assert max(book["bids"], key=float) == quote["b"]
                assert min(book["asks"], key=float) == quote["a"]
                assert (book["bids"][quote["b"]], book["asks"][quote["a"]]) == (quote["B"], quote["A"])
                checked += 1
        assert checked > 50


def test_frames_look_like_the_recorded_ones() -> None:
    """The same keys as on the real wire; spot quotes carry no event time."""
    frames = take(1, 5000)
    keys = {(frame.venue, frame.stream): set(json.loads(frame.payload)) for frame in frames}
    assert keys["spot", "bookTicker"] == set("usbBaA")
    assert keys["perp", "bookTicker"] == set("eusbBaATE")
    assert keys["spot", "trade"] == set("eEstpqTmM")
    assert keys["perp", "trade"] == set("eETstpqXm")
    assert keys["spot", "depth"] == set("eEsUuba")
    assert keys["perp", "depth"] == {*"eETsUuba", "pu"}


def test_the_basis_moves_and_comes_back() -> None:
    """Within two minutes it leaves its mean by several basis points on both sides, several times a minute."""
    middle: dict[str, float] = {}
    basis = []
    second = 0
    for frame in GeneratedMarket(1).frames(lambda _: 0):
        if frame.stream == "bookTicker":
            quote = json.loads(frame.payload)
            middle[frame.venue] = (float(quote["b"]) + float(quote["a"])) / 2
        if frame.time_ns // 1_000_000_000 > second and len(middle) == 2:
            second = frame.time_ns // 1_000_000_000
            basis.append((middle["perp"] / middle["spot"] - 1) * 1e4)
        if second >= 120:
            break
    mean = statistics.fmean(basis)
    sides = [1 if value > mean else -1 for value in basis if abs(value - mean) > 3]
    turns = sum(a != b for a, b in itertools.pairwise(sides))
    assert 3 < statistics.pstdev(basis) < 15
    assert turns >= 8


async def test_ccxt_follows_it_without_a_resync() -> None:
    """Five times faster for two seconds: no error, books in step with the quotes, live event times."""
    async with Venues(GeneratedMarket(1), speed=5.0) as venues, watching(venues) as (spot, perp):
        await asyncio.sleep(2.0)
        await until(lambda: spot.frames.total() > 300 and perp.frames.total() > 600)
        await until(lambda: all(len(watcher.seen["book"]) > 20 for watcher in (spot, perp)))
        assert not spot.errors
        assert not perp.errors
        for watcher in (spot, perp):
            assert watcher.best("bids") < watcher.best("asks")
            assert len(watcher.seen["book"]) > 20

        def age() -> float:
            return float(perp.client.milliseconds() - perp.client.orderbooks[perp.symbol]["timestamp"])

        assert age() > -50
        await until(lambda: -50 < age() < 2000)  # the machine may be behind for a while
