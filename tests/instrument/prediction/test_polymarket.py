"""What ccxt unifies of Polymarket's orders and trades, as the account's own."""

from __future__ import annotations

from typing import Any

import pytest

from otel_trading.instrument.ccxt.polymarket import VENUE, own_order, own_trades


def trade(**info: Any) -> dict[str, Any]:
    about = {"id": "t-1", "asset_id": "7", "trader_side": "MAKER", "side": "BUY", **info}
    return {"id": "0xhash", "order": "0xtaker", "side": "buy", "amount": 12.0, "outcome": "RAIN:YES", "info": about}


def maker(order_id: str, **more: Any) -> dict[str, Any]:
    return {"order_id": order_id, "asset_id": "7", "matched_amount": "3", "price": "0.4", **more}


def test_other_venues_are_left_alone() -> None:
    """The very same objects."""
    other = trade()
    assert [each is other for each in own_trades("kalshi", other)] == [True]
    assert own_order("kalshi", other) is other


def test_a_takers_trade_has_one_id_for_ever() -> None:
    """Not that of the transaction."""
    (own,) = own_trades(VENUE, trade(trader_side="TAKER", maker_orders=[maker("0xa")]))
    assert (own["id"], own["order"], own["amount"]) == ("t-1", "0xtaker", 12.0)


def test_several_of_our_orders_may_be_in_one_trade() -> None:
    """Each is told."""
    makers = [maker("0xa"), maker("0xb", matched_amount="5"), maker("0xc")]
    own = own_trades(VENUE, trade(maker_orders=makers), {"0xa", "0xb"}.__contains__)
    assert [(each["order"], each["amount"]) for each in own] == [("0xa", "3"), ("0xb", "5")]


def test_an_order_whose_id_is_not_known_yet_is_found_by_its_owner() -> None:
    """Or is the only one there is."""
    makers = [maker("0xa", owner="them"), maker("0xb", owner="us")]
    (own,) = own_trades(VENUE, trade(maker_orders=makers, trade_owner="us"))
    assert own["order"] == "0xb"
    (only,) = own_trades(VENUE, trade(maker_orders=makers[:1]))
    assert only["order"] == "0xa"


@pytest.mark.parametrize(("asset", "said", "side"), [("7", "", "sell"), ("8", "", "buy"), ("8", "SELL", "sell")])
def test_the_side_of_a_maker(asset: str, said: str, side: str) -> None:
    """The opposite one for the same outcome, the same one for the opposite outcome, or as it is said."""
    (own,) = own_trades(VENUE, trade(maker_orders=[maker("0xa", asset_id=asset, side=said)]))
    assert own["side"] == side
    assert own["outcome"] == ("RAIN:YES" if asset == "7" else None)


@pytest.mark.parametrize("info", [None, [], {}, {"id": None}, {"id": "t", "trader_side": "MAKER", "maker_orders": 5}])
def test_odd_trades_are_handed_on(info: Any) -> None:
    """Whatever a venue says."""
    (own,) = own_trades(VENUE, {"id": "0xhash", "info": info})
    assert own["id"] in {"0xhash", "t"}


@pytest.mark.parametrize(
    ("side", "lasting", "taken", "given", "status", "filled"),
    [
        ("buy", "GTC", "10", "4", "closed", "10"),
        ("buy", "GTC", "4", "1.6", "open", "4"),
        ("buy", "FAK", "4", "1.6", "canceled", "4"),
        ("sell", "GTC", "4", "10", "closed", "10"),
        ("sell", "GTC", "1.6", "4", "open", "4"),
        ("buy", "FOK", "9.9999999", "4", "closed", "9.9999999"),
    ],
)
def test_an_answer_says_how_much_was_filled(
    side: str, lasting: str, taken: str, given: str, status: str, filled: str
) -> None:
    """By what was taken and given."""
    info = {"orderID": "0xa", "status": "matched", "takingAmount": taken, "makingAmount": given}
    answer = {"status": "closed", "side": side, "amount": 10, "filled": 0.0, "timeInForce": lasting, "info": info}
    told = own_order(VENUE, answer)
    assert (told["status"], told["filled"]) == (status, filled)


@pytest.mark.parametrize("told", [None, {}, {"takingAmount": "x"}, {"takingAmount": "0"}, {"takingAmount": []}])
def test_an_answer_that_says_nothing_of_it_is_handed_on(told: Any) -> None:
    """The very same object."""
    info = told if told is None else {"orderID": "0xa", **told}
    answer = {"status": "closed", "side": "buy", "amount": 10, "filled": 0.0, "info": info}
    assert own_order(VENUE, answer) is answer
