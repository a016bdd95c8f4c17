"""What the bot says of opportunities, trades and settlements."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from otel_trading import forks
from otel_trading.trading.conventions import INSTRUMENTS, create
from otel_trading.trading.conventions.enums import TradeOutcome
from otel_trading.trading.events.model import Level
from otel_trading.trading.facade.base import Reporter, Words, kind_of, text

if TYPE_CHECKING:
    from otel_trading.metrics.instruments import Meter
    from otel_trading.metrics.timer import Timer

_SECOND = 1e9
_TRADES = 10_000
"""Trades under way that are remembered."""


class TradeEvents(Reporter):
    """Opportunities, trades of one leg or several, settlements, strategies."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as the base takes them
        self._started: OrderedDict[str, tuple[int, str | None]] = OrderedDict()
        self._trades_lock = forks.lock()
        self._outcome = Words(TradeOutcome)
        super().__init__(*args, **kwargs)

    def connect(self, meter: Meter, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as the base's
        """See ``Reporter``."""
        super().connect(meter, *args, **kwargs)
        self._active_trades: Any = create(meter, "trading.trade.active")

    def opportunity_detected(
        self,
        *,
        strategy: str | None = None,
        route: str | None = None,
        edge_bps: object = None,
        edge: object = None,
        currency: str | None = None,
        quantity: object = None,
        venue: str | None = None,
        symbol: str | None = None,
        opportunity_id: object = None,
        action: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """An opportunity was found: what it should earn, in basis points or in money, and by which route."""
        try:
            amount = self._amount
            values = (
                *(strategy, route, venue, symbol, text(opportunity_id) or None),
                amount("opportunity_detected", "edge_bps", edge_bps),
                amount("opportunity_detected", "edge", edge),
                currency,
                amount("opportunity_detected", "quantity", quantity),
                action,
            )
            self._say("opportunity_detected", values, time_ns)
        except Exception as error:
            self._failed("opportunity_detected", error)

    def trade_planned(
        self,
        *,
        strategy: str | None = None,
        route: str | None = None,
        pair_id: object = None,
        trade_id: object = None,
        legs: int | None = None,
        edge: object = None,
        edge_bps: object = None,
        currency: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """The legs of a trade were decided on."""
        try:
            values = (
                *(strategy, route, text(pair_id) or None, text(trade_id) or None, legs),
                self._amount("trade_planned", "edge", edge),
                self._amount("trade_planned", "edge_bps", edge_bps),
                currency,
            )
            self._say("trade_planned", values, time_ns)
        except Exception as error:
            self._failed("trade_planned", error)

    def trade_started(
        self,
        *,
        strategy: str | None = None,
        route: str | None = None,
        pair_id: object = None,
        trade_id: object = None,
        legs: int | None = None,
        timeout_seconds: float | None = None,
        time_ns: int | None = None,
    ) -> None:
        """The first order of a trade goes out; its end is told with the same ``trade_id``, or else ``pair_id``."""
        try:
            now = time_ns or self.clock()
            key = text(trade_id) or text(pair_id)
            if key:
                self._remember(key, now, strategy)
            values = (strategy, route, text(pair_id) or None, text(trade_id) or None, legs, timeout_seconds)
            self._say("trade_started", values, now)
        except Exception as error:
            self._failed("trade_started", error)

    def trade_completed(
        self,
        *,
        outcome: object = "success",
        strategy: str | None = None,
        venue: str | None = None,
        symbol: str | None = None,
        pair_id: object = None,
        trade_id: object = None,
        currency: str | None = None,
        quantity: object = None,
        edge: object = None,
        realized_edge: object = None,
        net_profit: object = None,
        fees: object = None,
        slippage: object = None,
        legs: int | None = None,
        duration: float | None = None,
        error: BaseException | str | None = None,
        text_: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """A trade of one leg or several ended.

        Args:
            outcome: ``success``, ``partial`` (a leg is missing), ``failed`` or ``timeout``.
            strategy: the bot's name for it.
            venue: where it has one.
            symbol: where it has one.
            pair_id: what joins its orders, FIX ListID (66).
            trade_id: its own id, FIX TradeID (1003).
            currency: of the amounts.
            quantity: of each leg, in the base currency.
            edge: what it was expected to earn.
            realized_edge: what it earned before fees.
            net_profit: what it earned after fees, below zero for a loss.
            fees: all its commissions.
            slippage: what its executions cost more than expected.
            legs: how many.
            duration: how long it took, in seconds; since ``trade_started`` when not given.
            error: why it failed.
            text_: the same in words.
            time_ns: when it happened, in nanoseconds since 1970; now when not given.

        """
        try:
            now = time_ns or self.clock()
            started = self._forget(text(trade_id) or text(pair_id))
            if duration is None and started:
                duration = (now - started) / _SECOND
            amount = self._amount
            net = amount("trade_completed", "net_profit", net_profit)
            values = (
                *(strategy, venue, symbol, text(pair_id) or None, text(trade_id) or None),
                *(self._outcome(outcome), kind_of(error), currency),
                amount("trade_completed", "quantity", quantity),
                amount("trade_completed", "edge", edge),
                amount("trade_completed", "realized_edge", realized_edge),
                net,
                amount("trade_completed", "fees", fees),
                amount("trade_completed", "slippage", slippage),
                *(legs, duration),
                text_ if text_ is not None else None if error is None else str(error),
                net if net is not None and net >= 0 else None,
                -net if net is not None and net < 0 else None,
            )
            self._say("trade_completed", values, now, 0 if outcome == "success" else Level.WARNING)
        except Exception as fault:
            self._failed("trade_completed", fault)

    def settlement_completed(
        self,
        order: object = None,
        /,
        *,
        outcome: str = "settled",
        duration: float | None = None,
        execution_id: object = None,
        transaction: object = None,
        client_order_id: object = None,
        venue_order_id: object = None,
        venue: str | None = None,
        symbol: str | None = None,
        text_: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """An execution was settled, failed to, or took too long: ``settled``, ``failed`` or ``timeout``.

        At prediction markets a matched order may be settled on the chain tens of seconds later, or never. ``duration``
        is in seconds since the execution.
        """
        try:
            client_id, venue_id = text(order) or text(client_order_id), text(venue_order_id)
            values = (
                *(venue, symbol, client_id or None, venue_id or None, text(execution_id) or None),
                *(outcome, text(transaction) or None, duration, text_),
            )
            self._say("settlement_completed", values, time_ns, 0 if outcome == "settled" else Level.ERROR)
        except Exception as error:
            self._failed("settlement_completed", error)

    def chain_transaction(
        self,
        *,
        chain: str,
        outcome: str = "confirmed",
        transaction: object = None,
        block: int | None = None,
        gas: object = None,
        priority_fee: object = None,
        compute_units: object = None,
        currency: str | None = None,
        duration: float | None = None,
        time_ns: int | None = None,
    ) -> None:
        """A block chain's transaction ended: ``confirmed``, ``failed`` or ``dropped``."""
        try:
            amount = self._amount
            values = (
                *(chain, text(transaction) or None, outcome, block),
                amount("chain_transaction", "gas", gas),
                amount("chain_transaction", "priority_fee", priority_fee),
                amount("chain_transaction", "compute_units", compute_units),
                *(currency, duration),
            )
            self._say("chain_transaction", values, time_ns, 0 if outcome == "confirmed" else Level.WARNING)
        except Exception as error:
            self._failed("chain_transaction", error)

    def stage(self, name: str, *, budget: float | None = None) -> Timer:
        """The timer of a stage of the bot's work, for ``trading.stage.duration``; the same one for the same name.

        ``with stage.time():``, ``stage.record(seconds)`` or ``@stage.timed``; what takes longer than ``budget`` seconds
        is counted and said.
        """
        if self._timer is None:
            raise RuntimeError("stages are timed by the trading events of telemetry")
        return self._timer(
            "trading.stage.duration",
            budget=budget,
            description=INSTRUMENTS["trading.stage.duration"].description,
            attributes={"trading.stage.name": name},
        )

    def strategy_failed(
        self, *, strategy: str | None = None, error: BaseException | str, time_ns: int | None = None
    ) -> None:
        """An error ended a strategy's work."""
        try:
            self._say("strategy_failed", (strategy, kind_of(error), str(error)), time_ns)
        except Exception as fault:
            self._failed("strategy_failed", fault)

    def _remember(self, key: str, now: int, strategy: str | None) -> None:
        with self._trades_lock:
            if key in self._started:
                return
            self._started[key] = now, strategy
            self._count(strategy, 1)
            if len(self._started) > _TRADES:
                _, (_, gone) = self._started.popitem(last=False)
                self._count(gone, -1)

    def _forget(self, key: str) -> int:
        """When it was started; zero when nobody said so."""
        with self._trades_lock:
            started, strategy = self._started.pop(key, (0, None))
            if started:
                self._count(strategy, -1)
            return started

    def _count(self, strategy: str | None, amount: int) -> None:
        self._active_trades.add(amount, {} if strategy is None else {"trading.strategy.name": strategy})
