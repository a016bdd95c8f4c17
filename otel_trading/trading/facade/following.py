"""Following orders: who they are, their spans, their count, and what of a report does not fit."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from otel_trading.trading.bound import bound
from otel_trading.trading.conventions import create
from otel_trading.trading.conventions.enums import Liquidity, OrderType, RejectReason, Side, TimeInForce
from otel_trading.trading.events.model import Level
from otel_trading.trading.facade.base import Reporter, Words, text
from otel_trading.trading.facade.mapping import OrderMap
from otel_trading.trading.orders import Order, Orders
from otel_trading.trading.orders.order import forget_half

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from opentelemetry.trace import Tracer

    from otel_trading.metrics.instruments import Meter
    from otel_trading.trading.facade.mapping import Getter
    from otel_trading.trading.orders.order import Amount

SPAN = "order"
"""The span of an order's whole life."""
_TICKS = 256
_MAPS = 256
_ODD = {"duplicate": int(Level.DEBUG), "overfill": int(Level.WARNING)}
"""How much a report matters that does not fit what is known."""


class Following(Reporter):
    """What the events of orders have in common."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as the base takes them
        self.orders = Orders()
        """The orders that are open, and those that ended lately."""
        self._given: dict[type, Mapping[str, str | Getter]] = {}
        self._maps: dict[type, OrderMap] = {}
        self._ticks: dict[int, None] = {}
        self._side = Words(Side)
        self._type = Words(OrderType)
        self._time_in_force = Words(TimeInForce)
        self._liquidity = Words(Liquidity)
        self._reject_reason = Words(RejectReason)
        super().__init__(*args, **kwargs)

    def connect(self, meter: Meter, tracer: Tracer, symbols: Any = ()) -> None:  # noqa: ANN401 - as the base's
        """See ``Reporter``."""
        super().connect(meter, tracer, symbols)
        self._active: Any = create(meter, "trading.order.active")
        self._bound_active: dict[tuple[Any, ...], Any] = {}

    def map_orders(self, kind: type, /, **fields: str | Getter) -> None:
        """Say how to read the fields of the bot's own orders: names of attributes or keys, or functions.

        >>> import otel_trading as ot
        >>> telemetry = ot.configure(traces_exporter="none", metrics_exporter="none", logs_exporter="none",
        ...                          ops_port=0, banner=False)
        >>> class Quote:
        ...     cid, market, units, price, is_bid = "q-1", "BTC/USDT", 0.5, 27_000, True
        >>> telemetry.trading.map_orders(
        ...     Quote, client_order_id="cid", symbol="market", quantity="units",
        ...     side=lambda quote: "buy" if quote.is_bid else "sell", venue=lambda quote: "binance",
        ... )
        >>> telemetry.trading.order_submitted(Quote())
        >>> telemetry.trading.orders.get("q-1")
        Order('q-1', buy 0 of 0.5 BTC/USDT, pending_new)
        >>> telemetry.shutdown()
        True
        """
        self._given[kind] = fields
        self._maps = {}

    def within(self, order: object) -> AbstractContextManager[Any]:
        """Make the order's span the current one in a ``with`` block: what happens there is a part of its trace.

        For an order that is not open the current span stays.
        """
        client_id, venue_id = self._ids(order, None, None)
        span = self.orders.find("", client_id, venue_id).span
        return nullcontext() if span is None else trace.use_span(span, record_exception=False)

    def _told(self, order: object) -> dict[str, Any]:
        """The fields of an order as the bot gave it."""
        if order is None:
            return {}
        if order.__class__ is str:
            return {"client_order_id": order}
        return self._map(order).fields(order)

    def _ids(self, order: object, client_order_id: object, venue_order_id: object) -> tuple[str, str]:
        if order is None:
            return text(client_order_id), text(venue_order_id)
        if order.__class__ is str:
            return text(order), text(venue_order_id)
        client, venue = self._map(order).ids(order)
        return text(client_order_id) or text(client), text(venue_order_id) or text(venue)

    def _map(self, order: object) -> OrderMap:
        kind = order.__class__
        known = self._maps.get(kind)
        if known is None:
            known = OrderMap(next((self._given[each] for each in kind.__mro__ if each in self._given), None))
            if len(self._maps) < _MAPS and kind is not SimpleNamespace:  # which have nothing in common
                self._maps[kind] = known
        return known

    def _begin(self, order: Order, attributes: Mapping[str, Any]) -> None:
        """Open the order's span, which is one until its end."""
        span = order.span = self._tracer.start_span(SPAN, attributes=attributes, start_time=order.submitted_ns or None)
        order.context = span.get_span_context()
        key = (order.venue, order.symbol, order.side)
        active = self._bound_active.get(key)
        if active is None:
            names = ("trading.venue.name", "trading.instrument.symbol", "trading.order.side")
            known = {name: value for name, value in zip(names, key, strict=True) if value is not None}
            active = self._bound_active[key] = bound(self._active, "add", known)
        active(1)
        order.active = active

    def _end_if_over(self, order: Order) -> None:
        """For one whose end was heard of before it began, or that another thread gave up as one too many meanwhile."""
        if order.ended_ns:
            self._end(order, order.ended_ns)

    def _end(self, order: Order, now: int) -> None:
        """Close the order's span, with what became of it."""
        if order.active is not None:
            order.active(-1)
            order.active = None
        span, order.span = order.span, None
        if span is not None:
            done: Mapping[str, Any] = {
                "trading.order.status": order.status,
                "trading.order.cumulative_quantity": float(order.cumulative_quantity),
            }
            span.set_attributes(done)
            if order.order_id:
                span.set_attribute("trading.order.id", order.order_id)
            average = order.average_price
            if average is not None:
                span.set_attribute("trading.order.average_price", float(average))
            span.end(now)

    def _give_up(self, order: Order, now: int) -> None:
        """An order whose end nobody told for too long."""
        values = (*order.what(), order.status, order.cumulative_quantity, order.leaves_quantity)
        self._on_order_abandoned(values, now, order.span, order.context)
        self._end(order, now)

    def _fits(
        self, anomaly: str, reported: str, order: Order, now: int, execution_id: str = "", *, fresh: bool
    ) -> bool:
        """Say what does not fit; whether the report says anything new all the same."""
        values = (*order.what(), anomaly, reported, order.status, execution_id or None)
        self._on_order_anomaly_reported(values, now, None, order.context, _ODD.get(anomaly, 0))
        return fresh

    def _first_of(self, tick_ns: int) -> bool:
        """Whether no order before it came from this tick."""
        if tick_ns in self._ticks:
            return False
        self._ticks[tick_ns] = None
        if len(self._ticks) > _TICKS:
            forget_half(self._ticks)
        return True

    def _positive(self, event: str, field: str, value: Any) -> Amount | None:  # noqa: ANN401 - what the bot has
        """A quantity, which is above zero."""
        amount = self._amount(event, field, value)
        if amount is not None and not amount > 0:
            self._complaints.say(f"trading.{event}({field}={amount}): a number above 0 is needed; it is left out")
            return None
        return amount
