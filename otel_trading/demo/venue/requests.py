"""What the parameters of a request say, or the venue's words for what is wrong with them."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from otel_trading.demo.venue.orders import NewOrder, OrderType, Reject, Side, TimeInForce
from otel_trading.demo.venue.rules import SYMBOL

Parameters = dict[str, str]


def check_symbol(parameters: Parameters) -> None:
    """Refuse a symbol the venue does not list.

    Raises:
        Reject: -1102 without a symbol, -1121 for another one.

    """
    if "symbol" not in parameters:
        raise Reject(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
    if parameters["symbol"] != SYMBOL:
        raise Reject(-1121, "Invalid symbol.")


def order_reference(parameters: Parameters) -> tuple[int | None, str | None]:
    """Return the order id and the client order id a request names.

    Raises:
        Reject: -1102 where it names neither.

    """
    order_id, client_id = parameters.get("orderId"), parameters.get("origClientOrderId")
    if order_id is None and client_id is None:
        raise Reject(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    return (None if order_id is None else integer(parameters, "orderId", 0)), client_id


def new_order(parameters: Parameters) -> NewOrder:
    """Read the parameters of a new order.

    Raises:
        Reject: -1102 for what is missing or unreadable, -1121 for a symbol that is not listed.

    """
    check_symbol(parameters)
    try:
        side = Side(parameters["side"])
        kind = OrderType(parameters["type"])
        time_in_force = TimeInForce(parameters.get("timeInForce", "GTC"))
        amounts = {key: Decimal(parameters[key]) for key in ("quantity", "price", "quoteOrderQty") if key in parameters}
    except (KeyError, ValueError, InvalidOperation) as error:
        raise Reject(-1102, f"Mandatory parameter was not sent, was empty/null, or malformed: {error}.") from None
    limited = kind is not OrderType.MARKET
    if limited and "price" not in amounts:
        raise Reject(-1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed.")
    if "quantity" not in amounts and ("quoteOrderQty" not in amounts or limited):
        raise Reject(-1102, "Mandatory parameter 'quantity' was not sent, was empty/null, or malformed.")
    return NewOrder(
        client_id=parameters.get("newClientOrderId", ""),
        side=side,
        type=kind,
        time_in_force=time_in_force,
        quantity=amounts.get("quantity", Decimal(0)),
        price=amounts["price"] if limited else None,
        quote_quantity=amounts.get("quoteOrderQty"),
        reduce_only=parameters.get("reduceOnly", "false").lower() == "true",
    )


def integer(parameters: Parameters, name: str, default: int) -> int:
    """Return a whole number among the parameters.

    Raises:
        Reject: -1100 where it is none.

    """
    try:
        return int(parameters.get(name, default))
    except ValueError:
        raise Reject(-1100, f"Illegal characters found in parameter '{name}'.") from None


def reject_of(code: int) -> Reject:
    """Return the reject of an error code with the venue's text for it."""
    return Reject(code, _TEXTS.get(code, "The order was rejected."))


_TEXTS = {
    -1003: "Too many requests; please use the websocket for live updates.",
    -1013: "Filter failure: PRICE_FILTER",
    -1015: "Too many new orders.",
    -1021: "Timestamp for this request is outside of the recvWindow.",
    -2010: "Account has insufficient balance for requested action.",
    -2019: "Margin is insufficient.",
    -2022: "ReduceOnly Order is rejected.",
}
