"""What the bot says of orders, as metrics, log lines and spans."""

from __future__ import annotations

import enum
import os
import threading
from dataclasses import dataclass
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.trading.orders import Order, Orders

if TYPE_CHECKING:
    from otel_trading.testing import Captured

ORDER: dict[str, Any] = {"venue": "kraken", "symbol": "BTC/EUR", "side": "buy", "type": "limit", "strategy": "mm"}


def test_times_of_an_order_come_out_by_themselves(telemetry: Captured, trading: Any) -> None:
    """From tick to submission, to the answer, to the last fill; from asking for a cancellation to it."""
    with telemetry.tick_to_trade("BTC/EUR", strategy="mm"):
        telemetry.advance(0.010)
        trading.order_submitted("c-1", quantity=2, price=100, **ORDER)
        telemetry.advance(0.001)
        trading.order_submitted("c-2", quantity=1, price=100, **ORDER)
    telemetry.advance(0.050)
    trading.order_acknowledged("c-1", venue_order_id="v-1")
    telemetry.advance(0.900)
    trading.order_filled("c-1", quantity=2, price=100)
    trading.order_cancel_requested("c-2")
    telemetry.advance(0.030)
    trading.order_canceled("c-2")
    metrics = telemetry.metrics
    tick = metrics["trading.tick_to_trade.duration"]
    assert tick.count == 1
    assert tick.sum == pytest.approx(0.010)
    assert metrics["trading.order.ack.duration"].sum == pytest.approx(0.051)
    fill = metrics["trading.order.fill.duration"]
    assert fill.count == 1
    assert fill.sum == pytest.approx(0.951)
    assert metrics["trading.order.cancel.duration"].sum == pytest.approx(0.030)
    assert [telemetry.traces.where("order")[place].duration for place in (0, 1)] == [
        pytest.approx(0.961 - 0.010), pytest.approx(0.981 - 0.001)
    ]  # fmt: skip


def test_a_fill_before_the_answer_is_no_anomaly(telemetry: Captured, trading: Any) -> None:
    """The user's stream is often faster than the request; the answer's time counts all the same."""
    trading.order_submitted("c-1", quantity=1, price=100, **ORDER)
    telemetry.advance(0.02)
    trading.order_filled("c-1", quantity=1, price=100)
    telemetry.advance(0.01)
    trading.order_acknowledged("c-1", venue_order_id="v-1")
    assert telemetry.metrics["trading.order.ack.duration"].sum == pytest.approx(0.03)
    assert trading.orders.get("c-1").status == "filled"
    assert "trading.order.anomalies" not in telemetry.metrics


@pytest.mark.parametrize(
    ("what", "reported"),
    [
        ("duplicate", lambda say: (say.order_filled("c-1", quantity=1, price=9, execution_id="e-1"),) * 1),
        ("late", lambda say: say.order_canceled("c-2")),
        ("unknown", lambda say: say.order_acknowledged("c-9", venue="kraken")),
        ("overfill", lambda say: say.order_filled("c-1", quantity=5, price=9)),
    ],
)
def test_what_does_not_fit_is_counted_and_said(telemetry: Captured, trading: Any, what: str, reported: Any) -> None:
    """With what is known of the order."""
    trading.order_submitted("c-1", quantity=2, price=9, **ORDER)
    trading.order_filled("c-1", quantity=1, price=9, execution_id="e-1")
    trading.order_submitted("c-2", quantity=1, price=9, **ORDER)
    trading.order_filled("c-2", quantity=1, price=9)
    reported(trading)
    assert telemetry.metrics["trading.order.anomalies"](trading_order_anomaly=what).value == 1
    line = telemetry.logs.where("a report does not fit what is known of the order")[-1]
    assert line.attributes["trading.order.anomaly"] == what


