"""Orders by ccxt's unified calls, with its own clients against the simulated venues."""

from __future__ import annotations

import asyncio
import inspect
from decimal import Decimal
from types import FunctionType
from typing import TYPE_CHECKING, Any

import ccxt
import ccxt.async_support
import pytest

from otel_trading.instrument.ccxt import CcxtInstrumentor
from otel_trading.trading.orders.order import FINAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from otel_trading.testing import Captured
    from tests.instrument.ccxt_rest.running import Running

SYMBOL = "BTC/USDT"


class Client:
    """Either kind of client, asked in the same way; with what was told of orders."""

    def __init__(self, kind: str, venues: Running, telemetry: Captured) -> None:
        self.telemetry = telemetry
        self._runner = asyncio.Runner() if kind == "async" else None
        self.exchange: Any = venues.pro() if kind == "async" else venues.sync()
        self("load_markets")
        self.ask = self("fetch_order_book", SYMBOL)["asks"][0][0]

    def __call__(self, method: str, *args: Any, **kwargs: Any) -> Any:
        if self._runner is None:
            return getattr(self.exchange, method)(*args, **kwargs)

        async def call() -> Any:
            return await getattr(self.exchange, method)(*args, **kwargs)

        return self._runner.run(call())

    def close(self) -> None:
        if self._runner is not None:
            self("close")
            self._runner.close()

    @property
    def told(self) -> list[str]:
        """What was told of orders."""
        prefix = "trading.order."
        return [
            log.event.removeprefix(prefix) for log in self.telemetry.logs if log.event and log.event.startswith(prefix)
        ]

    def line(self, event: str, place: int = -1) -> dict[str, Any]:
        """What a line says of an order."""
        found = [log for log in self.telemetry.logs if log.event == f"trading.order.{event}"]
        return {name.removeprefix("trading."): value for name, value in found[place].attributes.items()}


@pytest.fixture(params=["sync", "async"])
def client(request: pytest.FixtureRequest, instrumented: Captured, venues: Running) -> Iterator[Client]:
    """A client of each kind, made while ccxt is instrumented."""
    made = Client(request.param, venues, instrumented)
    yield made
    made.close()


def test_an_order_with_the_bots_own_id(client: Client) -> None:
    """It is submitted before the request, acknowledged and filled by its answer, each once."""
    answer = client(
        "create_order", SYMBOL, "limit", "buy", 0.01, client.ask + 30, {"clientOrderId": "a-1", "timeInForce": "IOC"}
    )
    assert client.told == ["submitted", "acknowledged", "filled"]
    line = client.line("submitted")
    assert (line["order.client_id"], line["order.side"], line["order.type"]) == ("a-1", "buy", "limit")
    assert (line["order.quantity"], line["order.time_in_force"], line["instrument.type"]) == (0.01, "ioc", "spot")
    filled = client.line("filled")
    assert filled["execution.quantity"] == 0.01
    assert filled["execution.price"] == answer["average"]
    assert (filled["execution.commission"], filled["execution.commission_currency"]) == (
        answer["fee"]["cost"],
        answer["fee"]["currency"],
    )
    assert client.line("acknowledged")["order.id"] == answer["id"]
    assert len(client.telemetry.trading.orders) == 0
    order = client.telemetry.traces.one("order")
    assert order.attributes["trading.order.status"] == "filled"


@pytest.mark.parametrize(
    "method", ["create_market_buy_order", "createMarketBuyOrder", "create_market_order", "create_order", "createOrder"]
)
def test_every_way_to_an_order_counts_once(client: Client, method: str) -> None:
    """By the helpers, and by ccxt's other spelling; its ids are those of the answer, its time that of the call."""
    args = {"create_market_order": ("buy", 0.01), "create_order": ("market", "buy", 0.01)}
    args["createOrder"] = args["create_order"]
    answer = client(method, SYMBOL, *args.get(method, (0.01,)))
    assert client.told == ["submitted", "acknowledged", "filled"]
    assert client.line("submitted")["order.client_id"] == answer["clientOrderId"]
    assert client.telemetry.metrics["trading.order.submissions"].value == 1
    call = client.telemetry.traces.one("POST private/order")
    assert client.line("acknowledged")["event.duration"] >= call.duration * 0.9


