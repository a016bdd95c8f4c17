"""ccxt's own client of Kalshi against the simulated one."""

from __future__ import annotations

from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import ccxt
import pytest

from otel_trading.demo.prediction.book import Leg
from otel_trading.demo.prediction.clients import make_kalshi
from otel_trading.demo.prediction.generated import GeneratedMarkets
from otel_trading.demo.prediction.kalshi import Kalshi
from otel_trading.demo.prediction.signing import RsaKey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TICKER = "KXFED-26-1"


@asynccontextmanager
async def trading(**options: Any) -> AsyncIterator[tuple[Any, Kalshi]]:
    async with Kalshi(GeneratedMarkets(1).questions(), **options) as venue:
        client = make_kalshi(venue)
        try:
            await client.load_markets()
            yield client, venue
        finally:
            await client.close()


def at(venue: Kalshi) -> tuple[float, float]:
    bid, ask = venue.questions[TICKER].book.best(Leg.YES)
    assert bid is not None
    assert ask is not None
    return float(bid), float(ask)


async def test_markets_and_their_books_are_read() -> None:
    """Every market has two outcomes, whose books mirror each other."""
    async with trading() as (client, venue):
        assert len(client.markets) == len(venue.questions)
        book, mirror = await client.fetch_order_book(TICKER), await client.fetch_order_book(f"{TICKER}-NO")
        bid, ask = at(venue)
        assert (book["bids"][0][0], book["asks"][0][0]) == (bid, ask)
        assert mirror["asks"][0] == [pytest.approx(1 - bid), book["bids"][0][1]]
        assert mirror["bids"][0] == [pytest.approx(1 - ask), book["asks"][0][1]]
        ticker = await client.fetch_ticker(TICKER)
        assert (ticker["bid"], ticker["ask"]) == (bid, ask)
        assert (await client.fetch_status())["status"] == "ok"


async def test_an_order_across_the_book_is_executed() -> None:
    """The answer, the order, its executions, the balance and the position agree."""
    async with trading() as (client, venue):
        _, ask = at(venue)
        order = await client.create_order(TICKER, "limit", "buy", 10, ask, {"client_order_id": "mine-1"})
        assert (order["status"], order["filled"], order["remaining"]) == ("closed", 10, 0)
        fetched = await client.fetch_order(order["id"])
        assert (fetched["status"], fetched["filled"], fetched["side"]) == ("closed", 10, "buy")
        assert fetched["clientOrderId"] == "mine-1"
        (trade,) = await client.fetch_my_trades(TICKER)
        assert (trade["order"], trade["amount"], trade["price"], trade["takerOrMaker"]) == (
            order["id"],
            10,
            ask,
            "taker",
        )
        assert trade["fee"]["cost"] == pytest.approx(0.07 * 10 * ask * (1 - ask), abs=0.01)
        balance = await client.fetch_balance()
        assert balance["USD"]["total"] == pytest.approx(1000 - 10 * ask - trade["fee"]["cost"])
        (position,) = await client.fetch_positions()
        assert (position["contracts"], position["side"]) == (10, "long")


async def test_a_resting_order_is_filled_in_parts_and_the_rest_canceled() -> None:
    """Each part is an execution of a maker; what is canceled was not executed."""
    async with trading() as (client, venue):
        bid, _ = at(venue)
        order = await client.create_order(TICKER, "limit", "buy", 10, bid)
        assert order["status"] == "open"
        venue.fill(order["id"], Decimal(3))
        venue.fill(order["id"], Decimal(1))
        (resting,) = await client.fetch_open_orders(TICKER)
        assert (resting["filled"], resting["remaining"]) == (4, 6)
        canceled = await client.cancel_order(order["id"])
        assert (canceled["id"], canceled["status"]) == (order["id"], "canceled")
        (closed,) = await client.fetch_closed_orders(TICKER)
        assert (closed["status"], closed["filled"]) == ("canceled", 4)
        trades = await client.fetch_my_trades(TICKER)
        assert sorted(trade["amount"] for trade in trades) == [1, 3]
        assert {trade["takerOrMaker"] for trade in trades} == {"maker"}
        with pytest.raises(ccxt.BadSymbol):  # what ccxt makes of not_found
            await client.cancel_order(order["id"])


