"""Subscriptions of ccxt.pro: the data of each has an age, whatever its connection is like."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING, Any

import ccxt.pro
import pytest
from ccxt.async_support.base.ws.cache import ArrayCache, ArrayCacheByTimestamp
from ccxt.async_support.base.ws.client import Client

from otel_trading.instrument.ccxt.subscriptions import event_time, symbol_of, type_of
from tests.demo.venue.venue_clients import until
from tests.instrument.ccxt_streams.pushing import SYMBOL, Server, exchange_at, quote, soon, total, trade

if TYPE_CHECKING:
    from otel_trading.testing import Captured

TRADES = "trade::BTC/USDT"


def feeds(telemetry: Captured) -> dict[str, Any]:
    """The open ones, by the names of their subscriptions."""
    return {feed.about.subscription: feed for feed in telemetry.trading.feeds}


async def test_a_feed_for_each_subscription(telemetry: Captured) -> None:
    """By symbol and type, from the moment of subscribing on; with the latency of its events."""
    async with Server() as server, exchange_at(server) as exchange:
        trades = asyncio.ensure_future(exchange.watch_trades(SYMBOL))
        quotes = asyncio.ensure_future(exchange.watch_bids_asks([SYMBOL]))
        await until(lambda: len(server.received) == 2)
        found = feeds(telemetry)
        assert {(name, feed.about.symbol, feed.about.type) for name, feed in found.items()} == {
            (TRADES, SYMBOL, "trade"),
            ("bidask:bookTicker@BTC/USDT", SYMBOL, "ticker"),
        }
        assert all(feed.age is not None and not feed.messages for feed in found.values())
        await server.push(trade(1, exchange.milliseconds() - 200))
        await server.push(quote(1))
        await soon(asyncio.gather(trades, quotes))
        assert found[TRADES].messages == found["bidask:bookTicker@BTC/USDT"].messages == 1
        latency = telemetry.metrics["trading.market_data.latency"](trading_market_data_type="trade")
        assert 0.1 < latency.sum < 20
        assert latency.count == 1
        assert telemetry.metrics["trading.market_data.latency"].count == 1
        counted = total(telemetry, "trading.market_data.messages", trading_instrument_symbol=SYMBOL)
        assert counted == 2


async def test_an_open_socket_without_data_is_stale(native: Captured) -> None:
    """While pongs arrive and the connection is fine, the subscription gets too old; one more frame and it is not."""
    async with Server() as server, exchange_at(server) as exchange:
        exchange.streaming.update(keepAlive=20, maxPingPongMisses=1_000)
        task = asyncio.ensure_future(exchange.watch_trades(SYMBOL))
        await until(lambda: len(server.received) == 1)
        feed = feeds(native)[TRADES]
        feed.threshold = 0.3
        await server.push(trade(1, exchange.milliseconds()))
        await soon(task)
        (client,) = exchange.clients.values()
        began = time.perf_counter()
        await until(lambda: native.trading.feeds.stale() == [feed])
        assert time.perf_counter() - began > 0.15
        pongs = client.lastPong or 0
        await until(lambda: (client.lastPong or 0) > pongs)
        assert not client.closed()
        assert native.trading.feeds.stale() == [feed]
        await server.push(trade(2, exchange.milliseconds()))
        await until(lambda: native.trading.feeds.stale() == [])


async def test_unwatching_closes_the_feed(native: Captured) -> None:
    """Of that subscription alone; late frames of it open nothing; watching again does."""
    async with Server() as server, exchange_at(server) as exchange:
        watched = [asyncio.ensure_future(exchange.watch_trades(symbol)) for symbol in (SYMBOL, "ETH/USDT")]
        await until(lambda: len(server.received) == 2)
        for number, symbol in enumerate(("BTCUSDT", "ETHUSDT")):
            await server.push(trade(number, exchange.milliseconds(), symbol))
        await soon(asyncio.gather(*watched))
        first = feeds(native)[TRADES]
        await soon(exchange.un_watch_trades(SYMBOL))
        assert set(feeds(native)) == {"trade::ETH/USDT"}
        assert first.closed
        again = asyncio.ensure_future(exchange.watch_trades(SYMBOL))
        await until(lambda: TRADES in feeds(native))
        again.cancel()


async def test_a_lost_connection_keeps_the_age(native: Captured) -> None:
    """The data gets old until the bot has subscribed again, and the feed is the same."""
    async with Server() as server, exchange_at(server) as exchange:
        task = asyncio.ensure_future(exchange.watch_trades(SYMBOL))
        await until(lambda: len(server.received) == 1)
        feed = feeds(native)[TRADES]
        await server.sockets[0].close()
        with pytest.raises(ccxt.NetworkError):
            await soon(task)
        assert feeds(native)[TRADES] is feed
        task = asyncio.ensure_future(exchange.watch_trades(SYMBOL))
        await until(lambda: len(server.received) == 2)
        await server.push(trade(1, exchange.milliseconds()))
        await soon(task)
        assert feeds(native)[TRADES] is feed
        assert feed.messages == 1


async def test_closing_the_exchange_closes_its_feeds(native: Captured) -> None:
    """Also those whose connection is lost already; another exchange of the same venue keeps its own."""
    async with Server() as server, exchange_at(server) as other:
        kept = asyncio.ensure_future(other.watch_trades(SYMBOL))
        async with exchange_at(server) as exchange:
            tasks = [asyncio.ensure_future(exchange.watch_trades(symbol)) for symbol in (SYMBOL, "ETH/USDT")]
            await until(lambda: len(server.received) == 3)
            assert set(feeds(native)) == {TRADES, "trade::ETH/USDT"}
            for client in [*exchange.clients.values()]:
                client.on_error(ccxt.NetworkError("lost"))
            await asyncio.gather(*tasks, return_exceptions=True)
            assert set(feeds(native)) == {TRADES, "trade::ETH/USDT"}
        assert set(feeds(native)) == {TRADES}
        await server.push(trade(1, other.milliseconds()))
        await soon(kept)
        assert feeds(native)[TRADES].messages == 1
    assert feeds(native) == {}


async def test_a_dropped_exchange_has_no_feeds(native: Captured) -> None:
    """One that nobody holds any more, though it was never closed."""
    exchange = ccxt.pro.binance()
    client = Client("wss://stream.binance.com/ws", exchange.handle_message, *[exchange.on_error] * 3, {})
    client.future(TRADES)
    assert set(feeds(native)) == {TRADES}
    del exchange, client
    gc.collect()
    assert feeds(native) == {}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ticker:BTC/USDT", "ticker"),
        ("tickers", "ticker"),
        ("ticker::BTC/USDT:USDT", "ticker"),
        ("bidask:bookTicker@BTC/USDT", "ticker"),
        ("bidsasks", "ticker"),
        ("orderbook:BTC/USDT", "book_update"),
        ("orderbook::BTC/USDT:USDT", "book_update"),
        ("book:BTC/USD", "book_update"),
        ("spot.order_book_update.BTC_USDT", "book_update"),
        ("market.btcusdt.depth.step0", "book_update"),
        ("level2:BTC-USDT", "book_update"),
        ("trades:BTC/USDT", "trade"),
        ("trade:BTC/USDT", "trade"),
        ("market.btcusdt.trade.detail", "trade"),
        ("publicTrade.BTCUSDT", "trade"),
        ("ohlcv::BTC/USDT::1m", "candle"),
        ("candles:1m:BTC/USDT", "candle"),
        ("market.btcusdt.kline.1min", "candle"),
        ("fundingRate:BTC/USDT:USDT", "funding"),
        ("markPrice:markPrice@BTC/USDT:USDT", "funding"),
        ("liquidations::BTC/USDT:USDT", "liquidation"),
        ("orders", "user"),
        ("orders:BTC/USDT", "user"),
        ("order", "user"),
        ("myOrder", "user"),
        ("myTrades:BTC/USDT", "user"),
        ("myLiquidations::BTC/USDT:USDT", "user"),
        ("linear:positions::BTC/USDT:USDT", "user"),
        ("spot.usertrades.BTC_USDT", "user"),
        ("spot:balance", "balance"),
        ("balance:unified", "balance"),
        ("unsubscribe:trade:BTC/USDT", ""),
        ("unsubscribe::ohlcv::BTC/USDT::1m", ""),
        ("authenticate:spot:listenToken", ""),
        ("spot:fetchBalanceSnapshot", ""),
        ("fetchPositionsSnapshot", ""),
        ("123", ""),
        ("BTC/USDT", None),
        ("heartbeat", None),
    ],
)
def test_types_by_name(name: str, expected: str | None) -> None:
    """As ccxt's exchanges name their subscriptions."""
    assert type_of(name) == expected


