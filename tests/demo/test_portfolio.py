"""Positions, profit and limits in exact decimals."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING

from otel_trading.demo.bot import Limits, Portfolio, Quote
from otel_trading.demo.bot.orders import Fill, Order

if TYPE_CHECKING:
    from otel_trading.demo.bot.strategy import Side, VenueName

ids = count(1)


def order(venue: VenueName = "spot", side: Side = "buy", quantity: str = "1") -> Order:
    return Order(f"c-{next(ids)}", venue, "BTC/USDT", side, Decimal(quantity), Decimal(100))


def fill(price: str, quantity: str = "1", commission: str = "0") -> Fill:
    return Fill(f"f-{next(ids)}", Decimal(price), Decimal(quantity), Decimal(commission), maker=False)


def test_a_round_trip_realises_what_both_legs_brought() -> None:
    """Price differences of both legs, less every commission."""
    portfolio = Portfolio()
    portfolio.take(order("spot", "buy"), fill("100", commission="0.02"))
    portfolio.take(order("perp", "sell"), fill("101", commission="0.01"))
    assert portfolio.realized == Decimal("-0.03")
    portfolio.take(order("spot", "sell"), fill("100.5", commission="0.02"))
    portfolio.take(order("perp", "buy"), fill("100.5", commission="0.01"))
    assert portfolio.holds is None
    assert portfolio.realized == Decimal("0.5") + Decimal("0.5") - Decimal("0.06")
    assert portfolio.commission == Decimal("0.06")


def test_a_position_can_be_turned_around() -> None:
    """What goes beyond flat begins at the new price."""
    portfolio = Portfolio()
    portfolio.take(order(side="buy"), fill("100"))
    assert portfolio.take(order(side="sell"), fill("103", "3")) == Decimal(3)
    position = portfolio.positions["spot"]
    assert (position.quantity, position.average_price) == (Decimal(-2), Decimal(103))


def test_a_leg_that_is_left_alone_is_seen() -> None:
    """The part of one venue that the other one does not hedge."""
    portfolio = Portfolio()
    portfolio.take(order("spot", "buy"), fill("100", "0.05"))
    portfolio.take(order("perp", "sell"), fill("100", "0.02"))
    assert portfolio.naked == Decimal("0.03")
    assert portfolio.holds == "buy"


def test_an_open_position_is_worth_its_mid_price() -> None:
    """Unrealised profit of both legs."""
    portfolio = Portfolio()
    portfolio.take(order("spot", "buy"), fill("100"))
    portfolio.take(order("perp", "sell"), fill("100"))
    quotes: dict[VenueName, Quote] = {"spot": Quote(101.0, 103.0, 0), "perp": Quote(100.0, 101.0, 0)}
    assert portfolio.unrealized(quotes) == Decimal("1.5")


def test_limits_refuse_what_goes_beyond_them() -> None:
    """The position limit and the loss limit, by name."""
    portfolio = Portfolio(Limits(position=Decimal("1.5"), daily_loss=Decimal(10)))
    assert portfolio.refuses(Decimal(1)) is None
    portfolio.take(order(side="buy"), fill("100"))
    assert portfolio.refuses(Decimal(1)) == "position"
    portfolio.take(order(side="sell"), fill("90"))
    assert portfolio.refuses(Decimal(1)) == "daily_loss"


def test_an_order_is_done_when_all_reported_fills_have_come() -> None:
    """The end of an order may be known before its fills are, and each fill counts once."""
    expiring = order(quantity="2")
    expiring.update("expired", Decimal("0.5"))
    assert not expiring.done.is_set()
    part = fill("100", "0.5")
    assert expiring.add(part)
    assert not expiring.add(part)
    assert expiring.done.is_set()
    assert (expiring.status, expiring.filled) == ("expired", Decimal("0.5"))


def test_an_order_is_filled_by_its_fills() -> None:
    """Also when the venue's word on it comes late or not at all."""
    whole = order(quantity="2")
    whole.add(fill("100", "1.5"))
    assert (whole.status, whole.done.is_set()) == ("partially_filled", False)
    whole.add(fill("100", "0.5"))
    assert (whole.status, whole.done.is_set()) == ("filled", True)
    whole.update("new", Decimal(0))
    assert whole.status == "filled"