def test_a_market_order_by_its_cost(client: Client) -> None:
    """The cost is not taken for the amount."""
    client("create_market_buy_order_with_cost", SYMBOL, 600.0)
    assert client.told[0] == "submitted"
    total = sum(
        Decimal(str(client.line("filled", at)["execution.quantity"])) for at in range(client.told.count("filled"))
    )
    assert 0 < total < Decimal("0.1")
    assert len(client.telemetry.trading.orders) == 0


def test_an_order_that_rests_and_is_canceled(client: Client) -> None:
    """Requested, then canceled, however often the bot reads the order afterwards."""
    order = client("create_limit_buy_order", SYMBOL, 0.01, client.ask - 500)
    assert client.told == ["submitted", "acknowledged"]
    assert len(client.telemetry.trading.orders) == 1
    client("fetch_open_orders", SYMBOL)
    client("cancel_order", order["id"], SYMBOL)
    for _ in range(2):
        client("fetch_order", order["id"], SYMBOL)
        client("fetch_orders", SYMBOL)
    assert client.told == ["submitted", "acknowledged", "cancel_requested", "canceled"]
    assert client.line("canceled")["event.duration"] > 0
    assert len(client.telemetry.trading.orders) == 0


def test_all_orders_are_canceled(client: Client) -> None:
    """Each of them is told; those of others are not."""
    for number in range(3):
        client("create_limit_buy_order", SYMBOL, 0.01, client.ask - 500 - number, {"clientOrderId": f"all-{number}"})
    client("cancel_all_orders", SYMBOL)
    assert client.told.count("cancel_requested") == client.told.count("canceled") == 3
    assert len(client.telemetry.trading.orders) == 0


def test_an_order_that_the_venue_refuses(client: Client) -> None:
    """With the reason in FIX's words; the error goes to the bot as it is."""
    for params in ({"clientOrderId": "poor-1"}, {}):
        with pytest.raises(ccxt.InsufficientFunds):
            client("create_order", SYMBOL, "limit", "buy", 900.0, client.ask, params)
    assert client.told == ["submitted", "rejected"] * 2
    line = client.line("rejected")
    assert (line["order.reject_reason"], line["error.type"]) == ("insufficient_funds", "InsufficientFunds")
    reports = client.telemetry.metrics["trading.execution.reports"]
    assert reports.where(trading_order_reject_reason="insufficient_funds").value == 2
    assert len(client.telemetry.trading.orders) == 0


def test_a_cancellation_that_the_venue_refuses(client: Client) -> None:
    """The order is followed on, and what the venue said is told; for an order that nobody knows, nothing is."""
    order = client("create_limit_buy_order", SYMBOL, 0.01, client.ask - 500, {"clientOrderId": "gone-1"})
    with pytest.raises(ccxt.OrderNotFound):
        client("cancel_order", "424242", SYMBOL)
    assert client.told == ["submitted", "acknowledged"]
    method = "privateDeleteOrder"
    client(method, {"symbol": "BTCUSDT", "orderId": order["id"]})  # behind the back of the unified call
    with pytest.raises(ccxt.OrderNotFound):
        client("cancel_order", order["id"], SYMBOL)
    assert client.told[2:] == ["cancel_requested", "cancel_rejected"]
    assert client.line("cancel_rejected")["order.reject_reason"] == "unknown_order"
    client("fetch_order", order["id"], SYMBOL)
    assert client.told[-1] == "canceled"


def test_an_order_without_an_answer(client: Client) -> None:
    """Nobody knows whether the venue has it; when it is found there, that is the same order."""
    url = client.exchange.urls["api"]
    client.exchange.urls["api"] = {**url, "private": "http://127.0.0.1:9/api/v3"}
    with pytest.raises(ccxt.NetworkError):
        client("create_order", SYMBOL, "limit", "buy", 0.01, client.ask - 500, {"clientOrderId": "lost-1"})
    assert client.told == ["submitted", "unanswered"]
    assert len(client.telemetry.trading.orders) == 1
    client.exchange.urls["api"] = url
    client("create_order", SYMBOL, "limit", "buy", 0.01, client.ask - 500, {"clientOrderId": "lost-1"})  # again
    assert client.told == ["submitted", "unanswered", "acknowledged"]
    client("cancel_order", None, SYMBOL, {"clientOrderId": "lost-1"})
    assert client.told[3:] == ["cancel_requested", "canceled"]
    assert client.telemetry.metrics["trading.order.submissions"].value == 1