async def test_an_order_for_no_is_the_other_side_of_yes() -> None:
    """Buying NO at the complement of the bid trades with who bids for YES."""
    async with trading() as (client, venue):
        bid, _ = at(venue)
        order = await client.create_order(f"{TICKER}-NO", "limit", "buy", 5, round(1 - bid, 2))
        assert order["filled"] == 5
        (trade,) = await client.fetch_my_trades(f"{TICKER}-NO")
        assert (trade["label"], trade["side"], trade["price"]) == ("NO", "buy", pytest.approx(1 - bid))
        (position,) = await client.fetch_positions()
        assert position["side"] == "short"


async def test_an_order_that_must_be_filled_wholly_or_at_once() -> None:
    """All or nothing is refused, at once is canceled with what was there."""
    async with trading() as (client, venue):
        _, ask = at(venue)
        there = float(venue.questions[TICKER].book.asks[Decimal(str(ask))])
        with pytest.raises(ccxt.OrderNotFillable):
            await client.create_order(TICKER, "limit", "buy", there + 10, ask, {"timeInForce": "FOK"})
        order = await client.create_order(TICKER, "limit", "buy", there + 10, ask, {"timeInForce": "IOC"})
        assert order["filled"] == there
        assert (await client.fetch_order(order["id"]))["status"] == "canceled"


async def test_the_market_moves_through_a_resting_order() -> None:
    """It is filled at its own price."""
    async with trading() as (client, venue):
        bid, _ = at(venue)
        order = await client.create_order(TICKER, "limit", "buy", 10, bid)
        venue.quote(TICKER, Decimal("0.01"), Decimal("0.02"), Decimal(4))
        fetched = await client.fetch_order(order["id"])
        assert (fetched["filled"], fetched["status"]) == (4, "open")
        (trade,) = await client.fetch_my_trades(TICKER)
        assert trade["price"] == bid


@pytest.mark.parametrize("result", ["yes", "no"])
async def test_a_settled_market_pays(result: str) -> None:
    """The settlement says what was held, paid and earned; open orders are gone; the balance has the payout."""
    async with trading() as (client, venue):
        bid, ask = at(venue)
        await client.create_order(TICKER, "limit", "buy", 10, ask)
        resting = await client.create_order(TICKER, "limit", "buy", 1, bid)
        before = (await client.fetch_balance())["USD"]["total"]
        assert await client.fetch_settlements() == []
        venue.settle(TICKER, result)
        (settlement,) = await client.fetch_settlements(TICKER)
        payout = 10 if result == "yes" else 0
        assert (settlement["won"], settlement["amount"], settlement["payout"]) == (result == "yes", 10, payout)
        assert settlement["pnl"] == pytest.approx(payout - 10 * ask)
        assert (await client.fetch_order(resting["id"]))["status"] == "canceled"
        assert (await client.fetch_balance())["USD"]["total"] == pytest.approx(before + payout)
        assert await client.fetch_positions() == []
        with pytest.raises(ccxt.BadRequest, match="market_closed"):
            await client.create_order(TICKER, "limit", "buy", 1, bid)


async def test_a_request_that_is_signed_with_another_key_is_refused() -> None:
    """As is one without a key."""
    async with trading() as (client, _):
        client.privateKey = RsaKey().pem
        with pytest.raises(ccxt.AuthenticationError, match="incorrect_signature"):
            await client.fetch_balance()
        client.apiKey = "another"
        with pytest.raises(ccxt.AuthenticationError, match="authentication_error"):
            await client.fetch_balance()


async def test_orders_that_cannot_be_are_refused() -> None:
    """Too little money, a price off the tick, a fault."""
    async with trading(cash=Decimal(1)) as (client, venue):
        _, ask = at(venue)
        with pytest.raises(ccxt.BadRequest, match="insufficient_balance"):
            await client.create_order(TICKER, "limit", "buy", 10, ask)
        with pytest.raises(ccxt.InvalidOrder):
            await client.create_order(TICKER, "limit", "buy", 1, 0.123)
        venue.switch_on("reject")
        with pytest.raises(ccxt.BadRequest, match="insufficient_balance"):
            await client.create_order(TICKER, "limit", "buy", 1, 0.01)
        venue.switch_on("unavailable")
        with pytest.raises(ccxt.ExchangeNotAvailable):
            await client.fetch_balance()
        venue.switch_off()
        assert (await client.fetch_balance())["USD"]["total"] == 1
