"""What the bot says of orders that begin."""

from __future__ import annotations

from operator import mul
from typing import TYPE_CHECKING, Any

from otel_trading.tracing.ticks import TICK
from otel_trading.trading.facade.base import text
from otel_trading.trading.facade.following import Following
from otel_trading.trading.orders import Order
from otel_trading.trading.orders.order import exactly

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECOND = 1e9


class Submissions(Following):
    """Orders on their way to a venue, and those that were found there."""

    def order_submitted(
        self,
        order: object = None,
        /,
        *,
        client_order_id: object = None,
        venue_order_id: object = None,
        venue: str | None = None,
        symbol: str | None = None,
        side: object = None,
        type: object = None,  # noqa: A002 - FIX's and everybody's word for it
        time_in_force: object = None,
        quantity: object = None,
        price: object = None,
        stop_price: object = None,
        expected_price: object = None,
        strategy: str | None = None,
        pair_id: object = None,
        account: object = None,
        instrument_type: str | None = None,
        reduce_only: bool | None = None,
        post_only: bool | None = None,
        tick_ns: int = 0,
        time_ns: int | None = None,
    ) -> None:
        """An order goes to its venue: call it just before the request.

        Args:
            order: the order as an object or a dict of the bot's, or its client order id.
            client_order_id: FIX ClOrdID (11).
            venue_order_id: FIX OrderID (37), when the venue tells it at once.
            venue: as ccxt calls it.
            symbol: FIX Symbol (55).
            side: FIX Side (54): ``buy``, ``sell``, or any word of a venue's for it.
            type: FIX OrdType (40).
            time_in_force: FIX TimeInForce (59).
            quantity: FIX OrderQty (38), in the base currency.
            price: FIX Price (44), the limit.
            stop_price: FIX StopPx (99).
            expected_price: what the bot expects to pay: slippage is measured from it.
            strategy: the bot's name for it.
            pair_id: what joins the legs of a trade, FIX ListID (66).
            account: FIX Account (1).
            instrument_type: FIX SecurityType (167).
            reduce_only: whether it may only make a position smaller.
            post_only: whether it must not take liquidity.
            tick_ns: when the tick came that it answers; taken from ``tick_to_trade`` when not given.
            time_ns: when it happened, in nanoseconds since 1970; now when not given.

        """
        try:
            told = self._told(order)
            get = told.get
            made = self._made(
                *("order_submitted", told, client_order_id, venue_order_id, venue, symbol, side, type, time_in_force),
                *(quantity, price, strategy),
            )
            made.pair_id = text(pair_id if pair_id is not None else get("pair_id")) or None
            made.expected_price = self._amount("order_submitted", "expected_price", expected_price)
            now = time_ns or self.clock()
            (_, anomaly, _, fresh), given_up = self.orders.submit(made, now)
            if anomaly and not self._fits(anomaly, "submitted", made, now, fresh=fresh):
                return
            said = (
                *made.what(),
                text(account if account is not None else get("account")) or None,
                instrument_type,
                made.time_in_force,
                made.quantity,
                made.price,
                self._amount(
                    "order_submitted", "stop_price", stop_price if stop_price is not None else get("stop_price")
                ),
                reduce_only if reduce_only is not None else get("reduce_only"),
                post_only if post_only is not None else get("post_only"),
            )
            self._begin(made, self._on_order_submitted.data(said))
            tick = tick_ns or getattr(made.span, "_tick_ns", None) or TICK.get()
            if tick and self._first_of(tick):
                made.tick_to_trade = (now - tick) / _SECOND
            values = (*said, made.tick_to_trade)
            self._on_order_submitted(values, now, None, made.context)
            self._end_if_over(made)
            for other in given_up:
                self._give_up(other, now)
        except Exception as error:
            self._failed("order_submitted", error)

    def order_restored(
        self,
        order: object = None,
        /,
        *,
        client_order_id: object = None,
        venue_order_id: object = None,
        venue: str | None = None,
        symbol: str | None = None,
        side: object = None,
        type: object = None,  # noqa: A002
        time_in_force: object = None,
        quantity: object = None,
        price: object = None,
        cumulative_quantity: object = None,
        strategy: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """An order was open at the venue already when the bot started; it is followed from now on."""
        try:
            made = self._made(
                *("order_restored", self._told(order), client_order_id, venue_order_id, venue, symbol, side, type),
                *(time_in_force, quantity, price, strategy),
            )
            done = self._positive("order_restored", "cumulative_quantity", cumulative_quantity)
            now = time_ns or self.clock()
            if done is not None:
                made.execute(done, None if made.price is None else exactly(mul, done, made.price))
            made.status = "partially_filled" if done else "new"
            made.acknowledged_ns = now
            (_, anomaly, _, fresh), given_up = self.orders.submit(made, now, restored=True)
            if anomaly and not self._fits(anomaly, "restored", made, now, fresh=fresh):
                return
            values = (*made.what(), made.time_in_force, made.quantity, made.price, done, made.status)
            self._begin(made, self._on_order_restored.data(values))
            self._on_order_restored(values, now, None, made.context)
            self._end_if_over(made)
            for other in given_up:
                self._give_up(other, now)
        except Exception as error:
            self._failed("order_restored", error)

    def _made(
        self,
        event: str,
        told: Mapping[str, Any],
        client_order_id: object,
        venue_order_id: object,
        venue: str | None,
        symbol: str | None,
        side: object,
        type: object,  # noqa: A002
        time_in_force: object,
        quantity: object,
        price: object,
        strategy: str | None,
    ) -> Order:
        """The order by the event's keywords, and by what its object tells where there are none."""
        get = told.get
        made = Order(
            text(client_order_id) or text(get("client_order_id")),
            text(venue_order_id) or text(get("venue_order_id")),
        )
        made.venue = venue or get("venue")
        made.symbol = symbol or get("symbol")
        made.currency = quote_of(made.symbol)
        made.side = self._side(side if side is not None else get("side"))
        made.type = self._type(type if type is not None else get("type"))
        made.time_in_force = self._time_in_force(time_in_force if time_in_force is not None else get("time_in_force"))
        made.strategy = strategy or get("strategy")
        made.quantity = self._positive(event, "quantity", quantity if quantity is not None else get("quantity"))
        made.price = self._amount(event, "price", price if price is not None else get("price"))
        return made


def quote_of(symbol: str | None) -> str | None:
    """The currency of the price, by a unified symbol.

    >>> quote_of("BTC/USDT:USDT"), quote_of("FED-25MAR19")
    ('USDT', None)
    """
    if symbol is None:
        return None
    _, slash, rest = symbol.partition("/")
    return rest.partition(":")[0] if slash else None
