"""ccxt's own client of Polymarket against the simulated one."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import ccxt
import pytest

from otel_trading.demo.prediction.book import Leg
from otel_trading.demo.prediction.chain import Delays
from otel_trading.demo.prediction.clients import make_polymarket
from otel_trading.demo.prediction.generated import GeneratedMarkets
from otel_trading.demo.prediction.polymarket import Polymarket
from otel_trading.demo.prediction.recorded import RecordedMarkets
from otel_trading.demo.prediction.signing import ethereum_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

SOON = Delays(0.01, 0.01)


def recorded(**options: Any) -> RecordedMarkets:
    folder = Path(os.environ.get("OTEL_TRADING_DATA", Path(__file__).parents[3].parent / "shared" / "data"))
    if not (folder / "polymarket").is_dir():
        pytest.skip(f"there is no {folder / 'polymarket'}; OTEL_TRADING_DATA names the folder of the recordings")
    return RecordedMarkets(folder / "polymarket", **options)


@asynccontextmanager
async def trading(source: Any = None, **options: Any) -> AsyncIterator[tuple[Any, Polymarket, str]]:
    async with Polymarket(source or GeneratedMarkets(1), **{"settlement": SOON, **options}) as venue:
        client = make_polymarket(venue)
        try:
            await client.load_markets()
            token = venue.questions[0].tokens[Leg.YES]
            yield client, venue, client.outcomes_by_id[token]["outcome"]
        finally:
            await client.close()


async def until(true: Callable[[], bool], within: float = 20.0) -> None:
    async with asyncio.timeout(within):
        while not true():  # noqa: ASYNC110 - counters and lists have no event
            await asyncio.sleep(0.005)


def at(venue: Polymarket) -> tuple[float, float]:
    bid, ask = venue.questions[0].book.best(Leg.YES)
    assert bid is not None
    assert ask is not None
    return float(bid), float(ask)


async def test_markets_and_their_books_are_read() -> None:
    """Every market has two outcomes, whose books mirror each other."""
    async with trading() as (client, venue, outcome):
        assert len(client.outcomes) == 2 * len(venue.questions)
        book = await client.fetch_order_book(outcome)
        mirror = await client.fetch_order_book(venue.questions[0].tokens[Leg.NO])
        assert (book["bids"][0][0], book["asks"][0][0]) == at(venue)
        assert mirror["asks"][0] == [pytest.approx(1 - book["bids"][0][0]), book["bids"][0][1]]
        assert (await client.fetch_ticker(outcome))["bid"] == book["bids"][0][0]
        assert len(await client.fetch_events({"query": "fed"})) == 2
        with pytest.raises(ccxt.BadSymbol):
            await client.clobPublicGetBook({"token_id": "1"})


async def test_recorded_markets_are_read() -> None:
    """Markets as the venue described them, with their own labels and ticks."""
    async with trading(recorded()) as (client, venue, outcome):
        assert len(client.markets) == len(venue.questions)
        assert client.outcomes[outcome]["precision"]["price"] == 0.001
        assert "UP" in {each["label"].upper() for each in client.outcomes.values()}


async def test_an_order_across_the_book_is_executed_and_confirmed() -> None:
    """The order is matched at once, its execution is mined and confirmed later, and the balance has paid for it."""
    async with trading() as (client, venue, outcome):
        _, ask = at(venue)
        order = await client.create_order(outcome, "limit", "buy", 10, ask)
        assert (order["status"], order["info"]["takingAmount"]) == ("closed", "10")
        await venue.chain.idle()
        fetched = await client.fetch_order(order["id"])
        assert (fetched["status"], fetched["filled"], fetched["side"]) == ("closed", 10, "buy")
        (trade,) = await client.fetch_my_trades(outcome)
        assert (trade["order"], trade["amount"], trade["price"]) == (order["id"], 10, ask)
        assert (trade["info"]["status"], trade["takerOrMaker"]) == ("CONFIRMED", "taker")
        assert trade["id"] == trade["info"]["transaction_hash"]
        assert (await client.fetch_balance())["USDC"]["total"] == pytest.approx(1000 - 10 * ask)
        (public,) = await client.fetch_trades(outcome)
        assert public["amount"] == 10


async def test_an_execution_that_is_not_settled_keeps_its_own_id() -> None:
    """A ghost fill stays matched, without a transaction."""
    async with trading() as (client, venue, outcome):
        venue.switch_on("unsettled")
        order = await client.create_order(outcome, "limit", "buy", 10, at(venue)[1])
        await venue.chain.idle()
        (trade,) = await client.fetch_my_trades(outcome)
        assert (trade["id"], trade["info"]["status"]) == (trade["info"]["id"], "MATCHED")
        assert (await client.fetch_order(order["id"]))["status"] == "closed"


async def test_an_execution_that_fails_on_the_chain_is_taken_back() -> None:
    """The order stays matched, and the account has its money again."""
    async with trading() as (client, venue, outcome):
        venue.switch_on("settlement_fails")
        order = await client.create_order(outcome, "limit", "buy", 10, at(venue)[1])
        await venue.chain.idle()
        (trade,) = await client.fetch_my_trades(outcome)
        assert trade["info"]["status"] == "FAILED"
        assert (await client.fetch_balance())["USDC"]["total"] == 1000
        assert (await client.fetch_order(order["id"]))["filled"] == 10


async def test_a_resting_order_is_filled_in_parts_and_the_rest_canceled() -> None:
    """Executions of a maker name the taker's order, and ours among the makers'."""
    async with trading() as (client, venue, outcome):
        order = await client.create_order(outcome, "limit", "buy", 10, at(venue)[0])
        assert order["status"] == "open"
        await venue.fill(order["id"], Decimal(3))
        (resting,) = await client.fetch_open_orders(outcome)
        assert (resting["filled"], resting["remaining"]) == (3, 7)
        (trade,) = await client.fetch_my_trades(outcome)
        assert (trade["takerOrMaker"], trade["order"] == order["id"]) == ("maker", False)
        assert trade["info"]["maker_orders"][0]["order_id"] == order["id"]
        assert (await client.fetch_order_trades(order["id"]))[0]["info"]["id"] == trade["info"]["id"]
        assert (await client.cancel_order(order["id"]))["status"] == "canceled"
        assert (await client.cancel_order(order["id"]))["status"] == "open"  # could not be
        assert (await client.fetch_order(order["id"]))["status"] == "canceled"


async def test_all_orders_are_canceled() -> None:
    """Of one outcome, or all."""
    async with trading() as (client, venue, outcome):
        other = client.outcomes_by_id[venue.questions[1].tokens[Leg.YES]]["outcome"]
        wanted = {"type": "limit", "side": "buy", "amount": 5, "price": 0.05}
        first, second, third = await client.create_orders(
            [{**wanted, "outcome": outcome}, {**wanted, "outcome": outcome}, {**wanted, "outcome": other}]
        )
        assert [each["id"] for each in await client.cancel_all_orders(other)] == [third["id"]]
        assert {each["id"] for each in await client.cancel_orders([first["id"]])} == {first["id"]}
        assert [each["id"] for each in await client.cancel_all_orders()] == [second["id"]]
        assert await client.fetch_open_orders() == []


async def test_a_market_order_is_sized_by_its_cost() -> None:
    """As many as the money is enough for."""
    async with trading() as (client, venue, outcome):
        _, ask = at(venue)
        client.outcomes[outcome]["price"] = ask  # what ccxt takes for the price of a market order
        order = await client.create_market_buy_order_with_cost(outcome, 5, {"timeInForce": "IOC"})
        filled = (await client.fetch_order(order["id"]))["filled"]
        assert filled == pytest.approx(5 / ask, rel=0.05)
        assert (await client.fetch_balance())["USDC"]["total"] == pytest.approx(1000 - filled * ask)


async def test_what_is_bought_can_be_sold() -> None:
    """But not more than that."""
    async with trading() as (client, venue, outcome):
        bid, ask = at(venue)
        await client.create_order(outcome, "limit", "buy", 10, ask)
        with pytest.raises(ccxt.InsufficientFunds):
            await client.create_order(outcome, "limit", "sell", 11, bid)
        await client.create_order(outcome, "limit", "sell", 10, bid, {"timeInForce": "IOC"})
        assert (await client.fetch_balance())["USDC"]["total"] == pytest.approx(1000 - 10 * (ask - bid))


async def test_orders_that_cannot_be_are_refused() -> None:
    """In the venue's words, which ccxt knows the errors of."""
    async with trading(cash=Decimal(10)) as (client, venue, outcome):
        bid, ask = at(venue)
        with pytest.raises(ccxt.InsufficientFunds):
            await client.create_order(outcome, "limit", "buy", 100, ask)
        with pytest.raises(ccxt.OrderNotFillable):
            await client.create_order(outcome, "limit", "buy", 5, bid - 0.05, {"timeInForce": "IOC"})
        with pytest.raises(ccxt.BaseError, match="fully filled"):
            await client.create_order(outcome, "limit", "buy", 5, bid - 0.05, {"timeInForce": "FOK"})
        with pytest.raises(ccxt.BaseError, match="post-only"):
            await client.create_order(outcome, "limit", "buy", 5, ask, {"postOnly": True})
        venue.switch_on("reject")
        with pytest.raises(ccxt.InsufficientFunds):
            await client.create_order(outcome, "limit", "buy", 5, bid)


