from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from freqtrade.enums import RPCMessageType
from freqtrade.persistence import Order
from freqtrade.rpc import RPCManager

from otel_trading.instrument.freqtrade import FreqtradeInstrumentor
from otel_trading.testing import capture
from tests.instrument.freqtrade.case import Case, case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.testing import Captured


@pytest.fixture(scope="module")
def tried() -> Iterator[Case]:
    with case() as made:
        yield made


@pytest.fixture(params=["native", "sdk"])
def telemetry(request: pytest.FixtureRequest) -> Iterator[Captured]:
    with capture(engine=request.param, real_time=True) as captured:
        FreqtradeInstrumentor().instrument()
        try:
            yield captured
        finally:
            FreqtradeInstrumentor().uninstrument()


def record(order_id: str, **more: Any) -> Order:
    """A record as freqtrade has it from its database."""
    return Order(
        order_id=order_id,
        ft_order_side="buy",
        ft_pair="BTC/USDT",
        ft_amount=2.0,
        ft_price=100.0,
        ft_is_open=True,
        **{"status": "open", "amount": 2.0, "price": 100.0, "order_type": "limit", "side": "buy", **more},
    )


def test_orders(telemetry: Captured, tried: Case) -> None:
    """Orders of an exchange that was made before: taken, and refused with the reason that ccxt knows."""
    tried.work(3)
    with pytest.raises(tried.error):
        tried.fail()
    assert (tried.counted(telemetry), tried.failures(telemetry)) == (3, 1)
    (refused,) = [line for line in telemetry.logs if line.event == "trading.order.rejected"]
    assert refused.attributes["trading.order.reject_reason"] == "insufficient_funds"
    assert tried.exchange._api.otel_trading_orders is False


def test_cancellation(telemetry: Captured, tried: Case) -> None:
    """An order is called back: it is canceled once."""
    order = tried.order(0.001)
    tried.exchange.cancel_order_with_result(order["id"], "BTC/USDT", 0.001)
    ends = [line.event for line in telemetry.logs if "cancel" in (line.event or "")]
    assert ends == ["trading.order.cancel_requested", "trading.order.canceled"]
    assert telemetry.metrics["trading.order.active"].value == 0


def test_marks_are_taken_away(telemetry: Captured, tried: Case) -> None:
    """The mark on ccxt's object is there only while freqtrade is instrumented."""
    tried.work(1)
    FreqtradeInstrumentor().uninstrument()
    assert "otel_trading_orders" not in vars(tried.exchange._api)
    before = tried.counted(telemetry)
    tried.work(1)
    assert tried.counted(telemetry) == before


def test_partial_fills(telemetry: Captured) -> None:
    """Totals of a restored order become what is new in them, exactly."""
    order = record("r-1", filled=0.3, average=100.0)
    for filled, average, status in ((0.4, 100.25, "open"), (0.4, 100.25, "open"), (2.0, 101.0, "closed")):
        order.update_from_ccxt_object({"id": "r-1", "filled": filled, "average": average, "status": status})
    (restored,) = [line.attributes for line in telemetry.logs if line.event == "trading.order.restored"]
    assert restored["trading.order.cumulative_quantity"] == 0.3
    fills = [line.attributes for line in telemetry.logs if line.event == "trading.order.filled"]
    assert [fill["trading.execution.quantity"] for fill in fills] == [0.1, 1.6]
    assert [fill["trading.execution.price"] for fill in fills] == [101.0, 101.1875]
    assert fills[-1]["trading.order.status"] == "filled"
    assert telemetry.metrics["trading.order.active"].value == 0


def test_old_orders(telemetry: Captured) -> None:
    """Orders that ended in an earlier life of the bot are not told again."""
    order = record("o-1", status="closed", filled=2.0, average=100.0)
    order.ft_is_open = False
    order.update_from_ccxt_object({"id": "o-1", "filled": 2.0, "average": 100.0, "status": "closed"})
    assert not [line for line in telemetry.logs if line.event]


def test_told_by_the_bot(telemetry: Captured) -> None:
    """An order that the strategy tells itself is left to it."""
    telemetry.trading.order_submitted(venue_order_id="b-1", venue="binance", symbol="BTC/USDT", side="buy", quantity=2)
    order = record("b-1")
    order.update_from_ccxt_object({"id": "b-1", "filled": 2.0, "average": 100.0, "status": "closed"})
    assert "trading.execution.quantity" not in telemetry.metrics


def test_messages(telemetry: Captured) -> None:
    """Protections halt trading until they are over, errors are failures, a stopped bot is halted."""
    manager = RPCManager(SimpleNamespace(config={}))
    assert len(manager.registered_modules) == 1
    now = datetime.now(UTC).timestamp() * 1000
    locked = {"pair": "BTC/USDT", "reason": "StoplossGuard", "lock_end_timestamp": now - 1}
    for message in (
        {"type": RPCMessageType.STATUS, "status": "running"},
        {"type": RPCMessageType.STATUS, "status": "stopped"},
        {"type": RPCMessageType.STATUS, "status": "running"},
        {"type": RPCMessageType.EXCEPTION, "status": "OperationalException: no"},
        {"type": RPCMessageType.PROTECTION_TRIGGER, **locked},
        {"type": RPCMessageType.PROTECTION_TRIGGER_GLOBAL, **locked},
        {"type": RPCMessageType.LIQUIDATION_WARNING, "pair": "BTC/USDT", "remaining_ratio": 0.1},
        {"type": RPCMessageType.WHITELIST, "data": []},
        {"type": RPCMessageType.ENTRY},
    ):
        manager.send_msg(message)
    assert [line.event for line in telemetry.logs if line.event] == [
        *("trading.halted", "trading.resumed", "trading.strategy.failed"),
        *("trading.risk.limit_checked", "trading.halted", "trading.resumed", "trading.risk.limit_checked"),
    ]
    FreqtradeInstrumentor().uninstrument()
    assert manager.registered_modules == []


def test_defects_stay_here(telemetry: Captured, tried: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong in telemetry costs telemetry."""

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("defect")

    for name in ("order_submitted", "order_canceled", "order_cancel_requested"):
        monkeypatch.setattr(type(telemetry.trading), name, broken)
    order = tried.order(0.001)
    assert tried.exchange.cancel_order(order["id"], "BTC/USDT")["status"] == "canceled"


def test_nothing_is_left(telemetry: Captured, tried: Case) -> None:
    """All originals are put back."""
    owners = tried.originals
    FreqtradeInstrumentor().uninstrument()
    before = [vars(owner).get(name) for owner, name in owners]
    FreqtradeInstrumentor().instrument()
    replaced = [vars(owner).get(name) is not was for (owner, name), was in zip(owners, before, strict=True)]
    assert all(replaced)
    FreqtradeInstrumentor().uninstrument()
    assert [vars(owner).get(name) for owner, name in owners] == before
