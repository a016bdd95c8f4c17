"""A question that a prediction market trades the outcomes of."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from otel_trading.demo.prediction.book import Book, Leg

Json = dict[str, Any]


@dataclass(slots=True, eq=False)
class Question:
    """A question with two outcomes.

    Args:
        ticker: what Kalshi calls it.
        event: the event it belongs to, as Kalshi calls it.
        slug: what Polymarket calls it.
        title: in words.
        condition: its id on the chain.
        tokens: the ids of its outcomes' tokens.
        raw: Polymarket's own description, where there is one.
        labels: what its outcomes are called.
        tick: prices are multiples of this.
        least: an order is of so many contracts or more, at Polymarket.

    """

    ticker: str
    event: str
    slug: str
    title: str
    condition: str
    tokens: dict[Leg, str]
    raw: Json | None = None
    labels: dict[Leg, str] = field(default_factory=lambda: {Leg.YES: "Yes", Leg.NO: "No"})
    tick: Decimal = Decimal("0.01")
    least: Decimal = Decimal(5)
    book: Book = field(default_factory=Book)
    last: Decimal = Decimal("0.5")
    volume: Decimal = Decimal(0)
    result: Leg | None = None

    def leg_of(self, token: str) -> Leg:
        """Which outcome a token is of."""
        return Leg.YES if self.tokens[Leg.YES] == token else Leg.NO