async def test_another_wallet_is_not_let_in() -> None:
    """Neither to get credentials, nor with made-up ones, nor to sign orders."""
    async with trading() as (client, venue, outcome):
        own, client.privateKey = client.privateKey, ethereum_key()
        with pytest.raises(ccxt.AuthenticationError):
            await client.fetch_balance()
        client.privateKey = own
        await client.fetch_balance()
        client.privateKey = ethereum_key()
        with pytest.raises(ccxt.AuthenticationError, match="invalid signature"):
            await client.create_order(outcome, "limit", "buy", 5, at(venue)[1])
        client.options["l2Secret"] = "AAAA"
        with pytest.raises(ccxt.AuthenticationError):
            await client.fetch_balance()


async def test_a_resolved_market_says_who_won() -> None:
    """It is closed, and orders for it are canceled."""
    async with trading() as (client, venue, outcome):
        order = await client.create_order(outcome, "limit", "buy", 10, at(venue)[0])
        await venue.resolve(venue.questions[0].slug, "no")
        assert (await client.fetch_order(order["id"]))["status"] == "canceled"
        await client.load_markets(True, {"status": "all"})
        assert client.outcomes[outcome]["winner"] is False
        with pytest.raises(ccxt.BaseError, match="does not exist"):
            await client.create_order(outcome, "limit", "buy", 10, at(venue)[0])


