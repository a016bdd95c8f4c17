"""Frames of ccxt.pro: each is counted and timed, whatever becomes of it."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import WSMessage, WSMsgType
from ccxt.async_support.base.ws.client import Client

from otel_trading import _native
from otel_trading.instrument.ccxt.receipts import receipt
from otel_trading.instrument.reporting import reporting
from otel_trading.instrument.sockets import Sockets
from otel_trading.testing import capture
from tests.demo.venue.venue_clients import until
from tests.instrument.ccxt_streams.pushing import SYMBOL, Server, exchange_at, measured, quote, soon, total, trade

if TYPE_CHECKING:
    from otel_trading.testing import Captured

RECEIVED = {"network_io_direction": "receive", "trading_venue_name": "binance"}
SENT = {"network_io_direction": "transmit", "trading_venue_name": "binance"}


async def test_every_frame_is_counted_and_timed(telemetry: Captured) -> None:
    """More than the bot ever gets to see, and each byte of them; what it sends, too."""
    async with Server() as server, exchange_at(server) as exchange:
        watching = asyncio.ensure_future(exchange.watch_trades(SYMBOL))
        await until(lambda: bool(server.received))
        for number in range(3_000):
            await server.push(trade(number, exchange.milliseconds()))
        assert len(await soon(watching)) <= 1_000
        await until(lambda: total(telemetry, "trading.venue.messages", **RECEIVED) == len(server.sent))
        assert total(telemetry, "trading.venue.io", **RECEIVED) == sum(map(len, server.sent))
        assert total(telemetry, "trading.venue.messages", **SENT) == len(server.received) == 1
        assert total(telemetry, "trading.venue.io", **SENT) == len(server.received[0])
        for stage in ("parse", "dispatch"):
            assert measured(telemetry, f"trading.venue.message.{stage}.duration") == len(server.sent)
        assert total(telemetry, "trading.market_data.messages", trading_market_data_type="trade") == 3_000


async def test_parsing_and_dispatch_are_told_apart(native: Captured) -> None:
    """What the bot does with a frame is not the parser's time."""

    def slow(_: Any, __: Any) -> None:
        until_ = time.perf_counter() + 0.02
        while time.perf_counter() < until_:
            pass

    client = Client("wss://venue.example/ws", slow, None, None, None, {})
    client.handle_message(WSMessage(WSMsgType.TEXT, '{"a": 1}', None))
    assert native.metrics["trading.venue.message.dispatch.duration"].sum >= 0.019
    assert native.metrics["trading.venue.message.parse.duration"].sum < 0.019


@pytest.mark.parametrize(
    ("message", "frames", "size"),
    [
        (WSMessage(WSMsgType.TEXT, '{"a": "é"}', None), 1, 11),
        (WSMessage(WSMsgType.BINARY, b'{"a": 1}', None), 1, 8),
        (WSMessage(WSMsgType.TEXT, "pong", None), 1, 4),
        (WSMessage(WSMsgType.PONG, b"", None), 0, 0),
        (WSMessage(WSMsgType.CLOSED, None, None), 0, 0),
    ],
)
async def test_what_a_frame_is(native: Captured, message: WSMessage, frames: int, size: int) -> None:
    """Texts and binary frames are messages; pings, pongs and what aiohttp says of the connection are none."""
    seen: list[Any] = []
    client = Client("wss://stream.binance.com/ws", lambda _, content: seen.append(content), None, None, None, {})
    client.handle_message(message)
    assert len(seen) == frames
    assert total(native, "trading.venue.messages", **RECEIVED) == frames
    assert total(native, "trading.venue.io", **RECEIVED) == size


async def test_a_frame_that_cannot_be_parsed(telemetry: Captured) -> None:
    """ccxt raises what it always raises; it is counted each time, and said once."""
    client = Client("wss://stream.binance.com/ws", lambda _, __: None, None, None, None, {})
    broken = WSMessage(WSMsgType.TEXT, '{"e":"trade","E":17', None)
    for _ in range(50):
        with pytest.raises(json.JSONDecodeError) as raised:
            client.handle_message(broken)
    kind = type(raised.value).__name__
    assert not f"{raised.traceback[-1].path}".endswith("streams.py")
    assert total(telemetry, "trading.market_data.errors", error_type=kind, trading_venue_name="binance") == 50
    assert total(telemetry, "trading.venue.messages", **RECEIVED) == 50
    assert measured(telemetry, "trading.venue.message.parse.duration") == 0
    assert [log.event for log in telemetry.logs] == ["trading.market_data.error"]


async def test_a_handler_that_fails(native: Captured) -> None:
    """What the bot or ccxt raises for a frame is the same object that it was; it counts as a frame of no use."""
    error = KeyError("symbol")

    def fail(_: Any, __: Any) -> None:
        raise error

    client = Client("wss://stream.binance.com/ws", fail, None, None, None, {})
    with pytest.raises(KeyError) as raised:
        client.handle_message(WSMessage(WSMsgType.TEXT, "{}", None))
    assert raised.value is error
    assert total(native, "trading.market_data.errors", error_type="KeyError") == 1
    assert measured(native, "trading.venue.message.dispatch.duration") == 1


async def test_a_malformed_frame_ends_no_other_connection(native: Captured) -> None:
    """ccxt stops reading the one socket, as it does without us; the others are measured on."""
    async with Server() as server, exchange_at(server) as exchange:
        said: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context["exception"]))
        trades = asyncio.ensure_future(exchange.watch_trades(SYMBOL))
        await until(lambda: len(server.received) == 1)
        (broken,) = server.sockets
        quotes = asyncio.ensure_future(exchange.watch_bids_asks([SYMBOL]))
        await until(lambda: len(server.received) == 2)
        await broken.send_str('{"e":"tra')
        await until(lambda: total(native, "trading.market_data.errors", trading_venue_name="binance") == 1)
        await server.push(quote(1))
        assert SYMBOL in await soon(quotes)
        assert [isinstance(error, ValueError) for error in said] == [True]
        assert not trades.done()
        trades.cancel()


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_receipts_of_both_engines(engine: Any) -> None:
    """They count and time alike, whatever a message is; one that was not parsed has no times."""
    with capture(engine=engine, real_time=True) as telemetry:
        series = Sockets(reporting({})).series("binance")
        made = receipt(series[0], series[1], series[4], series[5])
        assert isinstance(made, _native.Receipt) == (engine == "native")
        for number, data in enumerate(("abc", "€", "\ud800", b"abcd", bytearray(2), None, 5)):
            made.begin()
            if number % 2:
                made.parsed()
            made.end(data)
        assert total(telemetry, "trading.venue.messages", **RECEIVED) == 7
        assert total(telemetry, "trading.venue.io", **RECEIVED) == 3 + 3 + 1 + 4 + 2
        for stage in ("parse", "dispatch"):
            assert measured(telemetry, f"trading.venue.message.{stage}.duration") == 3


def test_receipts_need_handles() -> None:
    """Of two counters and two histograms."""
    with capture() as telemetry:
        counter = telemetry.meter.create_counter("bot.frames").bind({})
        for given in ((), (1, 2, 3, 4), (counter, counter, counter, counter)):
            with pytest.raises(TypeError, match="two counters, two histograms"):
                _native.Receipt(*given)
