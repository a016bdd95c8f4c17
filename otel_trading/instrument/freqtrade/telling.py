"""What freqtrade's records of orders and trades mean, as trading events."""

from __future__ import annotations

from collections import OrderedDict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from otel_trading.settings.complaints import Complaints
from otel_trading.trading.conventions.enums import RejectReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from otel_trading.instrument.reporting import Reporting
    from otel_trading.trading.orders import Order

_REMEMBERED = 10_000
_ENDS = {"canceled": "canceled", "cancelled": "canceled", "expired": "expired", "rejected": "rejected"}
"""States that ccxt calls so; those that are closed are filled."""
_OVER = frozenset({*_ENDS, "closed"})


class Told:
    """An order that is told here, and what was told of it."""

    __slots__ = ("commission", "filled", "order", "value")

    def __init__(self, order: Order, filled: Decimal, price: Decimal) -> None:
        self.order = order
        self.filled = filled
        self.value = filled * price
        self.commission = Decimal(0)


class Telling:
    """Tells each order that the bot does not tell itself; fills come as totals, and are told as what is new."""

    def __init__(self, said: Reporting) -> None:
        self.said = said
        self.trading = said.trading
        self.strategy: str | None = None
        self.venue: str | None = None
        self.silent = False
        """While hyperopt tries its thousands of days."""
        self.complaints = Complaints("the instrumentation of freqtrade")
        self._told: OrderedDict[str, Told] = OrderedDict()
        self._closed: OrderedDict[tuple[Any, Any], None] = OrderedDict()
        self._refused = 0

    def guard(self, tell: Callable[..., None], *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Call it; what goes wrong costs telemetry."""
        if self.silent:
            return
        try:
            tell(*args, **kwargs)
        except Exception as error:
            self.complaints.say(f"{tell.__name__} could not be reported: {type(error).__name__}: {error}")

    def knows(self, order_id: str) -> bool:
        """Whether the order is told here."""
        told = self._told.get(order_id)
        return told is not None and told.order is self.trading.orders.get(order_id)

    def submitted(self, order_id: str, **what: Any) -> None:  # noqa: ANN401
        """An order went to its venue, which gave it this id."""
        if not self.said.orders:
            return
        known = self.trading.orders.get(order_id)
        if known is not None and known.open:
            return  # told already, here or by the bot
        self.trading.order_submitted(venue_order_id=order_id, strategy=self.strategy, **what)
        self._remember(order_id, Decimal(0), Decimal(0))

    def refused(self, error: BaseException, **what: Any) -> None:  # noqa: ANN401
        """An order was not taken, or nobody knows: the id is our own, as the venue gave none."""
        if not self.said.orders:
            return
        self._refused += 1
        client_id = f"refused-{self._refused}"
        cause = error.__cause__ or error
        self.trading.order_submitted(client_id, strategy=self.strategy, **what)
        reason = RejectReason.of_error(cause)
        if reason is None and any(each.__name__ == "NetworkError" for each in type(cause).__mro__):
            self.trading.order_unanswered(client_id, error=cause)
            return
        self.trading.order_rejected(client_id, reason=None if reason is None else reason.value, error=cause)

    def updated(
        self,
        order_id: str,
        *,
        status: str | None,
        filled: Any,  # noqa: ANN401 - a number, or none
        price: Any,  # noqa: ANN401
        fee: Mapping[str, Any] | None = None,
        reason: str | None = None,
        time_ns: int | None = None,
        restored: Callable[[], Mapping[str, Any] | None] = lambda: None,
    ) -> None:
        """What is known of an order now; ``restored`` says what it was before, for one that nobody told of yet."""
        if not self.said.orders:
            return
        if not self.knows(order_id) and (
            self.trading.orders.get(order_id) is not None or not self._restore(order_id, restored())
        ):
            return
        told = self._told[order_id]
        now = _number(filled)
        if now > told.filled and price:
            self._fill(order_id, told, now, _number(price), fee or {}, status == "closed", time_ns)
        if status in _OVER and told.order.open:
            end = getattr(self.trading, f"order_{_ENDS.get(status or '', 'canceled')}")
            end(venue_order_id=order_id, reason=reason, time_ns=time_ns)

    def gone(self, order_id: str, reason: str, time_ns: int | None = None) -> None:
        """An order is not there any more."""
        if self.knows(order_id) and self._told[order_id].order.open:
            self.trading.order_canceled(venue_order_id=order_id, reason=reason, time_ns=time_ns)

    def begin_anew(self, reason: str) -> None:
        """The orders of another run have the same ids."""
        while self._told:
            order_id, told = self._told.popitem()
            if told.order.open and self.trading.orders.get(order_id) is told.order:
                self.trading.order_canceled(venue_order_id=order_id, reason=reason)
        self._closed.clear()

    def trade_closed(self, trade: Any) -> None:  # noqa: ANN401 - freqtrade's
        """A trade is over: it counts once, however often it is calculated anew."""
        key = trade.id, trade.open_date
        if key in self._closed:
            return
        self._closed[key] = None
        if len(self._closed) > _REMEMBERED:
            self._closed.popitem(last=False)
        self.trading.position_changed(
            trade.exchange, trade.pair, 0, currency=trade.stake_currency, strategy=self.strategy
        )
        self.trading.trade_completed(
            outcome="success",
            strategy=self.strategy,
            venue=trade.exchange,
            symbol=trade.pair,
            trade_id=trade.id,
            currency=trade.stake_currency,
            quantity=trade.amount,
            net_profit=trade.close_profit_abs,
            duration=(trade.close_date_utc - trade.open_date_utc).total_seconds(),
            text_=trade.exit_reason,
        )

    def trade_gone(self, trade: Any) -> None:  # noqa: ANN401
        """A trade ended before it began: its entry was canceled."""
        self.trading.trade_completed(
            outcome="failed",
            strategy=self.strategy,
            venue=trade.exchange,
            symbol=trade.pair,
            trade_id=trade.id,
            currency=trade.stake_currency,
            text_="entry canceled",
        )

    def trade_changed(self, trade: Any, amount: float, realized: float) -> None:  # noqa: ANN401
        """A trade was calculated anew; this is what it was before."""
        of = {"venue": trade.exchange, "symbol": trade.pair, "strategy": self.strategy}
        if trade.is_open and trade.amount != amount:
            self.trading.position_changed(
                quantity=-trade.amount if trade.is_short else trade.amount,
                price=trade.open_rate,
                currency=trade.stake_currency,
                **of,
            )
        change = _number(trade.realized_profit) - _number(realized)
        if change:
            self.trading.pnl_changed(change, currency=trade.stake_currency, **of)

    def _restore(self, order_id: str, what: Mapping[str, Any] | None) -> bool:
        """Follow an order from now on that was there before; whether there is anything to follow."""
        if what is None:
            return False
        done, price = _number(what.get("cumulative_quantity")), _number(what.get("price"))
        self.trading.order_restored(
            venue_order_id=order_id, strategy=self.strategy, **{**what, "cumulative_quantity": done or None}
        )
        self._remember(order_id, done, price)
        return self.knows(order_id)

    def _fill(
        self,
        order_id: str,
        told: Told,
        filled: Decimal,
        average: Decimal,
        fee: Mapping[str, Any],
        complete: bool,
        time_ns: int | None,
    ) -> None:
        quantity, value = filled - told.filled, filled * average
        paid = _number(fee.get("cost"))
        commission = paid - told.commission
        price = average if not told.filled else (value - told.value) / quantity
        told.filled, told.value, told.commission = filled, value, paid
        self.trading.order_filled(
            venue_order_id=order_id,
            quantity=quantity,
            price=price,
            commission=commission if fee.get("cost") is not None else None,
            commission_currency=fee.get("currency"),
            complete=complete,
            time_ns=time_ns,
        )

    def _remember(self, order_id: str, filled: Decimal, price: Decimal) -> None:
        order = self.trading.orders.get(order_id)
        if order is None:
            return
        self._told[order_id] = Told(order, filled, price)
        self._told.move_to_end(order_id)
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)


def nanoseconds(moment: Any) -> int:  # noqa: ANN401 - a datetime that knows its time zone
    """Since 1970."""
    return int(moment.timestamp() * 1000) * 1_000_000


def subclasses(kind: Any) -> Iterable[Any]:  # noqa: ANN401 - classes of freqtrade's
    """A class, and all that derive from it."""
    yield kind
    for each in kind.__subclasses__():
        yield from subclasses(each)


def _number(value: Any) -> Decimal:  # noqa: ANN401
    """Exactly what freqtrade shows: it calculates with binary fractions."""
    return Decimal(0) if value is None else Decimal(str(value))
