"""What frames say of the bot's own orders, trades and balances, with real clients of the simulated venues."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import ccxt.pro
import pytest
from ccxt.async_support.base.ws.cache import ArrayCacheBySymbolById
from ccxt.async_support.base.ws.client import Client

from otel_trading.demo.venue import GeneratedMarket, Venues
from otel_trading.instrument.ccxt.caches import Caches
from tests.demo.venue.venue_clients import Watcher, until

if TYPE_CHECKING:
    from otel_trading.testing import Captured

FILLED, CANCELED = "trading.order.filled", "trading.order.canceled"
BALANCE = "trading.venue.balance_changed"


def told(telemetry: Captured) -> Counter[str | None]:
    """How many times each event was told."""
    return Counter(log.event for log in telemetry.logs)


@pytest.mark.parametrize("venue", ["spot", "perp"])
@pytest.mark.parametrize("streams", ["orders", "trades", "both"])
async def test_fills_are_told_once(telemetry: Captured, venue: Any, streams: str) -> None:
    """All that the venue filled, whichever streams the bot watches; with the end of an order and the balances.

    Trades are told one by one, but where the answer to the order came first and told all of it.
    """
    async with Venues(GeneratedMarket(1)) as venues, Watcher(venue, venues.urls[venue]) as watcher:
        users = venues.venues[venue].users
        if streams != "trades":
            watcher.watch("orders", lambda: watcher.client.watch_orders(watcher.symbol))
        if streams != "orders":
            watcher.watch("trades", watcher.client.watch_my_trades)
        watcher.watch("balance", watcher.client.watch_balance)
        await until(lambda: users.subscribers == 1)
        await watcher.client.create_order(watcher.symbol, "market", "buy", 0.5)
        resting = await watcher.client.create_order(watcher.symbol, "limit", "buy", 0.01, 40_000)
        await watcher.client.cancel_order(resting["id"], watcher.symbol)
        counts = venues.venues[venue].counts
        await until(lambda: told(telemetry)[CANCELED] == 1)
        assert 1 <= told(telemetry)[FILLED] <= counts["fills"]
        assert venue == "perp" or told(telemetry)[FILLED] == counts["fills"]
        assert told(telemetry)[BALANCE] >= 1
        fills = [log for log in telemetry.logs if log.event == FILLED]
        assert {log.attributes["trading.venue.name"] for log in fills} == {watcher.client.id}
        assert venue == "perp" or all(log.attributes.get("trading.execution.id") for log in fills)
        assert sum(float(log.attributes["trading.execution.quantity"]) for log in fills) == pytest.approx(0.5)
        assert not watcher.errors


class Recorded:
    """Stands for those who follow orders."""

    on = True

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, Any]] = []

    def order(self, venue: str, order: Any, *, markets: Any) -> None:
        self.seen.append(("order", venue, order["id"]))

    def trade(self, venue: str, trade: Any, *, markets: Any) -> None:
        self.seen.append(("trade", venue, trade["id"]))


async def test_only_own_caches_are_told() -> None:
    """Public trades that ccxt keeps by id are nobody's; caches inside tables count; trades come before orders."""
    recorded: Any = Recorded()
    caches = Caches(recorded)
    exchange = ccxt.pro.binance()
    caches.exchanges.add(exchange)
    append = caches.appending(ArrayCacheBySymbolById.append)
    exchange.orders, exchange.myTrades, stranger = (ArrayCacheBySymbolById(10) for _ in range(3))
    exchange.trades["BTC/USDT"] = ArrayCacheBySymbolById(10)
    exchange.triggerOrders = {"swap": ArrayCacheBySymbolById(10)}
    for number, cache in enumerate(
        (exchange.orders, stranger, exchange.myTrades, exchange.trades["BTC/USDT"], exchange.triggerOrders["swap"])
    ):
        append(cache, {"symbol": "BTC/USDT", "id": f"{number}"})
    caches.tell()
    assert recorded.seen == [("trade", "binance", "2"), ("order", "binance", "0"), ("order", "binance", "4")]
    assert not caches.appended


async def test_a_flood_outside_of_frames_is_bounded() -> None:
    """Nothing tells what is appended while no frame comes, so only the last are kept."""
    caches = Caches(Recorded())  # type: ignore[arg-type]  # it has what is asked of it
    append = caches.appending(lambda _, __: None)
    for number in range(20_000):
        append(None, number)
    assert len(caches.appended) == 10_000


async def test_a_bot_that_tells_its_orders_itself() -> None:
    """Then no cache is touched."""
    from otel_trading.instrument.ccxt import streams
    from otel_trading.instrument.ccxt.executions import Executions
    from otel_trading.instrument.patching import Patches
    from otel_trading.instrument.reporting import reporting
    from otel_trading.testing import capture

    with capture():
        patches, said = Patches(), reporting({})
        original = ArrayCacheBySymbolById.append
        streams.patch(patches, said, {}, Executions(said.trading, on=False))
        assert ArrayCacheBySymbolById.append is original
        assert Client.handle_message.__module__ == streams.__name__
        patches.undo()
        await asyncio.sleep(0)


async def test_an_exchange_whose_orders_others_tell(native: Captured) -> None:
    """Is left alone; its frames and feeds are measured all the same."""
    async with Venues(GeneratedMarket(1)) as venues, Watcher("spot", venues.spot_url) as watcher:
        watcher.client.otel_trading_orders = False
        users = venues.venues["spot"].users
        watcher.watch("orders", lambda: watcher.client.watch_orders(watcher.symbol))
        watcher.watch("balance", watcher.client.watch_balance)
        await until(lambda: users.subscribers == 1)
        await watcher.client.create_order(watcher.symbol, "market", "buy", 0.5)
        await until(lambda: bool(watcher.seen["orders"]) and bool(watcher.seen["balance"]))
        events = told(native)
        assert not [name for name in events if name and name.startswith(("trading.order", BALANCE))]
        assert events["trading.venue.connection_changed"]
