"""What the bot says happened, as metrics, spans and log lines: one method per event.

The names are those of the conventions for trading. Ids are on spans and log lines only, never on a metric.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context
from opentelemetry import trace

from otel_trading.demo.instruments import STRATEGY, Instruments
from otel_trading.demo.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from decimal import Decimal

    from opentelemetry.trace import Span

    from otel_trading import Telemetry
    from otel_trading.demo.bot.bot import Outcome
    from otel_trading.demo.bot.orders import Fill, Order
    from otel_trading.demo.bot.strategy import Signal, VenueName

logger = logging.getLogger("basis_bot")

_SECOND = 1e9
_CLOCK_JUMP = 0.25
_LONGEST_LATENCY = 3600.0


class Report:
    """Takes the bot's events.

    Args:
        telemetry: what ``configure()`` returned.
        now_ns: the bot's clock.
        tally: the same events as plain numbers, for the screen and the summary.

    """

    def __init__(self, telemetry: Telemetry, now_ns: Callable[[], int], tally: Tally | None = None) -> None:
        self.tally = tally or Tally()
        self._tracer = telemetry.tracer
        self._now_ns = now_ns
        self._instruments = Instruments(telemetry, self.tally, now_ns)
        self._tick_ns: int | None = None

    def frame(self, venue: VenueName, stream: str, message: dict[str, Any], received_ns: int) -> None:
        """A frame of market data came in."""
        feed = self.tally.feeds[venue]
        feed.frames[stream] += 1
        self._instruments.frame(venue, stream)
        feed.received_ns = received_ns
        if not feed.connected:
            feed.connected = True
            self._say(f"{venue} connected")
        if stream == "trade":
            feed.last_price = float(message["p"])
        elif stream == "depth":
            self._feed_latency(venue, received_ns / 1e9 - message["E"] / 1e3)

    @contextmanager
    def tick_to_trade(self, signal: Signal) -> Iterator[TradeReport]:
        """A signal fired: a trace that begins when its tick was received."""
        attributes: dict[str, str | float] = {
            "trading.strategy.name": STRATEGY,
            "trading.signal.action": signal.action,
            "trading.signal.basis.bps": signal.basis_bps,
            "trading.opportunity.edge.bps": signal.edge_bps,
            "trading.instrument.symbol": "BTC/USDT",
        }
        started_ns = signal.received_ns
        with self._tracer.start_as_current_span(
            "tick_to_trade", attributes=attributes, start_time=started_ns, end_on_exit=False
        ) as span:
            decided_ns = self._now_ns()
            self._tick_ns = started_ns
            trade_report = TradeReport(self, span, started_ns)
            try:
                yield trade_report
            finally:  # what need not be said before the orders are out is said now
                self._tracer.start_span("signal", attributes=attributes, start_time=started_ns).end(decided_ns)
                self._instruments.stage("signal_generation", (decided_ns - started_ns) / _SECOND)
                self._instruments.opportunity(signal.action, signal.edge_bps)
                span.end(self._now_ns())

    @contextmanager
    def order_execution(self, order: Order) -> Iterator[None]:
        """An order is on its way: a span around the request, and the trace's context for the fills that follow."""
        order.context = otel_context.get_current()
        started_ns = self._now_ns()
        with self._tracer.start_as_current_span(
            "order_execution", attributes=_ids(order), start_time=started_ns, end_on_exit=False
        ) as span:
            try:
                yield
            finally:
                ended_ns = self._now_ns()
                self._instruments.stage("order_execution", (ended_ns - started_ns) / _SECOND)
                span.end(ended_ns)

    def order_submitted(self, order: Order) -> None:
        """The order goes to the venue now; what it takes to say so is part of the time to it."""
        self.tally.orders += 1
        self._instruments.order_submitted(order)
        logger.info("order submitted: %s", _text(order), extra=_ids(order))
        order.sent_ns = self._now_ns()
        if self._tick_ns is not None:
            seconds, self._tick_ns = (order.sent_ns - self._tick_ns) / _SECOND, None
            self._instruments.tick_to_trade(seconds)
            self.tally.tick_to_trade(seconds, trace_id())

    def order_acknowledged(self, order: Order) -> None:
        """The venue has the order."""
        seconds = (self._now_ns() - order.sent_ns) / _SECOND
        self._instruments.order_acknowledged(order, seconds)
        self.tally.acks[order.venue].append(seconds)
        span = trace.get_current_span()
        span.set_attribute("trading.order.id", order.id)
        span.add_event("order.acknowledged", _ids(order), self._now_ns())
        logger.info("order acknowledged after %.1f ms: %s", seconds * 1e3, _text(order), extra=_ids(order))

    def order_rejected(self, order: Order, reason: str, error: Exception) -> None:
        """The venue refused the order."""
        self.tally.rejects += 1
        self._instruments.order_rejected(
            order, reason, type(error).__name__, (self._now_ns() - order.sent_ns) / _SECOND
        )
        ids = {**_ids(order), "trading.order.reject_reason": reason, "error.type": type(error).__name__}
        span = trace.get_current_span()
        span.add_event("order.rejected", ids, self._now_ns())
        span.set_attribute("trading.order.reject_reason", reason)
        span.set_status(trace.StatusCode.ERROR, reason)
        logger.warning("order rejected, %s: %s: %s", reason, _text(order), error, extra=ids)
        self._say(f"rejected ({reason}) {_text(order)}", trace_id())

    def order_unanswered(self, order: Order, error: Exception) -> None:
        """Nobody knows whether the venue has the order."""
        trace.get_current_span().set_status(trace.StatusCode.ERROR, "no answer")
        logger.warning("order without an answer, asking for it: %s: %s", _text(order), error, extra=_ids(order))
        self._say(f"no answer to {_text(order)}", trace_id())

    def order_filled(self, order: Order, fill: Fill, realized: Decimal, position: Decimal) -> None:
        """A fill of the order was booked; it realised so much and left such a position."""
        self.tally.fills += 1
        self.tally.positions[order.venue] = position
        self.tally.commission += fill.commission
        self.tally.realized += realized
        self._instruments.order_filled(order, fill, realized)
        ids = {**_ids(order), "trading.execution.id": fill.id}
        with _within(order):
            logger.info("order filled: %s of %s at %s", fill.quantity, _text(order), fill.price, extra=ids)

    def order_settled(self, order: Order) -> None:
        """The order is final: a span from its submission to its last fill."""
        ended_ns = self._now_ns()
        seconds = (ended_ns - order.sent_ns) / _SECOND
        self._instruments.order_settled(order, seconds)
        attributes = {**_ids(order), "trading.order.status": order.status, "trading.order.filled": str(order.filled)}
        if order.fills:
            self._instruments.stage("order_fill", seconds)
            span = self._tracer.start_span("order_fill", order.context, attributes=attributes, start_time=order.sent_ns)
            for fill in order.fills.values():
                span.add_event(
                    "order.filled",
                    {
                        "trading.execution.id": fill.id,
                        "trading.execution.price": str(fill.price),
                        "trading.execution.quantity": str(fill.quantity),
                    },
                    ended_ns,
                )
            span.end(ended_ns)
        elif order.status != "rejected":
            with _within(order):
                logger.info("order ended without a fill: %s", _text(order), extra=attributes)

    def leg_left_alone(self, quantity: Decimal) -> None:
        """One leg is filled, the other one is not, and taking it back did not work."""
        logger.error("one leg is left alone: %s BTC without a hedge", quantity)
        self._say(f"one leg left alone: {quantity} BTC", trace_id())

    def limit_reached(self, name: str) -> None:
        """A limit keeps the bot from trading; said once."""
        if self.tally.limit != name:
            self.tally.limit = name
            logger.warning("no new position: the limit %s is reached", name, extra={"trading.risk.limit.name": name})
            self._say(f"limit reached: {name}")

    def problem(self, venue: VenueName, error: Exception) -> None:
        """Something failed; the bot goes on."""
        logger.warning("%s: %s: %s", venue, type(error).__name__, error, extra={"error.type": type(error).__name__})
        self._say(f"{venue}: {type(error).__name__}")

    def disconnected(self, venue: VenueName, error: Exception) -> None:
        """A connection broke; the bot comes back."""
        feed = self.tally.feeds[venue]
        if feed.connected:
            feed.connected = False
            feed.reconnects += 1
            self._instruments.reconnect(venue, type(error).__name__)
            self._say(f"{venue}: {type(error).__name__}")
        logger.warning("%s: %s: %s", venue, type(error).__name__, error, extra={"error.type": type(error).__name__})

    def silence(self, venue: VenueName, seconds: float) -> None:
        """The connection is open and nothing comes."""
        logger.warning("%s: no data for %.1f s", venue, seconds)
        self._say(f"{venue}: no data for {seconds:.0f} s")

    def failed(self, error: BaseException) -> None:
        """A trade ended with an error nobody expected."""
        logger.error("trade failed", exc_info=error)
        self._say(f"trade failed: {error!r}")

    def traded(self, outcome: Outcome, span: Span, started_ns: int, realized_before: Decimal) -> None:
        """Both legs are done: the trade's outcome and the profit so far."""
        started_booking_ns = self._now_ns()
        realized = self.tally.realized
        change = realized - realized_before
        self.tally.trades[outcome] += 1
        self._instruments.traded(outcome, (started_booking_ns - started_ns) / _SECOND)
        attributes = {
            "trading.trade.outcome": outcome,
            "trading.pnl.change": float(change),
            "trading.pnl.realized": float(realized),
            "trading.currency": "USDT",
        }
        span.set_attributes(attributes)
        if outcome != "success":
            span.set_status(trace.StatusCode.ERROR, outcome)
        logger.info("trade %s: profit %+.2f USDT, %+.2f in all", outcome, change, realized, extra=attributes)
        self._tracer.start_span("pnl", attributes=attributes, start_time=started_booking_ns).end(self._now_ns())
        self._say(f"trade {outcome}, {change:+.2f} USDT", trace_id())

    def pnl_unrealized(self, profit: Decimal) -> None:
        """What the open position is worth now."""
        self.tally.unrealized = profit

    def _feed_latency(self, venue: VenueName, seconds: float) -> None:
        if abs(seconds) > _LONGEST_LATENCY:
            return  # a recording's own times
        feed = self.tally.feeds[venue]
        if abs(seconds - feed.latency) > _CLOCK_JUMP:
            logger.warning("%s: event times jumped by %+.2f s", venue, feed.latency - seconds)
            self._say(f"{venue}: clock jumped by {feed.latency - seconds:+.2f} s")
        feed.observe(seconds)
        self._instruments.latency(venue, seconds)

    def _say(self, text: str, trace_id: str = "") -> None:
        self.tally.events.append((time.time(), text, trace_id))


class TradeReport:
    """One trade under way."""

    def __init__(self, report: Report, span: Span, started_ns: int) -> None:
        self._report = report
        self._span = span
        self._started_ns = started_ns
        self._realized_before = report.tally.realized

    def completed(self, outcome: Outcome) -> None:
        """The trade is over."""
        self._report.traded(outcome, self._span, self._started_ns, self._realized_before)


def trace_id() -> str:
    """The id of the current trace."""
    return trace.format_trace_id(trace.get_current_span().get_span_context().trace_id)


@contextmanager
def _within(order: Order) -> Iterator[None]:
    """Make the order's trace the current one: news of it arrives on another task."""
    token = otel_context.attach(order.context or otel_context.get_current())
    try:
        yield
    finally:
        otel_context.detach(token)


def _ids(order: Order) -> dict[str, str]:
    return {
        "trading.venue.name": Instruments.VENUES[order.venue],
        "trading.instrument.symbol": order.symbol,
        "trading.order.side": order.side,
        "trading.order.client_id": order.client_id,
        **({"trading.order.id": order.id} if order.id else {}),
    }


def _text(order: Order) -> str:
    return f"{order.side} {order.quantity} {order.symbol} at {order.price} ({order.client_id})"
