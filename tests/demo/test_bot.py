"""The bot on the generated market: its traces, its metrics, its log lines, and how it takes every fault."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
from opentelemetry.trace import format_trace_id

from otel_trading.demo.venue import GeneratedMarket, Venues
from otel_trading.testing import capture
from tests.demo.bots import trading, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.demo.tally import Tally
    from otel_trading.testing import Captured

IDS = {"trading.order.client_id", "trading.order.id", "trading.execution.id"}


@pytest.fixture
def telemetry() -> Iterator[Captured]:
    """Telemetry that stays here, by the real time."""
    with capture(real_time=True) as captured:
        yield captured


def events(tally: Tally) -> str:
    return "\n".join(text for _, text, _ in tally.events)


async def test_a_trade_is_one_trace_from_the_tick_to_the_profit(telemetry: Captured) -> None:
    """Signal, both orders with their requests, and the profit are spans of one trace; orders tell of their fills."""
    async with Venues(GeneratedMarket(1)) as venues, trading(venues, telemetry=telemetry) as (_, tally):
        await until(lambda: tally.trades["success"] >= 2)
    names = ["order", "order", "order_execution", "order_execution", "pnl", "signal", "tick_to_trade"]
    traces = [[span for span in telemetry.traces if span.trace_id == tick.trace_id] for tick in tally.ticks_to_trade]
    complete = [spans for spans in traces if sorted(span.name for span in spans) == names]
    assert len(complete) >= 2
    spans = complete[0]
    [root] = [span for span in spans if span.name == "tick_to_trade"]
    assert root.parent_id is None
    assert {"trading.opportunity.detected", "trading.trade.started"} <= set(root.events)
    orders = {span.span_id: span for span in spans if span.name == "order"}
    for span in spans:
        assert root.raw.start_time <= span.raw.start_time <= span.raw.end_time <= root.raw.end_time  # type: ignore[operator]
        if span.name == "order_execution":
            assert span.parent_id in orders
        else:
            assert span is root or span.parent_id == root.span_id
    assert {span.attributes["trading.venue.name"] for span in orders.values()} == {"binance", "binanceusdm"}
    for order in orders.values():
        assert {"trading.order.acknowledged", "trading.order.filled"} <= set(order.events)
        assert order.attributes["trading.order.status"] == "filled"
        assert order.attributes["trading.order.id"]


async def test_an_emergency_stop_stops_it(telemetry: Captured) -> None:
    """The trade under way is finished, none begins while market data goes on; resumed it trades again."""
    async with Venues(GeneratedMarket(1)) as venues, trading(venues, telemetry=telemetry) as (_, tally):
        await until(lambda: tally.trades.total() >= 1)
        telemetry.handle.emergency.stop("the test says so")
        try:
            await asyncio.sleep(1)
            trades, messages = tally.trades.total(), tally.messages
            await until(lambda: tally.messages >= messages + 500)
            assert tally.trades.total() == trades
        finally:
            telemetry.handle.emergency.resume("it is over")
        await until(lambda: tally.trades.total() > trades)


async def test_tick_to_trade_has_an_exemplar_of_its_trace(telemetry: Captured) -> None:
    """And so has the time to the acknowledgement; no id is an attribute of a metric."""
    async with Venues(GeneratedMarket(1)) as venues, trading(venues, telemetry=telemetry) as (_, tally):
        for trades in (2, 4, 6):  # an exemplar is handed out once, as soon as its trace is known to be kept
            await until(lambda trades=trades: tally.trades.total() >= trades)  # type: ignore[misc]
            data = telemetry.metrics.data
            assert data is not None
            metrics = {each.name: each for scope in data.resource_metrics[0].scope_metrics for each in scope.metrics}
            exemplars = [
                [exemplar for point in metrics[name].data.data_points for exemplar in point.exemplars]
                for name in ("trading.tick_to_trade.duration", "trading.order.ack.duration")
            ]
            if all(exemplars):
                break
    trace_ids = {span.trace_id for span in telemetry.traces}
    for found in exemplars:
        assert found
        assert {format_trace_id(exemplar.trace_id) for exemplar in found} <= trace_ids  # type: ignore[arg-type]
    keys = {key for metric in metrics.values() for point in metric.data.data_points for key in point.attributes or {}}
    assert "trading.venue.name" in keys
    assert not IDS & keys


@pytest.mark.parametrize("engine", ["native", "sdk"])
async def test_metrics_agree_with_what_happened(engine: Literal["native", "sdk"]) -> None:
    """Orders, fills, trades, frames and profit, by the names and units of the conventions, on both engines."""
    with capture(engine=engine, real_time=True) as telemetry:
        async with Venues(GeneratedMarket(2)) as venues, trading(venues, telemetry=telemetry) as (bot, tally):
            await until(lambda: tally.trades.total() >= 3)
        metrics = telemetry.metrics
        assert metrics["trading.order.submissions"].value == tally.orders
        assert metrics["trading.execution.reports"](trading_execution_type="trade").value == tally.fills
        assert metrics["trading.trade.completions"].value == tally.trades.total()
        assert metrics["trading.trade.attempts"].value == tally.trades.total()
        assert metrics["trading.market_data.messages"].value == tally.messages
        assert metrics["trading.order.active"].value == 0
        assert metrics["trading.pnl.realized"].value == pytest.approx(float(bot.portfolio.realized), abs=1e-6)
        assert tally.realized == bot.portfolio.realized
        assert {metrics[name].unit for name in metrics if name.endswith(".duration")} == {"s"}
        assert metrics["trading.opportunity.edge.bps"].unit == "{bp}"


async def test_percentiles_of_its_timers_are_those_of_its_own_record(telemetry: Captured) -> None:
    """Ticks to trade and acknowledgements, within 1 % of what the bot kept one by one."""
    async with Venues(GeneratedMarket(1)) as venues, trading(venues, telemetry=telemetry) as (_, tally):
        await until(lambda: tally.trades.total() >= 3)
    ticks = [tick.seconds for tick in tally.ticks_to_trade]
    acknowledged = [seconds for venue in tally.acks.values() for seconds in venue]
    for name, values in (("tick_to_trade", ticks), ("order.ack", acknowledged)):
        measured = telemetry.metrics[f"trading.{name}.duration"]
        assert (measured.count, measured.max) == (len(values), max(values))
        for quantile in (0.5, 0.99):
            exact = np.quantile(values, quantile, method="inverted_cdf")
            assert measured.quantile(quantile) == pytest.approx(exact, rel=0.01)


async def test_a_stage_over_its_budget_is_counted_by_its_name(telemetry: Captured) -> None:
    """A venue that answers late breaks the budget of the execution, and of no other stage."""
    async with Venues(GeneratedMarket(1)) as venues, trading(venues, telemetry=telemetry) as (_, tally):
        await venues.switch_on("slow_ack:perp:150ms")
        await until(lambda: len(tally.acks["perp"]) >= 2)
    violations = telemetry.metrics["trading.stage.budget.violations"]
    late = sum(span.duration > 0.1 for span in telemetry.traces.where("order_execution"))
    assert violations(trading_stage_name="order_execution").value == late >= 2
    slow = sum(span.duration > 0.009 for span in telemetry.traces.where("signal"))  # the machine may be busy
    assert violations(trading_stage_name="signal_generation").value <= slow


async def test_log_lines_of_an_order_are_written_inside_its_trace(telemetry: Captured) -> None:
    """Also those of its fills, which arrive on another task."""
    async with Venues(GeneratedMarket(1)) as venues, trading(venues, telemetry=telemetry) as (_, tally):
        await until(lambda: tally.trades["success"] >= 1)
    filled = next(log for log in telemetry.logs if log.body == "order filled")
    client_id = filled.attributes["trading.order.client_id"]
    mine = [log for log in telemetry.logs if log.attributes.get("trading.order.client_id") == client_id]
    steps = ["order submitted", "order acknowledged", "order filled"]
    assert sorted({log.body for log in mine}) == sorted(steps)
    assert len({log.trace_id for log in mine}) == 1
    assert filled.trace_id in {tick.trace_id for tick in tally.ticks_to_trade}


async def test_stopping_closes_the_position() -> None:
    """What is held when the bot is told to stop is given back."""
    async with Venues(GeneratedMarket(1)) as venues:
        async with trading(venues) as (bot, _):
            await until(lambda: bot.portfolio.holds is not None)
        assert bot.portfolio.holds is None
        assert abs(venues.perp_account.position) < Decimal("0.001")


async def test_rejects_of_one_venue_leave_no_leg_alone() -> None:
    """The other leg is taken back at once, and the bot slows down."""
    async with Venues(GeneratedMarket(1)) as venues, trading(venues) as (bot, tally):
        await venues.switch_on("reject:spot:1")
        await until(lambda: tally.rejects >= 2 and tally.trades["partial"] >= 1)
        await until(lambda: bot.portfolio.naked == 0)
        assert bot.portfolio.holds is None
        assert "rejected (insufficient_funds)" in events(tally)
        assert tally.rejects < 20
        await venues.switch_off()
        await until(lambda: tally.trades["success"] >= 1)


async def test_a_disconnect_is_survived() -> None:
    """It is counted, frames come again and trades go on."""
    async with Venues(GeneratedMarket(1), speed=2.0) as venues, trading(venues) as (_, tally):
        await until(lambda: tally.trades.total() >= 1)
        await venues.switch_on("disconnect:perp:1s")
        await until(lambda: tally.feeds["perp"].reconnects >= 1)
        frames, trades = tally.feeds["perp"].frames.total(), tally.trades.total()
        await until(lambda: tally.feeds["perp"].frames.total() > frames and tally.trades.total() > trades)
        assert tally.feeds["perp"].connected
        assert "perp: " in events(tally)


async def test_a_silent_socket_is_noticed_and_not_traded_on() -> None:
    """Two seconds without data, and there are no orders until it speaks again."""
    async with Venues(GeneratedMarket(1), speed=2.0) as venues, trading(venues) as (_, tally):
        await until(lambda: tally.trades.total() >= 1)
        await venues.switch_on("silent:perp")
        await until(lambda: "perp: no data for" in events(tally))
        orders = tally.orders
        await asyncio.sleep(1.0)
        assert tally.orders == orders
        await venues.switch_off()
        await until(lambda: tally.orders > orders)


async def test_slow_acknowledgements_show() -> None:
    """In the venue's own times, and not in those of the other one."""
    async with Venues(GeneratedMarket(1)) as venues, trading(venues) as (_, tally):
        await venues.switch_on("slow_ack:perp:400ms")
        await until(lambda: len(tally.acks["perp"]) >= 2)
        assert min(tally.acks["perp"]) >= 0.4
        assert min(tally.acks["spot"]) < 0.4


