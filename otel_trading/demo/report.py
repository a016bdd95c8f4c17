"""What the bot says happened, through the kit's trading events; and the same as plain numbers for the screen.

The names are those of the conventions for trading. Ids are on spans and log lines only, never on a metric.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from opentelemetry import trace

from otel_trading import ms
from otel_trading.demo.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from decimal import Decimal

    from opentelemetry.trace import Span

    from otel_trading import Telemetry
    from otel_trading.demo.bot.bot import Outcome
    from otel_trading.demo.bot.orders import Fill, Order
    from otel_trading.demo.bot.strategy import Signal, VenueName

STRATEGY = "basis"
CURRENCY = "USDT"

_TYPES = {"bookTicker": "ticker", "trade": "trade", "depth": "book_update"}
_BUDGETS = {"signal_generation": ms(10), "order_execution": ms(100), "order_fill": ms(500)}
_SECOND = 1e9
_MILLION = 1_000_000
_CLOCK_JUMP = 0.25
_LONGEST_LATENCY = 3600.0


class Report:
    """Takes the bot's events.

    Args:
        telemetry: what ``configure()`` returned.
        now_ns: the bot's clock.
        tally: the same events as plain numbers, for the screen and the summary.

    """

    VENUES: ClassVar[dict[VenueName, str]] = {"spot": "binance", "perp": "binanceusdm"}
    SYMBOLS: ClassVar[dict[VenueName, str]] = {"spot": "BTC/USDT", "perp": "BTC/USDT:USDT"}

    def __init__(self, telemetry: Telemetry, now_ns: Callable[[], int], tally: Tally | None = None) -> None:
        self.tally = tally or Tally()
        self._telemetry = telemetry
        self._tracer = telemetry.tracer
        self._now_ns = now_ns
        self._log = telemetry.log("basis_bot")
        self._trading = trading = telemetry.trading
        self._feeds = {
            (venue, stream): trading.feeds.feed(name, f"btcusdt@{stream}", symbol=self.SYMBOLS[venue], type=kind)
            for venue, name in self.VENUES.items()
            for stream, kind in _TYPES.items()
        }
        self._stages = {name: trading.stage(name, budget=budget) for name, budget in _BUDGETS.items()}

    @property
    def stopped(self) -> bool:
        """Whether somebody stopped trading."""
        return self._telemetry.emergency.engaged

    def frame(self, venue: VenueName, stream: str, message: dict[str, Any], received_ns: int) -> None:
        """A frame of market data came in."""
        seen, feed = self.tally.feeds[venue], self._feeds[venue, stream]
        seen.frames[stream] += 1
        seen.received_ns = received_ns
        if not seen.connected:
            seen.connected = True
            self._trading.connection_changed(self.VENUES[venue], "connected", connection="market_data")
            self._say(f"{venue} connected")
        event_ns = 0
        if stream == "bookTicker":
            bid, ask = float(message["b"]), float(message["a"])
            self._trading.book_updated(self.VENUES[venue], self.SYMBOLS[venue], bid=bid, ask=ask)
        elif stream == "trade":
            seen.last_price = float(message["p"])
        elif stream == "depth":
            event_ns = self._event_time(venue, message["E"] * _MILLION, received_ns)
        feed.message(event_ns, received_ns)
        seen.clock_offset = max(0.0, feed.offset)

    @contextmanager
    def tick_to_trade(self, signal: Signal) -> Iterator[TradeReport]:
        """A signal fired: a trace that begins when its tick was received."""
        started_ns, decided_ns = signal.received_ns, self._now_ns()
        tick = self._telemetry.tick_to_trade("BTC/USDT", strategy=STRATEGY, budget=ms(50), received_ns=started_ns)
        with tick as span:
            trade_report = TradeReport(self, span, started_ns)
            try:
                yield trade_report
            except BaseException as error:
                trade_report.failed(error)
                raise
            finally:  # what need not be said before the orders are out is said now
                decision = self._tracer.start_span("signal", start_time=started_ns)
                decision.set_attributes(
                    {"trading.signal.action": signal.action, "trading.signal.basis.bps": signal.basis_bps}
                )
                decision.end(decided_ns)
                self._stages["signal_generation"].record((decided_ns - started_ns) / _SECOND)

    def signal_taken(self, signal: Signal, trade_id: str) -> None:
        """The bot acts on a signal."""
        self._trading.opportunity_detected(
            strategy=STRATEGY,
            route=f"{signal.action} spot-perp",
            edge_bps=signal.edge_bps,
            symbol="BTC/USDT",
            action=signal.action,
        )
        self._trading.trade_started(strategy=STRATEGY, trade_id=trade_id, legs=2, time_ns=signal.received_ns)

    @contextmanager
    def order_execution(self, order: Order) -> Iterator[None]:
        """An order is on its way: a span around the request, inside of the order's own."""
        started_ns = self._now_ns()
        self._order_submitted(order)
        with self._trading.within(order.client_id), self._tracer.start_as_current_span("order_execution"):
            yield
        self._stages["order_execution"].record((self._now_ns() - started_ns) / _SECOND)

    def _order_submitted(self, order: Order) -> None:
        """The order goes to the venue now; what it takes to say so is part of the time to it."""
        self.tally.orders += 1
        venue = order.venue
        self._trading.order_submitted(
            order.client_id,
            venue=self.VENUES[venue],
            symbol=order.symbol,
            side=order.side,
            type="limit",
            time_in_force="ioc",
            quantity=order.quantity,
            price=order.price,
            expected_price=order.expected,
            strategy=STRATEGY,
            reduce_only=order.reduces or None,
        )
        known = self._trading.orders.get(order.client_id)
        if known is not None and known.tick_to_trade is not None:
            self.tally.tick_to_trade(known.tick_to_trade, trace_id())

    def order_acknowledged(self, order: Order) -> None:
        """The venue has the order."""
        self._trading.order_acknowledged(order.client_id, venue_order_id=order.id)
        known = self._trading.orders.get(order.client_id)
        if known is not None:
            self.tally.acks[order.venue].append((known.acknowledged_ns - known.submitted_ns) / _SECOND)

    def order_rejected(self, order: Order, reason: str, error: Exception) -> None:
        """The venue refused the order."""
        self.tally.rejects += 1
        self._trading.order_rejected(order.client_id, reason=reason, error=error)
        self._say(f"rejected ({reason}) {_text(order)}", trace_id())

    def order_unanswered(self, order: Order, error: Exception) -> None:
        """Nobody knows whether the venue has the order."""
        self._trading.order_unanswered(order.client_id, error=error)
        trace.get_current_span().set_status(trace.StatusCode.ERROR, "no answer")
        self._say(f"no answer to {_text(order)}", trace_id())

    def order_filled(self, order: Order, fill: Fill, realized: Decimal, position: Decimal) -> None:
        """A fill of the order was booked; it realised so much and left such a position."""
        self.tally.fills += 1
        self.tally.positions[order.venue] = position
        self.tally.commission += fill.commission
        self.tally.realized += realized
        venue = self.VENUES[order.venue]
        self._trading.order_filled(
            order.client_id,
            quantity=fill.quantity,
            price=fill.price,
            execution_id=fill.id,
            liquidity="maker" if fill.maker else "taker",
            commission=fill.commission,
            commission_currency=CURRENCY,
        )
        self._trading.position_changed(
            *(venue, order.symbol, position),
            notional=abs(position) * fill.price,
            currency=CURRENCY,
            strategy=STRATEGY,
        )
        self._trading.pnl_changed(
            realized, currency=CURRENCY, venue=venue, strategy=STRATEGY, realized=self.tally.realized
        )

    def order_settled(self, order: Order) -> None:
        """The order is final; what the venue did not say of that is said here."""
        known = self._trading.orders.get(order.client_id)
        if known is None:
            return
        if order.fills:
            self._stages["order_fill"].record((self._now_ns() - known.submitted_ns) / _SECOND)
        if not known.open:
            return
        if order.status == "expired":
            self._trading.order_expired(order.client_id)
        elif order.status == "rejected":  # one that the venue does not know after all
            self._trading.order_rejected(order.client_id, reason="unknown_order")
        else:
            self._trading.order_canceled(order.client_id, reason=None if order.status == "canceled" else order.status)

    def leg_left_alone(self, quantity: Decimal) -> None:
        """One leg is filled, the other one is not, and taking it back did not work."""
        self._log.error("one leg is left alone", quantity=quantity)
        self._say(f"one leg left alone: {quantity} BTC", trace_id())

    def limits_used(self, usage: dict[str, tuple[Decimal, Decimal]]) -> None:
        """How much of each limit is used after a fill, and how much is allowed."""
        for name, (used, limit) in usage.items():
            self._trading.limit_checked(name, used=max(used, 0), limit=limit, strategy=STRATEGY)

    def limit_reached(self, name: str, used: Decimal, limit: Decimal) -> None:
        """A limit keeps the bot from trading; said once."""
        if self.tally.limit != name:
            self.tally.limit = name
            self._trading.limit_checked(name, used=used, limit=limit, result="refused", strategy=STRATEGY)
            self._say(f"limit reached: {name}")

    def problem(self, venue: VenueName, error: Exception) -> None:
        """Something failed; the bot goes on."""
        self._log.warning("a venue could not be used", error=error, venue=self.VENUES[venue])
        self._say(f"{venue}: {type(error).__name__}")

    def disconnected(self, venue: VenueName, error: Exception) -> None:
        """A connection broke; the bot comes back."""
        feed = self.tally.feeds[venue]
        if feed.connected:
            feed.connected = False
            feed.reconnects += 1
            self._trading.connection_changed(self.VENUES[venue], "disconnected", connection="market_data", error=error)
            self._say(f"{venue}: {type(error).__name__}")

    def silence(self, venue: VenueName, seconds: float) -> None:
        """The connection is open and nothing comes."""
        self._trading.feed_stale(venue=self.VENUES[venue], symbol=self.SYMBOLS[venue], seconds=seconds)
        self._say(f"{venue}: no data for {seconds:.0f} s")

    def failed(self, error: BaseException) -> None:
        """A trade ended with an error nobody expected."""
        self._trading.strategy_failed(strategy=STRATEGY, error=error)
        self._say(f"trade failed: {error!r}")

    def traded(
        self,
        trade_id: str,
        outcome: Outcome,
        span: Span,
        realized_before: Decimal,
        error: BaseException | None = None,
    ) -> None:
        """Both legs are done: the trade's outcome and the profit so far."""
        started_booking_ns = self._now_ns()
        change = self.tally.realized - realized_before
        self.tally.trades[outcome] += 1
        if outcome != "success":
            span.set_status(trace.StatusCode.ERROR, outcome)
        with self._tracer.start_as_current_span("pnl", start_time=started_booking_ns) as booking:
            booking.set_attribute("trading.pnl.realized", float(self.tally.realized))
            self._trading.trade_completed(
                strategy=STRATEGY, trade_id=trade_id, outcome=outcome, net_profit=change, currency=CURRENCY, error=error
            )
        self._say(f"trade {outcome}, {change:+.2f} USDT", trace_id())

    def pnl_unrealized(self, profit: Decimal) -> None:
        """What the open position is worth now."""
        self.tally.unrealized = profit
        self._trading.pnl_changed(currency=CURRENCY, strategy=STRATEGY, unrealized=profit)

    def _event_time(self, venue: VenueName, event_ns: int, received_ns: int) -> int:
        """When a frame's event was; zero where it is a recording's own time."""
        seconds = (received_ns - event_ns) / _SECOND
        if abs(seconds) > _LONGEST_LATENCY:
            return 0
        feed = self.tally.feeds[venue]
        if abs(seconds - feed.latency) > _CLOCK_JUMP:
            self._say(f"{venue}: clock jumped by {feed.latency - seconds:+.2f} s")
        feed.latency = seconds
        return event_ns

    def _say(self, text: str, trace_id: str = "") -> None:
        self.tally.events.append((time.time(), text, trace_id))


class TradeReport:
    """One trade under way."""

    def __init__(self, report: Report, span: Span, started_ns: int) -> None:
        self._report = report
        self._span = span
        self._trade_id = f"trade-{started_ns}"
        self._realized_before = report.tally.realized

    def begun(self, signal: Signal) -> None:
        """The orders are on their way."""
        self._report.signal_taken(signal, self._trade_id)

    def completed(self, outcome: Outcome) -> None:
        """The trade is over."""
        self._report.traded(self._trade_id, outcome, self._span, self._realized_before)

    def failed(self, error: BaseException) -> None:
        """An error ended it."""
        self._report.traded(self._trade_id, "failed", self._span, self._realized_before, error)


def trace_id() -> str:
    """The id of the current trace."""
    return trace.format_trace_id(trace.get_current_span().get_span_context().trace_id)


def _text(order: Order) -> str:
    return f"{order.side} {order.quantity} {order.symbol} at {order.price} ({order.client_id})"