def test_orders_found_at_the_venue(client: Client) -> None:
    """What the bot's last run left open is followed; its history is not told again."""
    CcxtInstrumentor().uninstrument()
    left = client("create_limit_buy_order", SYMBOL, 0.01, client.ask - 500)
    client("create_market_buy_order", SYMBOL, 0.01)
    CcxtInstrumentor().instrument()
    client("fetch_orders", SYMBOL)
    client("fetch_my_trades", SYMBOL)
    restored = client.told.count("restored")
    assert set(client.told) == {"restored"}
    client("fetch_open_orders", SYMBOL)
    assert client.told.count("restored") == restored
    client("cancel_order", left["id"], SYMBOL)
    assert client.told[-2:] == ["cancel_requested", "canceled"]
    assert len(client.telemetry.trading.orders) == restored - 1


def test_orders_that_the_bot_tells_itself(client: Client) -> None:
    """It told the submission: everything else of this order is its own to tell, too."""
    trading = client.telemetry.trading
    trading.order_submitted("own-1", venue="binance", symbol=SYMBOL, side="buy", type="limit", quantity=0.01)
    order = client("create_limit_buy_order", SYMBOL, 0.01, client.ask - 500, {"clientOrderId": "own-1"})
    client("fetch_open_orders", SYMBOL)
    client("cancel_order", order["id"], SYMBOL)
    client("fetch_order", order["id"], SYMBOL)
    assert client.told == ["submitted"]
    trading.order_canceled("own-1")
    client("fetch_order", order["id"], SYMBOL)
    assert client.told == ["submitted", "canceled"]


def test_an_exchange_whose_orders_others_tell(client: Client) -> None:
    """Its requests are measured, of its orders and balances nothing is told."""
    client.exchange.otel_trading_orders = False
    client("create_market_buy_order", SYMBOL, 0.01)
    client("fetch_balance")
    assert client.told == []
    assert "trading.venue.balance" not in client.telemetry.metrics
    assert client.telemetry.traces.one("POST private/order")


def test_a_balance_that_is_read(client: Client) -> None:
    """Each currency that the account has."""
    balance = client("fetch_balance")
    told = client.telemetry.metrics["trading.venue.balance"]
    assert told.where(trading_currency="BTC", trading_venue_name="binance").value == balance["BTC"]["total"]


def test_contracts(instrumented: Captured, venues: Running) -> None:
    """At the perpetual venue: filled by the answer, the commission by its trades is not told a second time."""

    async def trade() -> None:
        exchange = venues.pro("perp")
        try:
            await exchange.load_markets()
            answer = await exchange.create_order("BTC/USDT:USDT", "market", "sell", 0.02)
            await exchange.fetch_order(answer["id"], "BTC/USDT:USDT")
            await exchange.fetch_my_trades("BTC/USDT:USDT")
        finally:
            await exchange.close()

    asyncio.run(trade())
    quantity = instrumented.metrics["trading.execution.quantity"].where(trading_venue_name="binanceusdm")
    assert quantity.value == pytest.approx(0.02, abs=1e-12)
    assert len(instrumented.trading.orders) == 0


def test_after_it_is_taken_back_nothing_is_left(telemetry: Captured, venues: Running) -> None:
    """No method of any class is ours, under any of its names; nothing is told."""
    made_before = venues.sync()
    CcxtInstrumentor().instrument()
    client = Client("sync", venues, telemetry)
    CcxtInstrumentor().uninstrument()
    for exchange in (made_before, client.exchange):
        for kind in type(exchange).__mro__:
            for name, value in vars(kind).items():
                assert not (isinstance(value, FunctionType) and hasattr(value, "__wrapped__")), (kind, name)
    client("create_market_buy_order", SYMBOL, 0.01)
    client("createMarketBuyOrder", SYMBOL, 0.01)
    made_before.createOrder(SYMBOL, "market", "buy", 0.01)
    assert client.told == []


def test_signatures_stay(instrumented: Captured) -> None:
    """Whoever looks at a method sees ccxt's own."""
    ccxt.binance()
    parameters = list(inspect.signature(ccxt.binance.create_order).parameters)
    assert parameters == ["self", "symbol", "type", "side", "amount", "price", "params"]
    assert inspect.iscoroutinefunction(ccxt.async_support.binance.create_order)
    assert ccxt.binance.createOrder is ccxt.binance.create_order


