"""While trading is stopped, an unchanged bot on ccxt sends no order, and may cancel and read."""

from __future__ import annotations

import asyncio
import pickle
from typing import TYPE_CHECKING, Any

import ccxt
import ccxt.pro
import pytest

import otel_trading as ot
from otel_trading.instrument.ccxt import CcxtInstrumentor, guard
from otel_trading.instrument.ccxt.refusal import OrderRefusedError
from otel_trading.testing import capture
from tests.instrument.ccxt_rest.running import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from otel_trading.testing import Captured
    from tests.instrument.ccxt_rest.running import Running

SYMBOL = "BTC/USDT"


@pytest.fixture(scope="module")
def venues() -> Iterator[Running]:
    with running() as made:
        yield made


@pytest.fixture(params=[True, False], ids=["told", "untold"])
def telemetry(request: pytest.FixtureRequest) -> Iterator[Captured]:
    """Guarded, with orders told by the instrumentation and without."""
    with capture(real_time=True) as captured:
        ot.configure(instrument="none", banner=False, emergency_guard=True, instrument_orders=request.param)
        CcxtInstrumentor().instrument()
        yield captured
        CcxtInstrumentor().uninstrument()


def test_the_next_order_is_blocked(venues: Running, telemetry: Captured) -> None:
    """New orders and changes of them raise a refusal; cancels and reads reach the venue, which sees no new order."""
    exchange = venues.sync()
    exchange.load_markets()
    ask = exchange.fetch_order_book(SYMBOL)["asks"][0][0]
    price = round(ask * 0.9, 2)
    order = exchange.create_order(SYMBOL, "limit", "buy", 0.01, price)
    assert telemetry.emergency.stop("volatility")
    refused: list[Callable[[], Any]] = [
        lambda: exchange.create_order(SYMBOL, "limit", "buy", 0.01, price),
        lambda: exchange.createOrder(SYMBOL, "market", "buy", 0.01),
        lambda: exchange.create_limit_buy_order(SYMBOL, 0.01, price),
        lambda: exchange.create_market_sell_order(SYMBOL, 0.01),
        lambda: exchange.create_market_buy_order_with_cost(SYMBOL, 100),
        lambda: exchange.create_orders([{"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 1, "price": 1}]),
        lambda: exchange.edit_order(order["id"], SYMBOL, "limit", "buy", 0.02, price),
        lambda: exchange.close_position(SYMBOL),
    ]
    for call in refused:
        with pytest.raises(ot.EmergencyStopError, match="volatility") as raised:
            call()
        assert isinstance(raised.value, ccxt.InvalidOrder)
        assert isinstance(pickle.loads(pickle.dumps(raised.value)), OrderRefusedError)  # noqa: S301 - our own
    assert [each["id"] for each in exchange.fetch_open_orders(SYMBOL)] == [order["id"]]
    assert exchange.cancel_order(order["id"], SYMBOL)["status"] == "canceled"
    assert exchange.fetch_balance()["total"]
    checks = telemetry.metrics["trading.risk.checks"]
    assert checks(**{"trading.risk.limit.name": "emergency_stop"}).value >= len(refused)
    told = [log.event for log in telemetry.logs if log.event == "trading.order.submitted"]
    assert len(told) <= 1  # the one before the stop: what was refused was not submitted
    with telemetry.risk.exempt():
        closing = exchange.create_order(SYMBOL, "limit", "buy", 0.01, price)
    assert telemetry.emergency.resume()
    assert exchange.cancel_order(closing["id"], SYMBOL)["status"] == "canceled"
    exchange.cancel_order(exchange.create_order(SYMBOL, "limit", "buy", 0.01, price)["id"], SYMBOL)


def test_asynchronous_bots_too(venues: Running, telemetry: Captured) -> None:
    """The refusal is raised where the call is awaited."""

    async def bot() -> Any:
        exchange = venues.pro()
        try:
            await exchange.load_markets()
            telemetry.emergency.stop("x")
            with pytest.raises(ot.EmergencyStopError):
                await exchange.create_order(SYMBOL, "market", "buy", 0.01)
            with pytest.raises(ccxt.InvalidOrder):
                await exchange.create_order_ws(SYMBOL, "market", "buy", 0.01)
            return await exchange.fetch_open_orders(SYMBOL)
        finally:
            await exchange.close()

    assert asyncio.run(bot()) == []


def test_without_the_setting_nothing_is_refused(venues: Running) -> None:
    """The bot asks ``telemetry.risk`` itself."""
    with capture(real_time=True) as telemetry:
        ot.configure(instrument="none", banner=False)
        CcxtInstrumentor().instrument()
        try:
            exchange = venues.sync()
            exchange.load_markets()
            telemetry.emergency.stop("x")
            assert not telemetry.risk.allows()
            order = exchange.create_order(SYMBOL, "limit", "buy", 0.01, 20_000.0)
            exchange.cancel_order(order["id"], SYMBOL)
        finally:
            CcxtInstrumentor().uninstrument()


def test_all_is_put_back(venues: Running) -> None:
    """Without the instrumentation ccxt is as it was."""
    before = ccxt.Exchange.create_order, ccxt.binance.create_order, ccxt.pro.binance.create_order_ws
    with capture(real_time=True):
        ot.configure(instrument="none", banner=False, emergency_guard=True)
        CcxtInstrumentor().instrument()
        venues.sync()
        assert ccxt.binance.create_order is not before[1]
        CcxtInstrumentor().uninstrument()
    assert (ccxt.Exchange.create_order, ccxt.binance.create_order, ccxt.pro.binance.create_order_ws) == before


_NO_ORDERS = (
    *("_request", "_address", "_account", "_market", "_data", "_auth", "_token", "_key", "_code", "_nonce", "_id"),
    *("_parts", "_appendix", "_credentials", "_vault", "subaccount", "_sub_account", "_leverage"),
)


def test_no_way_to_make_an_order_is_forgotten() -> None:
    """Every method of ccxt's exchanges that makes an order is guarded, or calls one that is."""
    import inspect
    import re

    guarded = {spelled for name in guard._GUARDED for spelled in (name, f"{name}_ws")}
    forgotten = set()
    for name in ccxt.exchanges:
        for method, function in vars(getattr(ccxt, name)).items():
            if not re.match(r"(create|edit|close)_", method) or method.endswith(_NO_ORDERS) or method in guarded:
                continue
            source = inspect.getsource(function)
            if not any(f"self.{other}(" in source for other in guarded):
                forgotten.add(f"{name}.{method}")
    assert forgotten == set()
