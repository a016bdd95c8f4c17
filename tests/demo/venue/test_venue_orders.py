"""Orders through real ccxt.pro clients, with what they report on the user data streams."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import ccxt
import pytest

from otel_trading.demo.venue import GeneratedMarket, Venues
from tests.demo.venue.venue_clients import Watcher, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def trading(venue: Any) -> AsyncIterator[tuple[Watcher, Venues]]:
    async with Venues(GeneratedMarket(1)) as venues, Watcher(venue, venues.urls[venue]) as watcher:
        watcher.watch_market()
        watcher.watch_account()
        await until(lambda: venues.venues[venue].users.subscribers == 1)
        await until(lambda: watcher.symbol in watcher.client.orderbooks)
        await until(lambda: bool(watcher.client.orderbooks[watcher.symbol]["bids"]))
        yield watcher, venues


def statuses(watcher: Watcher, order_id: str) -> list[str]:
    return [order["status"] for batch in watcher.seen["orders"] for order in batch if order["id"] == order_id]


@pytest.mark.parametrize("venue", ["spot", "perp"])
async def test_a_marketable_order_fills_and_is_reported(venue: Any) -> None:
    """The answer holds the fill, the user data stream tells open then closed, and the trade list agrees."""
    async with trading(venue) as (watcher, _):
        watcher.watch("executions", lambda: watcher.client.watch_my_trades(watcher.symbol))
        price = watcher.best("asks") + 30
        order = await watcher.client.create_order(
            watcher.symbol, "limit", "buy", 0.01, price, {"timeInForce": "IOC", "clientOrderId": "mine-1"}
        )
        assert (order["status"], order["filled"], order["clientOrderId"]) == ("closed", 0.01, "mine-1")
        assert order["average"] <= price
        await until(lambda: statuses(watcher, order["id"])[-1:] == ["closed"])
        assert statuses(watcher, order["id"])[0] == "open"
        await until(lambda: bool(watcher.seen["balance"]))
        trades = await watcher.client.fetch_my_trades(watcher.symbol)
        assert sum(trade["amount"] for trade in trades) == pytest.approx(0.01)
        reported = {trade["id"]: trade["amount"] for batch in watcher.seen["executions"] for trade in batch}
        assert reported == {trade["id"]: trade["amount"] for trade in trades}
        assert {trade["takerOrMaker"] for trade in trades} == {"taker"}
        assert {trade["fee"]["currency"] for trade in trades} == {"BTC" if venue == "spot" else "USDT"}


@pytest.mark.parametrize("venue", ["spot", "perp"])
async def test_an_ioc_order_that_does_not_cross_expires(venue: Any) -> None:
    """Nothing fills and the stream says so."""
    async with trading(venue) as (watcher, _):
        price = watcher.best("bids") - 100
        order = await watcher.client.create_order(watcher.symbol, "limit", "buy", 0.01, price, {"timeInForce": "IOC"})
        assert (order["status"], order["filled"]) == ("expired", 0.0)
        await until(lambda: statuses(watcher, order["id"]) == ["open", "expired"])


@pytest.mark.parametrize("venue", ["spot", "perp"])
async def test_a_resting_order_is_open_until_canceled(venue: Any) -> None:
    """It shows among the open orders, locks funds, and the cancel is reported."""
    async with trading(venue) as (watcher, venues):
        client, price = watcher.client, watcher.best("bids") - 2000
        order = await client.create_order(watcher.symbol, "limit", "buy", 1, price, {"postOnly": True})
        assert order["status"] == "open"
        assert [each["id"] for each in await client.fetch_open_orders(watcher.symbol)] == [order["id"]]
        used = (await client.fetch_balance())["USDT"]["used"]
        assert used == pytest.approx(price if venue == "spot" else price / 20)
        assert (await client.cancel_order(order["id"], watcher.symbol))["status"] == "canceled"
        assert (await client.fetch_order(order["id"], watcher.symbol))["status"] == "canceled"
        await until(lambda: statuses(watcher, order["id"]) == ["open", "canceled"])
        assert (await client.fetch_balance())["USDT"]["used"] == 0
        assert (await venues.stats())[venue]["orders"] == {"placed": 1, "accepted": 1, "canceled": 1}


@pytest.mark.parametrize("venue", ["spot", "perp"])
async def test_a_resting_order_fills_from_the_market(venue: Any) -> None:
    """Joining the best bid, it fills as maker when the market comes, and the maker fee applies."""
    async with trading(venue) as (watcher, venues):
        order = await watcher.client.create_order(watcher.symbol, "limit", "buy", 0.01, watcher.best("bids"))
        assert order["status"] == "open"
        await venues.start(wait_for=[])
        await until(lambda: statuses(watcher, order["id"])[-1:] == ["closed"], 60)
        trades = await watcher.client.fetch_my_trades(watcher.symbol)
        assert {trade["takerOrMaker"] for trade in trades} == {"maker"}


@pytest.mark.parametrize("venue", ["spot", "perp"])
async def test_refused_orders_raise_what_ccxt_has_for_them(venue: Any) -> None:
    """Lack of funds, filters, post-only and unknown orders come back as ccxt's own exceptions."""
    async with trading(venue) as (watcher, venues):
        client, symbol, ask = watcher.client, watcher.symbol, watcher.best("asks")
        with pytest.raises(ccxt.InsufficientFunds):
            await client.create_order(symbol, "limit", "buy", 900, ask)
        with pytest.raises(ccxt.OrderNotFound, match="-2011"):
            await client.cancel_order("1", symbol)
        with pytest.raises((ccxt.OrderImmediatelyFillable, ccxt.OrderNotFillable)):
            await client.create_order(symbol, "limit", "buy", 0.01, ask + 50, {"postOnly": True})
        with pytest.raises((ccxt.BadRequest, ccxt.InvalidOrder), match=r"NOTIONAL|-4164"):
            await client.create_order(symbol, "limit", "buy", 0.001, 1000)
        with pytest.raises(ccxt.OrderNotFound, match="-2013"):
            await client.fetch_order("1", symbol)
        orders = (await venues.stats())[venue]["orders"]
        assert orders == {"placed": 3, "rejected": 3}


