from __future__ import annotations

import asyncio
import gc
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.instrument.hummingbot import HummingbotInstrumentor, listen
from otel_trading.testing import capture
from tests.instrument.hummingbot import stand_in as hb
from tests.instrument.hummingbot.case import Case, case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.testing import Captured


@pytest.fixture(params=["native", "sdk"])
def telemetry(request: pytest.FixtureRequest) -> Iterator[Captured]:
    with capture(engine=request.param, real_time=True) as captured:
        yield captured


@pytest.fixture
def tried(telemetry: Captured) -> Iterator[Case]:
    """Connectors that were there before they were instrumented."""
    with case() as made:
        HummingbotInstrumentor().instrument()
        try:
            yield made
        finally:
            HummingbotInstrumentor().uninstrument()


def events(telemetry: Captured) -> list[str]:
    return [line.event for line in telemetry.logs if line.event]


def last(telemetry: Captured, event: str) -> Any:
    return [line.attributes for line in telemetry.logs if line.event == event][-1]


def test_life_of_an_order(tried: Case, telemetry: Captured) -> None:
    """Submitted when it is tracked, acknowledged when it is created, filled in parts, each once."""
    order = tried.place()
    assert events(telemetry) == ["trading.order.submitted"]
    tried.created(order)
    gc.collect()  # hummingbot holds no listener
    tried.filled(order, "0.2", "27000", "t-1")
    tried.filled(order, "0.2", "27000", "t-1")
    tried.filled(order, "0.3", "27010", "t-2")
    filled = last(telemetry, "trading.order.filled")
    assert telemetry.metrics["trading.execution.quantity"].value == 0.5
    assert (filled["trading.order.status"], filled["trading.venue.name"]) == ("filled", "binance")
    assert filled["trading.instrument.symbol"] == "BTC/USDT"
    assert filled["trading.execution.commission"] == pytest.approx(8.103)
    assert filled["trading.execution.commission_currency"] == "USDT"
    assert telemetry.metrics["trading.order.active"].value == 0


def test_completion(tried: Case, telemetry: Captured) -> None:
    """What was executed without an event is in the totals of the completion."""
    order = tried.place()
    tried.created(order)
    tried.filled(order, "0.2", "27000", "t-1")
    done = hb.BuyOrderCompletedEvent(
        1.0, order.client_order_id, "BTC", "USDT", Decimal("0.5"), Decimal(13_503), order.order_type
    )
    tried.connector.trigger_event(hb.MarketEvent["BuyOrderCompleted"], done)
    tried.connector.trigger_event(hb.MarketEvent["BuyOrderCompleted"], done)
    filled = last(telemetry, "trading.order.filled")
    assert (filled["trading.execution.quantity"], filled["trading.execution.price"]) == (0.3, 27_010)
    assert telemetry.metrics["trading.execution.quantity"].value == 0.5


def test_cancellation(tried: Case, telemetry: Captured) -> None:
    """Called back, then canceled; what cancel gives back is untouched."""
    order = tried.place()
    given = asyncio.run(tried.connector._execute_cancel("BTC-USDT", order.client_order_id))
    assert given == order.client_order_id
    tried.connector.trigger_event(hb.MarketEvent["OrderCancelled"], hb.OrderCancelledEvent(1.0, given))
    assert events(telemetry) == ["trading.order.submitted", "trading.order.cancel_requested", "trading.order.canceled"]


def test_other_ends(tried: Case, telemetry: Captured) -> None:
    """Expired, and refused with the venue's reason."""
    order = tried.place()
    tried.connector.trigger_event(hb.MarketEvent["OrderExpired"], hb.OrderExpiredEvent(1.0, order.client_order_id))
    with pytest.raises(tried.error):
        tried.fail()
    assert events(telemetry)[1::2] == ["trading.order.expired", "trading.order.rejected"]
    assert last(telemetry, "trading.order.rejected")["trading.order.reject_reason"] == "insufficient_funds"
    assert (tried.counted(telemetry), tried.failures(telemetry)) == (1, 1)


def test_orders_from_before(tried: Case, telemetry: Captured) -> None:
    """An order of an earlier life of the bot is restored, not submitted."""
    order = tried.place(
        exchange_order_id="v-9", current_state=hb.OrderState["OPEN"], executed_amount_base=Decimal("0.1")
    )
    tried.filled(order, "0.4", "27000", "t-9")
    assert events(telemetry) == ["trading.order.restored", "trading.order.filled"]
    assert last(telemetry, "trading.order.filled")["trading.order.status"] == "filled"