async def test_books_and_trades_are_watched() -> None:
    """At full speed a client has the venue's book in the end, and saw every frame."""
    async with trading(GeneratedMarkets(1, count=1, steps=2_000), speed=None) as (client, venue, outcome):
        seen = 0
        handle = client.handle_message

        def counted(socket: Any, message: Any) -> None:
            nonlocal seen
            seen += 1
            handle(socket, message)

        client.handle_message = counted

        async def watch() -> None:
            while True:
                await client.watch_order_book(outcome)

        async def trades() -> None:
            while True:
                await client.watch_trades(outcome)

        watching = [asyncio.create_task(watch()), asyncio.create_task(trades())]
        await venue.start()
        await venue.finished()
        await until(lambda: seen >= venue.sent.total())
        assert seen == venue.sent.total()
        assert venue.sent["book"] >= 1
        book = client.orderbooks[outcome]
        bids, asks = venue.questions[0].book.levels(Leg.YES)
        assert book["bids"][:3] == [[float(price), float(size)] for price, size in bids[:3]]
        assert book["asks"][:3] == [[float(price), float(size)] for price, size in asks[:3]]
        assert len(client.trades[outcome]) > 100
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)


async def test_recorded_messages_are_watched() -> None:
    """All of them, as often as they are played."""
    async with trading(recorded(times=50), speed=None) as (client, venue, _):
        token = venue.questions[-1].tokens[Leg.YES]
        outcome = client.outcomes_by_id[token]["outcome"]
        watching = asyncio.create_task(client.watch_trades(outcome))
        await venue.start()
        await venue.finished()
        assert (await watching)[0]["price"] == 0.51
        await until(lambda: len(client.trades[outcome]) == 50)
        assert venue.sent["last_trade_price"] == 50
        assert venue.sent["price_change"] == 100
        assert venue.sent["market_resolved"] == 50


