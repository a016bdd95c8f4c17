"""The paper matching engine, on a hand-made book and a standing clock."""

from __future__ import annotations

import itertools
import json
import random
from decimal import Decimal
from typing import Any

import pytest

from otel_trading.demo.venue.account import PerpAccount, SpotAccount
from otel_trading.demo.venue.book import Book
from otel_trading.demo.venue.engine import MatchingEngine
from otel_trading.demo.venue.orders import (
    ExecutionType,
    NewOrder,
    OrderType,
    Reject,
    Report,
    Side,
    Status,
    TimeInForce,
)
from otel_trading.demo.venue.rules import RULES

D = Decimal
BUY, SELL = Side.BUY, Side.SELL
NEW, TRADE, CANCELED, EXPIRED = ExecutionType.NEW, ExecutionType.TRADE, ExecutionType.CANCELED, ExecutionType.EXPIRED
client_ids = itertools.count(1)


def make_book() -> Book:
    return Book(
        json.dumps(
            {
                "lastUpdateId": 10,
                "bids": [["50000.00", "1.00000"], ["49999.00", "2.00000"], ["49990.00", "5.00000"]],
                "asks": [["50001.00", "1.00000"], ["50002.00", "2.00000"], ["50010.00", "5.00000"]],
            }
        )
    )


@pytest.fixture
def spot() -> MatchingEngine[SpotAccount]:
    return MatchingEngine(rules=RULES["spot"], book=make_book(), account=SpotAccount(), clock_ms=lambda: 1_000)


@pytest.fixture
def perp() -> MatchingEngine[PerpAccount]:
    account = PerpAccount(mark_price=D("50000.5"))
    return MatchingEngine(rules=RULES["perp"], book=make_book(), account=account, clock_ms=lambda: 1_000)


def limit(side: Side, quantity: str, price: str, tif: TimeInForce = TimeInForce.GTC, **other: Any) -> NewOrder:
    kind = other.pop("kind", OrderType.LIMIT)
    return NewOrder(f"c{next(client_ids)}", side, kind, tif, D(quantity), D(price), **other)


def market(side: Side, quantity: str = "0", **other: Any) -> NewOrder:
    return NewOrder(f"c{next(client_ids)}", side, OrderType.MARKET, quantity=D(quantity), **other)


def kinds(reports: list[Report]) -> list[ExecutionType]:
    return [report.type for report in reports]


def prices(reports: list[Report]) -> list[tuple[Decimal, Decimal]]:
    return [(report.fill.price, report.fill.quantity) for report in reports if report.fill is not None]


def test_a_market_order_walks_the_levels(spot: MatchingEngine[SpotAccount]) -> None:
    """Each level fills at its own price, best first."""
    order, reports = spot.place(market(BUY, "2.5"))
    assert kinds(reports) == [NEW, TRADE, TRADE]
    assert prices(reports) == [(D("50001.00"), D(1)), (D("50002.00"), D("1.5"))]
    assert order.status is Status.FILLED
    assert order.average_price == D("50001.6")


def test_reports_keep_the_state_of_their_moment(spot: MatchingEngine[SpotAccount]) -> None:
    """The first fill's report says partially filled although the order filled on."""
    _, reports = spot.place(market(BUY, "2.5"))
    assert [report.order.status for report in reports] == [Status.NEW, Status.PARTIALLY_FILLED, Status.FILLED]
    assert [report.order.filled for report in reports] == [D(0), D(1), D("2.5")]


def test_the_same_liquidity_is_not_sold_twice(spot: MatchingEngine[SpotAccount]) -> None:
    """A second order meets what the first one left."""
    spot.place(market(BUY, "0.6"))
    _, reports = spot.place(market(BUY, "0.6"))
    assert prices(reports) == [(D("50001.00"), D("0.4")), (D("50002.00"), D("0.2"))]


def test_an_ioc_order_fills_to_its_limit_and_expires(spot: MatchingEngine[SpotAccount]) -> None:
    """What crosses fills, the rest expires and nothing stays locked."""
    order, reports = spot.place(limit(BUY, "2", "50001.00", TimeInForce.IOC))
    assert kinds(reports) == [NEW, TRADE, EXPIRED]
    assert (order.status, order.filled) == (Status.EXPIRED, D(1))
    assert not spot.open_orders()
    assert spot.account.balances["USDT"].locked == 0


