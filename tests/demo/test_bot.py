"""The bot on the generated market: its traces, its metrics, its log lines, and how it takes every fault."""

from __future__ import annotations

import asyncio
import logging
from decimal import Decimal
from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics.export import Histogram, Sum
from opentelemetry.trace import format_trace_id

from otel_trading.demo.venue import GeneratedMarket, Venues
from tests.demo.bots import Kept, trading, until

if TYPE_CHECKING:
    import pytest
    from opentelemetry.sdk.trace import ReadableSpan

    from otel_trading.demo.tally import Tally


def events(tally: Tally) -> str:
    return "\n".join(text for _, text, _ in tally.events)


async def test_a_trade_is_one_trace_from_the_tick_to_the_profit() -> None:
    """Signal, both orders, their fills and the profit are spans of one trace, each inside the time of the whole."""
    kept = Kept()
    async with Venues(GeneratedMarket(1)) as venues, trading(venues, telemetry=kept) as (_, tally):
        await until(lambda: tally.trades["success"] >= 2)
    names = ["order_execution", "order_execution", "order_fill", "order_fill", "pnl", "signal", "tick_to_trade"]
    complete = [spans for spans in kept.traces().values() if sorted(span.name for span in spans) == names]
    assert len(complete) >= 2
    spans = complete[0]
    root = _named(spans, "tick_to_trade")[0]
    assert root.parent is None
    assert root.start_time is not None
    assert root.end_time is not None
    for span in spans:
        assert span.start_time is not None
        assert span.end_time is not None
        assert root.start_time <= span.start_time <= span.end_time <= root.end_time
        if span is not root:
            assert span.parent is not None
            assert span.parent.span_id == root.context.span_id
    executions = _named(spans, "order_execution")
    assert {(span.attributes or {})["trading.venue.name"] for span in executions} == {"binance", "binanceusdm"}
    assert all("order.acknowledged" in [event.name for event in span.events] for span in executions)
    assert all("trading.order.id" in (span.attributes or {}) for span in executions)


async def test_tick_to_trade_has_an_exemplar_of_its_trace() -> None:
    """And so has the time to the acknowledgement; no id is an attribute of a metric."""
    kept = Kept()
    async with Venues(GeneratedMarket(1)) as venues, trading(venues, telemetry=kept) as (_, tally):
        await until(lambda: tally.trades.total() >= 2)
    metrics, trace_ids = kept.metrics(), set(kept.traces())
    for name in ("trading.tick_to_trade.duration", "trading.order.ack.duration"):
        data = metrics[name].data
        assert isinstance(data, Histogram)
        exemplars = [exemplar for point in data.data_points for exemplar in point.exemplars]
        assert exemplars
        assert all(exemplar.trace_id in trace_ids for exemplar in exemplars)
    keys = {key for metric in metrics.values() for point in metric.data.data_points for key in point.attributes or {}}
    assert not {"trading.order.client_id", "trading.order.id", "trading.execution.id"} & keys


async def test_metrics_agree_with_what_happened() -> None:
    """Orders, fills, trades, frames and profit, by the names and units of the conventions."""
    kept = Kept()
    async with Venues(GeneratedMarket(2)) as venues, trading(venues, telemetry=kept) as (bot, tally):
        await until(lambda: tally.trades.total() >= 3)
    metrics = kept.metrics()

    def total(name: str, **attributes: str) -> float:
        data = metrics[name].data
        assert isinstance(data, Sum)
        wanted = {key.replace("__", "."): value for key, value in attributes.items()}
        return sum(point.value for point in data.data_points if wanted.items() <= dict(point.attributes or {}).items())

    assert total("trading.order.submissions") == tally.orders
    assert total("trading.execution.reports", trading__execution__type="trade") == tally.fills
    assert total("trading.trade.completions") == tally.trades.total() == total("trading.trade.attempts")
    assert total("trading.market_data.messages") == tally.messages
    assert total("trading.order.active") == 0
    assert abs(total("trading.pnl.realized") - float(bot.portfolio.realized)) < 1e-6
    assert tally.realized == bot.portfolio.realized
    assert {metric.unit for metric in metrics.values() if metric.name.endswith(".duration")} == {"s"}
    assert metrics["trading.opportunity.edge.bps"].unit == "{bp}"


async def test_log_lines_of_an_order_are_written_inside_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    """Also those of its fills, which arrive on another task."""
    from opentelemetry import trace

    seen: list[tuple[str, str, str]] = []

    class Remember(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            context = trace.get_current_span().get_span_context()
            client_id = getattr(record, "trading.order.client_id", "")
            seen.append((record.getMessage().split(":")[0], client_id, format_trace_id(context.trace_id)))

    handler = Remember()
    logging.getLogger("basis_bot").addHandler(handler)
    try:
        with caplog.at_level(logging.INFO, "basis_bot"):
            async with Venues(GeneratedMarket(1)) as venues, trading(venues) as (_, tally):
                await until(lambda: tally.trades["success"] >= 1)
    finally:
        logging.getLogger("basis_bot").removeHandler(handler)
    filled = next(entry for entry in seen if entry[0] == "order filled")
    mine = [entry for entry in seen if entry[1] == filled[1]]
    assert [entry[0].split(" after")[0] for entry in mine] == ["order submitted", "order acknowledged", "order filled"]
    assert len({entry[2] for entry in mine}) == 1
    assert int(filled[2], 16)


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
        assert not tally.feeds["perp"].connected
        before = tally.trades.total()
        await until(lambda: tally.feeds["perp"].connected and tally.trades.total() > before)
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


async def test_a_venue_whose_clock_is_ahead_gives_no_negative_latency() -> None:
    """The offset is taken out of the latency, and counted where it was negative."""
    kept = Kept()
    async with Venues(GeneratedMarket(1)) as venues, trading(venues, telemetry=kept) as (_, tally):
        await venues.switch_on("clock_skew:perp:800ms")
        await until(lambda: tally.feeds["perp"].clock_offset > 0.5)
        assert 0.7 < tally.feeds["perp"].clock_offset < 0.9
    data = kept.metrics()["trading.market_data.latency"].data
    assert isinstance(data, Histogram)
    assert all(point.min >= 0.0 for point in data.data_points)
    assert "trading.market_data.latency.negative" in kept.metrics()


def _named(spans: list[ReadableSpan], name: str) -> list[ReadableSpan]:
    return [span for span in spans if span.name == name]
