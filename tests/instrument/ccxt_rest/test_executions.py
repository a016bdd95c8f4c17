"""What ccxt's orders and trades tell: each execution once, whatever order the news comes in."""

from __future__ import annotations

import threading
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_trading.instrument.ccxt import executions as module
from otel_trading.instrument.ccxt.executions import Executions
from otel_trading.instrument.ccxt.followed import Followed
from otel_trading.testing import capture

if TYPE_CHECKING:
    from collections.abc import Iterator

VENUE, SYMBOL = "binance", "BTC/USDT"


class Listened:
    """All that was told of orders, by event."""

    def __init__(self, trading: Any) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.trading = trading
        self.executions = Executions(trading)
        self.undo = trading.subscribe(self._take)

    def _take(self, event: Any, values: Any, _: int) -> None:
        self.events.append((event.name.removeprefix("trading.order."), dict(zip(event.fields, values, strict=False))))

    def of(self, name: str) -> list[dict[str, Any]]:
        return [values for event, values in self.events if event == name]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.events]

    def submit(self, client_id: str = "c-1", order_id: str = "7", amount: str = "1", side: str = "buy") -> Followed:
        """As a call of the bot's would."""
        followed = Followed(VENUE, client_id, SYMBOL)
        followed.submitted = True
        followed.amount = Decimal(amount)
        self.trading.order_submitted(
            client_id, venue=VENUE, symbol=SYMBOL, side=side, quantity=Decimal(amount), price=Decimal(100)
        )
        self.executions.follow(followed, (order_id, client_id))
        return followed

    @property
    def filled(self) -> Decimal:
        return sum((Decimal(str(each["last_quantity"])) for each in self.of("filled")), Decimal(0))


@pytest.fixture
def listened() -> Iterator[Listened]:
    with capture() as telemetry:
        listened = Listened(telemetry.trading)
        yield listened
        listened.undo()


def order(filled: Any, status: str = "open", **more: Any) -> dict[str, Any]:
    return {
        "id": "7",
        "clientOrderId": "c-1",
        "symbol": SYMBOL,
        "side": "buy",
        "type": "limit",
        "price": 100.0,
        "amount": 1.0,
        "filled": filled,
        "average": 100.0 if filled else None,
        "status": status,
        **more,
    }


def trade(name: str, amount: Any, price: Any = 100.0, **more: Any) -> dict[str, Any]:
    return {"id": name, "order": "7", "symbol": SYMBOL, "amount": amount, "price": price, **more}


def test_what_is_filled_so_far_becomes_what_was_filled_since(listened: Listened) -> None:
    """Exactly, though the amounts are binary fractions; the price of each part follows from the whole's."""
    listened.submit()
    for filled, cost in ((0.1, 10.0), (0.3, 30.2), (0.3, 30.2), (1.0, 100.9)):
        listened.executions.order(VENUE, order(filled, "closed" if filled == 1 else "open", cost=cost))
    fills = listened.of("filled")
    assert [each["last_quantity"] for each in fills] == [Decimal("0.1"), Decimal("0.2"), Decimal("0.7")]
    assert [each["last_price"] for each in fills] == [Decimal(100), Decimal(101), Decimal(101)]
    assert [each["status"] for each in fills] == ["partially_filled", "partially_filled", "filled"]
    assert len(listened.trading.orders) == 0


def test_trades_are_told_by_their_ids(listened: Listened) -> None:
    """With their commission and liquidity; what the order says of the same executions is not told again."""
    listened.submit()
    fee = {"cost": 0.0004, "currency": "BNB"}
    listened.executions.trade(VENUE, trade("t-1", 0.4, fee=fee, takerOrMaker="maker"))
    listened.executions.order(VENUE, order(0.4))
    listened.executions.trade(VENUE, trade("t-1", 0.4, fee=fee))
    listened.executions.trade(VENUE, trade("t-2", 0.6))
    listened.executions.order(VENUE, order(1.0, "closed"))
    assert listened.names == ["submitted", "filled", "acknowledged", "filled"]
    first = listened.of("filled")[0]
    assert (first["execution_id"], first["commission"], first["liquidity"]) == ("t-1", Decimal("0.0004"), "added")