def test_a_fok_order_fills_wholly_or_not_at_all(spot: MatchingEngine[SpotAccount]) -> None:
    """On spot it expires untouched where the book does not suffice."""
    order, reports = spot.place(limit(BUY, "3.5", "50002.00", TimeInForce.FOK))
    assert kinds(reports) == [NEW, EXPIRED]
    assert order.filled == 0
    order, _ = spot.place(limit(BUY, "3", "50002.00", TimeInForce.FOK))
    assert order.status is Status.FILLED


def test_a_fok_order_the_perpetual_cannot_fill_is_rejected(perp: MatchingEngine[PerpAccount]) -> None:
    """There the answer is an error, not an expired order."""
    with pytest.raises(Reject, match="-5021"):
        perp.place(limit(BUY, "3.5", "50002.00", TimeInForce.FOK))


def test_a_crossing_gtc_order_rests_with_what_is_left(spot: MatchingEngine[SpotAccount]) -> None:
    """It takes what crosses and locks the funds of the rest at its limit."""
    order, reports = spot.place(limit(BUY, "1.5", "50001.00"))
    assert kinds(reports) == [NEW, TRADE]
    assert order.status is Status.PARTIALLY_FILLED
    assert spot.account.balances["USDT"].locked == D("0.5") * D("50001.00")


def test_a_resting_order_waits_for_the_queue_ahead(spot: MatchingEngine[SpotAccount]) -> None:
    """Trades at its price first serve the quantity that was displayed before it came."""
    order, _ = spot.place(limit(BUY, "0.5", "50000.00"))
    assert spot.on_trade(D("50000.00"), D("0.8"), buyer_is_maker=True) == []
    reports = spot.on_trade(D("50000.00"), D("0.4"), buyer_is_maker=True)
    assert prices(reports) == [(D("50000.00"), D("0.2"))]
    assert order.remaining == D("0.3")
    reports = spot.on_trade(D("50000.00"), D("9"), buyer_is_maker=True)
    assert prices(reports) == [(D("50000.00"), D("0.3"))]
    assert reports[0].fill is not None
    assert reports[0].fill.maker
    assert order.status is Status.FILLED


def test_the_queue_shrinks_when_those_ahead_cancel(spot: MatchingEngine[SpotAccount]) -> None:
    """Never more is ahead than the level displays."""
    spot.place(limit(BUY, "0.5", "50000.00"))
    spot.book.apply({"u": 11, "b": [["50000.00", "0.10000"]], "a": []})
    reports = spot.on_trade(D("50000.00"), D("0.3"), buyer_is_maker=True)
    assert prices(reports) == [(D("50000.00"), D("0.2"))]


def test_a_trade_through_the_price_fills_wholly(spot: MatchingEngine[SpotAccount]) -> None:
    """A trade below our bid would have met us first, at our price."""
    order, _ = spot.place(limit(BUY, "0.5", "49999.50"))
    reports = spot.on_trade(D("49999.00"), D("0.1"), buyer_is_maker=True)
    assert prices(reports) == [(D("49999.50"), D("0.5"))]
    assert order.status is Status.FILLED


def test_a_trade_of_the_other_side_leaves_us_alone(spot: MatchingEngine[SpotAccount]) -> None:
    """A buyer lifting offers does not fill a bid."""
    spot.place(limit(BUY, "0.5", "49999.50"))
    assert spot.on_trade(D("49999.00"), D(1), buyer_is_maker=False) == []


def test_one_trade_is_shared_in_price_and_time(spot: MatchingEngine[SpotAccount]) -> None:
    """Orders at one price share what is traded there, the older one first."""
    first, _ = spot.place(limit(SELL, "0.3", "50001.00"))
    second, _ = spot.place(limit(SELL, "0.3", "50001.00"))
    spot.book.apply({"u": 11, "b": [], "a": [["50001.00", "0.00000"]]})
    spot.on_trade(D("50001.00"), D("0.4"), buyer_is_maker=False)
    assert (first.filled, second.filled) == (D("0.3"), D("0.1"))


def test_a_quote_that_comes_to_us_fills(spot: MatchingEngine[SpotAccount]) -> None:
    """An ask at our bid fills as much of it as it shows, at our price, as maker."""
    order, _ = spot.place(limit(BUY, "2", "50000.50"))
    spot.book.set_quote({"u": 11, "b": "49999.00", "B": "1.0", "a": "50000.00", "A": "0.7"})
    reports = spot.on_quote()
    assert prices(reports) == [(D("50000.50"), D("0.7"))]
    assert order.remaining == D("1.3")
    assert spot.on_quote() == []


