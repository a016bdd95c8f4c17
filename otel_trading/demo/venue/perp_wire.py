"""How orders, fills and the position look on the perpetual venue's wire: REST answers and user data events."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from otel_trading.demo.venue.decimals import number, plain
from otel_trading.demo.venue.rules import BASE_ASSET, QUOTE_ASSET, SYMBOL

if TYPE_CHECKING:
    from otel_trading.demo.venue.account import PerpAccount
    from otel_trading.demo.venue.orders import Fill, Order, Report

Json = dict[str, Any]

_SATOSHI = Decimal("0.00000001")
_MAINTENANCE_RATE = Decimal("0.004")


def order_json(order: Order) -> Json:
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


def report_event(report: Report, event_ms: int) -> Json:
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
        "ap": plain(order.average_price.quantize(_SATOSHI)),
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


def account_event(account: PerpAccount, event_ms: int) -> Json:
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


def account_json(account: PerpAccount, event_ms: int) -> Json:
    """Return the answer to the account query, version 3."""
    margin_balance = number(account.wallet + account.unrealized)
    position_margin, order_margin = number(account.position_margin), number(account.order_margin)
    initial = number(account.position_margin + account.order_margin)
    maintenance = number(account.position_margin * account.leverage * _MAINTENANCE_RATE)
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
        "positions": positions_json(account, event_ms),
    }


def positions_json(account: PerpAccount, event_ms: int) -> list[Json]:
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
            "maintMargin": number(abs(notional) * _MAINTENANCE_RATE),
            "positionInitialMargin": number(account.position_margin),
            "openOrderInitialMargin": "0",
            "adl": 1,
            "bidNotional": "0",
            "askNotional": "0",
            "updateTime": event_ms,
        }
    ]


def trade_json(order: Order, fill: Fill) -> Json:
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


def exchange_info(server_ms: int, filters: list[Json]) -> Json:
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