def test_the_first_source_stays_the_source(listened: Listened) -> None:
    """An order told it first: its trades do not tell it again; and what is older than that says nothing."""
    listened.submit()
    listened.executions.order(VENUE, order(0.5))
    listened.executions.trade(VENUE, trade("t-1", 0.5))
    listened.executions.order(VENUE, order(0.2))
    listened.executions.order(VENUE, order(1.0, "closed"))
    listened.executions.trade(VENUE, trade("t-2", 0.5))
    assert listened.filled == 1
    assert len(listened.of("filled")) == 2


def test_the_rest_is_told_when_the_order_ends_before_its_trades_come(listened: Listened) -> None:
    """The end says how much was filled; trades of it that come later are known already."""
    listened.submit()
    listened.executions.trade(VENUE, trade("t-1", 0.4))
    listened.executions.order(VENUE, order(0.7, "canceled"))
    listened.executions.trade(VENUE, trade("t-2", 0.3))
    assert listened.names == ["submitted", "filled", "acknowledged", "filled", "canceled"]
    assert listened.filled == Decimal("0.7")
    assert listened.of("canceled")[0]["cumulative_quantity"] == Decimal("0.7")


@pytest.mark.parametrize(
    ("status", "event"), [("canceled", "canceled"), ("expired", "expired"), ("rejected", "rejected")]
)
def test_ends_are_told_once(listened: Listened, status: str, event: str) -> None:
    """However often the venue says so."""
    listened.submit()
    for _ in range(3):
        listened.executions.order(VENUE, order(0.0, status))
    assert listened.names.count(event) == 1
    assert len(listened.trading.orders) == 0


def test_a_closed_order_that_was_not_filled_in_full_is_canceled(listened: Listened) -> None:
    """Some venues call an order closed that is merely over: the rest of it will not be executed."""
    listened.submit()
    listened.executions.order(VENUE, order(0.25, "closed"))
    assert listened.names[-2:] == ["filled", "canceled"]
    assert listened.of("canceled")[0]["reason"] == "closed"


def test_a_closed_order_of_unknown_size_is_filled(listened: Listened) -> None:
    """A market order by its cost, told by trades: what was executed is all there is, and the order ends."""
    followed = listened.submit()
    followed.amount = None
    known = listened.trading.orders.get("c-1")
    known.quantity = None
    listened.executions.trade(VENUE, trade("t-1", 0.7))
    assert len(listened.trading.orders) == 1
    listened.executions.order(VENUE, order(0.7, "closed", amount=None))
    assert (len(listened.trading.orders), known.status, listened.filled) == (0, "filled", Decimal("0.7"))


def test_orders_that_nobody_submitted(listened: Listened) -> None:
    """One that is open is followed from there on, history is not told."""
    executions = listened.executions
    executions.order(VENUE, order(1.0, "closed", id="1", clientOrderId="old"))
    executions.trade(VENUE, trade("t-0", 1.0, order="1"))
    assert listened.names == []
    executions.order(VENUE, order(0.5, id="2", clientOrderId="by-hand"))
    executions.order(VENUE, order(0.5, id="2", clientOrderId="by-hand"))
    assert listened.names == ["restored"]
    executions.order(VENUE, order(1.0, "closed", id="2", clientOrderId="by-hand"))
    assert listened.names == ["restored", "filled"]
    assert listened.filled == Decimal("0.5")
    assert len(listened.trading.orders) == 0


def test_orders_that_the_bot_tells_itself_are_left_to_it(listened: Listened) -> None:
    """By its client order id, or by the venue's id that it acknowledged."""
    listened.trading.order_submitted("mine", venue=VENUE, symbol=SYMBOL, side="buy", quantity=1)
    listened.trading.order_acknowledged("mine", venue_order_id="55")
    before = list(listened.names)
    for ids in ({"id": "55", "clientOrderId": "mine"}, {"id": "55", "clientOrderId": None}):
        listened.executions.order(VENUE, order(0.0, **ids))
        listened.executions.order(VENUE, order(1.0, "closed", **ids))
    listened.executions.trade(VENUE, trade("t-1", 1.0, order="55"))
    assert listened.names == before