def test_cancel_releases_what_was_locked(spot: MatchingEngine[SpotAccount]) -> None:
    """All balances are as before."""
    before = {asset: (balance.free, balance.locked) for asset, balance in spot.account.balances.items()}
    order, _ = spot.place(limit(SELL, "2", "60000.00"))
    assert spot.account.balances["BTC"].locked == 2
    _, reports = spot.cancel(order.id)
    assert kinds(reports) == [CANCELED]
    assert before == {asset: (balance.free, balance.locked) for asset, balance in spot.account.balances.items()}


def test_an_order_is_found_by_either_id(spot: MatchingEngine[SpotAccount]) -> None:
    """The venue's id or the client's."""
    order, _ = spot.place(limit(BUY, "1", "40000.00"))
    assert spot.find(order.id, None) is order
    assert spot.find(None, order.request.client_id) is order
    spot.cancel(None, order.request.client_id)
    assert order.status is Status.CANCELED


@pytest.mark.parametrize("order_id", [999, None])
def test_an_unknown_order_cannot_be_canceled(spot: MatchingEngine[SpotAccount], order_id: int | None) -> None:
    """Nor can one that is done."""
    with pytest.raises(Reject, match="-2011"):
        spot.cancel(order_id, "unknown")
    order, _ = spot.place(market(BUY, "0.1"))
    with pytest.raises(Reject, match="-2011"):
        spot.cancel(order.id)


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (limit(BUY, "0.000001", "50000.00"), -1013),
        (limit(BUY, "0.1000001", "50000.00"), -1013),
        (limit(BUY, "0.1", "50000.001"), -1013),
        (limit(BUY, "0.1", "-1"), -1013),
        (limit(BUY, "0.00001", "100.00"), -1013),
        (market(BUY, "0.00005"), -1013),
        (limit(BUY, "1000", "50000.00"), -2010),
        (limit(SELL, "10.1", "50000.00"), -2010),
        (market(SELL, "10.1"), -2010),
        (limit(BUY, "1", "50001.00", kind=OrderType.LIMIT_MAKER), -2010),
        (limit(BUY, "1", "50000.00", TimeInForce.GTX), -1115),
    ],
)
def test_spot_rejects_in_its_own_codes(spot: MatchingEngine[SpotAccount], order: NewOrder, code: int) -> None:
    """Filters, funds and post-only conditions, each with the code the real venue answers."""
    with pytest.raises(Reject) as reject:
        spot.place(order)
    assert reject.value.code == code
    assert not spot.orders


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (limit(BUY, "0", "50000.00"), -4003),
        (limit(BUY, "0.0005", "50000.00"), -1111),
        (limit(BUY, "1001", "50000.00"), -4005),
        (limit(BUY, "0.1", "50000.05"), -4014),
        (limit(BUY, "0.001", "50000.00"), -4164),
        (limit(BUY, "900", "50000.00"), -2019),
        (limit(SELL, "1", "50000.00", TimeInForce.GTX), -5022),
        (limit(SELL, "1", "50000.00", reduce_only=True), -2022),
        (limit(SELL, "1", "50000.00", kind=OrderType.LIMIT_MAKER), -1116),
    ],
)
def test_the_perpetual_rejects_in_its_own_codes(perp: MatchingEngine[PerpAccount], order: NewOrder, code: int) -> None:
    """Filters, margin and conditions, each with the code the real venue answers."""
    with pytest.raises(Reject) as reject:
        perp.place(order)
    assert reject.value.code == code
    assert not perp.orders


def test_a_client_id_in_use_is_refused(spot: MatchingEngine[SpotAccount]) -> None:
    """It can be used again once its order is done."""
    request = limit(BUY, "1", "40000.00")
    order, _ = spot.place(request)
    with pytest.raises(Reject, match="Duplicate"):
        spot.place(request)
    spot.cancel(order.id)
    spot.place(request)


def test_a_market_order_can_be_sized_by_its_cost(spot: MatchingEngine[SpotAccount]) -> None:
    """It buys what the quote quantity pays for, down to the step."""
    order, _ = spot.place(market(BUY, quote_quantity=D(100_000)))
    assert order.quote_filled <= 100_000
    assert D(100_000) - order.quote_filled < D("0.51")
    assert order.status is Status.FILLED


def test_a_reduce_only_order_stops_at_flat(perp: MatchingEngine[PerpAccount]) -> None:
    """It is cut to the position."""
    perp.place(market(BUY, "0.4"))
    order, _ = perp.place(market(SELL, "1", reduce_only=True))
    assert order.quantity == D("0.4")
    assert perp.account.position == 0