class Odd(ccxt.Exchange):  # type: ignore[misc]
    """A venue with every oddity of ccxt's venues; nothing is sent."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__({"id": "odd"})
        self.answers = answers

    def _answer(self, method: str) -> Any:
        answer = self.answers.get(method)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def create_order(
        self,
        symbol: Any,
        type: Any,  # noqa: A002 - ccxt's word
        side: Any,
        amount: Any,
        price: Any = None,
        params: Any = None,
    ) -> Any:
        request = {"symbol": symbol, "type": type, "side": side, "amount": amount, "price": price, "params": params}
        return self.create_orders([request])[0]

    def create_orders(self, orders: Any, params: Any = None) -> Any:
        return self._answer("create_orders")

    def cancel_order(self, id: Any, symbol: Any = None, params: Any = None) -> Any:  # noqa: A002 - ccxt's word
        return self.cancel_orders([id], symbol)

    def cancel_orders(self, ids: Any, symbol: Any = None, params: Any = None) -> Any:
        return self._answer("cancel_orders")

    def cancel_all_orders(self, symbol: Any = None, params: Any = None) -> Any:
        return self._answer("cancel_all_orders")


class Amending(Odd):
    """One that changes orders itself."""

    def edit_order(self, *_: Any, **__: Any) -> Any:
        return self._answer("edit_order")


def told_by(telemetry: Captured, doing: Callable[[], Any]) -> list[tuple[str, dict[str, Any]]]:
    """What is told of orders while something is done."""
    events: list[tuple[str, dict[str, Any]]] = []

    def take(event: Any, values: Any, _: int) -> None:
        known = {name: value for name, value in zip(event.fields, values, strict=False) if value is not None}
        events.append((event.name.removeprefix("trading.order."), known))

    undo = telemetry.trading.subscribe(take)
    doing()
    undo()
    return events


def resting(**more: Any) -> dict[str, Any]:
    return {"id": "7", "symbol": SYMBOL, "status": "open", "amount": 1.0, "filled": 0.0, **more}


def test_a_venue_that_makes_one_order_as_a_list_of_one(instrumented: Captured) -> None:
    """The outer call is the one that counts."""
    odd = Odd({"create_orders": [resting()], "cancel_orders": [{"info": {}}]})
    events = told_by(instrumented, lambda: (odd.create_limit_buy_order(SYMBOL, 1, 100), odd.cancel_order("7", SYMBOL)))
    assert [name for name, _ in events] == ["submitted", "acknowledged", "cancel_requested", "canceled"]


def test_many_orders_at_once(instrumented: Captured) -> None:
    """Each of the answers is its own order's; one of them is refused."""
    answers = [resting(id="1"), {"status": "rejected", "info": {}}, resting(id="3", clientOrderId="three")]
    odd = Odd({"create_orders": answers})
    asked = {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 1, "price": 100}
    requests = [asked, asked, {**asked, "params": {"clientOrderId": "three"}}]
    events = told_by(instrumented, lambda: odd.create_orders(requests))
    names = [name for name, _ in events]
    assert (names.count("submitted"), names.count("acknowledged"), names.count("rejected")) == (3, 2, 1)
    assert len(instrumented.trading.orders) == 2
    odd.answers["create_orders"] = ccxt.InvalidOrder("no")

    def refused() -> None:
        with pytest.raises(ccxt.InvalidOrder):
            odd.create_orders([asked, asked])

    events = told_by(instrumented, refused)
    assert [name for name, _ in events] == ["submitted", "rejected"] * 2


