"""What the instrumentation sees of aiohttp's WebSockets, and what it leaves as it is."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import WSMsgType
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_trading.demo.exchange import make_exchange
from otel_trading.instrument.ccxt import CcxtInstrumentor
from tests.instrument.feed_server import CLOSE, DROP, ECHO, FREEZE, FeedServer, polymarket, recorded, trade
from tests.instrument.sockets import failed_connects, frames_received, frames_sent, states, total

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from otel_trading.instrument.aiohttp_websocket import AiohttpWebSocketInstrumentor
    from otel_trading.testing import Captured

MALFORMED = '{"stream":"btcusdt@trade","data":{"e":"tra'


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """One that outlives its connections."""
    async with aiohttp.ClientSession() as made:
        yield made


async def receive(session: aiohttp.ClientSession, url: str, messages: int) -> int:
    """Until so many have come, over as many connections as it takes."""
    got = 0
    while True:
        async with session.ws_connect(url) as connection:
            async for message in connection:
                got += message.type is WSMsgType.TEXT
                if got >= messages:
                    return got


@pytest.mark.usefixtures("instrumented")
@pytest.mark.parametrize("venue", ["spot", "polymarket"])
async def test_a_recording_is_counted_whatever_happens_to_connections(
    telemetry: Captured, session: aiohttp.ClientSession, venue: str
) -> None:
    """Broken and closed connections, frames that break off: each frame counts once, each loss is one."""
    frames = recorded("spot") if venue == "spot" else polymarket() * 500
    data = len(frames) if venue == "spot" else 4 * 500
    script = [*frames[:900], DROP, *frames[900:1_500], MALFORMED, CLOSE, *frames[1_500:], MALFORMED, "pong"]
    messages = len(script) - 2
    with FeedServer(script) as server:
        got = await receive(session, server.url + "/ws/market", messages)
        assert (server.sent, got, server.connections) == (messages, messages, 3)
    assert frames_received(telemetry) == messages
    size = sum(len(each.encode()) for each in script if each not in {DROP, CLOSE})
    assert total(telemetry, "trading.venue.io", network_io_direction="receive") == size
    assert total(telemetry, "trading.market_data.messages") == data
    assert total(telemetry, "trading.market_data.errors", error_type="malformed") == 2
    assert total(telemetry, "trading.venue.reconnects") == 2
    assert total(telemetry, "trading.venue.connect.duration") == 3
    assert total(telemetry, "trading.venue.connection.duration") == 3
    assert states(telemetry) == {"disconnected": 1}


@pytest.mark.usefixtures("instrumented")
async def test_every_way_to_receive_and_send_counts_once(telemetry: Captured, session: aiohttp.ClientSession) -> None:
    """Texts, bytes, JSON, pings."""
    with FeedServer([ECHO]) as server:
        connection = await session.ws_connect(server.url)
        await connection.send_str("€")
        await connection.send_bytes(b"12")
        await connection.send_json({"e": 1})
        await connection.send_str(data=trade(1))
        await connection.ping(b"xyz")
        await connection.pong()
        assert await connection.receive_str() == "€"
        assert await connection.receive_bytes() == b"12"
        assert await connection.receive_json() == {"e": 1}
        assert (await connection.receive()).data == trade(1)
        with pytest.raises(TypeError):
            await connection.send_str(1)  # type: ignore[arg-type]  # what the test is about
        assert await connection.close() is True
        assert await connection.close() is False
        assert (await connection.receive()).type is WSMsgType.CLOSED
    assert (frames_sent(telemetry), frames_received(telemetry)) == (6, 4)
    size = 3 + 2 + 8 + len(trade(1))
    assert total(telemetry, "trading.venue.io", network_io_direction="receive") == size
    assert total(telemetry, "trading.venue.io", network_io_direction="transmit") == size + 3
    assert total(telemetry, "trading.venue.reconnects") == 0
    assert states(telemetry) == {"disconnected": 1}


@pytest.mark.parametrize("instrumented", [False, True])
async def test_errors_and_results_are_the_librarys(
    instrumentor: AiohttpWebSocketInstrumentor,
    telemetry: Captured,
    session: aiohttp.ClientSession,
    *,
    instrumented: bool,
) -> None:
    """The same ones with and without."""
    if instrumented:
        instrumentor.instrument()
    with FeedServer([CLOSE, DROP]) as server:
        asked: Any = session.ws_connect(server.url)
        assert type(asked).__name__.endswith("RequestContextManager")
        connection = await asked
        message = await connection.receive()
        assert (message.type, message.data, connection.closed) == (WSMsgType.CLOSE, 1012, True)
        connection = await session.ws_connect(server.url)
        assert (await connection.receive()).type is WSMsgType.CLOSED
        server.refuse = True
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(server.url + "/ws?token=secret-of-mine")
        assert caught.value.status == 503
    with pytest.raises(aiohttp.ClientConnectorError):
        async with session.ws_connect(server.url):
            pass
    if instrumented:
        assert failed_connects(telemetry) == 2
        lost = telemetry.metrics["trading.venue.reconnects"].points
        kinds = {point.attributes.get("error.type") for point in lost}
        assert kinds in ({"1012", "1006"}, {"1012", "ClientConnectionResetError"})
        assert "secret-of-mine" not in str([(line.body, dict(line.attributes)) for line in telemetry.logs])
    else:
        assert "trading.venue.messages" not in telemetry.metrics


@pytest.mark.usefixtures("instrumented")
async def test_waiting_for_a_message_may_be_given_up(telemetry: Captured, session: aiohttp.ClientSession) -> None:
    """The connection is as it was, and what comes later counts; that the bot closes then is no loss."""
    with FeedServer([ECHO]) as server:
        async with session.ws_connect(server.url) as connection:
            with pytest.raises(TimeoutError):
                await connection.receive(timeout=0.01)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(connection.receive(), 0.01)
            assert states(telemetry) == {"connected": 1}
            await connection.send_str(trade(1))
            assert (await connection.receive()).data == trade(1)
    assert frames_received(telemetry) == 1
    assert total(telemetry, "trading.venue.reconnects") == 0


@pytest.mark.usefixtures("instrumented")
async def test_another_task_may_close(telemetry: Captured, session: aiohttp.ClientSession) -> None:
    """While one waits for a message; that is what the bot wants."""
    with FeedServer([FREEZE]) as server:
        connection = await session.ws_connect(server.url)
        waiting = asyncio.create_task(connection.receive())
        await asyncio.sleep(0)
        await asyncio.create_task(connection.close())
        assert (await waiting).type in {WSMsgType.CLOSING, WSMsgType.CLOSED}
    assert total(telemetry, "trading.venue.reconnects") == 0
    assert states(telemetry) == {"disconnected": 1}


@pytest.mark.usefixtures("instrumented")
async def test_a_venue_that_does_not_answer_is_lost(telemetry: Captured, session: aiohttp.ClientSession) -> None:
    """aiohttp's own heartbeat finds out, and the next call of the bot says so."""
    with FeedServer([FREEZE]) as server:
        connection = await session.ws_connect(server.url, heartbeat=0.1, autoping=False)
        server.pause(0.5)
        message = await connection.receive()
        while message.type is WSMsgType.PONG:
            message = await connection.receive()
        assert message.type in {WSMsgType.ERROR, WSMsgType.CLOSED}
        assert states(telemetry) == {"disconnected": 1}
        assert total(telemetry, "trading.venue.reconnects", error_type="ServerTimeoutError") == 1


