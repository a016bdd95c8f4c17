"""How orders, fills and balances look on the spot venue's wire: REST answers and user data events."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from otel_trading.demo.venue.decimals import number
from otel_trading.demo.venue.orders import ExecutionType, Fill, Order, OrderType, Report
from otel_trading.demo.venue.rules import BASE_ASSET, QUOTE_ASSET, SYMBOL

if TYPE_CHECKING:
    from otel_trading.demo.venue.account import SpotAccount

Json = dict[str, Any]


def order_json(order: Order) -> Json:
    """Return a spot order as the order queries answer it."""
    request = order.request
    return {
        "symbol": SYMBOL,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": request.client_id,
        "price": number(request.price or Decimal(0)),
        "origQty": number(order.quantity),
        "executedQty": number(order.filled),
        "origQuoteOrderQty": number(request.quote_quantity or Decimal(0)),
        "cummulativeQuoteQty": number(order.quote_filled),
        "status": order.status.value,
        "timeInForce": request.time_in_force.value,
        "type": request.type.value,
        "side": request.side.value,
        "stopPrice": "0.00000000",
        "icebergQty": "0.00000000",
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": True,
        "workingTime": order.created_ms,
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }


def new_order_json(order: Order, response_type: str) -> Json:
    """Return the answer to a new spot order: ``ACK``, ``RESULT`` or ``FULL``."""
    answer: Json = {
        "symbol": SYMBOL,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.request.client_id,
        "transactTime": order.updated_ms,
    }
    if response_type == "ACK":
        return answer
    full = order_json(order)
    answer |= {key: full[key] for key in full if key not in {"time", "updateTime", "isWorking"}}
    if response_type == "FULL":
        answer["fills"] = [
            {
                "price": number(fill.price),
                "qty": number(fill.quantity),
                "commission": number(fill.commission),
                "commissionAsset": fill.commission_asset,
                "tradeId": fill.trade_id,
            }
            for fill in order.fills
        ]
    return answer


def cancel_json(order: Order, client_id: str) -> Json:
    """Return the answer to a spot cancel; ``client_id`` is the cancel request's own."""
    return {
        **order_json(order),
        "origClientOrderId": order.request.client_id,
        "clientOrderId": client_id,
        "transactTime": order.updated_ms,
    }


def report_event(report: Report, event_ms: int) -> Json:
    """Return the ``executionReport`` event of a report."""
    order, fill = report.order, report.fill
    request = order.request
    return {
        "e": "executionReport",
        "E": event_ms,
        "s": SYMBOL,
        "c": request.client_id,
        "S": request.side.value,
        "o": request.type.value,
        "f": request.time_in_force.value,
        "q": number(order.quantity),
        "p": number(request.price or Decimal(0)),
        "P": "0.00000000",
        "F": "0.00000000",
        "g": -1,
        "C": request.client_id if report.type is ExecutionType.CANCELED else "",
        "x": report.type.value,
        "X": order.status.value,
        "r": "NONE",
        "i": order.id,
        "l": number(fill.quantity if fill else Decimal(0)),
        "z": number(order.filled),
        "L": number(fill.price if fill else Decimal(0)),
        "n": number(fill.commission) if fill else "0",
        "N": fill.commission_asset if fill else None,
        "T": order.updated_ms,
        "t": fill.trade_id if fill else -1,
        "v": fill.trade_id if fill else -1,
        "I": order.id * 2,
        "w": order.is_open and request.type is not OrderType.MARKET,
        "m": fill.maker if fill else False,
        "M": False,
        "O": order.created_ms,
        "Z": number(order.quote_filled),
        "Y": number(fill.price * fill.quantity if fill else Decimal(0)),
        "Q": number(request.quote_quantity or Decimal(0)),
        "W": order.created_ms,
        "V": "EXPIRE_MAKER",
    }


def balances_json(account: SpotAccount) -> list[Json]:
    """Return the balances of the account query."""
    return [
        {"asset": asset, "free": number(balance.free), "locked": number(balance.locked)}
        for asset, balance in account.balances.items()
    ]


def account_event(account: SpotAccount, event_ms: int) -> Json:
    """Return the ``outboundAccountPosition`` event."""
    return {
        "e": "outboundAccountPosition",
        "E": event_ms,
        "u": event_ms,
        "B": [
            {"a": asset, "f": number(balance.free), "l": number(balance.locked)}
            for asset, balance in account.balances.items()
        ],
    }


def trade_json(order: Order, fill: Fill) -> Json:
    """Return one row of the spot trade list."""
    return {
        "symbol": SYMBOL,
        "id": fill.trade_id,
        "orderId": order.id,
        "orderListId": -1,
        "price": number(fill.price),
        "qty": number(fill.quantity),
        "quoteQty": number(fill.price * fill.quantity),
        "commission": number(fill.commission),
        "commissionAsset": fill.commission_asset,
        "time": fill.time_ms,
        "isBuyer": order.side.value == "BUY",
        "isMaker": fill.maker,
        "isBestMatch": True,
    }


def exchange_info(server_ms: int, filters: list[Json]) -> Json:
    """Return the spot exchange information."""
    return {
        "timezone": "UTC",
        "serverTime": server_ms,
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
        ],
        "exchangeFilters": [],
        "symbols": [
            {
                "symbol": SYMBOL,
                "status": "TRADING",
                "baseAsset": BASE_ASSET,
                "baseAssetPrecision": 8,
                "quoteAsset": QUOTE_ASSET,
                "quotePrecision": 8,
                "quoteAssetPrecision": 8,
                "baseCommissionPrecision": 8,
                "quoteCommissionPrecision": 8,
                "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
                "icebergAllowed": False,
                "ocoAllowed": False,
                "quoteOrderQtyMarketAllowed": True,
                "allowTrailingStop": False,
                "cancelReplaceAllowed": False,
                "isSpotTradingAllowed": True,
                "isMarginTradingAllowed": False,
                "filters": filters,
                "permissions": [],
                "permissionSets": [["SPOT"]],
                "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
                "allowedSelfTradePreventionModes": ["EXPIRE_MAKER"],
            }
        ],
    }
