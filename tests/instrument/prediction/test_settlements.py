"""Settlements at prediction markets become trading events."""

from __future__ import annotations

import os
from typing import Any

import pytest

from otel_trading.demo.prediction import Delays
from otel_trading.instrument.ccxt import CcxtInstrumentor
from otel_trading.instrument.ccxt.settlements import Settlements
from otel_trading.instrument.reporting import Reporting, reporting
from otel_trading.testing import capture
from tests.instrument.prediction.venues import Told, at_kalshi, at_polymarket, best, until, watching

SETTLED = "execution.settled"
PENDING = "trading.execution.settlement.pending"
DURATION = "trading.execution.settlement.duration"


@pytest.mark.parametrize(("fault", "outcome"), [(None, "settled"), ("settlement_fails", "failed")])
async def test_the_end_of_a_polled_execution_is_told_once(told: Told, fault: str | None, outcome: str) -> None:
    """That it is settled, or failed, when somebody fetches the trade; with its order and transaction."""
    async with at_polymarket(settlement=Delays(1.0, 0.1)) as (client, venue, name):
        if fault:
            venue.switch_on(fault)
        order = await client.create_order(name, "limit", "buy", 10, best(venue)[1])
        await client.fetch_my_trades(name)
        assert told[SETTLED] == []
        assert told.captured.metrics[PENDING].value == 1
        await venue.chain.idle()
        for _ in range(2):
            await client.fetch_my_trades(name)
        (settled,) = told[SETTLED]
        trade = venue.chain.trades[0]
        assert (settled["settlement_outcome"], settled["symbol"], settled["venue"]) == (outcome, name, "polymarket")
        assert (settled["order_id"], settled["execution_id"]) == (order["id"], trade.fill.id)
        assert settled["transaction"] == trade.transaction
        assert 0 < settled["duration_seconds"] < 20
    assert told.captured.metrics[DURATION].count == 1


async def test_the_end_of_a_watched_execution_is_told(told: Told) -> None:
    """As soon as the user channel says it, whether the bot fetches anything or not."""
    async with at_polymarket() as (client, venue, name), watching(client.watch_my_trades):
        await venue.user.subscribed.wait()
        order = await client.create_order(name, "limit", "buy", 10, best(venue)[0])
        await venue.fill(order["id"])
        await until(lambda: len(told[SETTLED]) == 1)
        (settled,) = told[SETTLED]
        assert (settled["settlement_outcome"], settled["order_id"]) == ("settled", order["id"])
        assert 0 < settled["duration_seconds"] < 20


async def test_a_ghost_fill_is_told_when_it_takes_too_long() -> None:
    """Once; it stays pending, and when it is settled after all that is told, too."""
    with capture(real_time=True) as captured:
        instrumentor = CcxtInstrumentor()
        instrumentor.instrument(settlement_timeout=0.05)
        try:
            told = Told(captured)
            async with at_polymarket() as (client, venue, name):
                venue.switch_on("unsettled")
                await client.create_order(name, "limit", "buy", 10, best(venue)[1])
                await client.fetch_my_trades(name)

                def overdue() -> bool:
                    assert captured.metrics[PENDING].value == 1
                    return bool(told[SETTLED])

                await until(overdue)
                assert captured.metrics[PENDING].value == 1
                (late,) = told[SETTLED]
                assert late["settlement_outcome"] == "timeout"
                venue.chain.trades[0].status = "CONFIRMED"
                await client.fetch_my_trades(name)
                assert [each["settlement_outcome"] for each in told[SETTLED]] == ["timeout", "settled"]
                assert PENDING not in captured.metrics
        finally:
            instrumentor.uninstrument()


@pytest.mark.parametrize("result", ["yes", "no"])
async def test_what_a_settled_market_paid_is_told_once(told: Told, result: str) -> None:
    """When somebody fetches settlements; how long it took is since the last execution that was seen."""
    async with at_kalshi() as (client, venue, name):
        await client.create_order(name, "limit", "buy", 10, best(venue)[1])
        await client.fetch_my_trades(name)
        assert await client.fetch_settlements() == []
        venue.settle("KXFED-26-1", result)
        for _ in range(2):
            await client.fetch_settlements(name)
        (settled,) = told[SETTLED]
        assert (settled["settlement_outcome"], settled["symbol"], settled["venue"]) == ("settled", name, "kalshi")
        assert ("YES: won" if result == "yes" else "NO: lost") in settled["text"]
        assert 0 <= settled["duration_seconds"] < 60


async def test_what_was_settled_before_is_not_told() -> None:
    """A bot that starts does not tell its history anew."""
    async with at_polymarket() as (client, venue, name), at_kalshi() as (other, kalshi, outcome):
        await client.create_order(name, "limit", "buy", 10, best(venue)[1])
        await venue.chain.idle()
        venue.chain.trades[0].fill = venue.chain.trades[0].fill._replace(time=venue.now() - 3600)
        await other.create_order(outcome, "limit", "buy", 10, best(kalshi)[1])
        kalshi.settle("KXFED-26-1", "yes")
        kalshi.settlements[0] = kalshi.settlements[0]._replace(time=kalshi.now() - 3600)
        with capture(real_time=True) as captured:
            instrumentor = CcxtInstrumentor()
            instrumentor.instrument()
            try:
                told = Told(captured)
                assert len(await client.fetch_my_trades(name)) == 1
                assert len(await other.fetch_settlements()) == 1
                assert told[SETTLED] == []
            finally:
                instrumentor.uninstrument()