async def test_a_connection_from_before_is_seen(
    instrumentor: AiohttpWebSocketInstrumentor, telemetry: Captured, session: aiohttp.ClientSession
) -> None:
    """From its next message on, and no more when the instrumentation is taken back."""
    with FeedServer([trade(number) for number in range(30)]) as server:
        async with session.ws_connect(server.url + "/ws/btcusdt@trade") as connection:
            await connection.receive()
            instrumentor.instrument()
            for _ in range(10):
                await connection.receive()
            (state, *_) = telemetry.metrics["trading.venue.connection.state"].points
            assert state.attributes["trading.connection.name"] == "127.0.0.1/ws/btcusdt@trade"
            instrumentor.uninstrument()
            assert not [name for name in vars(connection) if "otel" in name]
            await connection.receive()
    assert frames_received(telemetry) == 10


@pytest.mark.usefixtures("instrumented")
async def test_a_connection_that_is_not_to_be_seen_stays_unseen(
    telemetry: Captured, session: aiohttp.ClientSession
) -> None:
    """What was dialled while instrumentation was suppressed is left alone to its end."""
    with FeedServer([trade(1)]) as server:
        with suppress_instrumentation():
            connection = await session.ws_connect(server.url)
        await connection.receive()
        await connection.send_str("x")
        await connection.close()
    assert "trading.venue.messages" not in telemetry.metrics
    assert states(telemetry) == {}