def test_orders_that_are_changed(instrumented: Captured) -> None:
    """By the venue: replaced, with what was executed before; the new order's executions add up with the old one's."""
    amending = Amending({"create_orders": [resting(filled=0.25, average=100.0)]})
    amending.create_order(SYMBOL, "limit", "buy", 1, 100, {"clientOrderId": "e-1"})
    amending.answers["edit_order"] = resting(id="8", clientOrderId="e-2", amount=0.75)
    events = told_by(instrumented, lambda: amending.edit_order("7", SYMBOL, "limit", "buy", 0.75, 101))
    assert [name for name, _ in events] == ["replaced", "acknowledged"][: len(events)]
    known = instrumented.trading.orders.get("e-2")
    assert known is not None
    assert (known.quantity, known.cumulative_quantity) == (Decimal("1.00"), Decimal("0.25"))
    amending.answers["cancel_orders"] = resting(id="8", status="canceled", filled=0.5, average=101.0, amount=0.75)
    events = told_by(instrumented, lambda: amending.cancel_order("8", SYMBOL))
    assert [name for name, _ in events] == ["cancel_requested", "filled", "canceled"]
    assert events[1][1]["last_quantity"] == Decimal("0.5")
    assert known.status in FINAL
    assert known.cumulative_quantity == Decimal("0.75")


def test_orders_that_are_changed_in_two_steps(instrumented: Captured) -> None:
    """By ccxt: canceled and submitted anew."""
    odd = Odd({"create_orders": [resting()], "cancel_orders": [resting(status="canceled")]})
    odd.create_order(SYMBOL, "limit", "buy", 1, 100)
    odd.answers["create_orders"] = [resting(id="8")]
    events = told_by(instrumented, lambda: odd.edit_order("7", SYMBOL, "limit", "buy", 2, 100))
    assert [name for name, _ in events] == ["cancel_requested", "canceled", "submitted", "acknowledged"]


def test_all_orders_canceled_without_a_word_about_any(instrumented: Captured) -> None:
    """The venue says that it was done: the orders that are known there are canceled."""
    odd = Odd({"cancel_all_orders": [{"info": {}}]})
    for number in range(3):
        odd.answers["create_orders"] = [resting(id=f"{number}", symbol=SYMBOL if number else "ETH/USDT")]
        odd.create_order(SYMBOL if number else "ETH/USDT", "limit", "buy", 1, 100)
    events = told_by(instrumented, lambda: odd.cancel_all_orders(SYMBOL))
    assert [name for name, _ in events] == ["cancel_requested"] * 2 + ["canceled"] * 2
    assert len(instrumented.trading.orders) == 1


@pytest.mark.parametrize("answer", [None, {}, [], "ok", [None], {"id": None}, {"status": 3}])
def test_answers_without_sense(instrumented: Captured, answer: Any) -> None:
    """The bot gets them as they are, and nothing is raised."""
    odd = Amending({"create_orders": [answer], "edit_order": answer, "cancel_all_orders": answer})
    assert odd.create_order(SYMBOL, "limit", "buy", 1, 100, {"clientOrderId": "x"}) is answer
    assert odd.create_order(SYMBOL, "limit", "buy", 1, 100) is answer
    assert odd.edit_order("7", SYMBOL, "limit", "buy", 1, 100) is answer
    assert odd.cancel_all_orders() is answer
    assert instrumented.trading.failures == {}


@pytest.mark.parametrize(
    ("error", "event", "reason"),
    [
        (ccxt.InvalidOrder("lot"), "rejected", "invalid_order"),
        (ccxt.OrderImmediatelyFillable("post only"), "rejected", "would_take"),
        (ccxt.RateLimitExceeded("429"), "rejected", "rate_limited"),
        (ccxt.OnMaintenance("later"), "rejected", "exchange_closed"),
        (ccxt.AuthenticationError("key"), "rejected", "not_allowed"),
        (ccxt.ExchangeError("?"), "rejected", "other"),
        (ccxt.RequestTimeout("..."), "unanswered", None),
        (ccxt.ExchangeNotAvailable("502"), "unanswered", None),
        (ccxt.BadResponse("<html>"), "unanswered", None),
        (KeyError("a defect"), "unanswered", None),
        (KeyboardInterrupt(), "unanswered", None),
    ],
)
def test_what_errors_mean_for_an_order(instrumented: Captured, error: BaseException, event: str, reason: str) -> None:
    """A refusal ends it; where nobody knows, it is still open."""
    odd = Odd({"create_orders": error})

    def order() -> None:
        with pytest.raises(type(error)) as raised:
            odd.create_order(SYMBOL, "limit", "buy", 1, 100, {"clientOrderId": "x"})
        assert raised.value is error

    events = told_by(instrumented, order)
    assert [name for name, _ in events] == ["submitted", event]
    assert events[1][1].get("reject_reason") == reason
    assert len(instrumented.trading.orders) == (event == "unanswered")
