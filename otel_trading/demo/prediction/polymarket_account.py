"""Polymarket's words for an account's orders and executions."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from otel_trading.demo.prediction.orders import Lasting, State
from otel_trading.demo.prediction.polymarket_wire import milliseconds, seconds
from otel_trading.demo.prediction.server import plain

if TYPE_CHECKING:
    from otel_trading.demo.prediction.orders import Fill, Order

Json = dict[str, Any]
TradeStatus = Literal["MATCHED", "MINED", "CONFIRMED", "RETRYING", "FAILED"]

LASTING = {
    "GTC": Lasting.RESTING,
    "GTD": Lasting.RESTING,
    "FAK": Lasting.AT_ONCE,
    "FOK": Lasting.ALL_OR_NOTHING,
}
_ORDER_TYPES = {Lasting.RESTING: "GTC", Lasting.AT_ONCE: "FAK", Lasting.ALL_OR_NOTHING: "FOK"}
_STATES = {State.OPEN: "LIVE", State.FILLED: "MATCHED", State.CANCELED: "CANCELED"}
_UNIT = Decimal(1_000_000)
_OTHERS = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
_OTHERS_KEY = "00000000-0000-0000-0000-000000000002"
_OTHERS_ORDER = f"0x{'0' * 63}2"


@dataclass(slots=True)
class Trade:
    """An execution on its way onto the chain."""

    fill: Fill
    status: TradeStatus
    updated: float
    transaction: str = ""


def size_and_price(order: Json) -> tuple[Decimal, Decimal]:
    """What an order says by what it gives and takes."""
    gives, takes = Decimal(order["makerAmount"]) / _UNIT, Decimal(order["takerAmount"]) / _UNIT
    return (takes, gives / takes) if order["side"] == "BUY" else (gives, takes / gives)


def placed(order: Order, trades: list[Trade]) -> Json:
    """The answer to a new order."""
    gives, takes = order.cost, order.filled
    if not order.buys:
        gives, takes = takes, gives
    return {
        "errorMsg": "",
        "orderID": order.id,
        "takingAmount": plain(takes) if trades else "",
        "makingAmount": plain(gives) if trades else "",
        "status": "matched" if trades else "live",
        "transactionsHashes": [],
        "success": True,
    }


def open_order(order: Order, owner: str, maker: str) -> Json:
    """An order as the REST API tells it."""
    return {
        "id": order.id,
        "status": _STATES[order.state],
        "owner": owner,
        "maker_address": maker,
        "market": order.question.condition,
        "asset_id": order.question.tokens[order.leg],
        "side": "BUY" if order.buys else "SELL",
        "original_size": plain(order.size),
        "size_matched": plain(order.filled),
        "price": plain(order.price),
        "outcome": order.question.labels[order.leg],
        "expiration": "0",
        "order_type": _ORDER_TYPES[order.lasting],
        "associate_trades": [fill.id for fill in order.fills],
        "created_at": int(order.time),
    }


def order_message(
    order: Order, kind: Literal["PLACEMENT", "UPDATE", "CANCELLATION"], owner: str, maker: str, now: float
) -> Json:
    """The message about an order on the user channel."""
    return {
        "event_type": "order",
        **open_order(order, owner, maker),
        "order_owner": owner,
        "created_at": seconds(order.time),
        "timestamp": milliseconds(now),
        "type": kind,
    }


def trade_report(trade: Trade, owner: str, maker: str) -> Json:
    """An execution as the REST API tells it: of the taker's order, ours where we are the taker."""
    fill, order = trade.fill, trade.fill.order
    buys = order.buys is fill.taker
    ours = {
        "order_id": order.id,
        "owner": owner,
        "maker_address": maker,
        "matched_amount": plain(fill.size),
        "price": plain(fill.price),
        "fee_rate_bps": "0",
        "asset_id": order.question.tokens[order.leg],
        "outcome": order.question.labels[order.leg],
        "side": "BUY" if order.buys else "SELL",
    }
    others = {
        **ours,
        "order_id": _OTHERS_ORDER,
        "owner": _OTHERS_KEY,
        "maker_address": _OTHERS,
        "side": "SELL" if order.buys else "BUY",
    }
    return {
        "id": fill.id,
        "taker_order_id": order.id if fill.taker else _OTHERS_ORDER,
        "market": order.question.condition,
        "asset_id": order.question.tokens[order.leg],
        "side": "BUY" if buys else "SELL",
        "size": plain(fill.size),
        "fee_rate_bps": "0",
        "price": plain(fill.price),
        "status": trade.status,
        "match_time": seconds(fill.time),
        "last_update": seconds(trade.updated),
        "outcome": order.question.labels[order.leg],
        "bucket_index": 0,
        "owner": owner if fill.taker else _OTHERS_KEY,
        "maker_address": maker if fill.taker else _OTHERS,
        "transaction_hash": trade.transaction,
        "maker_orders": [others if fill.taker else ours],
        "trader_side": "TAKER" if fill.taker else "MAKER",
    }


def trade_message(trade: Trade, owner: str, maker: str) -> Json:
    """The message about an execution on the user channel, which does not name the transaction."""
    report = trade_report(trade, owner, maker)
    del report["transaction_hash"]
    return {
        "event_type": "trade",
        **report,
        "timestamp": seconds(trade.updated),
        "trade_owner": owner,
        "type": "TRADE",
    }