def test_news_of_an_order_whose_id_is_not_known_yet_waits_for_it(listened: Listened) -> None:
    """A stream is faster than the answer to the order: nothing is lost, nothing taken for another's order."""
    executions = listened.executions
    executions.expect(VENUE)
    executions.order(VENUE, order(0.0, id="9", clientOrderId=None))
    executions.trade(VENUE, trade("t-1", 0.4, order="9"))
    assert listened.names == []
    listened.submit("9", "9")
    executions.expected(VENUE)
    assert listened.names == ["submitted", "acknowledged", "filled"]
    executions.order(VENUE, order(0.0, id="10", clientOrderId=None))
    assert listened.names[-1] == "restored"


def test_ids_that_differ_by_symbol(listened: Listened) -> None:
    """Binance numbers the orders of each symbol on their own."""
    listened.submit("c-1", "7")
    listened.executions.trade(VENUE, trade("t-1", 1.0, symbol="ETH/USDT"))
    assert listened.names == ["submitted"]
    listened.executions.trade(VENUE, trade("t-1", 1.0))
    assert listened.filled == 1


def test_contracts_are_told_in_the_base_currency(listened: Listened) -> None:
    """By the contract's size; of inverse contracts, whose size is in dollars, by the price."""
    markets = {
        "BTC/USDT:USDT": {"contract": True, "contractSize": 0.001, "inverse": False},
        "BTC/USD:BTC": {"contract": True, "contractSize": 100.0, "inverse": True},
    }
    for name, symbol in enumerate(markets, 1):
        known: dict[str, Any] = {"id": f"{name}", "clientOrderId": f"k-{name}", "symbol": symbol, "amount": 20.0}
        listened.executions.order(VENUE, order(0.0, **known), markets=markets)
        listened.executions.order(VENUE, order(5.0, **known, average=50_000.0), markets=markets)
        listened.executions.order(VENUE, order(20.0, "closed", **known, average=50_000.0), markets=markets)
    restored = [each["quantity"] for each in listened.of("restored")]
    assert restored == [Decimal("0.020"), None]
    assert [each["last_quantity"] for each in listened.of("filled")] == [
        *(Decimal("0.005"), Decimal("0.015")),
        *(Decimal("0.01"), Decimal("0.03")),
    ]
    assert {each["last_price"] for each in listened.of("filled")} == {Decimal(50_000)}
    assert len(listened.trading.orders) == 0


def test_prediction_markets_have_outcomes_for_symbols(listened: Listened) -> None:
    """ccxt's orders there name an outcome."""
    told = {**order(0.0, amount=10.0), "outcome": "fed-cut:yes"}
    del told["symbol"]
    listened.executions.order("kalshi", told)
    listened.executions.trade("kalshi", {"id": "t", "order": "7", "outcome": "fed-cut:yes", "amount": 10, "price": 0.4})
    assert [each["symbol"] for _, each in listened.events] == ["fed-cut:yes"] * 2
    assert len(listened.trading.orders) == 0


def test_balances_are_told_when_they_change(listened: Listened) -> None:
    """Currencies that the account has nothing of are not told before it has."""
    balance = {"total": {"BTC": 1.5, "USDT": 0.0}, "free": {"BTC": 1.0}, "used": {"BTC": 0.5}}
    for _ in range(2):
        listened.executions.balance(VENUE, balance)
    listened.executions.balance(VENUE, {"total": {"BTC": 0.0, "USDT": 9.0}})
    told = [(each["currency"], each["balance"]) for _, each in listened.events]
    assert told == [("BTC", 1.5), ("BTC", 0.0), ("USDT", 9.0)]


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"id": None},
        {"id": "7", "filled": "much", "status": 3},
        {"id": "7", "trades": [{"id": "t"}], "fee": 3},
        None,
    ],
)
def test_what_cannot_be_read_does_no_harm(listened: Listened, broken: Any) -> None:
    """Nothing is raised, and the next report is read."""
    listened.submit()
    for _ in range(2):
        listened.executions.order(VENUE, broken)
        listened.executions.trade(VENUE, broken)
        listened.executions.balance(VENUE, broken)
    listened.executions.order(VENUE, order(1.0, "closed"))
    assert listened.filled == 1


