"""How orders, fills and accounts look on the wire of each venue: REST answers and user data events."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from otel_trading.demo.venue.orders import ExecutionType, Fill, Order, OrderType, Report
from otel_trading.demo.venue.rules import BASE_ASSET, QUOTE_ASSET, SYMBOL

if TYPE_CHECKING:
    from otel_trading.demo.venue.account import PerpAccount, SpotAccount

Json = dict[str, Any]

_SPOT_QUANTUM = Decimal("0.00000001")


def number(value: Decimal) -> str:
    """Write a number as the venues do: at least to the satoshi's place, never in exponents."""
    return f"{value:.8f}"


def plain(value: Decimal) -> str:
    """Write a number without trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def spot_order(order: Order) -> Json:
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


def spot_new_order(order: Order, response_type: str) -> Json:
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
    full = spot_order(order)
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


def spot_cancel(order: Order, client_id: str) -> Json:
    """Return the answer to a spot cancel; ``client_id`` is the cancel request's own."""
    return {
        **spot_order(order),
        "origClientOrderId": order.request.client_id,
        "clientOrderId": client_id,
        "transactTime": order.updated_ms,
    }


def spot_report(report: Report, event_ms: int) -> Json:
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


def spot_balances(account: SpotAccount) -> list[Json]:
    """Return the balances of the account query."""
    return [
        {"asset": asset, "free": number(balance.free), "locked": number(balance.locked)}
        for asset, balance in account.balances.items()
    ]


def spot_account_event(account: SpotAccount, event_ms: int) -> Json:
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


def spot_trade(order: Order, fill: Fill) -> Json:
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


def perp_order(order: Order) -> Json:
    """Return a perpetual order as every order endpoint answers it."""
    request = order.request
    return {
        "orderId": order.id,
        "symbol": SYMBOL,
        "status": order.status.value,
        "clientOrderId": request.client_id,
        "price": plain(request.price or Decimal(0)),
        "avgPrice": f"{order.average_price:.5f}",
        "origQty": plain(order.quantity),
        "executedQty": plain(order.filled),
        "cumQty": plain(order.filled),
        "cumQuote": plain(order.quote_filled),
        "timeInForce": request.time_in_force.value,
        "type": request.type.value,
        "reduceOnly": request.reduce_only,
        "closePosition": False,
        "side": request.side.value,
        "positionSide": "BOTH",
        "stopPrice": "0.00",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": request.type.value,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "goodTillDate": 0,
        "time": order.created_ms,
        "updateTime": order.updated_ms,
    }


def perp_report(report: Report, event_ms: int) -> Json:
    """Return the ``ORDER_TRADE_UPDATE`` event of a report."""
    order, fill = report.order, report.fill
    request = order.request
    event: Json = {
        "s": SYMBOL,
        "c": request.client_id,
        "S": request.side.value,
        "o": request.type.value,
        "f": request.time_in_force.value,
        "q": plain(order.quantity),
        "p": plain(request.price or Decimal(0)),
        "ap": plain(order.average_price.quantize(_SPOT_QUANTUM)),
        "sp": "0",
        "x": report.type.value,
        "X": order.status.value,
        "i": order.id,
        "l": plain(fill.quantity if fill else Decimal(0)),
        "z": plain(order.filled),
        "L": plain(fill.price if fill else Decimal(0)),
        "T": order.updated_ms,
        "t": fill.trade_id if fill else 0,
        "b": "0",
        "a": "0",
        "m": fill.maker if fill else False,
        "R": request.reduce_only,
        "wt": "CONTRACT_PRICE",
        "ot": request.type.value,
        "ps": "BOTH",
        "cp": False,
        "rp": plain(fill.realized if fill else Decimal(0)),
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": "EXPIRE_MAKER",
        "pm": "NONE",
        "gtd": 0,
    }
    if fill is not None:
        event |= {"N": fill.commission_asset, "n": number(fill.commission)}
    return {"e": "ORDER_TRADE_UPDATE", "E": event_ms, "T": order.updated_ms, "o": event}


def perp_account_event(account: PerpAccount, event_ms: int) -> Json:
    """Return the ``ACCOUNT_UPDATE`` event that follows a fill."""
    return {
        "e": "ACCOUNT_UPDATE",
        "E": event_ms,
        "T": event_ms,
        "a": {
            "m": "ORDER",
            "B": [{"a": QUOTE_ASSET, "wb": number(account.wallet), "cw": number(account.wallet), "bc": "0"}],
            "P": [
                {
                    "s": SYMBOL,
                    "pa": plain(account.position),
                    "ep": plain(account.entry_price),
                    "bep": plain(account.entry_price),
                    "cr": plain(account.realized),
                    "up": number(account.unrealized),
                    "mt": "cross",
                    "iw": "0",
                    "ps": "BOTH",
                }
            ],
        },
    }