async def test_nothing_is_told_once_the_instrumentation_is_taken_back(told: Told) -> None:
    """Nor measured."""
    async with at_polymarket() as (client, venue, name):
        await client.create_order(name, "limit", "buy", 10, best(venue)[1])
        await client.fetch_my_trades(name)
        CcxtInstrumentor().uninstrument()
        await venue.chain.idle()
        await client.fetch_my_trades(name)
    assert told[SETTLED] == []
    assert PENDING not in told.captured.metrics


def row(**info: Any) -> dict[str, Any]:
    return {"id": "t-1", "order": "o-1", "outcome": "RAIN:YES", "info": {"id": "t-1", **info}}


@pytest.mark.parametrize(
    "trade", [{"outcome": 1, "info": {"status": 5}}, {"outcome": "A", "info": []}, {"outcome": "A"}]
)
def test_odd_trades_raise_nothing(trade: dict[str, Any]) -> None:
    """Whatever a venue says."""
    with capture():
        settlements = Settlements(reporting({}))
        settlements.trade("polymarket", trade)
        settlements.settlement("kalshi", {"timestamp": "soon", "outcomeId": {}})


def test_venues_that_say_whole_seconds_are_believed_where_nobody_looked() -> None:
    """An execution that a poll sees when it is settled already took as long as the venue says."""
    with capture(start=1_700_000_000) as captured:
        told = Told(captured)
        settlements = Settlements(reporting({}))
        captured.advance(100)
        settlements.trade("polymarket", row(status="CONFIRMED", match_time="1700000010", last_update="1700000052"))
        settlements.trade("polymarket", row(status="CONFIRMED", match_time="1700000010", last_update="1700000052"))
        assert [each["duration_seconds"] for each in told[SETTLED]] == [42]


def test_our_own_clock_is_believed_where_the_venue_agrees() -> None:
    """It knows parts of seconds."""
    with capture(start=1_700_000_000) as captured:
        told = Told(captured)
        settlements = Settlements(reporting({}))
        settlements.trade("polymarket", row(status="MATCHED", match_time="1700000000"))
        captured.advance(2.25)
        settlements.trade("polymarket", row(status="MINED", match_time="1700000000", last_update="1700000002"))
        captured.advance(1.5)
        settlements.trade("polymarket", row(status="CONFIRMED", match_time="1700000000", last_update="1700000003"))
        assert [each["duration_seconds"] for each in told[SETTLED]] == [3.75]


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_what_is_pending_is_a_number_on_each_engine(engine: Any) -> None:
    """Of those only that are in use: one that is closed counts nothing, and a new one begins at none."""
    with capture(engine=engine, start=1_700_000_000) as captured:
        told = Told(captured)
        settlements = Settlements(reporting({}), timeout=30)
        for name in ("t-1", "t-2", "t-2"):
            settlements.trade("polymarket", {**row(status="MATCHED", match_time="1700000000"), "id": name})
        assert captured.metrics[PENDING].value == 2
        captured.advance(31)
        assert captured.metrics[PENDING].value == 2
        assert captured.metrics[PENDING].value == 2
        assert [each["settlement_outcome"] for each in told[SETTLED]] == ["timeout", "timeout"]
        settlements.trade("polymarket", row(status="FAILED", match_time="1700000000"))
        assert captured.metrics[PENDING].value == 1
        settlements.close()
        another = Settlements(reporting({}))
        another.trade("polymarket", row(status="MATCHED", match_time="1700000031"))
        assert captured.metrics[PENDING].value == 1
        assert captured.metrics[PENDING].attributes == [{"trading.venue.name": "polymarket"}]


def test_a_forked_child_waits_for_nothing_of_its_parents() -> None:
    """Executions are the parent's."""
    with capture(start=1_700_000_000):
        settlements = Settlements(reporting({}))
        settlements.trade("polymarket", row(status="MATCHED"))
        child = os.fork()
        if child == 0:
            os._exit(len(settlements._open))
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert len(settlements._open) == 1


def test_memory_is_bounded() -> None:
    """However many executions are never settled."""
    with capture(start=1_700_000_000):
        settlements = Settlements(reporting({}))
        for number in range(25_000):
            settlements.trade("polymarket", {**row(status="MATCHED"), "id": f"t-{number}"})
        assert len(settlements._open) <= 10_000


def test_a_bot_that_tells_its_orders_itself_tells_its_settlements_too() -> None:
    """Then nothing is told here."""
    with capture(start=1_700_000_000) as captured:
        told = Told(captured)
        said = reporting({})
        settlements = Settlements(Reporting(said.meter, said.tracer, said.trading, orders=False))
        settlements.trade("polymarket", row(status="CONFIRMED", match_time="1700000010"))
        assert told[SETTLED] == []