def test_switched_off_nothing_is_told(listened: Listened) -> None:
    """A bot that tells its orders itself."""
    quiet = Executions(listened.trading, on=False)
    quiet.order(VENUE, order(0.0))
    quiet.trade(VENUE, trade("t-1", 1.0))
    quiet.balance(VENUE, {"total": {"BTC": 1.0}})
    assert listened.events == []


def test_memory_is_bounded(listened: Listened, monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders that nobody hears of again are forgotten, the oldest first."""
    monkeypatch.setattr(module, "_OPEN", 100)
    monkeypatch.setattr(module, "_ENDED", 50)
    executions = listened.executions
    for number in range(1_000):
        known = {"id": f"{number}", "clientOrderId": f"m-{number}"}
        executions.order(VENUE, order(0.0, **known))
        if number % 2:
            executions.order(VENUE, order(0.0, "canceled", **known))
    assert len(executions._names) <= 3 * 150
    assert executions.find(VENUE, "998", SYMBOL) is not None
    assert executions.find(VENUE, "2", SYMBOL) is None


def test_threads_tell_everything_once(listened: Listened) -> None:
    """A stream and requests report the same orders from four threads."""
    many = 200
    for number in range(many):
        listened.submit(f"c-{number}", f"{number}")

    def report(first: int) -> None:
        for number in range(many):
            at = (number * 7 + first * 50) % many
            known = {"id": f"{at}", "clientOrderId": f"c-{at}"}
            listened.executions.trade(VENUE, trade(f"t-{at}", 0.5, order=f"{at}"))
            listened.executions.order(VENUE, order(0.5, **known))
            listened.executions.order(VENUE, order(1.0, "closed", **known))

    threads = [threading.Thread(target=report, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert listened.filled == many
    assert len(listened.trading.orders) == 0
    assert listened.trading.failures == {}


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[Decimal], str, list[tuple[bool, int]]]:
    """An order's executions, how it ends, and the news of them: out of order, repeated, and some missing."""
    parts = draw(st.lists(st.integers(1, 1_000), min_size=0, max_size=6))
    whole = Decimal(sum(parts) + draw(st.integers(0, 500))) / 1_000 or Decimal(1)
    fills = [Decimal(part) / 1_000 for part in parts]
    ends = "closed" if fills and sum(fills) == whole else draw(st.sampled_from(["canceled", "expired", "closed"]))
    news = draw(st.lists(st.tuples(st.booleans(), st.integers(0, max(len(fills) - 1, 0))), max_size=30))
    return [whole, *fills], ends, news


def test_any_news_in_any_order_add_up() -> None:
    """At the end exactly what was executed was told, once, and the order is closed."""
    with capture() as telemetry:
        numbers = count(1)

        @settings(max_examples=300, deadline=None)
        @given(lives())
        def each(life: tuple[list[Decimal], str, list[tuple[bool, int]]]) -> None:
            listened = Listened(telemetry.trading)
            _live(listened, f"{next(numbers)}", *life)
            assert len(telemetry.trading.orders) == 0
            assert "anomaly_reported" not in listened.names
            listened.undo()

        each()


def _live(listened: Listened, name: str, amounts: list[Decimal], ends: str, news: list[tuple[bool, int]]) -> None:
    whole, *fills = amounts
    known: dict[str, Any] = {"id": name, "clientOrderId": f"c-{name}", "amount": float(whole)}
    listened.submit(f"c-{name}", name, f"{whole}")
    so_far = [sum(fills[: place + 1], Decimal(0)) for place in range(len(fills))]
    for by_trade, place in news if fills else ():
        if by_trade:
            listened.executions.trade(VENUE, trade(f"t-{place}", float(fills[place]), order=name))
        else:
            listened.executions.order(VENUE, order(float(so_far[place]), **known))
    for _ in range(2):
        listened.executions.order(VENUE, order(float(sum(fills)), ends, **known))
    for place, part in enumerate(fills):
        listened.executions.trade(VENUE, trade(f"t-{place}", float(part), order=name))
    assert listened.filled == sum(fills)
