from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from nautilus_trader.cache.cache import Cache
from nautilus_trader.common import Environment
from nautilus_trader.common.component import LiveClock, MessageBus
from nautilus_trader.config import LiveExecEngineConfig, LoggingConfig, TradingNodeConfig
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import BarType, QuoteTick
from nautilus_trader.model.enums import LiquiditySide, OrderSide, OrderType
from nautilus_trader.model.events import OrderAccepted, OrderCancelRejected, OrderFilled, OrderRejected, OrderSubmitted
from nautilus_trader.model.identifiers import AccountId, StrategyId, TradeId, TraderId, VenueOrderId
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.model.orders import LimitOrder
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.test_kit.stubs.data import TestDataStubs

from otel_trading.instrument.nautilus import NautilusInstrumentor
from otel_trading.instrument.nautilus.hearing import dismiss, hear
from otel_trading.instrument.reporting import Reporting
from otel_trading.testing import capture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.testing import Captured

BTC = TestInstrumentProvider.btcusdt_perp_binance()
TRADER, STRATEGY, ACCOUNT = TraderId("LIVE-001"), StrategyId("MAKER-001"), AccountId("BINANCE-001")
MS = 1_000_000


@pytest.fixture(params=["native", "sdk"])
def telemetry(request: pytest.FixtureRequest) -> Iterator[Captured]:
    with capture(engine=request.param, real_time=True) as captured:
        yield captured


class Live:
    """A bus by the system's clock, as a live node has it."""

    def __init__(self, telemetry: Captured, data: tuple[str, ...] | None = None) -> None:
        clock = LiveClock()
        self.bus = MessageBus(TRADER, clock)
        self.cache = Cache()
        self.cache.add_instrument(BTC)
        said = Reporting(telemetry.meter, telemetry.tracer, telemetry.trading)
        hear(self.bus, self.cache, clock, said, data)

    def quote(self, took: int) -> None:
        now = time.time_ns()
        one = Quantity.from_int(1)
        tick = QuoteTick(BTC.id, Price.from_str("27000.0"), Price.from_str("27000.1"), one, one, now - took, now)
        self.bus.publish("data.quotes.BINANCE.BTCUSDT-PERP", tick)

    def order(self, client_id: str) -> LimitOrder:
        from nautilus_trader.model.identifiers import ClientOrderId

        order = LimitOrder(
            *(TRADER, STRATEGY, BTC.id, ClientOrderId(client_id), OrderSide.BUY, Quantity.from_str("0.500")),
            *(Price.from_str("27000.0"), UUID4(), time.time_ns()),
        )
        self.cache.add_order(order)
        return order

    def tell(self, order: LimitOrder, kind: Any, *between: Any, at: int, after: int = 0, **more: Any) -> None:
        """Apply and publish an event of an order: it happened at the venue, and came here some time later."""
        ids = (TRADER, STRATEGY, BTC.id, order.client_order_id)
        event = kind(*ids, *between, UUID4(), at - after, at, **more)
        if kind is not OrderCancelRejected:
            order.apply(event)
        self.bus.publish(f"events.order.{STRATEGY}", event)


@pytest.fixture
def live(telemetry: Captured) -> Iterator[Live]:
    made = Live(telemetry)
    yield made
    dismiss(made.bus)


def test_latency(live: Live, telemetry: Captured) -> None:
    """In live trading quotes are counted without being asked for; from the venue to here they took what they took."""
    for took in (5, 5, 20):
        live.quote(took * MS)
    latency = telemetry.metrics["trading.market_data.latency"].where(trading_venue_name="binance")
    assert latency.count == 3
    assert latency.max == pytest.approx(0.020)
    counted = telemetry.metrics["trading.market_data.messages"]
    assert counted.where(trading_instrument_symbol="BTC/USDT:USDT").value == 3


def test_times_by_one_clock(live: Live, telemetry: Captured) -> None:
    """Acknowledgement and fill are timed by our clock alone, however wrong the venue's is."""
    order = live.order("L-1")
    now, hour = time.time_ns(), 3_600_000 * MS
    live.tell(order, OrderSubmitted, ACCOUNT, at=now)
    live.tell(order, OrderAccepted, VenueOrderId("77"), ACCOUNT, at=now + 30 * MS, after=-hour)
    live.tell(
        order,
        OrderFilled,
        *(
            VenueOrderId("77"),
            ACCOUNT,
            TradeId("t-1"),
            None,
            OrderSide.BUY,
            OrderType.LIMIT,
            Quantity.from_str("0.500"),
        ),
        *(Price.from_str("27000.0"), USDT, Money.from_str("1.35 USDT"), LiquiditySide.MAKER),
        at=now + 90 * MS,
        after=hour,
    )
    assert telemetry.metrics["trading.order.ack.duration"].max == pytest.approx(0.03)
    assert telemetry.metrics["trading.order.fill.duration"].max == pytest.approx(0.09)
    reports = telemetry.metrics["trading.execution.reports"]
    assert reports.where(trading_execution_liquidity="added", trading_order_status="filled").value == 1
    (span,) = telemetry.traces
    assert span.duration == pytest.approx(0.09)
    assert span.attributes["trading.order.id"] == "77"


