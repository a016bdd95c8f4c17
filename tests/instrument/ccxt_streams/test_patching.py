"""Coming and going: clients of before and after, what is put back, and what is left alone."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import ccxt.pro
from aiohttp import WSMessage, WSMsgType
from ccxt.async_support.base.exchange import BaseExchange
from ccxt.async_support.base.ws.cache import ArrayCacheBySymbolById
from ccxt.async_support.base.ws.client import Client
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_trading.instrument.ccxt import CcxtInstrumentor
from otel_trading.testing import capture
from tests.demo.venue.venue_clients import until
from tests.instrument.ccxt_streams.pushing import SYMBOL, Server, connections, exchange_at, soon, total, trade

if TYPE_CHECKING:
    import pytest

PATCHED = (
    *((Client, name) for name in ("handle_message", "resolve", "reject", "future", "open", "create_connection")),
    *((Client, name) for name in ("on_error", "on_close", "close", "send")),
    *((BaseExchange, name) for name in ("close", "clean_unsubscription")),
    (ArrayCacheBySymbolById, "append"),
)
FRAME = WSMessage(WSMsgType.TEXT, "{}", None)


def test_the_originals_come_back() -> None:
    """Each attribute is what it was, and where it was."""
    before = [vars(owner).get(name) for owner, name in PATCHED]
    with capture():
        CcxtInstrumentor().instrument()
        assert all(vars(owner)[name] is not original for (owner, name), original in zip(PATCHED, before, strict=True))
        CcxtInstrumentor().uninstrument()
    assert [vars(owner).get(name) for owner, name in PATCHED] == before


async def test_clients_of_before_and_after() -> None:
    """One that is connected already is measured from its next frame on, and untouched afterwards."""
    async with Server() as server, exchange_at(server) as exchange:
        task = asyncio.ensure_future(exchange.watch_trades(SYMBOL))
        await until(lambda: len(server.received) == 1)
        (client,) = exchange.clients.values()
        with capture(real_time=True) as telemetry:
            CcxtInstrumentor().instrument()
            await server.push(trade(1, exchange.milliseconds()))
            await soon(task)
            assert total(telemetry, "trading.venue.messages") == 1
            assert [(feed.about.subscription, feed.messages) for feed in telemetry.trading.feeds] == [
                ("trade::BTC/USDT", 1)
            ]
            assert connections(telemetry) == [("connected", "")]
            CcxtInstrumentor().uninstrument()
            assert not list(telemetry.trading.feeds)
            assert client.on_message_callback == exchange.handle_message
            assert not [name for name in vars(client) if "otel" in name]
            task = asyncio.ensure_future(exchange.watch_trades(SYMBOL))
            await server.push(trade(2, exchange.milliseconds()))
            await soon(task)
            assert total(telemetry, "trading.venue.messages") == 1
            CcxtInstrumentor().instrument()
            task = asyncio.ensure_future(exchange.watch_trades(SYMBOL))
            await asyncio.sleep(0)
            await server.push(trade(3, exchange.milliseconds()))
            await soon(task)
            assert total(telemetry, "trading.venue.messages") == 2
            CcxtInstrumentor().uninstrument()


async def test_suppressed_when_it_connects() -> None:
    """A client that connects under suppression is never measured."""
    with capture(real_time=True) as telemetry:
        CcxtInstrumentor().instrument()
        try:
            async with Server() as server, exchange_at(server) as exchange:
                with suppress_instrumentation():
                    task = asyncio.ensure_future(exchange.watch_trades(SYMBOL))
                    await until(lambda: len(server.received) == 1)
                await server.push(trade(1, exchange.milliseconds()))
                assert len(await soon(task)) == 1
                (client,) = exchange.clients.values()
                assert client.on_message_callback == exchange.handle_message
            assert total(telemetry, "trading.venue.messages") == 0
            assert connections(telemetry) == []
            assert not list(telemetry.trading.feeds)
        finally:
            CcxtInstrumentor().uninstrument()


async def test_a_defect_of_ours_costs_only_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames reach the bot where nothing can be measured."""
    monkeypatch.setattr("otel_trading.instrument.ccxt.streams.Names", lambda *_: 1 / 0)
    seen: list[Any] = []
    exchange = ccxt.pro.binance()
    monkeypatch.setattr(exchange, "handle_message", lambda _, content: seen.append(content))
    with capture():
        CcxtInstrumentor().instrument()
        try:
            client = Client("wss://stream.binance.com/ws", exchange.handle_message, *[exchange.on_error] * 3, {})
            client.handle_message(FRAME)
            monkeypatch.undo()
            bound = ccxt.pro.binance()
            monkeypatch.setattr("otel_trading.instrument.ccxt.streams.Names", lambda *_: 1 / 0)
            client = Client("wss://stream.binance.com/ws", bound.handle_message, *[bound.on_error] * 3, {})
            client.handle_message(FRAME)
            client.future("trade::BTC/USDT")
            assert client.resolve([], "trade::BTC/USDT") == []
        finally:
            CcxtInstrumentor().uninstrument()
    assert seen == [{}]


async def test_clients_of_several_threads() -> None:
    """Each with an event loop of its own; nothing is lost, no time is another's."""
    count, threads = 3_000, 4

    def work() -> None:
        async def receive() -> None:
            client = Client("wss://stream.binance.com/ws", lambda _, __: None, None, None, None, {})
            for _ in range(count):
                client.handle_message(FRAME)

        asyncio.run(receive())

    with capture(real_time=True) as telemetry:
        CcxtInstrumentor().instrument()
        try:
            running = [threading.Thread(target=work) for _ in range(threads)]
            for thread in running:
                thread.start()
            for thread in running:
                await asyncio.to_thread(thread.join)
        finally:
            CcxtInstrumentor().uninstrument()
        assert total(telemetry, "trading.venue.messages") == count * threads
        assert telemetry.metrics["trading.venue.message.parse.duration"].count == count * threads


def test_without_ccxt_pro_nothing_is_imported() -> None:
    """A bot that uses requests alone does not pay for streams: their modules are patched when they are imported."""
    import subprocess
    import sys

    code = (
        "import sys; from otel_trading.instrument.ccxt import CcxtInstrumentor; CcxtInstrumentor().instrument();"
        "assert not any(name.startswith('ccxt.async_support') for name in sys.modules);"
        "import ccxt.pro; from ccxt.async_support.base.ws.client import Client;"
        "assert 'otel_trading' in Client.handle_message.__module__"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