async def test_orders_and_executions_are_watched() -> None:
    """A resting order's placement, executions and cancellation, and each step of their settlement."""
    async with trading() as (client, venue, outcome):
        orders: list[Any] = []
        trades: list[Any] = []

        async def watch(call: Any, into: list[Any]) -> None:
            while True:
                into.extend((each["status"] if "status" in each else each["info"]["status"]) for each in await call())

        client.newUpdates = True
        watching = [asyncio.create_task(watch(client.watch_orders, orders))]
        watching.append(asyncio.create_task(watch(client.watch_my_trades, trades)))
        await asyncio.wait_for(venue.user.subscribed.wait(), 20)
        order = await client.create_order(outcome, "limit", "buy", 10, at(venue)[0])
        await until(lambda: orders == ["open"])
        await venue.fill(order["id"], Decimal(3))
        await until(lambda: trades[-1:] == ["CONFIRMED"])
        await client.cancel_order(order["id"])
        await until(lambda: orders[-1:] == ["canceled"])
        assert (venue.sent["trade"], venue.sent["order"]) == (3, 3)
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)


async def test_sockets_are_cut_and_come_back() -> None:
    """A disconnect raises out of the watch call, the next one connects anew."""
    async with trading() as (client, venue, outcome):
        await client.watch_order_book(outcome)
        watching = asyncio.create_task(client.watch_order_book(outcome))
        await until(lambda: any(each.futures for each in client.clients.values()))
        venue.switch_on("disconnect")
        with pytest.raises((ccxt.NetworkError, ConnectionError)):  # the latter where it was about to subscribe
            await asyncio.wait_for(watching, 20)
        assert await client.watch_order_book(outcome)
        assert venue.requests["GET /ws/market"] == 2


async def test_a_silent_venue_says_nothing() -> None:
    """Though the socket is open, until the fault is over."""
    async with trading() as (client, venue, outcome):
        venue.switch_on("silent")
        watching = asyncio.create_task(client.watch_order_book(outcome))
        await asyncio.wait_for(venue.market.subscribed.wait(), 20)
        assert venue.sent.total() == 0
        venue.switch_off("silent")
        question = venue.questions[0]
        bids = [{"price": "0.4", "size": "1"}]
        await venue.play(
            {
                "event_type": "book",
                "market": question.condition,
                "asset_id": question.tokens[Leg.YES],
                "bids": bids,
                "asks": [],
            }
        )
        assert (await asyncio.wait_for(watching, 20))["bids"] == [[0.4, 1]]


async def test_malformed_frames_are_no_json() -> None:
    """While the fault lasts; ccxt reads no further after one of them, so this client is not ccxt's."""
    async with (
        Polymarket(GeneratedMarkets(1)) as venue,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{venue.url}/ws/market") as socket,
    ):
        venue.switch_on("malformed")
        subscribe = {"assets_ids": [venue.questions[0].tokens[Leg.YES]], "type": "market"}
        await socket.send_json(subscribe)
        with pytest.raises(json.JSONDecodeError):
            await socket.receive_json(timeout=20)
        venue.switch_off("malformed")
        await socket.send_json(subscribe)
        assert (await socket.receive_json(timeout=20))[0]["event_type"] == "book"
        await socket.send_str("PING")
        assert await socket.receive_str(timeout=20) == "PONG"


async def test_the_user_channel_wants_the_credentials() -> None:
    """A socket that gives others is closed."""
    async with (
        Polymarket(GeneratedMarkets(1)) as venue,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{venue.url}/ws/user") as socket,
    ):
        await socket.send_json({"auth": {"apiKey": "a", "secret": "b", "passphrase": "c"}, "type": "user"})
        assert (await socket.receive(timeout=20)).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 4001
