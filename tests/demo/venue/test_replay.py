"""Both recordings at full speed, through real ccxt.pro clients."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.demo.venue import RecordedMarket, VenueProcess, VenueProcessError, Venues
from otel_trading.demo.venue.recording import Recording, RecordingError
from tests.demo.venue.venue_clients import recordings, until, watching

if TYPE_CHECKING:
    from pathlib import Path

FRAMES = {
    "spot": {"bookTicker": 28040, "trade": 9757, "depth": 3451},
    "perp": {"bookTicker": 66089, "trade": 21313, "depth": 6551},
}
LEVELS = 10


def final_book(recording: Recording) -> dict[str, list[list[float]]]:
    """Apply every delta to the snapshot, the plain way."""
    snapshot = json.loads(recording.snapshot())
    sides = {side: {float(price): float(size) for price, size in snapshot[side]} for side in ("bids", "asks")}
    for frame in recording.frames():
        if frame.stream != "depth":
            continue
        delta = json.loads(frame.payload)
        if delta["u"] <= snapshot["lastUpdateId"]:
            continue
        for side, changes in (("bids", delta["b"]), ("asks", delta["a"])):
            for price, size in changes:
                sides[side][float(price)] = float(size)
    top = {}
    for side, sign in (("bids", -1), ("asks", 1)):
        levels = [[price, size] for price, size in sides[side].items() if size]
        top[side] = sorted(levels, key=lambda level: sign * level[0])[:LEVELS]
    return top


async def test_every_frame_of_both_recordings_reaches_the_bot(record_property: Any) -> None:
    """All 135,201 frames arrive, counted by stream, and both ccxt books end as the deltas say."""
    async with VenueProcess(**recordings(), speed=None) as venues:
        async with watching(venues) as (spot, perp):
            started = time.perf_counter()
            await venues.finished()
            await until(lambda: spot.frames.total() + perp.frames.total() >= 135_201, 60)
            seconds = time.perf_counter() - started
            stats = await venues.stats()
            books = {
                "spot": spot.client.orderbooks[spot.symbol],
                "perp": perp.client.orderbooks[perp.symbol],
            }
            tops = {
                name: {side: [list(level) for level in book[side][:LEVELS]] for side in ("bids", "asks")}
                for name, book in books.items()
            }
        assert dict(spot.frames) == stats["spot"]["sent"] == FRAMES["spot"]
        assert dict(perp.frames) == stats["perp"]["sent"] == FRAMES["perp"]
        assert stats["frames"] == 135_201
        assert not stats["spot"]["dropped"]
        assert not stats["perp"]["dropped"]
        assert not spot.errors
        assert not perp.errors
    assert tops["spot"] == final_book(Recording(recordings()["spot"], "spot"))
    assert tops["perp"] == final_book(Recording(recordings()["perp"], "perp"))
    record_property("seconds", seconds)
    record_property("frames_per_second", 135_201 / seconds)
    print(f"135,201 frames in {seconds:.2f} s: {135_201 / seconds:,.0f} frames/s")  # noqa: T201 - shown by pytest -s


async def test_a_client_that_comes_late_gets_a_book_that_continues() -> None:
    """After the recorded snapshot is passed, the depth answer fits the deltas that follow it."""
    market = RecordedMarket(**recordings())
    async with Venues(market, speed=20.0) as venues, watching(venues) as (spot, _):
        await until(lambda: spot.frames["depth"] > 100)
        async with watching(venues) as (late, late_perp):
            await until(lambda: late.frames["depth"] > 50 and late_perp.frames["depth"] > 50)
            assert len(late.seen["book"]) > 5
            assert not late.errors
            assert not late_perp.errors
            await until(
                lambda: late.client.orderbooks[late.symbol]["nonce"] == spot.client.orderbooks[spot.symbol]["nonce"]
            )
            assert late.best("bids") == spot.best("bids")


async def test_the_replay_keeps_its_pace() -> None:
    """At ten times the recorded pace, a second plays ten."""
    market = RecordedMarket(**recordings())
    async with Venues(market, speed=10.0) as venues:
        started = time.perf_counter()
        await venues.start(wait_for=[])
        await asyncio.sleep(1.0)
        played, elapsed = venues.replay.position_ns / 1e9, time.perf_counter() - started
        assert 8.0 < played / elapsed < 10.5


async def test_frames_nobody_subscribed_are_counted_as_dropped() -> None:
    """Without subscribers the replay runs on and says what nobody took."""
    market = RecordedMarket(**recordings())
    async with Venues(market, speed=None) as venues:
        await venues.start(wait_for=[])
        await venues.finished()
        stats = await venues.stats()
    assert stats["spot"]["dropped"] == FRAMES["spot"]
    assert stats["perp"]["dropped"] == FRAMES["perp"]
    assert stats["state"] == "finished"


async def test_start_gives_up_when_nobody_subscribes() -> None:
    """Waiting for subscribers ends with a TimeoutError, and nothing was played."""
    async with VenueProcess(**recordings()) as venues:
        with pytest.raises(TimeoutError, match="subscribed"):
            await venues.start(within=0.1)
        assert (await venues.stats())["state"] == "waiting"


def test_a_file_without_a_snapshot_is_refused(tmp_path: Path) -> None:
    """The error names the file."""
    import gzip

    file = tmp_path / "empty.gz"
    file.write_bytes(gzip.compress(b"1 {}\n"))
    with pytest.raises(RecordingError, match=r"empty\.gz holds no depth snapshot"):
        Recording(file, "spot").snapshot()


async def test_a_recording_that_breaks_off_is_told(tmp_path: Path) -> None:
    """A truncated file ends the replay with its reason instead of leaving everybody waiting."""
    files = recordings()
    cut = tmp_path / "cut.gz"
    cut.write_bytes(files["spot"].read_bytes()[:100_000])
    async with VenueProcess(spot=cut, perp=files["perp"], speed=None) as venues:
        await venues.start(wait_for=[])
        with pytest.raises(VenueProcessError, match="broke off: EOFError"):
            await venues.finished()
