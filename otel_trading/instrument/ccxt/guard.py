"""While trading is stopped no order goes out through ccxt; cancelling and reading go on."""

from __future__ import annotations

import inspect
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Guard = Callable[[], str | None]
    Make = Callable[[Any], Any]

_GUARDED = (
    *("create_order", "create_orders", "edit_order", "edit_orders", "edit_order_with_client_order_id"),
    *("create_market_order_with_cost", "create_market_buy_order_with_cost", "create_market_sell_order_with_cost"),
    *("create_spot_order", "create_contract_order", "create_swap_order", "create_uta_order", "create_spot_orders"),
    *("create_contract_orders", "create_uta_orders", "create_twap_order", "create_rfq_order", "create_convert_trade"),
    *("create_trailing_amount_order", "create_trailing_percent_order", "create_trigger_order"),
    *("edit_spot_order", "edit_contract_order", "close_position", "close_all_positions"),
)
"""Everything that makes an order calls one of these, or is one of them."""


def guarded(make: Mapping[str, Make], guard: Guard) -> dict[str, Make]:
    """What makes the replacements of methods, those of new orders asking ``guard`` first: the reason to refuse, if any.

    A refused order is not told as one that was submitted.
    """
    names = [spelled for name in _GUARDED for spelled in (name, f"{name}_ws")]
    return {**make, **{name: partial(_guarding, make.get(name), guard) for name in names}}


def _guarding(make: Make | None, guard: Guard, original: Any) -> Any:  # noqa: ANN401 - a method of ccxt's
    inner = original if make is None else make(original)

    def ask() -> None:
        reason = guard()
        if reason is not None:
            from otel_trading.instrument.ccxt.refusal import OrderRefusedError

            raise OrderRefusedError(reason)

    if inspect.iscoroutinefunction(original):

        @wraps(original)
        async def method(exchange: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            ask()
            return await inner(exchange, *args, **kwargs)

        return method

    @wraps(original)
    def method_now(exchange: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        ask()
        return inner(exchange, *args, **kwargs)

    return method_now
