"""What the bus says of orders."""

from __future__ import annotations

import re
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from nautilus_trader.model import events
from nautilus_trader.model.enums import order_type_to_str, time_in_force_to_str

from otel_trading.trading.conventions.enums import RejectReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.instrument.nautilus.instruments import Instruments
    from otel_trading.trading.facade import Trading
    from otel_trading.trading.orders import Order

_BUY, _SELL = 1, 2
_MARKET = 1
_SIDES = {_BUY: "buy", _SELL: "sell"}
_LIQUIDITY = {1: "added", 2: "removed"}
_REMEMBERED = 10_000
_LIMIT = re.compile(r"\b[A-Z]+(?:_[A-Z]+)+")
_LIMITS = 64
"""Names of limits at most; what else refuses orders is one more."""


class Orders:
    """Hears ``events.order.*``, where every fill is once, and tells each order that the bot does not tell itself."""

    def __init__(self, trading: Trading, cache: Any, instruments: Instruments, *, live: bool) -> None:  # noqa: ANN401
        self._trading = trading
        self._cache = cache
        self._instruments = instruments
        self._live = live
        self._ours = _ours_of(trading)
        self._limits: set[str] = set()
        self._told: dict[type, Callable[[Any, int], None]] = {
            events.OrderInitialized: self._initialized,
            events.OrderSubmitted: self._submitted,
            events.OrderDenied: self._denied,
            events.OrderAccepted: self._accepted,
            events.OrderRejected: self._rejected,
            events.OrderPendingCancel: self._pending_cancel,
            events.OrderCancelRejected: self._cancel_rejected,
            events.OrderCanceled: self._canceled,
            events.OrderExpired: self._expired,
            events.OrderUpdated: self._updated,
            events.OrderFilled: self._filled,
        }

    def __call__(self, event: Any) -> None:  # noqa: ANN401 - nautilus_trader's
        """Tell it; in live trading at the time it came by our clock, as the venue's clock is another."""
        tell = self._told.get(type(event))
        if tell is not None:
            tell(event, event.ts_init if self._live else event.ts_event)

    def _initialized(self, event: Any, now: int) -> None:  # noqa: ANN401
        client_id = event.client_order_id.value
        left = self._ours.get(client_id)
        if left is not None and left.open and not self._live:  # of an earlier run of this backtest, or of another one
            self._trading.order_canceled(client_id, reason="the run ended", time_ns=now)

    def _submitted(self, event: Any, now: int) -> None:  # noqa: ANN401
        client_id = event.client_order_id.value
        known = self._trading.orders.get(client_id)
        if known is not None and known.open and known is not self._ours.get(client_id):
            return  # the bot tells it
        what = self._what(event)
        order = self._cache.order(event.client_order_id)
        if order is not None:
            what["expected_price"] = self._expected(order)
            what["stop_price"] = _decimal(order.trigger_price) if order.has_trigger_price else None
            what["reduce_only"] = order.is_reduce_only or None
            what["post_only"] = (order.has_price and order.is_post_only) or None
        self._trading.order_submitted(
            client_id,
            **what,
            account=event.account_id.value,
            instrument_type=self._instruments[event.instrument_id].type,
            time_ns=now,
        )
        self._remember(client_id)

    def _denied(self, event: Any, now: int) -> None:  # noqa: ANN401
        named = self._instruments[event.instrument_id]
        self._trading.limit_checked(
            self._limit(event.reason),
            used=None,
            limit=None,
            scope="strategy",
            result="refused",
            strategy=event.strategy_id.value,
            venue=named.venue,
            symbol=named.symbol,
            text=event.reason,
            time_ns=now,
        )

    def _accepted(self, event: Any, now: int) -> None:  # noqa: ANN401
        if self._is_ours(event, now) == "known":
            self._trading.order_acknowledged(
                event.client_order_id.value, venue_order_id=_value(event.venue_order_id), time_ns=now
            )

    def _rejected(self, event: Any, now: int) -> None:  # noqa: ANN401
        if self._is_ours(event, now):
            reason = "would_take" if getattr(event, "due_post_only", False) else _reason(event.reason)
            self._trading.order_rejected(event.client_order_id.value, reason=reason, text=event.reason, time_ns=now)

    def _pending_cancel(self, event: Any, now: int) -> None:  # noqa: ANN401
        if self._is_ours(event, now):
            self._trading.order_cancel_requested(event.client_order_id.value, time_ns=now)

    def _cancel_rejected(self, event: Any, now: int) -> None:  # noqa: ANN401
        if self._is_ours(event, now):
            self._trading.order_cancel_rejected(
                event.client_order_id.value, reason=_reason(event.reason), text=event.reason, time_ns=now
            )

    def _canceled(self, event: Any, now: int) -> None:  # noqa: ANN401
        if self._is_ours(event, now):
            self._trading.order_canceled(event.client_order_id.value, time_ns=now)

    def _expired(self, event: Any, now: int) -> None:  # noqa: ANN401
        if self._is_ours(event, now):
            self._trading.order_expired(event.client_order_id.value, time_ns=now)

    def _updated(self, event: Any, now: int) -> None:  # noqa: ANN401
        if self._is_ours(event, now) == "known":
            self._trading.order_replaced(
                event.client_order_id.value, quantity=_decimal(event.quantity), price=_decimal(event.price), time_ns=now
            )

    def _filled(self, event: Any, now: int) -> None:  # noqa: ANN401
        if not self._is_ours(event, now):
            return
        named = self._instruments[event.instrument_id]
        commission = event.commission
        order = self._cache.order(event.client_order_id)
        self._trading.order_filled(
            event.client_order_id.value,
            quantity=event.last_qty.as_decimal(),
            price=event.last_px.as_decimal(),
            execution_id=event.trade_id.value,
            liquidity=_LIQUIDITY.get(event.liquidity_side),
            commission=commission.as_decimal(),
            commission_currency=commission.currency.code,
            currency=event.currency.code,
            complete=None if order is None else order.is_closed,
            venue_order_id=_value(event.venue_order_id),
            venue=named.venue,
            symbol=named.symbol,
            side=_SIDES.get(event.order_side),
            time_ns=now,
        )

    def _is_ours(self, event: Any, now: int) -> str:  # noqa: ANN401
        """Whether to tell this order: ``known``, or just ``restored``; empty when the bot tells it."""
        client_id = event.client_order_id.value
        known = self._trading.orders.get(client_id)
        if known is not None:
            return "known" if known is self._ours.get(client_id) else ""
        order = self._cache.order(event.client_order_id)
        if order is None:
            return "known"
        done = order.filled_qty.as_decimal()
        if type(event) is events.OrderFilled:
            done -= event.last_qty.as_decimal()
        self._trading.order_restored(
            client_id,
            **self._what(event),
            venue_order_id=_value(order.venue_order_id),
            cumulative_quantity=done if done > 0 else None,
            time_ns=now,
        )
        self._remember(client_id)
        return "restored"

    def _what(self, event: Any) -> dict[str, Any]:  # noqa: ANN401
        """What submission and restoration have in common."""
        named = self._instruments[event.instrument_id]
        order = self._cache.order(event.client_order_id)
        what: dict[str, Any] = {"venue": named.venue, "symbol": named.symbol, "strategy": event.strategy_id.value}
        if order is not None:
            what["side"] = _SIDES.get(order.side)
            what["type"] = order_type_to_str(order.order_type)
            what["time_in_force"] = time_in_force_to_str(order.time_in_force)
            what["quantity"] = order.quantity.as_decimal()
            what["price"] = _decimal(order.price) if order.has_price else None
        return what

    def _expected(self, order: Any) -> Any:  # noqa: ANN401
        """What a market order would have got when it was sent: slippage is measured from there."""
        if order.order_type != _MARKET:
            return None
        quote = self._cache.quote_tick(order.instrument_id)
        if quote is None:
            return None
        return _decimal(quote.ask_price if order.side == _BUY else quote.bid_price)

    def _limit(self, reason: str) -> str:
        found = _LIMIT.search(reason)
        name = found[0].lower() if found else "pre_trade"
        if name not in self._limits and len(self._limits) >= _LIMITS:
            return "pre_trade"
        self._limits.add(name)
        return name

    def _remember(self, client_id: str) -> None:
        told = self._trading.orders.get(client_id)
        if told is None:
            return
        ours = self._ours
        ours[client_id] = told
        ours.move_to_end(client_id)
        if len(ours) > _REMEMBERED:
            ours.popitem(last=False)


_ours: weakref.WeakKeyDictionary[Trading, OrderedDict[str, Order]] = weakref.WeakKeyDictionary()


def _ours_of(trading: Trading) -> OrderedDict[str, Order]:
    """The orders that are told here: one after another, engines give their orders the same ids."""
    return _ours.setdefault(trading, OrderedDict())


def _decimal(value: Any) -> Any:  # noqa: ANN401 - a Price or a Quantity
    return None if value is None else value.as_decimal()


def _value(identifier: Any) -> str | None:  # noqa: ANN401
    return None if identifier is None else identifier.value


def _reason(said: str) -> str | None:
    """The reason that the venue's text begins with; of other texts no metric is made."""
    for word in (said, re.split(r"[:\s(]", said, maxsplit=1)[0]):
        reason = RejectReason.of(word)
        if reason is not None:
            return reason.value
    return None
