"""What ccxt's unified calls do to orders: each is told once, whichever of its many methods the bot calls."""

from __future__ import annotations

import inspect
from contextvars import ContextVar
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from opentelemetry import context
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.trace import set_span_in_context

from otel_trading.imports import when_imported
from otel_trading.instrument.ccxt.guard import guarded
from otel_trading.instrument.ccxt.levels import Levels
from otel_trading.instrument.ccxt.order_calls import (
    Call,
    Cancel,
    CancelAll,
    CancelMany,
    Costing,
    Create,
    CreateMany,
    Edit,
    Read,
)
from otel_trading.instrument.ccxt.rest import SYNC
from otel_trading.settings.complaints import Complaints

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Token
    from types import ModuleType

    from otel_trading.instrument.ccxt.executions import Executions
    from otel_trading.instrument.patching import Patches
    from otel_trading.instrument.reporting import Reporting

_METHODS: dict[type[Call], tuple[str, ...]] = {
    Create: ("create_order",),
    CreateMany: ("create_orders",),
    Costing: (
        "create_market_order_with_cost",
        "create_market_buy_order_with_cost",
        "create_market_sell_order_with_cost",
    ),
    Edit: ("edit_order",),
    Cancel: ("cancel_order",),
    CancelMany: ("cancel_orders", "cancel_orders_for_symbols"),
    CancelAll: ("cancel_all_orders",),
}
"""Everything else that makes, changes or cancels an order calls one of these."""
_ORDERS = (
    *("fetch_order", "fetch_orders", "fetch_open_order", "fetch_open_orders", "fetch_closed_order"),
    *("fetch_closed_orders", "fetch_canceled_orders", "fetch_canceled_and_closed_orders", "fetch_orders_by_ids"),
)
_TRADES = "fetch_my_trades", "fetch_order_trades"
_BALANCES = ("fetch_balance",)

LEFT_ALONE = "otel_trading_orders"
"""The attribute of an exchange that is false where somebody else tells of its orders."""

_doing: ContextVar[Call | None] = ContextVar("otel_trading_ccxt_order", default=None)


def patch(patches: Patches, said: Reporting, executions: Executions) -> None:
    """Tell of the orders of all exchanges, made before or from now on, and refuse new ones where they are guarded."""
    replacements = Watched(said, executions).replacements() if executions.on else {}
    if said.guard is not None:
        replacements = guarded(replacements, said.guard)
    if not replacements:
        return
    levels = Levels(patches, replacements)
    patches.afterwards(when_imported(SYNC, lambda module: _patch_module(patches, module, levels)))


def _patch_module(patches: Patches, module: ModuleType, levels: Levels) -> None:
    base = module.Exchange.__mro__[-2]
    levels.cover_used(base)

    def making(original: Any) -> Any:  # noqa: ANN401 - the method
        @wraps(original)
        def __init__(exchange: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401, N807 - it stands for one
            levels.cover(type(exchange))
            original(exchange, *args, **kwargs)

        return __init__

    patches.wrap(base, "__init__", making)


class Watched:
    """Watches the methods that have to do with orders."""

    def __init__(self, said: Reporting, executions: Executions) -> None:
        self._trading = said.trading
        self._executions = executions
        self._complaints = Complaints("orders of ccxt")

    def replacements(self) -> dict[str, Callable[[Any], Any]]:
        """What makes the replacement of each method, by its name."""
        executions = self._executions
        kinds: list[tuple[str, Callable[..., Call]]] = [
            (name, kind) for kind, names in _METHODS.items() for name in names
        ]
        for names, take in ((_ORDERS, executions.order), (_TRADES, executions.trade)):
            kinds += [(name, partial(Read, take=take)) for name in names]
        kinds += [(name, partial(Read, take=executions.balance, whole=True)) for name in _BALANCES]
        kinds.append(("fetch_settlements", partial(Read, take=executions.settlement)))
        return {name: partial(self._replacement, kind) for plain, kind in kinds for name in (plain, f"{plain}_ws")}

    def _replacement(self, kind: Callable[..., Call], original: Any) -> Any:  # noqa: ANN401 - a method of ccxt's
        if inspect.iscoroutinefunction(original):

            @wraps(original)
            async def method(exchange: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
                begun = self._begin(kind, exchange, args, kwargs)
                if begun is None:
                    return await original(exchange, *args, **kwargs)
                try:
                    result = await original(exchange, *args, **kwargs)
                except BaseException as error:
                    self._end(*begun, error=error)
                    raise
                self._end(*begun, result)
                return result

            return method

        @wraps(original)
        def method_now(exchange: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            # a subclass of an asynchronous exchange may hand on the coroutine of what it overrides
            begun = self._begin(kind, exchange, args, kwargs) if getattr(exchange, "synchronous", True) else None
            if begun is None:
                return original(exchange, *args, **kwargs)
            try:
                result = original(exchange, *args, **kwargs)
            except BaseException as error:
                self._end(*begun, error=error)
                raise
            self._end(*begun, result)
            return result

        return method_now

    def _begin(
        self,
        kind: Callable[..., Call],
        exchange: Any,  # noqa: ANN401 - ccxt's
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> tuple[Call, Token[Call | None]] | None:
        """A call begins; ``None`` when it is a part of one that is told already, or nobody wants to know."""
        outer = _doing.get()
        if outer is not None and outer.exchange is exchange and not outer.over and not outer.leaves_to(kind):
            return None
        if not getattr(exchange, LEFT_ALONE, True) or not is_instrumentation_enabled():
            return None
        try:
            call = kind(self._trading, self._executions, exchange, outer)
            token = _doing.set(call)
            try:
                call.begin(args, kwargs)
                span = call.span()
                if span is not None and span.is_recording():
                    call.inside = context.attach(set_span_in_context(span))
            except BaseException:
                _doing.reset(token)
                raise
        except Exception as error:
            self._complain(error)
            return None
        return call, token

    def _end(
        self,
        call: Call,
        token: Token[Call | None],
        result: Any = None,  # noqa: ANN401
        error: BaseException | None = None,
    ) -> None:
        try:
            call.over = True
            try:
                _doing.reset(token)
            except ValueError:  # a coroutine that was thrown away is closed elsewhere
                return
            if call.inside is not None:
                context.detach(call.inside)
            if error is not None:
                call.failed(error)
            else:
                call.done(result)
        except Exception as fault:
            self._complain(fault)

    def _complain(self, error: BaseException) -> None:
        self._complaints.say(f"an order of ccxt could not be told: {type(error).__name__}: {error}")
