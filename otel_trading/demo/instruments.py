"""The bot's instruments: names, units and attributes of the conventions for trading, in one place.

What is measured often has a handle bound to its attributes, so that a frame costs nanoseconds; times are taken by
timers, some of them with a budget; what already exists as a number is observed when it is exported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from opentelemetry.metrics import CallbackOptions, Observation

from otel_trading import ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from decimal import Decimal

    from opentelemetry.metrics import Meter

    from otel_trading import Telemetry, Timer
    from otel_trading.demo.bot.orders import Fill, Order
    from otel_trading.demo.bot.strategy import VenueName
    from otel_trading.demo.tally import Tally

STRATEGY = "basis"
CURRENCY = "USDT"

_TYPES = {"bookTicker": "ticker", "trade": "trade", "depth": "book_update"}
_OUTCOMES = ("success", "partial", "failed", "timeout")
_BUDGETS = {"signal_generation": ms(10), "order_execution": ms(100), "order_fill": ms(500)}


class Instruments:
    """Creates the instruments and records into them.

    Args:
        telemetry: what ``configure()`` returned.
        tally: the numbers that are observed.
        now_ns: the bot's clock.

    """

    VENUES: ClassVar[dict[VenueName, str]] = {"spot": "binance", "perp": "binanceusdm"}
    SYMBOLS: ClassVar[dict[VenueName, str]] = {"spot": "BTC/USDT", "perp": "BTC/USDT:USDT"}

    def __init__(self, telemetry: Telemetry, tally: Tally, now_ns: Callable[[], int]) -> None:
        self._telemetry = telemetry
        self._tally = tally
        self._now_ns = now_ns
        self._strategy = {"trading.strategy.name": STRATEGY}
        self._venue = {venue: {"trading.venue.name": name} for venue, name in self.VENUES.items()}
        self._instrument = {
            venue: {**attributes, "trading.instrument.symbol": self.SYMBOLS[venue]}
            for venue, attributes in self._venue.items()
        }
        meter = telemetry.meter
        messages = meter.create_counter("trading.market_data.messages", "{message}", "Frames of market data.")
        self._messages = {
            (venue, stream): messages.bind({**attributes, "trading.market_data.type": kind})
            for venue, attributes in self._instrument.items()
            for stream, kind in _TYPES.items()
        }
        self._detections = meter.create_counter(
            "trading.opportunity.detections", "{opportunity}", "Signals that were acted on."
        )
        self._edge = meter.create_histogram(
            "trading.opportunity.edge.bps", "{bp}", "How far the basis was from its mean when a signal was acted on."
        )
        self._submissions = meter.create_counter("trading.order.submissions", "{order}", "Orders handed to a venue.")
        self._active = meter.create_up_down_counter("trading.order.active", "{order}", "Orders that are not final yet.")
        self._reports = meter.create_counter("trading.execution.reports", "{report}", "What venues reported of orders.")
        self._quantity = meter.create_counter(
            "trading.execution.quantity", "{unit}", "Executed quantity in the base currency."
        )
        self._notional = meter.create_counter(
            "trading.execution.notional", "{currency}", "Executed quantity times price."
        )
        self._commission = meter.create_up_down_counter(
            "trading.execution.commission", "{currency}", "What venues took, less what they gave."
        )
        self._realized = meter.create_up_down_counter(
            "trading.pnl.realized", "{currency}", "Profit of what was closed, net of commissions."
        )
        self._attempts = meter.create_counter("trading.trade.attempts", "{trade}", "Two-leg trades begun.")
        self._completions = meter.create_counter(
            "trading.trade.completions", "{trade}", "Two-leg trades ended, by outcome."
        )
        latency = meter.create_histogram(
            "trading.market_data.latency",
            "s",
            "From the venue's event time to the frame's receipt, the clocks' offset taken out.",
        )
        self._latency = {venue: latency.bind(attributes) for venue, attributes in self._venue.items()}
        self._negative = meter.create_counter(
            "trading.market_data.latency.negative",
            "{observation}",
            "Frames that by the venue's clock came before they were sent.",
        )
        self._reconnects = meter.create_counter(
            "trading.venue.reconnects", "{reconnect}", "Connections that were lost."
        )
        self._time()
        self._observe(meter)

    def frame(self, venue: VenueName, stream: str) -> None:
        """A frame of market data came in."""
        self._messages[venue, stream].add(1)

    def opportunity(self, action: str, edge_bps: float) -> None:
        """A signal fired, and is acted on."""
        attributes = {**self._strategy, "trading.opportunity.route": f"{action} spot-perp"}
        self._detections.add(1, attributes)
        self._edge.record(edge_bps, self._strategy)
        self._attempts.add(1, self._strategy)

    def tick_to_trade(self, seconds: float) -> None:
        """From the tick to the first order."""
        self._tick_to_trade.record(seconds)

    def stage(self, name: str, seconds: float) -> None:
        """How long a stage took."""
        self._stages[name].record(seconds)

    def order_submitted(self, order: Order) -> None:
        """One more order is on its way."""
        attributes = {
            **self._side(order),
            "trading.order.type": "limit",
            "trading.order.time_in_force": "ioc",
            **self._strategy,
        }
        self._submissions.add(1, attributes)
        self._active.add(1, self._side(order))

    def order_acknowledged(self, order: Order, seconds: float) -> None:
        """The venue's answer took so long."""
        self._acks[order.venue].record(seconds)
        self._report(order, "new", "new")

    def order_rejected(self, order: Order, reason: str, error_type: str, seconds: float) -> None:
        """The venue refused."""
        self._ack(order.venue, error_type).record(seconds)
        self._report(order, "rejected", "rejected", {"trading.order.reject_reason": reason})

    def order_filled(self, order: Order, fill: Fill, realized: Decimal) -> None:
        """Part of an order, or all of it, was executed."""
        liquidity = "added" if fill.maker else "removed"
        self._report(order, "trade", order.status, {"trading.execution.liquidity": liquidity})
        instrument = self._instrument[order.venue]
        money = {**self._venue[order.venue], **self._strategy, "trading.currency": CURRENCY}
        self._quantity.add(float(fill.quantity), instrument)
        self._notional.add(float(fill.quantity * fill.price), {**instrument, "trading.currency": CURRENCY})
        self._commission.add(float(fill.commission), money)
        self._realized.add(float(realized), money)

    def order_settled(self, order: Order, seconds: float) -> None:
        """The order is final."""
        self._active.add(-1, self._side(order))
        if order.fills:
            self._fills[order.venue].record(seconds)
        if order.status in {"expired", "canceled"}:
            self._report(order, order.status, order.status)

    def traded(self, outcome: str, seconds: float) -> None:
        """Both legs are done."""
        self._completions.add(1, {**self._strategy, "trading.trade.outcome": outcome})
        self._trades[outcome].record(seconds)

    def latency(self, venue: VenueName, seconds: float) -> None:
        """A frame's age by the venue's clock; where it is negative the clocks are apart, and that is taken out."""
        if seconds < 0.0:
            self._negative.add(1, self._venue[venue])
        self._latency[venue].record(max(0.0, seconds + self._tally.feeds[venue].clock_offset))

    def reconnect(self, venue: VenueName, error_type: str) -> None:
        """The connection was lost."""
        self._reconnects.add(1, {**self._venue[venue], "error.type": error_type})

    def _side(self, order: Order) -> dict[str, str]:
        return {**self._instrument[order.venue], "trading.order.side": order.side}

    def _report(self, order: Order, kind: str, status: str, more: dict[str, str] | None = None) -> None:
        attributes = {
            **self._side(order),
            "trading.execution.type": kind,
            "trading.order.status": status,
            **(more or {}),
        }
        self._reports.add(1, attributes)

    def _ack(self, venue: VenueName, error_type: str = "") -> Timer:
        attributes = {**self._venue[venue], "trading.order.type": "limit"}
        return self._telemetry.timer(
            "trading.order.ack.duration",
            description="From an order's submission to the venue's answer.",
            attributes={**attributes, "error.type": error_type} if error_type else attributes,
        )

    def _time(self) -> None:
        timer = self._telemetry.timer
        self._acks = {venue: self._ack(venue) for venue in self.VENUES}
        self._tick_to_trade = timer(
            "trading.tick_to_trade.duration",
            budget=ms(50),
            description="From a tick's receipt to the first order it led to.",
            attributes={"trading.instrument.symbol": self.SYMBOLS["spot"], **self._strategy},
        )
        self._stages = {
            name: timer(
                "trading.stage.duration",
                budget=budget,
                description="Time a stage of the bot took, from its start to its end.",
                attributes={"trading.stage.name": name},
            )
            for name, budget in _BUDGETS.items()
        }
        self._fills = {
            venue: timer(
                "trading.order.fill.duration",
                description="From an order's submission to its last fill.",
                attributes=attributes,
            )
            for venue, attributes in self._venue.items()
        }
        self._trades = {
            outcome: timer(
                "trading.trade.duration",
                description="From the tick to the end of the trade it led to.",
                attributes={**self._strategy, "trading.trade.outcome": outcome},
            )
            for outcome in _OUTCOMES
        }

    def _observe(self, meter: Meter) -> None:
        meter.create_observable_gauge(
            "trading.market_data.age", [self._ages], "s", "Time since the last frame of market data."
        )
        meter.create_observable_gauge(
            "trading.clock.offset", [self._offsets], "s", "How far the venue's clock is at least ahead of ours."
        )
        meter.create_observable_gauge(
            "trading.position.quantity", [self._positions], "{unit}", "The position, negative when short."
        )
        meter.create_observable_gauge(
            "trading.pnl.unrealized",
            [self._unrealized],
            "{currency}",
            "What the open position is worth at mid prices, less what it cost.",
        )
        meter.create_observable_up_down_counter(
            "trading.venue.connection.state",
            [self._connections],
            "{connection}",
            "1 for the state of the connection, 0 for the others.",
        )

    def _ages(self, _: CallbackOptions) -> Iterable[Observation]:
        for venue, feed in self._tally.feeds.items():
            if feed.received_ns:
                age = max(0.0, (self._now_ns() - feed.received_ns) / 1e9)
                yield Observation(age, self._instrument[venue])

    def _offsets(self, _: CallbackOptions) -> Iterable[Observation]:
        for venue, feed in self._tally.feeds.items():
            yield Observation(feed.clock_offset, self._venue[venue])

    def _positions(self, _: CallbackOptions) -> Iterable[Observation]:
        for venue, quantity in self._tally.positions.items():
            yield Observation(float(quantity), {**self._instrument[venue], **self._strategy})

    def _unrealized(self, _: CallbackOptions) -> Iterable[Observation]:
        attributes = {**self._strategy, "trading.currency": CURRENCY}
        yield Observation(float(self._tally.unrealized), attributes)

    def _connections(self, _: CallbackOptions) -> Iterable[Observation]:
        for venue, feed in self._tally.feeds.items():
            for state, is_now in (("connected", feed.connected), ("disconnected", not feed.connected)):
                yield Observation(int(is_now), {**self._venue[venue], "trading.connection.state": state})