def test_orders_that_never_end_are_given_up_and_said_so(
    telemetry: Captured, trading: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest ones, when there are too many, or when a day is over."""
    monkeypatch.setattr(trading.orders, "_limits", (3, 8))
    for number in range(5):
        trading.order_submitted(f"c-{number}", quantity=1, price=1, **ORDER)
    assert [order.client_order_id for order in trading.orders] == ["c-2", "c-3", "c-4"]
    telemetry.advance(86_401)
    trading.order_submitted("c-5", quantity=1, price=1, **ORDER)
    assert [order.client_order_id for order in trading.orders] == ["c-5"]
    assert telemetry.metrics["trading.order.anomalies"](trading_order_anomaly="abandoned").value == 5
    assert telemetry.metrics["trading.order.active"].value == 1
    assert len(telemetry.logs.where("the end of the order is not known")) == 5
    assert len(telemetry.traces.where("order")) == 5


def test_memory_of_orders_is_bounded() -> None:
    """Whatever is told."""
    orders = Orders(open_limit=100, ended_limit=50)
    for number in range(5_000):
        orders.submit(Order(f"c-{number}", f"v-{number}"), number)
        orders.end("", f"c-{number - 40}", "", "canceled", number)
        orders.acknowledge("x", f"unknown-{number}", f"w-{number}", number)
        orders.fill("", "c-0", "", f"e-{number}", 1, 1, number)
    sizes = len(orders._open), len(orders._ended), len(orders._early), len(orders._ids)
    assert all(size <= most for size, most in zip(sizes, (100, 51, 1_025, 2 * 100 + 2 * 51 + 2 * 1_025), strict=True))


def test_amounts_may_be_decimals_numbers_and_texts(telemetry: Captured, trading: Any) -> None:
    """Decimals stay exact; what is no number is left out, and said once."""
    trading.order_submitted("c-1", quantity="0.3", price=Decimal("27000.10"), **ORDER)
    trading.order_filled("c-1", quantity=Decimal("0.1"), price="27000.10", commission="0.01", commission_currency="EUR")
    trading.order_filled("c-1", quantity="0.1", price=27000.1)
    trading.order_filled("c-1", quantity=0.1, price=27000.1)
    order = trading.orders.get("c-1")
    assert order.status == "filled"
    assert float(order.cumulative_quantity) == pytest.approx(0.3)
    assert telemetry.metrics["trading.execution.notional"].value == pytest.approx(0.3 * 27000.1)
    assert telemetry.metrics["trading.execution.commission"](trading_currency="EUR").value == pytest.approx(0.01)


@pytest.mark.parametrize("wrong", ["much", float("nan"), float("inf"), -1, 0, object(), [], "NaN"])
def test_amounts_that_are_none_hurt_nobody(
    telemetry: Captured, trading: Any, wrong: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """One message that names the event, the field and the value; the event is reported without it."""
    trading.order_submitted("c-1", quantity=wrong, price=100, **ORDER)
    trading.order_filled("c-1", quantity=wrong, price=100)
    assert trading.failures == {}
    assert telemetry.metrics["trading.order.submissions"].value == 1
    assert trading.orders.get("c-1").cumulative_quantity == 0
    said = caplog.text
    assert said.count("trading.order_filled(quantity=") == 1
    assert "needed" in said


def test_an_order_may_be_an_object_or_a_dict(trading: Any) -> None:
    """By the usual names, or those that the bot tells."""

    class Way(enum.Enum):
        SELL = 2

    @dataclass
    class Ticket:
        cid: str
        market: str
        units: float
        way: Way

    trading.order_submitted({"clientOrderId": "d-1", "symbol": "BTC/EUR", "side": "SELL", "amount": 0.5, "id": None})
    trading.order_submitted(SimpleNamespace(client_id="o-1", symbol="BTC/EUR", side="b", quantity=1, price=None))
    trading.map_orders(Ticket, client_order_id="cid", symbol="market", quantity="units", side="way")
    ticket = Ticket("t-1", "ETH/EUR", 3.0, Way.SELL)
    trading.order_submitted(ticket, venue="kraken")
    trading.order_filled(ticket, quantity=1.0, price=5.0)
    found = {order.client_order_id: (order.symbol, order.side, order.quantity) for order in trading.orders}
    assert found == {
        "d-1": ("BTC/EUR", "sell", 0.5),
        "o-1": ("BTC/EUR", "buy", 1),
        "t-1": ("ETH/EUR", "sell", 3.0),
    }
    assert trading.orders.get("t-1").cumulative_quantity == 1.0
    assert trading.failures == {}


def test_what_is_no_order_teaches_nothing(trading: Any) -> None:
    """About the classes below it, and one object without a class of its own nothing about the next."""

    class Ticket:
        client_order_id, symbol = "t-1", "BTC/EUR"

    trading.order_submitted(object())
    trading.order_submitted(SimpleNamespace(cid="n-1"))
    trading.order_submitted(SimpleNamespace(client_id="n-2", market="ETH/EUR"))
    trading.order_submitted(Ticket())
    trading.order_submitted({"clientOrderId": "d-1"})
    assert {order.client_order_id: order.symbol for order in trading.orders if order.client_order_id} == {
        "n-1": None,
        "n-2": "ETH/EUR",
        "t-1": "BTC/EUR",
        "d-1": None,
    }


def test_objects_that_raise_hurt_nobody(trading: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It is counted, and said once."""

    class Evil:
        client_order_id = "e-1"

        @property
        def symbol(self) -> str:
            raise KeyError("symbol")

    for _ in range(3):
        trading.order_submitted(Evil())
    assert trading.failures == {"order_submitted": 3}
    assert caplog.text.count("order_submitted() could not be reported") == 1


def test_slippage_is_signed_by_the_side(telemetry: Captured, trading: Any) -> None:
    """Worse than expected is above zero, for buyers and sellers; better is below."""
    for number, (side, price, bps) in enumerate([("buy", 101, 100), ("sell", 101, -100), ("sell", 99, 100)]):
        order = {**ORDER, "side": side, "strategy": f"s-{number}"}
        trading.order_submitted(f"c-{number}", quantity=1, price=100, expected_price=100, **order)
        trading.order_filled(f"c-{number}", quantity=1, price=price)
        measured = telemetry.metrics["trading.execution.slippage.bps"](trading_strategy_name=f"s-{number}")
        assert abs(measured.sum) == pytest.approx(100)  # another engine has no histograms of negative values
        assert measured.sum == pytest.approx(bps) or telemetry.settings.engine == "sdk"
        assert measured.points[0].attributes["trading.execution.price_improvement"] == (bps < 0)


def test_a_rejected_order_fails_its_span(telemetry: Captured, trading: Any) -> None:
    """With the reason that dashboards know, and what the venue said."""
    trading.order_submitted("c-1", quantity=1, price=1, **ORDER)
    trading.order_rejected("c-1", reason="Insufficient Funds", error=ValueError("balance 3 < 5"))
    span = telemetry.traces.one("order")
    assert span.attributes["trading.order.reject_reason"] == "insufficient_funds"
    assert span.raw.status.description == "insufficient_funds"
    line = telemetry.logs.one("order rejected")
    assert (line.level, line.attributes["error.type"]) == ("ERROR", "ValueError")
    assert line.attributes["trading.event.text"] == "balance 3 < 5"
    reports = telemetry.metrics["trading.execution.reports"](trading_execution_type="rejected")
    assert reports.points[0].attributes["trading.order.reject_reason"] == "insufficient_funds"


def test_threads_may_report_at_once(telemetry: Captured, trading: Any) -> None:
    """Nothing is lost or counted twice."""

    def trade(worker: int) -> None:
        for number in range(100):
            name = f"c-{worker}-{number}"
            trading.order_submitted(name, quantity=2.0, price=1.0, **ORDER)
            trading.order_filled(name, quantity=1.0, price=1.0, execution_id="1")
            trading.order_filled(name, quantity=1.0, price=1.0, execution_id="2")

    threads = [threading.Thread(target=trade, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trading.failures == {}
    assert (trading.orders.submitted, trading.orders.ended, len(trading.orders)) == (400, 400, 0)
    assert telemetry.metrics["trading.execution.quantity"].value == 800
    assert telemetry.metrics["trading.order.active"].value == 0


def test_a_forked_child_has_no_orders(trading: Any) -> None:
    """They are the parent's."""
    trading.order_submitted("c-1", quantity=1, price=1, **ORDER)
    trading.position_changed("kraken", "BTC/EUR", 1)
    pid = os.fork()
    if pid == 0:
        os._exit(len(trading.orders) + len(trading._opened))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert len(trading.orders) == 1


def test_symbols_that_are_not_told_apart_are_others(telemetry: Captured, trading: Any) -> None:
    """In metrics; log lines name them."""
    trading.connect(telemetry.handle.meter, telemetry.handle.tracer, ["BTC/EUR"])
    for symbol in ("BTC/EUR", "DOGE/EUR", "SHIB/EUR"):
        trading.order_submitted(symbol, quantity=1, price=1, **{**ORDER, "symbol": symbol})
    points = telemetry.metrics["trading.order.submissions"].points
    counts = {point.attributes["trading.instrument.symbol"]: point.value for point in points}
    assert counts == {"BTC/EUR": 1, "__other__": 2}
    named = {line.attributes["trading.instrument.symbol"] for line in telemetry.logs.where("order submitted")}
    assert named == {"BTC/EUR", "DOGE/EUR", "SHIB/EUR"}


def test_an_order_that_was_found_at_the_venue_goes_on_from_there(telemetry: Captured, trading: Any) -> None:
    """With what was executed of it, at its price."""
    trading.order_restored("c-1", quantity="2", price="100", cumulative_quantity="0.5", **ORDER)
    assert trading.orders.get("c-1").average_price == Decimal(100)
    trading.order_filled("c-1", quantity="1.5", price="104")
    assert trading.orders.get("c-1").average_price == Decimal(103)
    assert (trading.orders.restored, len(trading.orders)) == (1, 0)
    assert telemetry.metrics["trading.order.active"].value == 0


def test_an_order_that_ended_before_it_was_said_to_begin_has_a_tick_all_the_same(
    telemetry: Captured, trading: Any
) -> None:
    """Its fill overtook the call that says it goes to the venue."""
    with telemetry.tick_to_trade("BTC/EUR", strategy="mm"):
        telemetry.advance(0.010)
        trading.order_filled("c-1", quantity=1, price=100, venue="kraken")
        trading.order_submitted("c-1", quantity=1, price=100, **ORDER)
    assert telemetry.metrics["trading.tick_to_trade.duration"].count == 1
    assert telemetry.traces.one("order").attributes["trading.order.status"] == "filled"
    assert telemetry.metrics["trading.order.active"].value == 0
