"""Orders at prediction markets become trading events, each thing once, whoever tells it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import ccxt
import pytest

from tests.instrument.prediction.venues import TICKER, at_kalshi, at_polymarket, best, until, watching

if TYPE_CHECKING:
    from tests.instrument.prediction.venues import Told


async def test_an_order_at_kalshi_is_told_from_submission_to_its_last_fill(told: Told) -> None:
    """By its answer, whatever is fetched later."""
    async with at_kalshi() as (client, venue, outcome):
        _, ask = best(venue)
        order = await client.create_order(outcome, "limit", "buy", 10, ask)
        for _ in range(2):
            await client.fetch_my_trades(outcome)
            await client.fetch_order(order["id"])
            await client.fetch_orders()
    (submitted,) = told["order.submitted"]
    assert (submitted["venue"], submitted["symbol"], submitted["side"]) == ("kalshi", outcome, "buy")
    assert (float(submitted["quantity"]), float(submitted["price"])) == (10, ask)
    (acknowledged,) = told["order.acknowledged"]
    assert acknowledged["order_id"] == order["id"]
    (filled,) = told["order.filled"]
    assert (float(filled["last_quantity"]), float(filled["last_price"])) == (10, ask)
    assert not told["order.canceled"]
    assert len(told.captured.trading.orders) == 0


async def test_parts_of_a_resting_order_at_kalshi_are_told_as_they_are_seen(told: Told) -> None:
    """And the cancellation of the rest."""
    async with at_kalshi() as (client, venue, outcome):
        order = await client.create_order(outcome, "limit", "buy", 10, best(venue)[0])
        venue.fill(order["id"], Decimal(3))
        await client.fetch_my_trades(outcome)
        venue.fill(order["id"], Decimal(1))
        await client.fetch_my_trades(outcome)
        await client.fetch_open_orders(outcome)
        await client.cancel_order(order["id"], outcome)
    assert sorted(float(each["last_quantity"]) for each in told["order.filled"]) == [1, 3]
    assert {each["liquidity"] for each in told["order.filled"]} == {"added"}
    assert len(told["order.canceled"]) == 1


@pytest.mark.parametrize("fault", ["reject", None])
async def test_a_refused_order_at_kalshi_is_told_as_rejected(told: Told, fault: str | None) -> None:
    """With the venue's reason."""
    async with at_kalshi() as (client, venue, _):
        if fault:
            venue.switch_on(fault)
        with pytest.raises(ccxt.BaseError):
            await client.create_order(TICKER, "limit", "buy", 1 if fault else 100_000, 0.5)
    (rejected,) = told["order.rejected"]
    assert "insufficient_balance" in rejected["text"]


async def test_an_order_at_polymarket_that_is_matched_at_once_is_told_as_filled(told: Told) -> None:
    """Though ccxt unifies the answer as closed with nothing filled; and only once, whatever is fetched later."""
    async with at_polymarket() as (client, venue, outcome):
        _, ask = best(venue)
        order = await client.create_order(outcome, "limit", "buy", 10, ask)
        assert (order["status"], order["filled"]) == ("closed", 0)
        await client.fetch_my_trades(outcome)
        await venue.chain.idle()
        await client.fetch_my_trades(outcome)
        await client.fetch_order(order["id"])
    (filled,) = told["order.filled"]
    assert (float(filled["last_quantity"]), float(filled["last_price"]), filled["symbol"]) == (10, ask, outcome)
    assert not told["order.canceled"]
    assert not told["order.anomaly"]


async def test_an_order_by_its_token_is_told_by_its_outcome(told: Told) -> None:
    """The name that is unified is the one that is told."""
    async with at_polymarket() as (client, venue, outcome):
        token = client.outcomes[outcome]["outcomeId"]
        order = await client.create_order(token, "limit", "buy", 10, best(venue)[0])
        await venue.fill(order["id"])
        await client.fetch_my_trades(token)
    assert [each["symbol"] for each in told["order.submitted"]] == [outcome]
    assert [float(each["last_quantity"]) for each in told["order.filled"]] == [10]


async def test_executions_of_a_resting_order_at_polymarket_are_ours(told: Told) -> None:
    """Though ccxt unifies them with the order and the amount of the taker, and another id once they are mined."""
    async with at_polymarket() as (client, venue, outcome):
        bid, _ = best(venue)
        order = await client.create_order(outcome, "limit", "buy", 10, bid)
        await venue.fill(order["id"], Decimal(3))
        await client.fetch_my_trades(outcome)
        await venue.chain.idle()
        await venue.fill(order["id"], Decimal(7))
        await venue.chain.idle()
        (first, second) = await client.fetch_my_trades(outcome)
        assert {first["id"], second["id"]}.isdisjoint(fill.id for fill in venue.engine.orders[order["id"]].fills)
        await client.fetch_my_trades()
    assert sorted(float(each["last_quantity"]) for each in told["order.filled"]) == [3, 7]
    assert {each["liquidity"] for each in told["order.filled"]} == {"added"}
    assert {each["side"] for each in told["order.filled"]} == {"buy"}
    assert not told["order.anomaly"]


async def test_an_order_that_is_edited_is_canceled_and_another_one_submitted(told: Told) -> None:
    """As ccxt does it at Kalshi."""
    async with at_kalshi() as (client, venue, outcome):
        bid, _ = best(venue)
        order = await client.create_order(outcome, "limit", "buy", 10, bid)
        edited = await client.edit_order(order["id"], outcome, "limit", "buy", 5, round(bid - 0.01, 2))
        await client.fetch_orders()
    assert [each["order_id"] for each in told["order.canceled"]] == [order["id"]]
    assert [each["order_id"] for each in told["order.acknowledged"]] == [order["id"], edited["id"]]
    assert [float(each["quantity"]) for each in told["order.submitted"]] == [10, 5]


async def test_all_orders_are_canceled(told: Told) -> None:
    """Each is told, at either venue."""
    async with at_kalshi() as (client, venue, outcome), at_polymarket() as (other, polymarket, name):
        for _ in range(2):
            await client.create_order(outcome, "limit", "buy", 10, best(venue)[0])
            await other.create_order(name, "limit", "buy", 10, best(polymarket)[0])
        assert len(await client.cancel_all_orders(outcome)) == 2
        assert len(await other.cancel_all_orders()) == 2
    assert [each["venue"] for each in told["order.canceled"]] == ["kalshi", "kalshi", "polymarket", "polymarket"]
    assert len(told.captured.trading.orders) == 0


async def test_what_streams_tell_of_orders_is_told_once(told: Told) -> None:
    """Orders and trades of the user channel, and what is fetched beside."""
    async with at_polymarket() as (client, venue, outcome), watching(client.watch_orders, client.watch_my_trades):
        await venue.user.subscribed.wait()
        order = await client.create_order(outcome, "limit", "buy", 10, best(venue)[0])
        await venue.fill(order["id"], Decimal(4))
        await until(lambda: len(told["order.filled"]) == 1)
        await venue.chain.idle()
        await client.fetch_my_trades(outcome)
        await client.cancel_order(order["id"], outcome)
        await until(lambda: venue.sent["order"] == 3)
        await client.fetch_order(order["id"])
    assert [float(each["last_quantity"]) for each in told["order.filled"]] == [4]
    assert len(told["order.canceled"]) == 1
    assert len(told["order.submitted"]) == 1
