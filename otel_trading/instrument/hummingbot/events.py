"""What the events of hummingbot's connectors mean."""

from __future__ import annotations

from collections import OrderedDict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from otel_trading.trading.conventions.enums import RejectReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.instrument.reporting import Reporting
    from otel_trading.trading.orders import Order

_REMEMBERED = 10_000
_NEW = "PENDING_CREATE"


class Events:
    """Tells each order that the bot does not tell itself. Times are our own: hummingbot's clock ticks once a second."""

    def __init__(self, said: Reporting) -> None:
        self._trading = said.trading
        self._orders = said.orders
        self._ours: OrderedDict[str, Order] = OrderedDict()
        self._tell: dict[str, Callable[[str, Any], None]] = {
            "BuyOrderCreatedEvent": self._created,
            "SellOrderCreatedEvent": self._created,
            "OrderFilledEvent": self._filled,
            "BuyOrderCompletedEvent": self._completed,
            "SellOrderCompletedEvent": self._completed,
            "OrderCancelledEvent": self._canceled,
            "OrderExpiredEvent": self._expired,
            "MarketOrderFailureEvent": self._failed,
            "FundingPaymentCompletedEvent": self._funding,
            "BalanceUpdateEvent": self._balance,
            "PositionUpdateEvent": self._position,
        }

    def take(self, venue: str, event: Any) -> None:  # noqa: ANN401 - hummingbot's
        """An event of a connector."""
        tell = self._tell.get(type(event).__name__)
        if tell is not None:
            tell(venue, event)

    def tracked(self, venue: str, order: Any) -> None:  # noqa: ANN401
        """A connector follows an order: one that it is about to send, or one of an earlier life of the bot."""
        client_id = order.client_order_id
        if not self._orders or self._is_told(client_id):
            return
        what = {
            "venue": venue,
            "symbol": symbol_of(order.trading_pair),
            "side": order.trade_type.name,
            "type": order.order_type.name,
            "quantity": order.amount,
            "price": _price(order.price),
        }
        if order.current_state.name == _NEW and not order.exchange_order_id:
            position = getattr(order.position, "name", None)
            self._trading.order_submitted(client_id, **what, reduce_only=True if position == "CLOSE" else None)
        else:
            done = order.executed_amount_base
            self._trading.order_restored(
                client_id, **what, venue_order_id=order.exchange_order_id, cumulative_quantity=done or None
            )
        self._remember(client_id)

    def cancel_requested(self, client_id: str) -> None:
        """An order is called back."""
        if self._is_ours(client_id):
            self._trading.order_cancel_requested(client_id)

    def _created(self, venue: str, event: Any) -> None:  # noqa: ANN401
        client_id = event.order_id
        if not self._orders:
            return
        if not self._is_told(client_id):  # a connector that tracks its orders in a way of its own
            self._trading.order_submitted(
                client_id,
                venue=venue,
                symbol=symbol_of(event.trading_pair),
                side="buy" if type(event).__name__.startswith("Buy") else "sell",
                type=event.type.name,
                quantity=event.amount,
                price=_price(event.price),
            )
            self._remember(client_id)
        if self._is_ours(client_id):
            self._trading.order_acknowledged(client_id, venue_order_id=event.exchange_order_id)

    def _filled(self, venue: str, event: Any) -> None:  # noqa: ANN401
        client_id = event.order_id
        if not self._orders or (self._is_told(client_id) and not self._is_ours(client_id)):
            return
        commission, currency = _fee(event)
        self._trading.order_filled(
            client_id,
            quantity=event.amount,
            price=event.price,
            execution_id=event.exchange_trade_id or None,
            commission=commission,
            commission_currency=currency,
            venue=venue,
            venue_order_id=event.exchange_order_id or None,
            symbol=symbol_of(event.trading_pair),
            side=event.trade_type.name,
        )

    def _completed(self, _: str, event: Any) -> None:  # noqa: ANN401
        """The order is filled; executions that no event told are in the totals."""
        order = self._ours.get(event.order_id)
        if order is None or not order.open or not self._is_ours(event.order_id):
            return
        done = Decimal(str(order.cumulative_quantity))
        missing = Decimal(event.base_asset_amount) - done
        if missing > 0:
            value = Decimal(str(order.average_price or 0)) * done
            self._trading.order_filled(
                event.order_id,
                quantity=missing,
                price=(Decimal(event.quote_asset_amount) - value) / missing,
                complete=True,
            )
        else:
            self._trading.order_canceled(event.order_id, reason="completed")

    def _canceled(self, _: str, event: Any) -> None:  # noqa: ANN401
        if self._is_ours(event.order_id):
            self._trading.order_canceled(event.order_id)

    def _expired(self, _: str, event: Any) -> None:  # noqa: ANN401
        if self._is_ours(event.order_id):
            self._trading.order_expired(event.order_id)

    def _failed(self, _: str, event: Any) -> None:  # noqa: ANN401
        if not self._is_ours(event.order_id):
            return
        reason = RejectReason.of(event.error_type) if event.error_type else None
        self._trading.order_rejected(
            event.order_id,
            reason=None if reason is None else reason.value,
            error=event.error_type,
            text=event.error_message,
        )

    def _funding(self, venue: str, event: Any) -> None:  # noqa: ANN401
        symbol = symbol_of(event.trading_pair)
        currency = symbol.partition("/")[2] or symbol
        self._trading.pnl_changed(event.amount, currency=currency, venue=venue, symbol=symbol)

    def _balance(self, venue: str, event: Any) -> None:  # noqa: ANN401
        if event.total_balance is not None:
            self._trading.balance_changed(venue, event.asset_name, event.total_balance, free=event.available_balance)

    def _position(self, venue: str, event: Any) -> None:  # noqa: ANN401
        symbol = symbol_of(event.trading_pair)
        side = getattr(event.position_side, "name", None)
        size = abs(event.amount) * (-1 if side == "SHORT" else 1) if side in {"LONG", "SHORT"} else event.amount
        self._trading.position_changed(
            venue,
            symbol,
            size if side is not None else 0,
            price=event.entry_price,
            currency=symbol.partition("/")[2] or None,
            unrealized=event.unrealized_pnl,
        )

    def _is_told(self, client_id: str) -> bool:
        known = self._trading.orders.get(client_id)
        return known is not None and known.open

    def _is_ours(self, client_id: str) -> bool:
        known = self._trading.orders.get(client_id)
        return known is not None and known is self._ours.get(client_id)

    def _remember(self, client_id: str) -> None:
        order = self._trading.orders.get(client_id)
        if order is not None:
            self._ours[client_id] = order
            if len(self._ours) > _REMEMBERED:
                self._ours.popitem(last=False)


def symbol_of(trading_pair: str) -> str:
    """The unified symbol of hummingbot's trading pair.

    >>> symbol_of("BTC-USDT")
    'BTC/USDT'
    """
    return trading_pair.replace("-", "/", 1)


def _price(price: Any) -> Any:  # noqa: ANN401 - a Decimal, NaN for market orders
    return None if price is None or price != price else price  # noqa: PLR0124 - NaN is what it is not


def _fee(event: Any) -> tuple[Any, str | None]:  # noqa: ANN401
    """What was taken for an execution, and in what; several currencies do not add up, so the first is told."""
    fee = event.trade_fee
    quote = symbol_of(event.trading_pair).partition("/")[2]
    flat = list(fee.flat_fees)
    if fee.percent:
        if fee.percent_token in {None, quote}:
            same = sum((each.amount for each in flat if each.token == quote), Decimal(0))
            return event.price * event.amount * fee.percent + same, quote
        if not flat:
            return None, None  # in a token whose price nobody told
    if not flat:
        return Decimal(0), quote or None
    token = flat[0].token
    return sum((each.amount for each in flat if each.token == token), Decimal(0)), token