@pytest.mark.usefixtures("instrumented")
async def test_addresses_may_be_relative(telemetry: Captured) -> None:
    """To that of the session."""
    with FeedServer([trade(1)]) as server:
        async with aiohttp.ClientSession(server.url + "/") as session, session.ws_connect("ws/v2") as connection:
            await connection.receive()
    assert total(telemetry, "trading.venue.connection.state", trading_connection_name="127.0.0.1/ws/v2") == 1


@pytest.mark.usefixtures("instrumented")
async def test_a_connection_nobody_holds_is_gone(telemetry: Captured, session: aiohttp.ClientSession) -> None:
    """It is not said to be connected for ever."""
    with FeedServer([trade(1), FREEZE]) as server:
        connection = await session.ws_connect(server.url)
        await connection.receive()
        del connection
        gc.collect()
        assert states(telemetry) == {"disconnected": 1}


@pytest.mark.usefixtures("instrumented")
async def test_a_hook_says_what_messages_are_of(
    telemetry: Captured, session: aiohttp.ClientSession, instrumentor: AiohttpWebSocketInstrumentor
) -> None:
    """Instead of what is found in them."""
    instrumentor.uninstrument()
    instrumentor.instrument(frame_hook=lambda message: (json.loads(message)["feed"], None, "ticker", 0))
    with FeedServer(['{"feed":"one"}', "no json", '{"feed":"one"}']) as server:
        async with session.ws_connect(server.url) as connection:
            for _ in range(3):
                await connection.receive()
            assert {feed.about.subscription: feed.messages for feed in telemetry.trading.feeds} == {"one": 2}


@pytest.fixture
def ccxt_instrumented() -> Iterator[None]:
    """The instrumentation of ccxt is on."""
    CcxtInstrumentor().instrument()
    yield
    CcxtInstrumentor().uninstrument()


async def hold(session: aiohttp.ClientSession, url: str) -> None:
    """A connection that a client of ccxt has opened."""
    exchange = make_exchange("spot", "http://127.0.0.1:1")
    try:
        client = exchange.client(url)
        await asyncio.wait_for(client.open(session), 30)
        assert client.isConnected
        await client.close()
    finally:
        await exchange.close()


@pytest.mark.usefixtures("instrumented", "ccxt_instrumented")
async def test_connections_of_ccxt_are_left_to_its_own_instrumentation(
    telemetry: Captured, session: aiohttp.ClientSession
) -> None:
    """Here they would be counted a second time."""
    with FeedServer([FREEZE]) as server:
        await hold(session, server.url)
    assert total(telemetry, "trading.venue.connect.duration") <= 1


@pytest.mark.usefixtures("instrumented")
async def test_connections_of_ccxt_are_seen_where_nobody_else_looks(
    telemetry: Captured, session: aiohttp.ClientSession
) -> None:
    """Without the instrumentation of ccxt they are as others."""
    with FeedServer([FREEZE]) as server:
        await hold(session, server.url)
    assert total(telemetry, "trading.venue.connect.duration") == 1
