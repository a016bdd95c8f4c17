"""Real clients of ccxt at simulated venues: open orders are taken back, positions compared."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.demo.exchange import make_exchange
from otel_trading.demo.venue import GeneratedMarket, VenueProcess, Venues
from otel_trading.lifecycle import IncompleteError
from otel_trading.testing import capture

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from otel_trading.testing import Captured
    from tests.lifecycle.conftest import Start

SPOT, PERP = "BTC/USDT", "BTC/USDT:USDT"


@pytest.fixture
def telemetry() -> Iterator[Captured]:
    """Telemetry that is looked at, in real time."""
    with capture(real_time=True) as captured:
        yield captured


@asynccontextmanager
async def clients() -> AsyncIterator[tuple[Any, Any]]:
    """Clients of both venues, whose books stand."""
    async with Venues(GeneratedMarket(seed=3)) as venues:
        spot, perp = make_exchange("spot", venues.spot_url), make_exchange("perp", venues.perp_url)
        try:
            await asyncio.gather(spot.load_markets(), perp.load_markets())
            yield spot, perp
        finally:
            await asyncio.gather(spot.close(), perp.close())


async def resting(telemetry: Captured, exchange: Any, symbol: str, client_id: str, *, told: bool = True) -> str:
    """An order far from the market; its id."""
    ticker = await exchange.fetch_ticker(symbol)
    price = exchange.price_to_precision(symbol, (ticker["bid"] or ticker["last"]) * 0.9)
    if told:
        details: dict[str, Any] = {"venue": exchange.id, "symbol": symbol, "side": "buy", "type": "limit"}
        telemetry.trading.order_submitted(client_id, quantity="0.01", price=price, **details)
    placed = await exchange.create_order(symbol, "limit", "buy", 0.01, price, {"clientOrderId": client_id})
    if told:
        telemetry.trading.order_acknowledged(client_id, venue_order_id=placed["id"])
    return str(placed["id"])


async def test_open_orders_are_taken_back_and_looked_for(telemetry: Captured) -> None:
    """At both venues; those of others stay."""
    async with clients() as (spot, perp):
        for number in range(3):
            await resting(telemetry, spot, SPOT, f"s-{number}")
        await resting(telemetry, perp, PERP, "p-0")
        foreign = await resting(telemetry, spot, SPOT, "somebody", told=False)
        async with telemetry.running(telemetry.lifecycle.cancel_open_orders(spot, perp)) as run:
            pass
        assert run.report is not None
        phase = run.report["cancel_orders"]
        assert phase.outcome == "done", phase
        assert phase.detail == "binance: 3 cancelled, 1 of others left alone; binanceusdm: 1 cancelled"
        assert [order["id"] for order in await spot.fetch_open_orders(SPOT)] == [foreign]
        assert await perp.fetch_open_orders(PERP) == []
        assert len(telemetry.trading.orders) == 0
        step = telemetry.lifecycle.cancel_open_orders(spot, everything=True)
        assert await step.call() == "binance: 1 cancelled"
        assert await spot.fetch_open_orders(SPOT) == []


async def test_an_order_that_cannot_be_cancelled_is_told(telemetry: Captured) -> None:
    """It is tried again, and the step fails with its name."""
    async with clients() as (spot, _):
        await resting(telemetry, spot, SPOT, "s-0")
        tried: list[str] = []

        async def refuse(order_id: str, symbol: str) -> None:
            tried.append(order_id)
            raise ValueError("not now")

        spot.cancel_order = refuse
        step = telemetry.lifecycle.cancel_open_orders(spot)
        with pytest.raises(IncompleteError, match=r"binance: 0 cancelled, 1 still open \(s-0\), \d+: ValueError: not"):
            await step.call()
        assert len(tried) == 2


class Refusing:
    """A synchronous client whose venue refuses to say what is open."""

    id = "kraken"

    def __init__(self) -> None:
        self.cancelled: list[tuple[str, str]] = []

    def fetch_open_orders(self, symbol: str | None = None) -> list[dict[str, Any]]:
        raise ValueError("not allowed")

    def cancel_order(self, order_id: str, symbol: str) -> None:
        self.cancelled.append((order_id, symbol))


def test_a_venue_that_does_not_say_what_is_open(telemetry: Captured) -> None:
    """What the bot knows is cancelled all the same, and it is told that nobody confirms it."""
    client = Refusing()
    telemetry.trading.order_submitted("c-1", venue="kraken", symbol="BTC/EUR", side="buy", quantity=1, price=1)
    telemetry.trading.order_acknowledged("c-1", venue_order_id="v-1")
    step = telemetry.lifecycle.cancel_open_orders(client)
    with pytest.raises(IncompleteError, match="kraken: 1 cancelled, the venue did not say what is open"):
        step.call()
    assert client.cancelled == [("v-1", "BTC/EUR")]


class Simple(Refusing):
    """A synchronous client that works; its venue wants a symbol."""

    def __init__(self) -> None:
        super().__init__()
        self.open = [{"id": "v-1", "clientOrderId": "c-1", "symbol": "BTC/EUR"}]

    def fetch_open_orders(self, symbol: str | None = None) -> list[dict[str, Any]]:
        if symbol is None:
            raise ValueError("a symbol is required")
        return [order for order in self.open if order["symbol"] == symbol]

    def cancel_order(self, order_id: str, symbol: str) -> None:
        self.open = [order for order in self.open if order["id"] != order_id]


def test_synchronous_clients_work_in_their_thread(telemetry: Captured) -> None:
    """And venues that are asked symbol by symbol."""
    client = Simple()
    telemetry.trading.order_submitted("c-1", venue="kraken", symbol="BTC/EUR", side="buy", quantity=1, price=1)
    with telemetry.running(telemetry.lifecycle.cancel_open_orders(client)) as run:
        pass
    assert run.report is not None
    assert run.report["cancel_orders"].detail == "kraken: 1 cancelled"
    assert client.open == []


async def test_positions_are_compared_with_the_venue(telemetry: Captured) -> None:
    """What differs is an error in the log, a metric, and makes the step fail; a tolerance may allow it."""
    async with clients() as (_, perp):
        await perp.create_order(PERP, "market", "buy", 0.03)
        telemetry.trading.position_changed("binanceusdm", PERP, Decimal("0.03"))
        assert await telemetry.lifecycle.reconcile(perp).call() == "1 position agrees"
        telemetry.trading.position_changed("binanceusdm", PERP, Decimal("0.01"), strategy="other")
        async with telemetry.running(telemetry.lifecycle.reconcile(perp)) as run:
            pass
        assert run.report is not None
        phase = run.report["reconcile"]
        assert (phase.outcome, phase.detail) == (
            "failed",
            "BTC/USDT:USDT at binanceusdm: 0.03 there, 0.04 believed",
        )
        [line] = [each for each in telemetry.logs if each.body == "position differs from the venue's"]
        assert line.level == "ERROR"
        drift = telemetry.metrics["trading.position.drift"]
        where = {"trading.venue.name": "binanceusdm", "trading.instrument.symbol": PERP}
        assert drift(**where).value == pytest.approx(-0.01)
        assert telemetry.metrics["trading.position.drifts"](**where).value == 1
        allowed = telemetry.lifecycle.reconcile(perp, tolerance={PERP: "0.02"})
        assert await allowed.call() == "1 position agrees"


async def test_spot_accounts_and_functions_are_compared_too(telemetry: Captured) -> None:
    """A balance less what was there before; and what any function says."""
    async with clients() as (spot, _):
        telemetry.trading.position_changed("binance", SPOT, 0.5)
        telemetry.trading.position_changed("desk", "GOLD", -2)

        async def desk() -> dict[str, int]:
            return {"GOLD": -2, "OIL": 1}

        step = telemetry.lifecycle.reconcile(spot, desk=desk, baseline={"BTC": "9.5"})
        with pytest.raises(IncompleteError, match=r"^OIL at desk: 1 there, 0 believed$"):
            await step.call()


def test_what_cannot_be_asked_is_refused(telemetry: Captured) -> None:
    """When the step is made."""
    for make in (telemetry.lifecycle.cancel_open_orders, telemetry.lifecycle.reconcile):
        with pytest.raises(TypeError):
            make()
    with pytest.raises(TypeError, match="functions by the name of their venue"):
        telemetry.lifecycle.reconcile(dict)


BOT = """
from otel_trading.demo.exchange import make_exchange
async def main():
    spot = make_exchange("spot", os.environ["VENUE"])
    await spot.load_markets()
    state = telemetry.state.load({"runs": 0})
    async with telemetry.running(
        telemetry.lifecycle.cancel_open_orders(spot), spot.close, state=lambda: {"runs": state["runs"] + 1}
    ):
        for number in range(3):
            name = f"c-{os.getpid()}-{number}"
            telemetry.trading.order_submitted(
                name, venue="binance", symbol="BTC/USDT", side="buy", quantity="0.01", price="10000"
            )
            await spot.create_order("BTC/USDT", "limit", "buy", 0.01, 50000, {"clientOrderId": name})
        print("ready", flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


async def test_a_bot_that_is_told_to_end_leaves_no_order_behind(start: Start) -> None:
    """SIGTERM to a process of its own, at a venue in a third one: nothing is open, the state is counted up."""
    async with VenueProcess(seed=3) as venues:
        client = make_exchange("spot", venues.spot_url)
        try:
            for run in (1, 2):
                with await asyncio.to_thread(start, BOT, VENUE=venues.spot_url) as bot:
                    await asyncio.to_thread(bot.ready)
                    assert len(await client.fetch_open_orders(SPOT)) == 3
                    bot.process.send_signal(signal.SIGTERM)
                    status, _, err = await asyncio.to_thread(bot.ended)
                assert status == -signal.SIGTERM, err
                assert "binance: 3 cancelled" in err, err
                assert await client.fetch_open_orders(SPOT) == []
                assert "save_state     ok" in err, (run, err)
        finally:
            await client.close()