def test_connectors_without_tracker(tried: Case, telemetry: Captured) -> None:
    """Where no tracker tells of an order, its creation does."""
    order = hb.InFlightOrder("own-1", "BTC-USDT", hb.OrderType["MARKET"], hb.TradeType["BUY"], Decimal(1), 1.0)
    tried.created(order)
    tried.filled(order, "1", "27000", "t-1")
    assert events(telemetry) == [
        "trading.order.submitted",
        "trading.order.acknowledged",
        "trading.order.filled",
    ]


def test_told_by_the_bot(tried: Case, telemetry: Captured) -> None:
    """An order that the bot tells itself is left to it."""
    telemetry.trading.order_submitted("mine", venue="binance", symbol="BTC/USDT", side="buy", quantity=0.5)
    order = hb.InFlightOrder("mine", "BTC-USDT", hb.OrderType["LIMIT"], hb.TradeType["BUY"], Decimal("0.5"), 1.0)
    tried.connector.tracker.start_tracking_order(order)
    tried.created(order)
    tried.filled(order, "0.5", "27000", "t-1")
    assert events(telemetry) == ["trading.order.submitted"]


def test_money(tried: Case, telemetry: Captured) -> None:
    """Balances, positions, funding."""
    tried.connector.trigger_event(
        hb.AccountEvent["BalanceEvent"], hb.BalanceUpdateEvent(1.0, "USDT", Decimal(100), Decimal(90))
    )
    short = hb.PositionUpdateEvent(
        1.0, "BTC-USDT", hb.PositionSide["SHORT"], Decimal(5), Decimal(27_000), Decimal(2), Decimal(1)
    )
    tried.connector.trigger_event(hb.AccountEvent["PositionUpdate"], short)
    payment = hb.FundingPaymentCompletedEvent(1.0, "binance", "BTC-USDT", Decimal("-0.25"), Decimal("0.0001"))
    tried.connector.trigger_event(hb.MarketEvent["FundingPaymentCompleted"], payment)
    assert telemetry.metrics["trading.venue.balance"].value == 100
    assert telemetry.metrics["trading.position.quantity"].value == -2
    assert telemetry.metrics["trading.pnl.realized"].value == -0.25


def test_fees(tried: Case, telemetry: Captured) -> None:
    """Flat fees are told in their token; a share of the price in the quote currency."""
    for fee, expected in (
        (hb.Fee(flat_fees=[hb.TokenAmount("BNB", Decimal("0.01"))]), ("BNB", 0.01)),
        (hb.Fee(Decimal("0.001"), "USDT", [hb.TokenAmount("USDT", Decimal(1))]), ("USDT", 14.5)),
        (hb.Fee(Decimal("0.001"), "BNB"), (None, None)),
    ):
        order = tried.place()
        tried.filled(order, "0.5", "27000", f"t-{order.client_order_id}", fee)
        filled = last(telemetry, "trading.order.filled")
        said = (filled.get("trading.execution.commission_currency"), filled.get("trading.execution.commission"))
        assert said == expected


def test_new_and_removed_connectors(tried: Case, telemetry: Captured) -> None:
    """A connector is listened to from its creation to its removal."""
    made = tried.manager.create_connector("okx", ["BTC-USDT"])
    assert len(made.get_listeners(hb.MarketEvent["OrderFilled"])) == 1
    tried.manager.create_connector("okx", ["BTC-USDT"])
    assert len(made.get_listeners(hb.MarketEvent["OrderFilled"])) == 1
    tried.manager.remove_connector("okx")
    assert made.get_listeners(hb.MarketEvent["OrderFilled"]) == []


def test_uninstrumented(tried: Case, telemetry: Captured) -> None:
    """Nothing is heard any more."""
    HummingbotInstrumentor().uninstrument()
    tried.work(2)
    assert events(telemetry) == []
    assert tried.connector.get_listeners(hb.MarketEvent["OrderFilled"]) == []


def test_listen(telemetry: Captured) -> None:
    """A script listens to connectors of its own, without instrumentation."""
    with case() as made:
        from otel_trading.instrument import reporting
        from otel_trading.instrument.reporting import Reporting

        before = reporting._current
        reporting.use(lambda: Reporting(telemetry.meter, telemetry.tracer, telemetry.trading))
        try:
            stop = listen(made.connector)
            gc.collect()
            made.work(2)
            assert telemetry.metrics["trading.order.submissions"].value == 2
            stop()
            made.work(1)
            assert telemetry.metrics["trading.order.submissions"].value == 2
        finally:
            reporting.use(before)


def test_defects_stay_here(tried: Case, telemetry: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong in telemetry costs telemetry, and hummingbot's log has nothing of it."""

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("defect")

    for name in ("order_submitted", "order_filled"):
        monkeypatch.setattr(type(telemetry.trading), name, broken)
    tried.work(1)
    assert not [line for line in telemetry.logs if line.level == "ERROR"]
