"""Kalshi's words for markets, orders, executions and settlements."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from otel_trading.demo.prediction.book import Leg
from otel_trading.demo.prediction.orders import Lasting, State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_trading.demo.prediction.orders import Account, Fill, Order
    from otel_trading.demo.prediction.question import Question

Json = dict[str, Any]

LASTING = {
    "good_till_canceled": Lasting.RESTING,
    "immediate_or_cancel": Lasting.AT_ONCE,
    "fill_or_kill": Lasting.ALL_OR_NOTHING,
}
_STATES = {State.OPEN: "resting", State.FILLED: "executed", State.CANCELED: "canceled"}
_END = "2028-11-07T00:00:00Z"


class Settlement(NamedTuple):
    """What a settled question paid to the account."""

    question: Question
    result: Leg
    held: dict[Leg, Decimal]
    paid: dict[Leg, Decimal]
    revenue: Decimal
    time: float


def iso(seconds: float) -> str:
    """A time as Kalshi writes it.

    >>> iso(1_700_000_000.25)
    '2023-11-14T22:13:20.250000Z'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def dollars(amount: Decimal) -> str:
    """An amount of money."""
    return f"{amount:.4f}"


def contracts(size: Decimal) -> str:
    """A number of contracts."""
    return f"{size:.2f}"


def market(question: Question, now: float) -> Json:
    """A market."""
    (bid, ask), (no_bid, no_ask) = question.book.best(Leg.YES), question.book.best(Leg.NO)
    bids, asks = question.book.levels(Leg.YES)
    settled = question.result is not None
    return {
        "ticker": question.ticker,
        "event_ticker": question.event,
        "market_type": "binary",
        "title": question.title,
        "subtitle": "",
        "yes_sub_title": question.labels[Leg.YES],
        "no_sub_title": question.labels[Leg.NO],
        "open_time": "2025-01-03T15:00:00Z",
        "close_time": _END,
        "expiration_time": _END,
        "status": "settled" if settled else "active",
        "result": question.result or "",
        "yes_bid_dollars": dollars(bid or Decimal(0)),
        "yes_ask_dollars": dollars(ask or Decimal(1)),
        "no_bid_dollars": dollars(no_bid or Decimal(0)),
        "no_ask_dollars": dollars(no_ask or Decimal(1)),
        "yes_bid_size_fp": contracts(bids[0][1]) if bids else "",
        "yes_ask_size_fp": contracts(asks[0][1]) if asks else "",
        "last_price_dollars": dollars(question.last),
        "volume_fp": contracts(question.volume),
        "volume_24h_fp": contracts(question.volume),
        "open_interest_fp": contracts(question.volume),
        "liquidity_dollars": "0.0000",
        "notional_value_dollars": "1.0000",
        "price_level_structure": "linear_cent",
        "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": dollars(question.tick)}],
        "settlement_timer_seconds": "1800",
        "updated_time": iso(now),
    }


def event(questions: Iterable[Question], now: float) -> Json:
    """An event with its markets."""
    markets = list(questions)
    first = markets[0]
    return {
        "event_ticker": first.event,
        "series_ticker": first.event.rpartition("-")[0],
        "title": first.title,
        "sub_title": "",
        "category": "Economics",
        "mutually_exclusive": False,
        "markets": [market(question, now) for question in markets],
    }


def orderbook(question: Question) -> Json:
    """The bids for either outcome, the worst first; there are no asks here."""
    return {
        "orderbook_fp": {
            f"{leg}_dollars": [
                [dollars(price), contracts(size)] for price, size in reversed(question.book.levels(leg)[0])
            ]
            for leg in Leg
        }
    }


def order(one: Order) -> Json:
    """An order."""
    yes = one.price if one.leg is Leg.YES else 1 - one.price
    return {
        "order_id": one.id,
        "client_order_id": one.client_id,
        "ticker": one.question.ticker,
        "side": one.leg,
        "action": "buy" if one.buys else "sell",
        "book_side": "bid" if one.buys is (one.leg is Leg.YES) else "ask",
        "type": "limit",
        "status": _STATES[one.state],
        "yes_price_dollars": dollars(yes),
        "no_price_dollars": dollars(1 - yes),
        "initial_count_fp": contracts(one.size),
        "fill_count_fp": contracts(one.filled),
        "remaining_count_fp": contracts(one.remaining if one.state is State.OPEN else Decimal(0)),
        "created_time": iso(one.time),
    }


def placed(one: Order) -> Json:
    """The answer to a new order."""
    return {
        "order_id": one.id,
        "client_order_id": one.client_id,
        "fill_count": contracts(one.filled),
        "remaining_count": contracts(one.remaining if one.state is State.OPEN else Decimal(0)),
        "ts_ms": round(one.time * 1000),
    }


def fill(one: Fill) -> Json:
    """An execution."""
    yes = one.price if one.order.leg is Leg.YES else 1 - one.price
    return {
        "fill_id": one.id,
        "trade_id": one.id,
        "order_id": one.order.id,
        "ticker": one.order.question.ticker,
        "side": one.order.leg,
        "action": "buy" if one.order.buys else "sell",
        "count_fp": contracts(one.size),
        "yes_price_dollars": dollars(yes),
        "no_price_dollars": dollars(1 - yes),
        "is_taker": one.taker,
        "fee_cost": dollars(one.fee),
        "created_time": iso(one.time),
    }


def trade(one: Fill) -> Json:
    """An execution as everybody sees it."""
    yes = one.price if one.order.leg is Leg.YES else 1 - one.price
    buys_yes = one.order.buys is (one.order.leg is Leg.YES)
    return {
        "trade_id": one.id,
        "ticker": one.order.question.ticker,
        "count_fp": contracts(one.size),
        "yes_price_dollars": dollars(yes),
        "no_price_dollars": dollars(1 - yes),
        "taker_side": Leg.YES if buys_yes is one.taker else Leg.NO,
        "created_time": iso(one.time),
    }


def position(question: Question, account: Account) -> Json:
    """What is held of a market, NO below zero."""
    held = account.of(question, Leg.YES) - account.of(question, Leg.NO)
    return {"ticker": question.ticker, "position": int(held), "position_fp": contracts(held)}


def settlement(one: Settlement) -> Json:
    """What a settled market paid."""
    told: Json = {
        "ticker": one.question.ticker,
        "event_ticker": one.question.event,
        "market_result": one.result,
        "revenue": int(one.revenue * 100),
        "settled_time": iso(one.time),
        "value": 100 if one.result is Leg.YES else 0,
        "fee_cost": "0.0000",
    }
    for leg in Leg:
        told[f"{leg}_count_fp"] = contracts(one.held[leg])
        told[f"{leg}_total_cost_dollars"] = dollars(one.paid[leg])
    return told
