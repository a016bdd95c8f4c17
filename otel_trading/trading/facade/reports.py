"""What venues report of orders."""

from __future__ import annotations

from operator import mul, sub, truediv
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import StatusCode

from otel_trading.trading.facade.base import kind_of, text
from otel_trading.trading.facade.following import Following
from otel_trading.trading.facade.submissions import quote_of
from otel_trading.trading.orders.order import exactly

if TYPE_CHECKING:
    from otel_trading.trading.orders import Order
    from otel_trading.trading.orders.order import Amount

_SECOND = 1e9
_INFINITE = float("inf")
_BASIS_POINTS = 10_000


class Reports(Following):
    """Acknowledgements, executions, ends."""

    def order_acknowledged(
        self,
        order: object = None,
        /,
        *,
        client_order_id: object = None,
        venue_order_id: object = None,
        venue: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """The venue has the order; ``venue_order_id`` is FIX OrderID (37)."""
        try:
            client_id, venue_id = self._ids(order, client_order_id, venue_order_id)
            now = time_ns or self.clock()
            found, anomaly, _, fresh = self.orders.acknowledge(venue or "", client_id, venue_id, now)
            if anomaly and not self._fits(anomaly, "acknowledged", found, now, fresh=fresh):
                return
            if venue_id and found.span is not None:
                found.span.set_attribute("trading.order.id", venue_id)
            self._on_order_acknowledged((*found.what(venue), _since(found, now)), now, found.span, found.context)
        except Exception as error:
            self._failed("order_acknowledged", error)

    def order_unanswered(
        self,
        order: object = None,
        /,
        *,
        client_order_id: object = None,
        venue_order_id: object = None,
        venue: str | None = None,
        error: BaseException | str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """Nobody knows whether the venue has the order: the request failed on its way."""
        try:
            found = self._found(order, client_order_id, venue_order_id, venue)
            values = (*found.what(venue), kind_of(error), None if error is None else str(error))
            self._on_order_unanswered(values, time_ns or self.clock(), found.span, found.context)
        except Exception as fault:
            self._failed("order_unanswered", fault)

    def order_filled(
        self,
        order: object = None,
        /,
        *,
        quantity: object = None,
        price: object = None,
        execution_id: object = None,
        liquidity: object = None,
        commission: object = None,
        commission_currency: str | None = None,
        currency: str | None = None,
        complete: bool | None = None,
        expected_price: object = None,
        client_order_id: object = None,
        venue_order_id: object = None,
        venue: str | None = None,
        symbol: str | None = None,
        side: object = None,
        time_ns: int | None = None,
    ) -> None:
        """A part of the order was executed, or the rest.

        Args:
            order: the order, or its client order id.
            quantity: FIX LastQty (32): of this execution, not of all so far.
            price: FIX LastPx (31).
            execution_id: FIX ExecID (17); an execution that is told again does not count again.
            liquidity: FIX LastLiquidityInd (851): ``added`` (maker) or ``removed`` (taker).
            commission: FIX Commission (12), below zero when the venue gave something.
            commission_currency: FIX CommCurrency (479).
            currency: of the price, when it is not what the symbol says.
            complete: what the venue says of the order: whether it is filled; by the quantities if not given.
            expected_price: instead of the one given at submission.
            client_order_id: FIX ClOrdID (11).
            venue_order_id: FIX OrderID (37).
            venue: for orders that are not known by a client order id.
            symbol: for orders that nobody submitted.
            side: for orders that nobody submitted.
            time_ns: when it happened, in nanoseconds since 1970; now when not given.

        """
        try:
            client_id, venue_id = self._ids(order, client_order_id, venue_order_id)
            now = time_ns or self.clock()
            last: Any = quantity
            at: Any = price
            taken: Any = commission
            if last.__class__ is not float or not 0 < last < _INFINITE:
                last = self._positive("order_filled", "quantity", last)
            if at.__class__ is not float or at - at != 0:
                at = self._amount("order_filled", "price", at)
            if taken is not None and (taken.__class__ is not float or taken - taken != 0):
                taken = self._amount("order_filled", "commission", taken)
            notional = None if at is None or last is None else exactly(mul, last, at)
            execution = text(execution_id)
            found, anomaly, ended, fresh = self.orders.fill(
                venue or "",
                client_id,
                venue_id,
                execution,
                last or 0,
                notional,
                now,
                complete=complete,
            )
            if anomaly and not self._fits(anomaly, "filled", found, now, execution, fresh=fresh):
                return
            expected = found.expected_price
            if expected_price is not None:
                expected = self._amount("order_filled", "expected_price", expected_price)
            slippage = None if not expected or at is None else _slippage(found, expected, at)
            after = _since(found, now)
            values = (
                *found.what(venue, symbol, self._side(side)),
                found.status,
                execution or None,
                last,
                at,
                self._liquidity(liquidity),
                notional,
                currency or found.currency or quote_of(symbol),
                taken,
                commission_currency,
                found.cumulative_quantity,
                found.leaves_quantity,
                found.average_price,
                expected,
                slippage,
                None if slippage is None else slippage < 0,
                after,
                after if found.status == "filled" else None,
            )
            self._on_order_filled(values, now, found.span, found.context)
            if ended:
                self._end(found, now)
        except Exception as error:
            self._failed("order_filled", error)

    def order_cancel_requested(
        self,
        order: object = None,
        /,
        *,
        reason: str | None = None,
        client_order_id: object = None,
        venue_order_id: object = None,
        venue: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """The bot wants the order back; from here the time to its cancellation counts."""
        try:
            client_id, venue_id = self._ids(order, client_order_id, venue_order_id)
            now = time_ns or self.clock()
            found, anomaly, _, fresh = self.orders.request_cancel(venue or "", client_id, venue_id, now)
            if anomaly and not self._fits(anomaly, "cancel_requested", found, now, fresh=fresh):
                return
            self._on_order_cancel_requested((*found.what(venue), reason), now, found.span, found.context)
        except Exception as error:
            self._failed("order_cancel_requested", error)

    def order_canceled(
        self,
        order: object = None,
        /,
        *,
        reason: str | None = None,
        client_order_id: object = None,
        venue_order_id: object = None,
        venue: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """The order will not be executed any further: because the bot, the venue or its time in force said so."""
        try:
            now = time_ns or self.clock()
            found, ended, fresh = self._ended("canceled", order, client_order_id, venue_order_id, venue, now)
            if not fresh:
                return
            asked = found.cancel_requested_ns
            values = (
                *found.what(venue),
                reason,
                *(found.cumulative_quantity, found.leaves_quantity, found.average_price),
                (now - asked) / _SECOND if asked else None,
            )
            self._on_order_canceled(values, now, found.span, found.context)
            if ended:
                self._end(found, now)
        except Exception as error:
            self._failed("order_canceled", error)

    def order_cancel_rejected(
        self,
        order: object = None,
        /,
        *,
        reason: object = None,
        error: BaseException | str | None = None,
        text: str | None = None,
        client_order_id: object = None,
        venue_order_id: object = None,
        venue: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """The venue does not give the order back; ``reason`` is FIX CxlRejReason (102) or a venue's word for it."""
        try:
            found = self._found(order, client_order_id, venue_order_id, venue)
            said = text if text is not None else None if error is None else str(error)
            values = (*found.what(venue), self._reject_reason(reason), kind_of(error), said)
            self._on_order_cancel_rejected(values, time_ns or self.clock(), found.span, found.context)
        except Exception as fault:
            self._failed("order_cancel_rejected", fault)

    def order_rejected(
        self,
        order: object = None,
        /,
        *,
        reason: object = None,
        error: BaseException | str | None = None,
        text: str | None = None,
        client_order_id: object = None,
        venue_order_id: object = None,
        venue: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """The venue refused the order.

        Args:
            order: the order, or its client order id.
            reason: FIX OrdRejReason (103) or a venue's word for it: ``insufficient_funds``.
            error: what the library raised.
            text: what the venue said, FIX Text (58).
            client_order_id: FIX ClOrdID (11).
            venue_order_id: FIX OrderID (37).
            venue: for orders that are not known by a client order id.
            time_ns: when it happened, in nanoseconds since 1970; now when not given.

        """
        try:
            now = time_ns or self.clock()
            found, ended, fresh = self._ended("rejected", order, client_order_id, venue_order_id, venue, now)
            if not fresh:
                return
            why = self._reject_reason(reason) or "other"
            said = text if text is not None else None if error is None else str(error)
            values = (*found.what(venue), why, kind_of(error) or why, said, _since(found, now))
            self._on_order_rejected(values, now, found.span, found.context)
            if ended:
                span = found.span
                if span is not None:
                    span.set_attribute("trading.order.reject_reason", why)
                    span.set_status(StatusCode.ERROR, why)
                self._end(found, now)
        except Exception as fault:
            self._failed("order_rejected", fault)

    def order_expired(
        self,
        order: object = None,
        /,
        *,
        reason: str | None = None,
        client_order_id: object = None,
        venue_order_id: object = None,
        venue: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """The order's time is over: a good-till-date that passed, an immediate-or-cancel that found nothing."""
        try:
            now = time_ns or self.clock()
            found, ended, fresh = self._ended("expired", order, client_order_id, venue_order_id, venue, now)
            if not fresh:
                return
            values = (
                *found.what(venue),
                *(reason, found.cumulative_quantity, found.leaves_quantity, found.average_price),
            )
            self._on_order_expired(values, now, found.span, found.context)
            if ended:
                self._end(found, now)
        except Exception as error:
            self._failed("order_expired", error)

    def order_replaced(
        self,
        order: object = None,
        /,
        *,
        new_client_order_id: object = None,
        quantity: object = None,
        price: object = None,
        client_order_id: object = None,
        venue_order_id: object = None,
        venue: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """The order has another quantity or price from now on, and perhaps another client order id."""
        try:
            client_id, venue_id = self._ids(order, client_order_id, venue_order_id)
            now = time_ns or self.clock()
            found, anomaly, _, fresh = self.orders.replace(
                *(venue or "", client_id, venue_id, text(new_client_order_id)),
                self._positive("order_replaced", "quantity", quantity),
                self._amount("order_replaced", "price", price),
            )
            if anomaly and not self._fits(anomaly, "replaced", found, now, fresh=fresh):
                return
            former = client_id if found.client_order_id != client_id else None
            values = (*found.what(venue), former, found.quantity, found.price)
            self._on_order_replaced(values, now, found.span, found.context)
        except Exception as error:
            self._failed("order_replaced", error)

    def _found(self, order: object, client_order_id: object, venue_order_id: object, venue: str | None) -> Order:
        client_id, venue_id = self._ids(order, client_order_id, venue_order_id)
        return self.orders.find(venue or "", client_id, venue_id)

    def _ended(
        self, status: str, order: object, client_order_id: object, venue_order_id: object, venue: str | None, now: int
    ) -> tuple[Order, bool, bool]:
        """The order, whether it ended by this, and whether it says anything new."""
        client_id, venue_id = self._ids(order, client_order_id, venue_order_id)
        found, anomaly, ended, fresh = self.orders.end(venue or "", client_id, venue_id, status, now)
        if anomaly:
            self._fits(anomaly, status, found, now, fresh=fresh)
        return found, ended, fresh


def _since(order: Order, now: int) -> float | None:
    """Seconds since its submission."""
    return (now - order.submitted_ns) / _SECOND if order.submitted_ns else None


def _slippage(order: Order, expected: Amount, price: Amount) -> float:
    """How much worse than expected, in basis points; below zero when it was better. The order's span has it, too."""
    worse = float(exactly(truediv, exactly(sub, price, expected), expected))
    slippage = worse * (_BASIS_POINTS if order.side == "buy" else -_BASIS_POINTS)
    if order.span is not None:
        order.span.set_attribute("trading.execution.slippage.bps", slippage)
    return slippage
