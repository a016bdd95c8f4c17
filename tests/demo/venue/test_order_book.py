"""The venue's book: deltas, quotes, and what our own fills took."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from otel_trading.demo.venue.book import Book

D = Decimal


@pytest.fixture
def book() -> Book:
    return Book(
        json.dumps(
            {
                "lastUpdateId": 10,
                "bids": [["99.00", "1.000"], ["98.00", "2.000"]],
                "asks": [["101.00", "1.000"], ["102.00", "2.000"]],
            }
        )
    )


def delta(first: int, last: int, bids: list[list[str]] | None = None, asks: list[list[str]] | None = None) -> Any:
    return {"U": first, "u": last, "b": bids or [], "a": asks or []}


def quote(update_id: int, bid: str, bid_size: str, ask: str, ask_size: str) -> Any:
    return {"u": update_id, "b": bid, "B": bid_size, "a": ask, "A": ask_size}


def levels(book: Book, side: Any) -> list[tuple[Decimal, Decimal]]:
    return [(level.price, level.quantity) for level in book.levels(side)]


def test_a_delta_sets_and_deletes_levels(book: Book) -> None:
    """A zero quantity deletes; the depth answer then ends at the delta's last update."""
    book.apply(delta(11, 14, bids=[["99.00", "0.000"], ["97.00", "5.000"]]))
    answer = book.depth(100)
    assert answer["lastUpdateId"] == 14
    assert answer["bids"] == [["98.00", "2.000"], ["97.00", "5.000"]]


def test_a_delta_before_the_snapshot_is_ignored(book: Book) -> None:
    """What the snapshot already holds is not applied again."""
    book.apply(delta(5, 10, bids=[["99.00", "7.000"]]))
    assert book.depth(1)["bids"] == [["99.00", "1.000"]]
    assert book.depth(1)["lastUpdateId"] == 10


def test_a_newer_quote_leads_the_book(book: Book) -> None:
    """Levels better than the quote are gone for an order, but not from the depth answer."""
    book.set_quote(quote(12, "98.00", "1.500", "100.00", "0.500"))
    assert levels(book, "bids") == [(D("98.00"), D("1.500"))]
    assert levels(book, "asks")[0] == (D("100.00"), D("0.500"))
    assert book.depth(1)["bids"] == [["99.00", "1.000"]]


def test_a_delta_newer_than_the_quote_leads(book: Book) -> None:
    """A quote older than the last delta says nothing any more."""
    book.set_quote(quote(12, "98.00", "1.500", "100.00", "0.500"))
    book.apply(delta(11, 13))
    assert levels(book, "asks")[0] == (D("101.00"), D("1.000"))


def test_consumed_liquidity_returns_with_the_levels_next_update(book: Book) -> None:
    """What a fill took stays taken until the market speaks of the level."""
    book.consume("asks", "101.00", D("1.000"))
    assert levels(book, "asks") == [(D("102.00"), D("2.000"))]
    book.apply(delta(11, 12, asks=[["102.00", "3.000"]]))
    assert levels(book, "asks") == [(D("102.00"), D("3.000"))]
    book.apply(delta(13, 14, asks=[["101.00", "1.000"]]))
    assert levels(book, "asks")[0] == (D("101.00"), D("1.000"))


def test_a_changed_quote_renews_its_level(book: Book) -> None:
    """The same quote again does not bring liquidity back, another quantity does."""
    book.set_quote(quote(11, "99.00", "1.000", "101.00", "1.000"))
    book.consume("asks", "101.00", D("1.000"))
    book.set_quote(quote(12, "99.00", "1.200", "101.00", "1.000"))
    assert book.best("asks") == D("102.00")
    book.set_quote(quote(13, "99.00", "1.200", "101.00", "1.100"))
    assert book.best("asks") == D("101.00")


def test_an_empty_side_has_no_best_price() -> None:
    """None instead of an error."""
    assert Book(json.dumps({"lastUpdateId": 1, "bids": [], "asks": []})).best("bids") is None


def test_displayed_quantity_follows_the_newer_quote(book: Book) -> None:
    """At the best price the quote's quantity counts, above it nothing is shown, behind it the book's."""
    assert book.displayed("bids", D(99)) == D("1.000")
    book.set_quote(quote(12, "98.00", "1.500", "101.00", "0.500"))
    assert book.displayed("bids", D(99)) == 0
    assert book.displayed("bids", D(98)) == D("1.500")
    assert book.displayed("asks", D("102.0")) == D("2.000")
    assert book.displayed("asks", D("101.50")) == 0
    book.consume("asks", "102.00", D("1.5"))
    assert book.displayed("asks", D(102)) == D("0.500")