def test_orders_from_before(live: Live, telemetry: Captured) -> None:
    """An order whose submission nobody heard is restored with its first event, which counts as what it is."""
    order = live.order("L-2")
    now = time.time_ns()
    event = OrderSubmitted(TRADER, STRATEGY, BTC.id, order.client_order_id, ACCOUNT, UUID4(), now, now)
    order.apply(event)
    live.tell(order, OrderAccepted, VenueOrderId("78"), ACCOUNT, at=now)
    live.tell(
        order,
        OrderFilled,
        *(
            VenueOrderId("78"),
            ACCOUNT,
            TradeId("t-2"),
            None,
            OrderSide.BUY,
            OrderType.LIMIT,
            Quantity.from_str("0.200"),
        ),
        *(Price.from_str("27000.0"), USDT, Money.from_str("0.54 USDT"), LiquiditySide.MAKER),
        at=now,
    )
    assert [line.event for line in telemetry.logs] == ["trading.order.restored", "trading.order.filled"]
    assert "trading.order.anomalies" not in telemetry.metrics


def test_refusals(live: Live, telemetry: Captured) -> None:
    """What a venue says when it refuses becomes a known reason, or none; its words are in the log line."""
    now = time.time_ns()
    for number, (words, reason) in enumerate(
        (("INSUFFICIENT_BALANCE: 3 USDT missing", "insufficient_funds"), ("Order 4711 is no good", "other"))
    ):
        order = live.order(f"R-{number}")
        live.tell(order, OrderSubmitted, ACCOUNT, at=now)
        live.tell(order, OrderRejected, ACCOUNT, words, at=now)
        refused = [line.attributes for line in telemetry.logs if line.event == "trading.order.rejected"][-1]
        assert (refused["trading.order.reject_reason"], refused["trading.event.text"]) == (reason, words)
    order = live.order("R-9")
    live.tell(order, OrderSubmitted, ACCOUNT, at=now)
    live.tell(order, OrderCancelRejected, VenueOrderId("79"), ACCOUNT, "UNKNOWN_ORDER", at=now)
    (refused,) = [line.attributes for line in telemetry.logs if line.event == "trading.order.cancel_rejected"]
    assert refused["trading.order.reject_reason"] == "unknown_order"


def test_given_up_subscriptions(live: Live, telemetry: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """A subscription that the bot has given up does not get old."""
    monkeypatch.setattr("otel_trading.instrument.nautilus.data._SWEEP", 0)
    handler: list[Any] = []
    live.bus.subscribe("data.quotes.BINANCE.BTCUSDT-PERP", handler.append)
    live.quote(MS)
    assert [feed.about.subscription for feed in telemetry.trading.feeds] == ["quotes.BTCUSDT-PERP"]
    live.bus.unsubscribe("data.quotes.BINANCE.BTCUSDT-PERP", handler.append)
    live.quote(MS)
    assert not list(telemetry.trading.feeds)


def test_bars(live: Live, telemetry: Captured) -> None:
    """A venue's bars are its messages; those that nautilus_trader makes are not."""
    bar = TestDataStubs.bar_5decimal()
    made = BarType.from_str(f"{bar.bar_type.instrument_id}-1-MINUTE-BID-INTERNAL")
    theirs = BarType.from_str(f"{bar.bar_type.instrument_id}-1-MINUTE-BID-EXTERNAL")
    for kind in (made, theirs):
        now = time.time_ns()
        one = type(bar)(kind, bar.open, bar.high, bar.low, bar.close, bar.volume, now, now)
        live.bus.publish(f"data.bars.{kind}", one)
    counted = telemetry.metrics["trading.market_data.messages"]
    assert counted.where(trading_market_data_type="candle").value == 1


def test_node(telemetry: Captured) -> None:
    """A node is heard from its making; its components' health is known once it runs."""
    NautilusInstrumentor().instrument()
    try:
        asyncio.run(_run_node())
    finally:
        NautilusInstrumentor().uninstrument()
    health = telemetry.metrics["trading.health.state"]
    assert health.where(trading_health_component="DataEngine", trading_health_state="down").value == 1
    assert {attributes["trading.health.component"] for attributes in health.attributes} >= {"DataEngine", "ExecEngine"}


async def _run_node() -> None:
    config = TradingNodeConfig(
        trader_id=TraderId("NODE-001"),
        environment=Environment.SANDBOX,
        logging=LoggingConfig(bypass_logging=True),
        exec_engine=LiveExecEngineConfig(reconciliation=False),
        timeout_connection=1.0,
        timeout_portfolio=1.0,
        timeout_disconnection=1.0,
        timeout_post_stop=0.1,
    )
    node = TradingNode(config, loop=asyncio.get_running_loop())
    assert "events.order.*" in node.kernel.msgbus.topics()
    node.build()
    await node.kernel.start_async()
    await node.stop_async()
    executor = node.kernel.executor
    assert executor is not None
    executor.shutdown()
