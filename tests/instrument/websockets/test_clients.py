"""What the instrumentation sees of the clients of ``websockets``, and what it leaves as it is."""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import websockets.sync.client
from opentelemetry.instrumentation.utils import suppress_instrumentation
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidStatus

import otel_trading
from tests.instrument.feed_server import CLOSE, DROP, ECHO, FREEZE, FeedServer, trade
from tests.instrument.sockets import failed_connects, frames_received, frames_sent, states, total, until
from tests.instrument.websockets.clients import CLIENTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from otel_trading.instrument.websockets import WebSocketsInstrumentor
    from otel_trading.testing import Captured


@pytest.mark.usefixtures("instrumented")
async def test_what_is_sent_counts(telemetry: Captured) -> None:
    """Messages, pings and pongs, with the bytes of their content; a message in parts is one."""

    async def parts() -> AsyncIterator[str]:
        yield "x"

    with FeedServer([ECHO]) as server:
        async with connect(server.url) as connection:
            await connection.send("abc")
            await connection.send(message="€")
            await connection.send(b"12")
            await connection.send(["12", "34"])
            await connection.send(parts())
            await (await connection.ping())
            await (await connection.ping(data=b"data"))
            await connection.pong()
            assert [await connection.recv() for _ in range(5)] == ["abc", "€", b"12", "1234", "x"]
    assert (frames_sent(telemetry), frames_received(telemetry)) == (8, 5)
    assert total(telemetry, "trading.venue.io", network_io_direction="transmit") == 3 + 3 + 2 + 4 + 4
    assert total(telemetry, "trading.venue.io", network_io_direction="receive") == 3 + 3 + 2 + 4 + 1