async def test_the_position_follows_the_fills() -> None:
    """watch_positions tells the side and size, fetch_positions agrees, and reducing it to zero ends it."""
    async with trading("perp") as (watcher, _):
        client = watcher.client
        watcher.watch("positions", lambda: client.watch_positions([watcher.symbol]))
        await until(lambda: bool(watcher.seen["positions"]) or "linear" in (client.positions or {}))
        await client.create_order(watcher.symbol, "market", "sell", 0.05)
        await until(lambda: any(batch and batch[0]["contracts"] == 0.05 for batch in watcher.seen["positions"]))
        (position,) = await client.fetch_positions([watcher.symbol])
        assert (position["side"], position["contracts"]) == ("short", 0.05)
        await client.create_order(watcher.symbol, "market", "buy", 0.05, params={"reduceOnly": True})
        assert await client.fetch_positions([watcher.symbol]) == []


async def test_acknowledgements_take_realistic_time() -> None:
    """The median answer takes about 8 ms on spot, whatever the replay's speed."""
    async with trading("spot") as (watcher, _):
        times = []
        for _ in range(40):
            started = time.perf_counter()
            await watcher.client.create_order(watcher.symbol, "limit", "buy", 0.001, 40_000, {"timeInForce": "IOC"})
            times.append(time.perf_counter() - started)
        assert 0.006 < sorted(times)[20] < 0.1


async def test_usage_is_told_and_limited() -> None:
    """Headers count weight and orders; orders beyond the limit are refused with 429, wherever a window ends."""
    async with trading("spot") as (watcher, venues):
        client = watcher.client
        await client.create_order(watcher.symbol, "limit", "buy", 0.001, 40_000)
        assert int(client.last_response_headers["X-MBX-USED-WEIGHT-1M"]) > 20
        assert client.last_response_headers["X-MBX-ORDER-COUNT-10S"] == "1"
        more = (client.create_order(watcher.symbol, "limit", "buy", 0.001, 40_000) for _ in range(250))
        answers = await asyncio.gather(*more, return_exceptions=True)
        refused = [answer for answer in answers if isinstance(answer, Exception)]
        assert refused
        assert all(isinstance(error, ccxt.DDoSProtection) and "-1015" in str(error) for error in refused)
        assert venues.venues["spot"].counts["placed"] == 251 - len(refused)


async def test_market_queries_answer() -> None:
    """Time, ticker, quotes and the funding rate come from the replayed book."""
    async with trading("perp") as (watcher, _):
        client = watcher.client
        assert abs(await client.fetch_time() - client.milliseconds()) < 1000
        assert (await client.fetch_ticker(watcher.symbol))["last"] > 0
        assert (await client.fetch_funding_rate(watcher.symbol))["markPrice"] > 0
        assert (await client.fetch_bids_asks([watcher.symbol]))[watcher.symbol]["bid"] > 0
