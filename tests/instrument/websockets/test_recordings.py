"""Real clients receive whole recordings at full speed while connections break: all that came is counted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.instrument.feed_server import CLOSE, DROP, FREEZE, FeedServer, polymarket, recorded, trade
from tests.instrument.sockets import frames_received, states, total, until
from tests.instrument.websockets.clients import CLIENTS, by_asyncio

if TYPE_CHECKING:
    from otel_trading.testing import Captured

MALFORMED = '{"stream":"btcusdt@trade","data":{"e":"tra'

pytestmark = pytest.mark.usefixtures("instrumented")


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_recording_is_counted_whatever_happens_to_connections(telemetry: Captured, client: str) -> None:
    """Broken and closed connections, frames that break off: each frame counts once, each loss is one."""
    frames = recorded("spot")
    script = [*frames[:10_000], DROP, *frames[10_000:12_000], MALFORMED, CLOSE, *frames[12_000:], MALFORMED, "pong"]
    messages = len(script) - 2
    with FeedServer(script) as server:
        got = await CLIENTS[client](server.url + "/stream?streams=all", lambda got: got >= messages)
        assert (server.sent, got, server.connections) == (messages, messages, 3)
    assert frames_received(telemetry) == messages
    size = sum(len(each) for each in script if each not in {DROP, CLOSE})
    assert total(telemetry, "trading.venue.io", network_io_direction="receive") == size
    assert total(telemetry, "trading.market_data.messages") == len(frames)
    assert total(telemetry, "trading.market_data.errors", error_type="malformed") == 2
    assert total(telemetry, "trading.venue.reconnects") == 2
    assert total(telemetry, "trading.venue.connect.duration") == 3
    assert total(telemetry, "trading.venue.connection.duration") == 3
    assert states(telemetry) == {"disconnected": 1}


async def test_frames_are_told_apart_by_what_they_are_of(telemetry: Captured) -> None:
    """Each stream has its feed, with its symbol and the type of its frames; most frames of perpetuals tell a time."""
    frames = recorded("perp")[:20_000]
    with FeedServer(frames) as server:
        feeds: dict[str, Any] = {}

        def enough(got: int) -> bool:
            if got == len(frames):
                feeds.update({feed.about.subscription: feed for feed in telemetry.trading.feeds})
            return bool(feeds)

        await by_asyncio(server.url, enough)
    streams = Counter(frame.split('"')[3] for frame in frames)
    assert {name: feed.messages for name, feed in feeds.items()} == streams
    assert {(feed.about.symbol, feed.about.type) for feed in feeds.values()} == {
        ("BTCUSDT", "ticker"),
        ("BTCUSDT", "trade"),
        ("BTCUSDT", "book_update"),
    }
    assert sum(feed.refused for feed in feeds.values()) == len(frames)  # the recording is of another year
    assert all(feed.closed for feed in feeds.values())  # the bot has closed the connection


async def test_messages_of_a_prediction_market(telemetry: Captured) -> None:
    """Polymarket names its events and assets; what is no market data has no age."""
    messages = polymarket() * 50
    with FeedServer(messages) as server:
        kept: list[Any] = []

        def enough(got: int) -> bool:
            if got == len(messages):
                kept.extend(telemetry.trading.feeds)
            return bool(kept)

        await by_asyncio(server.url + "/ws/market", enough)
    assert frames_received(telemetry) == len(messages)
    assert {feed.about.subscription.split(":")[0]: feed.messages for feed in kept} == {
        "book": 50,
        "last_trade_price": 50,
        "price_change": 50,
        "best_bid_ask": 50,
    }
    assert total(telemetry, "trading.market_data.errors", error_type="malformed") == 0


@pytest.mark.parametrize("client", CLIENTS)
async def test_an_open_connection_without_data_is_stale(telemetry: Captured, client: str) -> None:
    """The connection is there, its subscriptions get older, until data comes again."""
    feeds = telemetry.trading.feeds
    seen: list[str] = []

    def enough(got: int) -> bool:
        if got == 1:
            (feed,) = feeds
            feed.threshold = 0.05
            until(lambda: feeds.stale() == [feed])
            seen.append(f"{states(telemetry)}")
        return got == 1

    with FeedServer([trade(1), FREEZE]) as server:
        await CLIENTS[client](server.url, enough)
    assert seen == ["{'connected': 1}"]
    assert feeds.stale() == []  # the bot has closed it
