"""Faults of prediction venues: how they are written, and when they end."""

from __future__ import annotations

from decimal import Decimal

import pytest

from otel_trading.demo.prediction import Fault, FaultError, Leg
from otel_trading.demo.prediction.book import Book
from otel_trading.demo.prediction.faults import ALLOWED, Faults


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("disconnect", Fault("disconnect")),
        ("disconnect:3s", Fault("disconnect", 0, 3)),
        ("slow_ack:900ms", Fault("slow_ack", 0.9)),
        (" slow_ack:1s:2m ", Fault("slow_ack", 1, 120)),
        ("settlement_fails:0.5s", Fault("settlement_fails", 0, 0.5)),
    ],
)
def test_a_fault_is_read(text: str, fault: Fault) -> None:
    """With its delay and duration."""
    assert Fault.parse(text) == fault


@pytest.mark.parametrize("text", ["", "flood", "silent:soon", "silent:1s:2s", "slow_ack", "slow_ack:1h", "silent:-1s"])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    """With everything that is allowed."""
    with pytest.raises(FaultError) as refused:
        Fault.parse(text)
    assert ALLOWED in str(refused.value)


def test_faults_end_at_their_time() -> None:
    """Or when they are switched off."""
    now = 0.0
    faults = Faults(lambda: now)
    faults.switch_on(Fault("silent", duration=2))
    faults.switch_on(Fault("reject"))
    faults.switch_on(Fault("disconnect"))
    assert faults.get("silent") is not None
    assert faults.get("disconnect") is None
    now = 2.0
    assert faults.get("silent") is None
    assert faults.get("reject") is not None
    faults.switch_off()
    assert faults.get("reject") is None


def test_the_book_of_no_mirrors_that_of_yes() -> None:
    """Whatever is put, and taken, on either side."""
    book = Book()
    book.set(Leg.NO, bid=True, price=Decimal("0.55"), size=Decimal(10))
    book.set(Leg.YES, bid=True, price=Decimal("0.40"), size=Decimal(5))
    assert book.best(Leg.YES) == (Decimal("0.40"), Decimal("0.45"))
    assert book.best(Leg.NO) == (Decimal("0.55"), Decimal("0.60"))
    assert book.take(Leg.NO, buys=True, limit=Decimal("0.60"), size=Decimal(2)) == [(Decimal("0.60"), Decimal(2))]
    assert book.bids == {Decimal("0.40"): Decimal(3)}
    book.set(Leg.NO, bid=False, price=Decimal("0.60"), size=Decimal(0))
    assert book.bids == {}
    assert book.take(Leg.YES, buys=False, limit=Decimal("0.01"), size=Decimal(1)) == []