@pytest.mark.usefixtures("instrumented")
def test_what_a_thread_sends_counts(telemetry: Captured) -> None:
    """As with the asyncio client; several threads use connections of their own."""

    def exchange() -> None:
        with websockets.sync.client.connect(uri=server.url) as connection:
            for number in range(100):
                connection.send(trade(number))
                connection.recv(timeout=60)
            connection.ping().wait(60)

    with FeedServer(iter(lambda: ECHO, None)) as server:
        threads = [threading.Thread(target=exchange) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (frames_sent(telemetry), frames_received(telemetry)) == (404, 400)
    assert total(telemetry, "trading.market_data.messages") == 400
    assert total(telemetry, "trading.venue.reconnects") == 0
    assert states(telemetry).keys() == {"disconnected"}


@pytest.mark.usefixtures("instrumented")
@pytest.mark.parametrize("size", [1, 3])
async def test_a_message_in_parts_is_one(telemetry: Captured, size: int) -> None:
    """``recv_streaming`` gives its parts; what it is of is in the first one."""
    text = trade(1)
    sent = [text[:70], *text[70:].partition("p")][:size] if size > 1 else [text]
    sent[-1] = text[sum(map(len, sent[:-1])) :]
    with FeedServer([sent]) as server:
        async with connect(server.url) as connection:
            assert "".join([str(part) async for part in connection.recv_streaming()]) == text
            assert [feed.about.subscription for feed in telemetry.trading.feeds] == ["btcusdt@trade"]
    assert frames_received(telemetry) == 1
    assert total(telemetry, "trading.venue.io", network_io_direction="receive") == len(text)
    assert total(telemetry, "trading.market_data.errors") == 0


@pytest.mark.usefixtures("instrumented")
def test_a_message_in_parts_is_one_in_threads(telemetry: Captured) -> None:
    """As with the asyncio client."""
    with FeedServer([[trade(1)[:70], trade(1)[70:]]]) as server, websockets.sync.client.connect(server.url) as client:
        assert "".join(str(part) for part in client.recv_streaming()) == trade(1)
    assert (frames_received(telemetry), total(telemetry, "trading.market_data.messages")) == (1, 1)


@pytest.mark.parametrize("instrumented", [False, True])
async def test_errors_are_the_librarys(
    instrumentor: WebSocketsInstrumentor, telemetry: Captured, *, instrumented: bool
) -> None:
    """The same ones with and without: of connections that end, and of those that never come about."""
    if instrumented:
        instrumentor.instrument()
    with FeedServer([CLOSE, DROP]) as server:
        async with connect(server.url) as connection:
            with pytest.raises(ConnectionClosedError, match="1012"):
                await connection.recv()
        async with connect(server.url) as connection:
            with pytest.raises(ConnectionClosedError, match="no close frame"):
                await connection.recv()
            with pytest.raises(ConnectionClosedError):
                await connection.send("x")
        with websockets.sync.client.connect(server.url) as client:
            with pytest.raises(TimeoutError):
                client.recv(timeout=0.01)
            client.close()
            with pytest.raises(ConnectionClosedOK):
                client.recv()
        server.refuse = True
        with pytest.raises(InvalidStatus, match="503"):
            await connect(server.url)
        with pytest.raises(InvalidStatus, match="503"):
            websockets.sync.client.connect(server.url)
    if instrumented:
        assert failed_connects(telemetry) == 2
        assert total(telemetry, "trading.venue.reconnects") == 2
        assert {
            point.attributes.get("error.type") for point in telemetry.metrics["trading.venue.reconnects"].points
        } == {
            "1012",
            "1006",
        }
    else:
        assert "trading.venue.messages" not in telemetry.metrics


@pytest.mark.usefixtures("instrumented")
async def test_waiting_for_a_message_may_be_given_up(telemetry: Captured) -> None:
    """Nothing is lost by it, and the connection is as it was."""
    with FeedServer([ECHO]) as server:
        async with connect(server.url) as connection:
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(connection.recv(), 0.005)
            await connection.send(trade(1))
            assert await asyncio.wait_for(connection.recv(), 60) == trade(1)
            assert states(telemetry) == {"connected": 1}
    assert frames_received(telemetry) == 1


async def test_a_connection_from_before_is_seen(instrumentor: WebSocketsInstrumentor, telemetry: Captured) -> None:
    """From its next message on, and no more when the instrumentation is taken back; also when it comes again."""
    with FeedServer([trade(number) for number in range(50)]) as server:
        async with connect(server.url + "/ws/btcusdt@trade", max_queue=64) as connection:
            for _ in range(10):
                await connection.recv()
            instrumentor.instrument()
            for _ in range(10):
                await connection.recv()
            assert states(telemetry) == {"connected": 1}
            names = {point.attributes["trading.connection.name"] for point in _states(telemetry)}
            assert names == {"127.0.0.1/ws/btcusdt@trade"}
            instrumentor.uninstrument()
            assert not [name for name in vars(connection) if "otel" in name]
            assert list(telemetry.trading.feeds) == []
            for _ in range(10):
                await connection.recv()
            instrumentor.instrument()
            for _ in range(10):
                await connection.recv()
    assert frames_received(telemetry) == 20
    assert total(telemetry, "trading.venue.connect.duration") == 0


def _states(telemetry: Captured) -> Any:
    return telemetry.metrics["trading.venue.connection.state"].points


@pytest.mark.usefixtures("instrumented")
async def test_a_connection_that_is_not_to_be_seen_stays_unseen(telemetry: Captured) -> None:
    """What was dialled while instrumentation was suppressed is left alone to its end."""
    with FeedServer([trade(1)]) as server:
        with suppress_instrumentation():
            connection = await connect(server.url)
        await connection.recv()
        await connection.send("x")
        await connection.close()
    assert "trading.venue.messages" not in telemetry.metrics
    assert states(telemetry) == {}


@pytest.mark.usefixtures("instrumented")
@pytest.mark.parametrize("client", CLIENTS)
async def test_what_a_lost_connection_carried_gets_older(telemetry: Captured, client: str) -> None:
    """Until the next one carries it, or the bot closes that one."""
    ages: dict[str, float] = {}

    def enough(got: int) -> bool:
        if got == 2:
            ages.update({feed.about.symbol: feed.age for feed in telemetry.trading.feeds})
        return got == 3

    with FeedServer([trade(1, "ETHUSDT"), DROP, trade(2), DROP, trade(3)]) as server:
        await CLIENTS[client](server.url, enough)
    assert ages["ETHUSDT"] > ages["BTCUSDT"]
    until(lambda: not list(telemetry.trading.feeds))


@pytest.mark.usefixtures("instrumented")
async def test_two_connections_may_carry_the_same(telemetry: Captured) -> None:
    """It is closed with the last of them; their names differ, and are free again afterwards."""
    with FeedServer([trade(1), FREEZE, trade(2), FREEZE, FREEZE]) as server:
        first, second = await connect(server.url), await connect(server.url)
        await first.recv()
        await second.recv()
        assert states(telemetry) == {"connected": 2}
        names = {point.attributes["trading.connection.name"] for point in _states(telemetry)}
        assert names == {"127.0.0.1", "127.0.0.1#2"}
        await first.close()
        (feed,) = telemetry.trading.feeds
        assert not feed.closed
        await second.close()
        assert feed.closed
        third = await connect(server.url)
        assert states(telemetry) == {"connected": 1, "disconnected": 1}
        await third.close()
    assert feed.messages == 2


@pytest.mark.usefixtures("instrumented")
async def test_a_hook_says_what_messages_are_of(telemetry: Captured, instrumentor: WebSocketsInstrumentor) -> None:
    """Instead of what is found in them; its errors cost only that."""
    instrumentor.uninstrument()
    time_ns = 1_700_000_000_000_000_000

    def of(message: str) -> tuple[str, str | None, str, int] | None:
        return None if message == "x" else (f"feed {int(message)}", "BTC/USDT", "trade", time_ns)

    instrumentor.instrument(frame_hook=of)
    with FeedServer(["1", "x", "1", "2", "y"]) as server:
        async with connect(server.url) as connection:
            for _ in range(5):
                await connection.recv()
            found = {feed.about.subscription: (feed.messages, feed.about.symbol) for feed in telemetry.trading.feeds}
    assert found == {"feed 1": (2, "BTC/USDT"), "feed 2": (1, "BTC/USDT")}
    assert frames_received(telemetry) == 5


@pytest.mark.usefixtures("instrumented")
async def test_subscriptions_are_told_apart_to_a_limit(telemetry: Captured) -> None:
    """Of a connection with very many, the rest is one; all is counted."""
    with FeedServer(trade(1, f"S{number}") for number in range(1_500)) as server:
        async with connect(server.url) as connection:
            for _ in range(1_500):
                await connection.recv()
            found = {feed.about.subscription: feed.messages for feed in telemetry.trading.feeds}
    assert (len(found), found["other"]) == (1_001, 500)
    assert total(telemetry, "trading.market_data.messages") == 1_500


@pytest.mark.usefixtures("instrumented")
async def test_what_is_of_the_account_may_be_quiet(telemetry: Captured) -> None:
    """It is counted, and never stale."""
    with FeedServer(['{"e":"executionReport","s":"BTCUSDT"}', trade(1), FREEZE]) as server:
        async with connect(server.url) as connection:
            await connection.recv()
            await connection.recv()
            for feed in telemetry.trading.feeds:
                feed.threshold = min(feed.threshold, float("inf") if feed.about.type == "user" else 0.01)
            until(telemetry.trading.feeds.stale)
            assert [feed.about.type for feed in telemetry.trading.feeds.stale()] == ["trade"]


@pytest.mark.usefixtures("instrumented")
async def test_a_connection_nobody_holds_is_gone(telemetry: Captured) -> None:
    """It is not said to be connected for ever."""
    with FeedServer([trade(1)]) as server:
        connection = await connect(server.url)
        await connection.recv()
        connection.transport.abort()
        del connection
        for _ in range(3):
            await asyncio.sleep(0.01)
        gc.collect()
        assert states(telemetry) == {"disconnected": 1}


async def test_venues_have_the_names_of_the_settings(instrumentor: WebSocketsInstrumentor, telemetry: Captured) -> None:
    """By host."""
    otel_trading.configure(venue_hosts={"127.0.0.1": "binance"}, banner=False)
    instrumentor.instrument()
    with FeedServer([trade(1)]) as server:
        async with connect(server.url) as connection:
            await connection.recv()
    assert total(telemetry, "trading.venue.messages", trading_venue_name="binance") == 1


@pytest.mark.usefixtures("instrumented")
def test_the_library_warns_of_the_callers_line() -> None:
    """As without: its warnings say where they come from."""
    with FeedServer([trade(1)]) as server:
        client = websockets.sync.client.connect(server.url)
        if hasattr(client, "pending_legacy_warning"):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                client.recv()
                client.close()
            assert [warning.filename for warning in caught] == [__file__]
        else:
            client.close()


@pytest.mark.usefixtures("instrumented")
def test_functions_look_as_before() -> None:
    """Names, signatures, coroutine functions."""
    for name in ("recv", "send", "close", "ping"):
        method = getattr(ClientConnection, name)
        assert (method.__name__, inspect.iscoroutinefunction(method)) == (name, True)
    assert list(inspect.signature(ClientConnection.recv).parameters) == ["self", "decode"]
