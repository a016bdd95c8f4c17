"""Polymarket's words for markets, their books, and what happens to them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from otel_trading.demo.prediction.book import Leg
from otel_trading.demo.prediction.question import Question
from otel_trading.demo.prediction.server import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_trading.demo.prediction.orders import Fill

Json = dict[str, Any]


def question_of(raw: Json) -> Question:
    """A question from Polymarket's own description of its market."""
    yes, no = json.loads(raw["clobTokenIds"])
    labels = json.loads(raw["outcomes"])
    event = (raw.get("events") or [{}])[0]
    return Question(
        ticker=raw["id"],
        event=str(event.get("slug", "")) or raw["slug"],
        slug=raw["slug"],
        title=raw["question"],
        condition=raw["conditionId"],
        tokens={Leg.YES: yes, Leg.NO: no},
        raw=raw,
        labels=dict(zip(Leg, labels, strict=True)),
        tick=Decimal(str(raw["orderPriceMinTickSize"])),
        least=Decimal(str(raw["orderMinSize"])),
    )


def market(question: Question) -> Json:
    """A market, as the gamma API describes it."""
    closed = question.result is not None
    prices = [question.last, 1 - question.last]
    if closed:
        prices = [Decimal(question.result is leg) for leg in Leg]
    described: Json = question.raw or {
        "id": question.ticker,
        "question": question.title,
        "conditionId": question.condition,
        "slug": question.slug,
        "endDate": "2028-11-07T00:00:00Z",
        "outcomes": json.dumps([question.labels[leg] for leg in Leg]),
        "clobTokenIds": json.dumps([question.tokens[leg] for leg in Leg]),
        "volume": plain(question.volume),
        "enableOrderBook": True,
        "orderPriceMinTickSize": float(question.tick),
        "orderMinSize": float(question.least),
        "negRisk": False,
    }
    return {
        **described,
        "outcomePrices": json.dumps([plain(price) for price in prices]),
        "active": True,
        "closed": closed,
        "acceptingOrders": not closed,
        **({"umaResolutionStatus": "resolved"} if closed else {}),
    }


def event(questions: Iterable[Question]) -> Json:
    """An event with its markets."""
    markets = [market(question) for question in questions]
    slug = markets[0]["slug"]
    return {
        "id": markets[0]["id"],
        "ticker": slug,
        "slug": slug,
        "title": markets[0]["question"],
        "active": True,
        "closed": all(each["closed"] for each in markets),
        "createdAt": "2025-11-04T19:27:23.246129Z",
        "endDate": markets[0]["endDate"],
        "markets": markets,
        "tags": [],
    }


def book(question: Question, leg: Leg, now: float) -> Json:
    """The book of an outcome, the best prices last."""
    bids, asks = question.book.levels(leg)
    return {
        "market": question.condition,
        "asset_id": question.tokens[leg],
        "timestamp": milliseconds(now),
        "hash": f"{hash((question.condition, leg, now)) & (2**160 - 1):040x}",
        "bids": [{"price": plain(price), "size": plain(size)} for price, size in reversed(bids)],
        "asks": [{"price": plain(price), "size": plain(size)} for price, size in reversed(asks)],
        "min_order_size": plain(question.least),
        "tick_size": plain(question.tick),
        "neg_risk": negative_risk(question),
        "last_trade_price": plain(question.last if leg is Leg.YES else 1 - question.last),
    }


def negative_risk(question: Question) -> bool:
    """Whether its orders are settled by the exchange for questions of which one comes true."""
    return bool((question.raw or {}).get("negRisk", False))


def levels(sides: list[Json]) -> list[tuple[Decimal, Decimal]]:
    """One side of a book."""
    return [(Decimal(level["price"]), Decimal(level["size"])) for level in sides]


def changes(question: Question, moved: Iterable[tuple[Leg, bool, Decimal]], now: float) -> Json:
    """The message about levels that are different now: outcome, whether it is a bid, price."""
    told = []
    for leg, bid, price in moved:
        size = dict(question.book.levels(leg)[0 if bid else 1]).get(price, Decimal(0))
        side = "BUY" if bid else "SELL"
        best_bid, best_ask = (plain(best) if best is not None else "" for best in question.book.best(leg))
        told.append(
            {
                "asset_id": question.tokens[leg],
                "price": plain(price),
                "size": plain(size),
                "side": side,
                "hash": f"{hash((price, size, now)) & (2**160 - 1):040x}",
                "best_bid": best_bid,
                "best_ask": best_ask,
            }
        )
    return {
        "event_type": "price_change",
        "market": question.condition,
        "price_changes": told,
        "timestamp": milliseconds(now),
    }


def last_trade(fill: Fill) -> Json:
    """The message about an execution that everybody gets."""
    order = fill.order
    return {
        "event_type": "last_trade_price",
        "market": order.question.condition,
        "asset_id": order.question.tokens[order.leg],
        "fee_rate_bps": "0",
        "price": plain(fill.price),
        "side": "BUY" if order.buys is fill.taker else "SELL",
        "size": plain(fill.size),
        "timestamp": milliseconds(fill.time),
    }


def resolved(question: Question, now: float) -> Json:
    """The message that a question is answered."""
    winner = question.result or Leg.NO
    return {
        "event_type": "market_resolved",
        "id": question.ticker,
        "market": question.condition,
        "assets_ids": list(question.tokens.values()),
        "winning_asset_id": question.tokens[winner],
        "winning_outcome": question.labels[winner],
        "timestamp": milliseconds(now),
        "tags": [],
    }


def seconds(time: float) -> str:
    """A time in whole seconds."""
    return str(int(time))


def milliseconds(time: float) -> str:
    """A time in whole milliseconds."""
    return str(int(time * 1000))
