"""The bot: ticks in, two-leg trades out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

import ccxt

from otel_trading.demo.bot.execution import Executor, Venue
from otel_trading.demo.bot.orders import Fill, Order
from otel_trading.demo.bot.portfolio import DUST, Limits, Portfolio
from otel_trading.demo.bot.strategy import BasisStrategy, Parameters, Quote, Signal, VenueName, opposite

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from otel_trading.demo.bot.strategy import Side
    from otel_trading.demo.report import Report

VENUES: tuple[VenueName, ...] = ("spot", "perp")
SYMBOLS: dict[VenueName, str] = {"spot": "BTC/USDT", "perp": "BTC/USDT:USDT"}

Outcome = Literal["success", "partial", "failed", "timeout"]

_LAST_ATTEMPTS = 3  # at closing the position before the bot ends


@dataclass(frozen=True, slots=True)
class Settings:
    """How the bot trades.

    Args:
        quantity: of each leg, in the base currency.
        slippage_bps: how far beyond the best price a limit may reach.
        stale: seconds after which a quote is too old to trade on.
        pause: seconds between two trades.
        longest_back_off: seconds to wait at most when orders keep being refused.

    """

    quantity: Decimal = Decimal("0.05")
    slippage_bps: float = 1.5
    stale: float = 2.0
    pause: float = 0.05
    longest_back_off: float = 8.0
    strategy: Parameters = field(default_factory=Parameters)
    limits: Limits = field(default_factory=Limits)


class BasisBot:
    """Trades the perpetual against spot on two ccxt.pro clients.

    Args:
        report: what is told of all that happens.
        settings: how to trade.
        now_ns: nanoseconds since the epoch by a clock that never goes back.
        run_id: the beginning of all its client order ids.

    """

    def __init__(
        self, report: Report, settings: Settings | None = None, *, now_ns: Callable[[], int], run_id: str = "basis"
    ) -> None:
        self.settings = settings or Settings()
        self.strategy = BasisStrategy(self.settings.strategy)
        self.portfolio = Portfolio(self.settings.limits)
        self.quotes: dict[VenueName, Quote] = {}
        self._report = report
        self._now_ns = now_ns
        self._client_ids = (f"{run_id}-{number}" for number in count(1))
        self._venues: dict[VenueName, Venue] = {}
        self._executor = Executor(self._venues, report, self._book)
        self._watching: list[asyncio.Task[None]] = []
        self._trading: asyncio.Task[None] | None = None
        self._signal: Signal | None = None
        self._market_time = 0.0
        self._not_before_ns = 0
        self._refusals = 0
        self._stopping = False

    async def connect(self, make: Callable[[VenueName, Callable[[Any, dict[str, Any]], None]], Any]) -> None:
        """Load the markets and subscribe to everything.

        Args:
            make: returns the ccxt.pro client of a venue; it calls back with each frame of market data.

        """
        for name in VENUES:
            exchange, symbol = make(name, partial(self._on_frame, name)), SYMBOLS[name]
            markets = await exchange.load_markets()
            step = Decimal(str(markets[symbol]["precision"]["amount"]))
            self._venues[name] = Venue(name, exchange, symbol, step)
            calls: list[Callable[[], Awaitable[Any]]] = [
                partial(exchange.watch_bids_asks, [symbol]),
                partial(exchange.watch_trades, symbol),
                partial(exchange.watch_order_book, symbol),
            ]
            self._watching += [asyncio.create_task(self._keep(name, call)) for call in calls]
            orders = self._keep(name, partial(exchange.watch_orders, symbol), self._executor.on_orders)
            self._watching.append(asyncio.create_task(orders))
        self._watching.append(asyncio.create_task(self._watch_over()))

    async def stop(self, *, close_position: bool = True) -> None:
        """Finish the trade that is under way, close the position and disconnect.

        Args:
            close_position: False where there is no venue any more to do that on.

        """
        self.stop_new_orders()
        try:
            if close_position:
                await self.close_positions()
            else:
                await self.give_up()
        finally:
            await self.disconnect()

    def stop_new_orders(self) -> None:
        """Begin no more trades."""
        self._stopping = True

    async def close_positions(self) -> None:
        """Finish the trade that is under way, and close the position."""
        if self._trading is not None:
            await asyncio.wait([self._trading])
        for _ in range(_LAST_ATTEMPTS):
            if (way_out := self._way_out()) is not None:
                await self._trade(way_out)

    async def give_up(self) -> None:
        """Leave the trade that is under way as it is."""
        if self._trading is not None:
            self._trading.cancel()
            await asyncio.wait([self._trading])

    async def disconnect(self) -> None:
        """Watch nothing any more, and close the clients."""
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        for venue in self._venues.values():
            await venue.exchange.close()

    def _on_frame(self, venue: VenueName, stream: str, message: dict[str, Any]) -> None:
        """Every frame of market data comes by here, on the event loop."""
        received_ns = self._now_ns()
        self._report.frame(venue, stream, message, received_ns)
        if stream == "bookTicker":
            self.quotes[venue] = Quote(float(message["b"]), float(message["a"]), received_ns)
            if venue == "perp":
                self._market_time = message["T"] / 1000
            self._decide(received_ns)

    def _decide(self, now_ns: int) -> None:
        spot, perp = self.quotes.get("spot"), self.quotes.get("perp")
        if spot is None or perp is None:
            return
        self._signal = self.strategy.on_quotes(spot, perp, self._market_time)
        if self._trading is not None or self._stopping or self._report.stopped or now_ns < self._not_before_ns:
            return
        if self._signal is None and abs(self.portfolio.naked) < DUST:
            return
        if now_ns - min(spot.received_ns, perp.received_ns) > self.settings.stale * 1e9:
            return
        self._trading = asyncio.create_task(self._act())
        self._trading.add_done_callback(self._traded)

    async def _act(self) -> None:
        """Trade on the newest signal: between the tick and this moment others may have come, and taken it back."""
        signal = self._way_out() if abs(self.portfolio.naked) >= DUST else self._signal
        if signal is None:
            return
        refused_by = self.portfolio.refuses(self.settings.quantity) if signal.action == "open" else None
        if refused_by is None:
            await self._trade(signal)
        else:
            self._report.limit_reached(refused_by, *self.portfolio.usage(refused_by))

    def _way_out(self) -> Signal | None:
        """The signal that closes what is held, whatever the basis."""
        holds, strategy = self.portfolio.holds, self.strategy
        if holds is None:
            return None
        return Signal("close", opposite(holds), strategy.basis_bps, abs(strategy.deviation_bps), self._now_ns())

    async def _trade(self, signal: Signal) -> None:
        """Send both legs at once, wait for their fills, and leave no leg alone."""
        with self._report.tick_to_trade(signal) as trade:
            trade.begun(signal)
            legs = [leg for venue in VENUES if (leg := self._leg(venue, signal)) is not None]
            async with asyncio.TaskGroup() as group:
                for leg in legs:
                    group.create_task(self._executor.execute(leg))
            outcome = _outcome(legs)
            await self._unwind()
            self.strategy.holds(self.portfolio.holds)
            trade.completed(outcome)
        self._back_off(refused=any(leg.status == "rejected" for leg in legs))

    async def _unwind(self) -> None:
        """Bring the venue that has more back to what the other one has."""
        for attempt in range(1, 6):
            naked = self.portfolio.naked
            order = self._unwinding(naked, attempt)
            if order is None:
                return
            await self._executor.execute(order)
            if order.status == "rejected":
                await asyncio.sleep(0.1 * 2**attempt)
        self._report.leg_left_alone(self.portfolio.naked)

    def _leg(self, name: VenueName, signal: Signal) -> Order | None:
        quantity = self.settings.quantity
        if signal.action == "close":
            quantity = self._venues[name].whole(abs(self.portfolio.positions[name].quantity))
        if not quantity:
            return None
        return self._order(name, signal.side(name), quantity, reduces=signal.action == "close")

    def _unwinding(self, naked: Decimal, attempt: int) -> Order | None:
        """The order that takes the unhedged part back; each attempt may pay more. None for dust."""
        positions = self.portfolio.positions
        name = max(VENUES, key=lambda venue: abs(positions[venue].quantity))
        quantity = self._venues[name].whole(abs(naked))
        if not quantity or abs(naked) < DUST:
            return None
        side: Side = "sell" if naked > 0 else "buy"
        return self._order(name, side, quantity, purpose="unwind", reduces=True, reach=4 * attempt)

    def _order(
        self,
        name: VenueName,
        side: Side,
        quantity: Decimal,
        *,
        purpose: Literal["leg", "unwind"] = "leg",
        reduces: bool = False,
        reach: int = 1,
    ) -> Order:
        venue, quote = self._venues[name], self.quotes[name]
        slippage = self.settings.slippage_bps * reach / 1e4
        seen = quote.ask if side == "buy" else quote.bid
        limit = venue.limit(seen * (1 + slippage if side == "buy" else 1 - slippage))
        expected = Decimal(str(seen))
        return Order(
            next(self._client_ids), name, venue.symbol, side, quantity, limit, purpose, reduces, expected=expected
        )

    def _book(self, order: Order, fill: Fill) -> None:
        realized = self.portfolio.take(order, fill)
        self._report.order_filled(order, fill, realized, self.portfolio.positions[order.venue].quantity)
        self._report.limits_used({name: self.portfolio.usage(name) for name in ("position", "daily_loss")})

    def _traded(self, task: asyncio.Task[None]) -> None:
        self._trading = None
        if not task.cancelled() and (error := task.exception()) is not None:
            self._report.failed(error)
            self._back_off(refused=True)

    def _back_off(self, *, refused: bool) -> None:
        self._refusals = self._refusals + 1 if refused else 0
        seconds = min(0.25 * 2**self._refusals, self.settings.longest_back_off) if refused else self.settings.pause
        self._not_before_ns = self._now_ns() + round(seconds * 1e9)

    async def _watch_over(self) -> None:
        """Twice a second: what the position is worth, and whether a venue has gone silent on an open connection."""
        silent: set[VenueName] = set()
        while True:
            await asyncio.sleep(0.5)
            self._report.pnl_unrealized(self.portfolio.unrealized(self.quotes))
            for venue, quote in self.quotes.items():
                seconds = (self._now_ns() - quote.received_ns) / 1e9
                if seconds <= self.settings.stale:
                    silent.discard(venue)
                elif venue not in silent:
                    silent.add(venue)
                    self._report.silence(venue, seconds)

    async def _keep(
        self, venue: VenueName, watch: Callable[[], Awaitable[Any]], use: Callable[[Any], None] | None = None
    ) -> None:
        """Watch for ever; ccxt connects and subscribes again at the next call after an error."""
        while True:
            try:
                news = await watch()
                if use is not None:
                    use(news)
            except ccxt.NetworkError as error:
                self._report.disconnected(venue, error)
                await asyncio.sleep(0.25)
            except Exception as error:
                self._report.problem(venue, error)
                await asyncio.sleep(0.25)


def _outcome(legs: list[Order]) -> Outcome:
    if any(not leg.done.is_set() for leg in legs):
        return "timeout"
    filled = [leg.filled for leg in legs]
    if not any(filled):
        return "failed"
    return "success" if all(leg.filled == leg.quantity for leg in legs) else "partial"