def test_symbols_by_name() -> None:
    """Unified ones, those of prediction markets, and the venue's own as ccxt knows them."""
    exchange = ccxt.pro.binance()
    exchange.markets = {"BTC/USDT": {}, "BTC/USDT:USDT": {}, "BTC/USDT:USDT-260327": {}}
    exchange.markets_by_id = {"BTC_USDT": [{"symbol": "BTC/USDT"}], "btcusdt": [{"symbol": "BTC/USDT"}]}
    exchange.outcomes = {"FOO_BAR:YES": {}}
    for name, symbol in {
        "orderbook::BTC/USDT:USDT": "BTC/USDT:USDT",
        "trade:BTC/USDT:USDT-260327": "BTC/USDT:USDT-260327",
        "bidask:bookTicker@BTC/USDT": "BTC/USDT",
        "ohlcv::BTC/USDT::1m": "BTC/USDT",
        "spot.order_book_update.BTC_USDT": "BTC/USDT",
        "market.btcusdt.depth.step0": "BTC/USDT",
        "orderbook:FOO_BAR:YES": "FOO_BAR:YES",
        "tickers": None,
        "": None,
    }.items():
        assert symbol_of(name, exchange) == symbol, name
    assert symbol_of("trade:BTC/USDT", object()) is None


def test_times_of_events() -> None:
    """Of what ccxt hands out: tickers, books, caches of trades; of several tickers, one's."""
    trades = ArrayCache(2)
    for at in (1, 2, 3):
        trades.append({"symbol": "x", "timestamp": at})
    candles = ArrayCacheByTimestamp(2)
    candles.append([1, 2, 3, 4, 5, 6])
    for content, expected in (
        ({"timestamp": 5}, 5),
        ({"timestamp": None}, 0),
        ({"BTC/USDT": {"timestamp": 6}}, 6),
        (trades, 3),
        ([{"timestamp": 7}], 7),
        (candles, 0),
        (["BTC/USDT", "1m", candles], 0),
        ({"timestamp": "2024"}, 0),
        ([], 0),
        ({}, 0),
        (True, 0),
    ):
        assert event_time(content) == expected * 1_000_000, content