def perp_account(account: PerpAccount, event_ms: int) -> Json:
    """Return the answer to the account query, version 3."""
    margin_balance = number(account.wallet + account.unrealized)
    position_margin, order_margin = number(account.position_margin), number(account.order_margin)
    initial = number(account.position_margin + account.order_margin)
    maintenance = number(account.position_margin * account.leverage * Decimal("0.004"))
    asset = {
        "asset": QUOTE_ASSET,
        "walletBalance": number(account.wallet),
        "unrealizedProfit": number(account.unrealized),
        "marginBalance": margin_balance,
        "maintMargin": maintenance,
        "initialMargin": initial,
        "positionInitialMargin": position_margin,
        "openOrderInitialMargin": order_margin,
        "crossWalletBalance": number(account.wallet),
        "crossUnPnl": number(account.unrealized),
        "availableBalance": number(account.available),
        "maxWithdrawAmount": number(account.available),
        "updateTime": event_ms,
    }
    return {
        "totalInitialMargin": initial,
        "totalMaintMargin": maintenance,
        "totalWalletBalance": number(account.wallet),
        "totalUnrealizedProfit": number(account.unrealized),
        "totalMarginBalance": margin_balance,
        "totalPositionInitialMargin": position_margin,
        "totalOpenOrderInitialMargin": order_margin,
        "totalCrossWalletBalance": number(account.wallet),
        "totalCrossUnPnl": number(account.unrealized),
        "availableBalance": number(account.available),
        "maxWithdrawAmount": number(account.available),
        "assets": [asset],
        "positions": perp_positions(account, event_ms),
    }


def perp_positions(account: PerpAccount, event_ms: int) -> list[Json]:
    """Return the answer to the position query, version 3: empty without a position."""
    if not account.position:
        return []
    notional = account.position * account.mark_price
    return [
        {
            "symbol": SYMBOL,
            "positionSide": "BOTH",
            "positionAmt": plain(account.position),
            "entryPrice": plain(account.entry_price),
            "breakEvenPrice": plain(account.entry_price),
            "markPrice": number(account.mark_price),
            "unRealizedProfit": number(account.unrealized),
            "unrealizedProfit": number(account.unrealized),
            "liquidationPrice": "0",
            "isolatedMargin": "0",
            "isolatedWallet": "0",
            "notional": number(notional),
            "marginAsset": QUOTE_ASSET,
            "initialMargin": number(account.position_margin),
            "maintMargin": number(abs(notional) * Decimal("0.004")),
            "positionInitialMargin": number(account.position_margin),
            "openOrderInitialMargin": "0",
            "adl": 1,
            "bidNotional": "0",
            "askNotional": "0",
            "updateTime": event_ms,
        }
    ]


def perp_trade(order: Order, fill: Fill) -> Json:
    """Return one row of the perpetual trade list."""
    return {
        "symbol": SYMBOL,
        "id": fill.trade_id,
        "orderId": order.id,
        "side": order.side.value,
        "price": plain(fill.price),
        "qty": plain(fill.quantity),
        "realizedPnl": number(fill.realized),
        "quoteQty": number(fill.price * fill.quantity),
        "commission": number(fill.commission),
        "commissionAsset": fill.commission_asset,
        "time": fill.time_ms,
        "positionSide": "BOTH",
        "buyer": order.side.value == "BUY",
        "maker": fill.maker,
    }


def spot_exchange_info(server_ms: int, filters: list[Json]) -> Json:
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


def perp_exchange_info(server_ms: int, filters: list[Json]) -> Json:
    """Return the perpetual exchange information."""
    return {
        "timezone": "UTC",
        "serverTime": server_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
        ],
        "exchangeFilters": [],
        "assets": [{"asset": QUOTE_ASSET, "marginAvailable": True, "autoAssetExchange": "-10000"}],
        "symbols": [
            {
                "symbol": SYMBOL,
                "pair": SYMBOL,
                "contractType": "PERPETUAL",
                "deliveryDate": 4133404800000,
                "onboardDate": 1569398400000,
                "status": "TRADING",
                "maintMarginPercent": "2.5000",
                "requiredMarginPercent": "5.0000",
                "baseAsset": BASE_ASSET,
                "quoteAsset": QUOTE_ASSET,
                "marginAsset": QUOTE_ASSET,
                "pricePrecision": 2,
                "quantityPrecision": 3,
                "baseAssetPrecision": 8,
                "quotePrecision": 8,
                "underlyingType": "COIN",
                "underlyingSubType": ["PoW"],
                "triggerProtect": "0.0500",
                "liquidationFee": "0.012500",
                "marketTakeBound": "0.05",
                "filters": filters,
                "orderTypes": ["LIMIT", "MARKET"],
                "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
            }
        ],
    }