def test_the_perpetual_position_realizes_and_turns(perp: MatchingEngine[PerpAccount]) -> None:
    """Closing realizes against the entry price; going through zero starts a new entry."""
    perp.place(market(BUY, "1"))
    assert (perp.account.position, perp.account.entry_price) == (D(1), D("50001.00"))
    _, reports = perp.place(limit(SELL, "2", "49999.00", TimeInForce.IOC))
    fills = [report.fill for report in reports if report.fill is not None]
    assert [fill.realized for fill in fills] == [D(-1), D(0)]
    assert (perp.account.position, perp.account.entry_price) == (D(-1), D("49999.00"))
    fees = sum(fill.commission for fill in fills) + D("50001.00") * D("0.00017")
    assert perp.account.wallet == D(1_000_000) - 1 - fees


def test_margin_is_set_aside_for_resting_orders(perp: MatchingEngine[PerpAccount]) -> None:
    """A twentieth of the notional, given back on cancel."""
    order, _ = perp.place(limit(BUY, "1", "40000.00"))
    assert perp.account.available == D(1_000_000) - 2000
    perp.cancel(order.id)
    assert perp.account.available == D(1_000_000)


def test_balances_are_conserved_under_random_trading(spot: MatchingEngine[SpotAccount]) -> None:
    """After a thousand random orders, trades and cancels every unit is accounted for by fills and commissions."""
    rng = random.Random(7)  # noqa: S311 - a test repeats itself
    refused: set[int] = set()
    for number in range(1000):
        side = rng.choice([BUY, SELL])
        price = f"{50000 + rng.randint(-1200, 1200) / 100:.2f}"
        quantity = f"{rng.randint(10, 30000) / 100000:.5f}"
        tif = rng.choice([TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK])
        try:
            spot.place(market(side, quantity) if rng.random() < 0.2 else limit(side, quantity, price, tif))
        except Reject as reject:
            refused.add(reject.code)
        if rng.random() < 0.3:
            spot.on_trade(D(price), D(quantity), buyer_is_maker=rng.random() < 0.5)
        if rng.random() < 0.2 and spot.open_orders():
            spot.cancel(rng.choice(spot.open_orders()).id)
        spot.book.apply(
            {"u": 11 + number, "b": [["50000.00", "1.00000"]], "a": [["50001.00", "1.00000"], ["50002.00", "2.00000"]]}
        )
    for order in spot.open_orders():
        spot.cancel(order.id)
    base, quote = D(10), D(1_000_000)
    for order in spot.orders.values():
        for fill in order.fills:
            sign = 1 if order.side is BUY else -1
            base += sign * fill.quantity - (fill.commission if fill.commission_asset == "BTC" else 0)
            quote -= sign * fill.quantity * fill.price
            quote -= fill.commission if fill.commission_asset == "USDT" else 0
    balances = spot.account.balances
    assert (balances["BTC"].free, balances["BTC"].locked) == (base, D(0))
    assert (balances["USDT"].free, balances["USDT"].locked) == (quote, D(0))
    assert refused <= {-2010, -1013}
    assert sum(len(order.fills) for order in spot.orders.values()) > 300


def test_the_perpetual_wallet_is_conserved_under_random_trading(perp: MatchingEngine[PerpAccount]) -> None:
    """Wallet equals start plus realized profit minus commissions, and the position is what was filled."""
    rng = random.Random(11)  # noqa: S311 - a test repeats itself
    for number in range(500):
        side = rng.choice([BUY, SELL])
        perp.place(market(side, f"{rng.randint(3, 900) / 1000:.3f}"))
        perp.book.apply({"u": 11 + number, "b": [["50000.00", "1.00000"]], "a": [["50001.00", "1.00000"]]})
    fills = [(order.side, fill) for order in perp.orders.values() for fill in order.fills]
    assert perp.account.position == sum(
        (fill.quantity if side is BUY else -fill.quantity for side, fill in fills), D(0)
    )
    changes = sum((fill.realized - fill.commission for _, fill in fills), D(0))
    assert perp.account.wallet == D(1_000_000) + changes


def test_old_orders_are_forgotten(spot: MatchingEngine[SpotAccount], monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are done, oldest first; an open one is kept, so that memory stays bounded and nothing open is lost."""
    monkeypatch.setattr("otel_trading.demo.venue.engine._ORDERS_REMEMBERED", 3)
    resting, _ = spot.place(limit(BUY, "1", "40000.00"))
    done = [spot.place(limit(BUY, "1", "40000.00", TimeInForce.IOC))[0] for _ in range(5)]
    assert list(spot.orders) == [resting.id, done[3].id, done[4].id]
    assert spot.find(None, done[0].request.client_id) is None
    assert spot.find(None, resting.request.client_id) is resting