async def test_names_that_do_not_tell_are_known_by_their_content(native: Captured) -> None:
    """A book, a ticker, trades; anything else is not market data."""
    exchange = ccxt.pro.binance()
    client = Client("wss://stream.binance.com/ws", exchange.handle_message, *[exchange.on_error] * 3, {})
    contents: dict[str, Any] = {
        "a": {"bids": [], "asks": [], "timestamp": None},
        "b": {"bid": 1, "last": 1, "timestamp": 1},
        "c": [{"price": 1, "side": "buy"}],
        "d": [{"price": 1, "order": "1"}],
        "e": True,
    }
    for name, content in contents.items():
        client.future(name)
        for _ in range(2):
            client.resolve(content, name)
    found = {name: (feed.about.type, feed.messages) for name, feed in feeds(native).items()}
    assert found == {"a": ("book_update", 2), "b": ("ticker", 2), "c": ("trade", 2)}


async def test_names_without_number_do_not_fill_the_memory(native: Captured) -> None:
    """Each request over a socket has a name of its own."""
    exchange = ccxt.pro.binance()
    client: Any = Client("wss://stream.binance.com/ws", exchange.handle_message, *[exchange.on_error] * 3, {})
    for number in range(30_000):
        client.future(f"{number}")
        client.resolve({}, f"{number}")
    for number in range(12_000):
        client.future(f"thing-{number}")
    names = client._otel_trading.names
    assert len(names.others) + len(names.messages) <= 10_000
    assert feeds(native) == {}


async def test_a_checksum_that_fails(native: Captured) -> None:
    """What a subscription is rejected with is counted with its symbol; a lost connection is not, for it is told."""
    exchange = ccxt.pro.binance()
    exchange.markets = {SYMBOL: {}}
    client = Client("wss://stream.binance.com/ws", exchange.handle_message, *[exchange.on_error] * 3, {})
    for error in (ccxt.ChecksumError("book"), ccxt.NetworkError("lost"), ccxt.UnsubscribeError("trade")):
        future = client.future("orderbook::BTC/USDT")
        assert client.reject(error, "orderbook::BTC/USDT") is error
        assert future.exception() is error
    errors = [log for log in native.logs if log.event == "trading.market_data.error"]
    assert [log.attributes["error.type"] for log in errors] == ["ChecksumError"]
    assert errors[0].attributes["trading.instrument.symbol"] == SYMBOL
    assert total(native, "trading.market_data.errors") == 1
