"""What ccxt unifies of Polymarket's orders and trades, as it is for every other venue.

A trade there is the taker's: where the account's own order rested, it is one of several makers' orders in it. Its id
becomes that of the transaction once there is one, which several trades may share. And the answer to an order that was
matched at once says what was given and taken instead of how much is filled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

VENUE = "polymarket"

_ROUNDED = 1e-6
"""So much of an order may be left that is filled: the venue rounds what is given and taken."""


def own_trades(
    venue: str, trade: Mapping[str, Any], is_ours: Callable[[str], bool] = lambda _: False
) -> Iterable[Mapping[str, Any]]:
    """The account's part of a trade: of each of its orders one, with that order's id, amount and price.

    At other venues, and of what is not understood, the trade itself.

    Args:
        venue: ``exchange.id``.
        trade: one of the account's own trades as ccxt unified it.
        is_ours: whether the account has an order of this id; where no order is known to be, a trade's owner decides.

    >>> info = {"id": "t-1", "trader_side": "MAKER", "side": "BUY", "asset_id": "7", "maker_orders": [
    ...     {"order_id": "0xa", "asset_id": "7", "matched_amount": "3", "price": "0.4"},
    ...     {"order_id": "0xb", "asset_id": "7", "matched_amount": "9", "price": "0.4"}]}
    >>> trade = {"id": "0xhash", "order": "0xtaker", "side": "buy", "amount": 12.0, "info": info}
    >>> [own] = own_trades(VENUE, trade, {"0xa"}.__contains__)
    >>> own["id"], own["order"], own["side"], own["amount"]
    ('t-1', '0xa', 'sell', '3')

    """
    if venue != VENUE:
        return (trade,)
    info = trade.get("info")
    if not isinstance(info, dict) or not info.get("id"):
        return (trade,)
    told = info.get("maker_orders")
    makers = [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []
    if f"{info.get('trader_side')}".upper() != "MAKER" or not makers:
        return ({**trade, "id": info["id"]},)
    ours = [each for each in makers if is_ours(f"{each.get('order_id')}")]
    if not ours and len(makers) > 1:
        ours = [each for each in makers if each.get("owner") and each["owner"] == info.get("trade_owner")]
    return [_maker(trade, info, each) for each in ours or makers[:1]]


def own_order(venue: str, order: Mapping[str, Any]) -> Mapping[str, Any]:
    """An order with how much of it is filled, also where it is the answer to its submission.

    >>> order = {"status": "closed", "side": "buy", "amount": 10, "filled": 0.0, "timeInForce": "GTC", "info": {
    ...     "orderID": "0xa", "status": "matched", "takingAmount": "4", "makingAmount": "1.6"}}
    >>> told = own_order(VENUE, order)
    >>> told["status"], told["filled"], told["cost"]
    ('open', '4', '1.6')
    """
    if venue != VENUE or order.get("status") != "closed":
        return order
    info = order.get("info")
    if not isinstance(info, dict) or not info.get("orderID"):
        return order
    taken, given = info.get("takingAmount"), info.get("makingAmount")
    filled, cost = (given, taken) if order.get("side") == "sell" else (taken, given)
    try:
        amount = float(filled or 0)
        rest = float(order.get("amount") or amount) - amount
    except (TypeError, ValueError):
        return order
    if not amount:
        return order
    status, lasting = "closed", order.get("timeInForce")
    if rest > _ROUNDED:
        status = {"FAK": "canceled", "FOK": "closed"}.get(f"{lasting}", "open")
    return {**order, "status": status, "filled": filled, "cost": cost, "remaining": max(rest, 0.0)}


def _maker(trade: Mapping[str, Any], info: Mapping[str, Any], order: Mapping[str, Any]) -> dict[str, Any]:
    """Two buyers of opposite outcomes are matched, too, as are two sellers: then the outcome is the other one."""
    same = order.get("asset_id") in (None, info.get("asset_id"))
    side = f"{order.get('side') or ''}".lower()
    if not side:
        taken = f"{trade.get('side')}"
        side = taken if not same else {"buy": "sell", "sell": "buy"}.get(taken, taken)
    return {
        **trade,
        "id": info["id"],
        "order": order.get("order_id"),
        "side": side,
        "amount": order.get("matched_amount"),
        "price": order.get("price"),
        "cost": None,
        "takerOrMaker": "maker",
        "outcome": trade.get("outcome") if same else None,
        "outcomeId": order.get("asset_id") or trade.get("outcomeId"),
    }