async def test_a_skewed_clock_is_noticed_and_taken_out() -> None:
    """The bot says that the venue's clock jumped, asks for its time when orders are refused, and trades on."""
    async with Venues(GeneratedMarket(1)) as venues, trading(venues) as (_, tally):
        await until(lambda: tally.trades["success"] >= 1)
        await venues.switch_on("clock_skew:perp:-1270ms")
        await until(lambda: tally.feeds["perp"].latency > 1.0)
        await until(lambda: tally.rejects >= 1)
        before = tally.trades["success"]
        await until(lambda: tally.trades["success"] > before)


async def test_a_venue_whose_clock_is_ahead_gives_no_negative_latency(telemetry: Captured) -> None:
    """The offset is taken out of the latency, and counted where it was negative."""
    async with Venues(GeneratedMarket(1)) as venues, trading(venues, telemetry=telemetry) as (_, tally):
        await venues.switch_on("clock_skew:perp:800ms")
        await until(lambda: tally.feeds["perp"].clock_offset > 0.5)
        assert 0.7 < tally.feeds["perp"].clock_offset < 0.9
    latency = telemetry.metrics["trading.market_data.latency"](trading_venue_name="binanceusdm")
    assert latency.count > 0
    assert latency.min is not None
    assert latency.min >= 0.0
    assert telemetry.metrics["trading.market_data.latency.negative"].value > 0
