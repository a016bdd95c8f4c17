"""Both recordings through the bot: what its metrics say is what the files and the venues' accounts say."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
from collections import Counter, defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import pytest

from otel_trading.demo.bot import Parameters, Settings
from otel_trading.demo.venue import Venues
from otel_trading.demo.venue.account import PerpAccount, SpotAccount
from otel_trading.demo.venue.recording import RecordedMarket
from otel_trading.testing import capture
from tests.demo.bots import trading, until
from tests.demo.venue.venue_clients import recordings

if TYPE_CHECKING:
    from pathlib import Path

    from otel_trading.demo.venue.market import VenueName
    from otel_trading.demo.venue.orders import Order

NAMES: dict[VenueName, str] = {"spot": "binance", "perp": "binanceusdm"}
TYPES = {"bookTicker": "ticker", "trade": "trade", "depth": "book_update"}
EAGER = Settings(strategy=Parameters(warm_up=1.0, entry=1.0, floor_bps=0.8))


class Written:
    """What a venue's account was told, written down."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.executions: list[tuple[int, Decimal, Decimal, Decimal]] = []
        """Signs, quantities, prices, and commissions in the quote currency."""

    def settle(self, order: Order, price: Decimal, quantity: Decimal, fee: Decimal) -> Any:
        commission, asset, _ = told = super().settle(order, price, quantity, fee)  # type: ignore[misc]
        in_quote = commission * price if asset == "BTC" else commission
        self.executions.append((1 if order.side.value.lower() == "buy" else -1, quantity, price, in_quote))
        return told


class Spot(Written, SpotAccount):
    """The spot account, written down."""


class Perp(Written, PerpAccount):
    """The perpetual's account, written down."""


def from_file(path: Path) -> tuple[Counter[str], int, float]:
    """Frames of a recording by stream; and of its best prices how many there are, and their spreads' sum."""
    frames: Counter[str] = Counter()
    spreads = []
    with gzip.open(path, "rt") as lines:
        for line in lines:
            message = json.loads(line.partition(" ")[2])
            if "stream" not in message:
                continue
            stream = message["stream"].split("@")[1]
            frames[stream] += 1
            if stream == "bookTicker":
                bid, ask = float(message["data"]["b"]), float(message["data"]["a"])
                spreads.append(max(0.0, (ask - bid) / ((ask + bid) / 2) * 1e4))
    return frames, len(spreads), math.fsum(spreads)


def profit(executions: list[tuple[int, Decimal, Decimal, Decimal]]) -> Decimal:
    """What executions realised at average cost, net of commissions."""
    held = cost = earned = Decimal(0)
    for sign, quantity, price, commission in executions:
        earned -= commission
        while quantity:
            closes = held * sign < 0
            part = min(quantity, abs(held)) if closes else quantity
            if closes:
                average = cost / held
                earned += part * (price - average) * -sign
                cost += average * part * sign
            else:
                cost += part * price * sign
            held += part * sign
            quantity -= part  # noqa: PLW2901 - what is left of it
    return earned


@pytest.mark.parametrize("engine", ["native", pytest.param("sdk", marks=pytest.mark.soak)])
async def test_every_count_and_sum_is_that_of_the_files_and_the_accounts(engine: Literal["native", "sdk"]) -> None:
    """Frames and spreads from the files; orders, executions, notional, commissions and profit from the venues."""
    files = recordings()
    accounts: dict[str, Any] = {"spot": Spot(), "perp": Perp()}
    venues = Venues(
        RecordedMarket(files["spot"], files["perp"]),
        speed=None,
        spot_account=accounts["spot"],
        perp_account=accounts["perp"],
    )
    with capture(engine=engine, real_time=True) as telemetry:
        async with venues, trading(venues, EAGER, telemetry) as (bot, tally):
            await asyncio.wait_for(venues.finished(), 180)
            wanted = {venue: from_file(files[venue]) for venue in NAMES}
            total = sum(frames.total() for frames, _, _ in wanted.values())
            await until(lambda: tally.messages >= total, within=60)
        metrics, orders = telemetry.metrics, telemetry.trading.orders
        assert telemetry.trading.failures == {}
        for venue, name in NAMES.items():
            frames, count, spreads = wanted[venue]
            of_venue = {"trading_venue_name": name}
            received = metrics["trading.market_data.messages"](**of_venue)
            by_type = {point.attributes["trading.market_data.type"]: point.value for point in received.points}
            assert by_type == {TYPES[stream]: number for stream, number in frames.items()}
            measured = metrics["trading.market_data.book.spread.bps"](**of_venue)
            assert measured.count == count
            assert measured.sum == pytest.approx(spreads, rel=1e-9)
            assert metrics["trading.market_data.book.updates"](**of_venue).value == count

            executions = accounts[venue].executions
            assert executions
            sums: dict[str, float] = defaultdict(float)
            for _, quantity, price, commission in executions:
                sums["quantity"] += float(quantity)
                sums["notional"] += float(quantity * price)
                sums["commission"] += float(commission)
            for what, amount in sums.items():
                assert metrics[f"trading.execution.{what}"](**of_venue).value == pytest.approx(amount, rel=1e-9)
            reports = metrics["trading.execution.reports"](trading_execution_type="trade", **of_venue)
            assert reports.value == len(executions)
            placed = venues.venues[venue].stats()["orders"]
            assert metrics["trading.order.submissions"](**of_venue).value == placed["accepted"]
            realized = metrics["trading.pnl.realized"](**of_venue).value
            assert realized == pytest.approx(float(profit(executions)), abs=1e-6)
            held = float(sum(sign * quantity for sign, quantity, _, _ in executions))
            assert metrics["trading.position.quantity"](**of_venue).value == pytest.approx(held, abs=1e-9)
        assert metrics["trading.order.active"].value == len(orders) == 0
        assert orders.submitted == orders.ended == tally.orders
        assert "trading.order.anomalies" not in metrics
        earned = sum((profit(account.executions) for account in accounts.values()), Decimal(0))
        assert abs(bot.portfolio.realized - earned) < Decimal("1e-18")  # of 28 digits, and the order of sums is another
