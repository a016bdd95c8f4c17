"""Polymarket's channels through ccxt's own client: every frame, and how old the data of each subscription is."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ccxt
import pytest

from otel_trading.demo.prediction import GeneratedMarkets, Leg, Polymarket, RecordedMarkets, make_polymarket
from tests.instrument.prediction.venues import at_polymarket, until, watching

if TYPE_CHECKING:
    from tests.instrument.prediction.venues import Told

FRAMES = "trading.venue.messages"


def received(told: Told) -> float:
    if FRAMES not in told.captured.metrics:
        return 0
    points = told.captured.metrics[FRAMES].where({"network.io.direction": "receive"})
    return points.value


def source(kind: str) -> Any:
    if kind == "generated":
        return GeneratedMarkets(1, count=1, steps=1_000)
    folder = Path(os.environ.get("OTEL_TRADING_DATA", Path(__file__).parents[3].parent / "shared" / "data"))
    if not (folder / "polymarket").is_dir():
        pytest.skip(f"there is no {folder / 'polymarket'}; OTEL_TRADING_DATA names the folder of the recordings")
    return RecordedMarkets(folder / "polymarket", times=100)


@pytest.mark.parametrize("kind", ["generated", "recorded"])
async def test_every_frame_is_counted(told: Told, kind: str) -> None:
    """As many as the venue sent, at full speed; books and trades are subscriptions of the outcome."""
    async with Polymarket(source(kind), speed=None) as venue:
        client = make_polymarket(venue)
        await client.load_markets()
        outcome = client.outcomes_by_id[venue.questions[-1].tokens[Leg.YES]]["outcome"]
        watches = (lambda: client.watch_order_book(outcome), lambda: client.watch_trades(outcome))
        async with watching(*watches):
            await venue.start()
            await venue.finished()
            assert venue.sent.total() >= 700
            await until(lambda: received(told) >= venue.sent.total())
            assert received(told) == venue.sent.total()
            feeds = {feed.about.type: feed for feed in told.captured.trading.feeds}
            assert {feed.about.symbol for feed in feeds.values()} == {outcome}
            assert feeds.keys() == {"book_update", "trade"}
            told_of = {type_: feed.messages for type_, feed in feeds.items()}
            books = venue.sent["book"] + venue.sent["price_change"]
            assert told_of == {"book_update": books, "trade": len(client.trades[outcome])}
            assert all(0 <= feed.age < 60 for feed in feeds.values())
        await client.close()


async def test_a_silent_socket_is_stale(told: Told) -> None:
    """Though it is open and answers pings."""
    async with at_polymarket() as (client, venue, outcome):
        client.streaming["keepAlive"] = 50
        async with watching(lambda: client.watch_order_book(outcome)):
            await until(lambda: bool(list(told.captured.trading.feeds)))
            (feed,) = told.captured.trading.feeds
            feed.threshold = 0.2
            await until(lambda: feed.messages == 1)
            venue.switch_on("silent")
            await until(lambda: told.captured.trading.feeds.stale() == [feed])
            assert all(socket.isConnected for socket in client.clients.values())
            venue.switch_off("silent")
            question = venue.questions[0]
            token = question.tokens[Leg.YES]
            book = {"event_type": "book", "market": question.condition, "asset_id": token, "bids": [], "asks": []}

            for _ in range(2_000):
                await venue.play(book)
                if not told.captured.trading.feeds.stale():
                    break
                await asyncio.sleep(0.01)
            assert told.captured.trading.feeds.stale() == []


async def test_a_malformed_frame_is_counted_and_stays_the_librarys_affair(told: Told) -> None:
    """It is an error of the venue's market data; the subscription gets old, as ccxt reads nothing more."""
    errors: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context["exception"]))
    async with at_polymarket() as (client, venue, outcome):
        venue.switch_on("malformed")
        async with watching(lambda: client.watch_order_book(outcome)):
            await until(lambda: bool(errors))
            assert received(told) == 1
            counted = told.captured.metrics["trading.market_data.errors"]
            assert counted.value == 1


async def test_sockets_that_are_cut_are_told(told: Told) -> None:
    """And counted as connected again."""
    async with at_polymarket() as (client, venue, outcome):
        await client.watch_order_book(outcome)
        waiting = asyncio.create_task(client.watch_order_book(outcome))
        await until(lambda: any("orderbook" in name for each in client.clients.values() for name in each.futures))
        venue.switch_on("disconnect")
        with pytest.raises((ccxt.NetworkError, ConnectionError)):  # the latter where it was about to subscribe
            await asyncio.wait_for(waiting, 20)
        await client.watch_order_book(outcome)
        assert told.captured.metrics["trading.venue.connection.duration"].count == 1
        assert told.captured.metrics["trading.venue.connect.duration"].count == 2
