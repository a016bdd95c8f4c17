"""Whole recordings through real ccxt.pro clients, with faults: telemetry has counted what the venues have sent."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, cast

from otel_trading.demo.venue import RecordedMarket, Venues
from otel_trading.demo.venue.market import STREAMS
from tests.demo.venue.venue_clients import Watcher, recordings, until
from tests.instrument.ccxt_streams.pushing import total

if TYPE_CHECKING:
    from otel_trading.demo.venue.market import Frame, VenueName
    from otel_trading.testing import Captured

NAMES = {"spot": "binance", "perp": "binanceusdm"}
FAULTS = {
    20_000: "disconnect:spot",
    40_000: "silent:perp",
    60_000: "malformed:spot",
    80_000: "disconnect:perp",
    100_000: "malformed:perp",
    120_000: "silent:spot",
}


def counted(telemetry: Captured, venue: str) -> float:
    """Frames of market data: all messages less the answers to what the bot sent, one each."""
    received, sent = (
        total(telemetry, "trading.venue.messages", network_io_direction=direction, trading_venue_name=NAMES[venue])
        for direction in ("receive", "transmit")
    )
    return received - sent


async def drained(telemetry: Captured, venues: Venues) -> None:
    """All that was sent is counted."""
    await until(
        lambda: all(counted(telemetry, name) == venue.feed.sent.total() for name, venue in venues.venues.items()), 60
    )


async def subscribed(venues: Venues) -> None:
    """Somebody listens to everything."""
    async with asyncio.timeout(60):
        for venue in venues.venues.values():
            await venue.feed.wait_for_subscribers(list(STREAMS))


async def have(
    fault: str, frame: Frame, telemetry: Captured, venues: Venues, watchers: dict[VenueName, Watcher]
) -> None:
    """Let a fault act, and wait until the bot is over it."""
    kind, _, name = fault.partition(":")
    at = cast("VenueName", name)
    other, watcher = venues.venues[at], watchers[at]
    errors = total(telemetry, "trading.market_data.errors", error_type="JSONDecodeError")
    await venues.switch_on(fault)
    if kind == "disconnect":
        await until(lambda: not any(other.feed.subscribers().values()))
    elif kind == "malformed":
        await other.feed.publish("trade", frame.payload)
        await until(lambda: total(telemetry, "trading.market_data.errors", error_type="JSONDecodeError") > errors)
        for stuck in [
            each for each in watcher.client.clients.values() if "trade::" + watcher.symbol in each.subscriptions
        ]:
            stuck.on_error(TimeoutError("no pongs"))  # ccxt's own end of a socket it reads no more
        await until(lambda: not other.feed.subscribers()["trade"])
    else:
        for _ in range(100):
            await other.feed.publish("trade", frame.payload)
        assert other.feed.silenced["trade"] == 100
    await venues.switch_off()


async def test_all_frames_of_the_recordings_are_counted(native: Captured, record_property: Any) -> None:
    """135,201 of two venues at full speed, with lost connections, silence and broken frames in between."""
    source = RecordedMarket(**recordings())
    asyncio.get_running_loop().set_exception_handler(lambda _, __: None)  # of the sockets that ccxt stops reading
    async with (
        Venues(source, speed=None) as venues,
        Watcher("spot", venues.spot_url) as spot,
        Watcher("perp", venues.perp_url) as perp,
    ):
        watchers: dict[VenueName, Watcher] = {"spot": spot, "perp": perp}
        for watcher in watchers.values():
            watcher.watch_market()
        await subscribed(venues)
        began = time.perf_counter()
        number = 0
        for number, frame in enumerate(source.frames(lambda _: 0), 1):
            if number in FAULTS:
                await drained(native, venues)
                await have(FAULTS[number], frame, native, venues, watchers)
                await subscribed(venues)
            elif number % 32 == 0:
                await asyncio.sleep(0)
            await venues.venues[frame.venue].market_data(frame)
        await drained(native, venues)
        record_property("seconds", time.perf_counter() - began)
        assert number == 135_201
        sent = {name: venue.feed.sent for name, venue in venues.venues.items()}
        assert sum(each.total() for each in sent.values()) == 135_201 + 2  # the broken ones are further ones
        assert total(native, "trading.market_data.errors", error_type="JSONDecodeError") == 2
        assert total(native, "trading.venue.reconnects") >= 2
        for name, watcher in watchers.items():
            assert watcher.frames.total() >= sent[name].total() - 1
            fed = {feed.about.type: feed.messages for feed in native.trading.feeds if feed.about.venue == NAMES[name]}
            assert fed["ticker"] == sent[name]["bookTicker"]
            assert fed["trade"] == sent[name]["trade"] - 1
            assert 0 < fed["book_update"] <= sent[name]["depth"] + 10
