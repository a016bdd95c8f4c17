"""freqtrade's backtests: trading events are told by the time of the candles."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from otel_trading.instrument.freqtrade.telling import nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.instrument.freqtrade.telling import Telling
    from otel_trading.instrument.patching import Patches

_BACKTEST = "backtest"

Make = "Callable[[Callable[..., Any]], Callable[..., Any]]"


def patch(patches: Patches, telling: Telling, module: Any) -> None:  # noqa: ANN401 - freqtrade.optimize.backtesting
    """Hear the candle loop."""
    loop = Loop(telling)
    patches.wrap(module.Backtesting, "backtest", loop.runs)
    patches.wrap(module.Backtesting, "backtest_loop", loop.steps)
    patches.wrap(module.Backtesting, "_enter_trade", loop.orders)
    patches.wrap(module.Backtesting, "_exit_trade", loop.orders)
    patches.wrap(module.Backtesting, "check_order_cancel", loop.ends_of_order("timeout"))
    patches.wrap(module.Backtesting, "check_order_replace", loop.ends_of_order("replaced"))
    patches.wrap(module.Backtesting, "cancel_open_orders", loop.cancellations)
    patches.wrap(module.Order, "close_bt_order", loop.fills)
    patches.wrap(module.LocalTrade, "remove_bt_trade", loop.removals)


class Loop:
    """The candle loop that runs."""

    def __init__(self, telling: Telling) -> None:
        self._telling = telling
        self._now = 0
        self._started: set[int] = set()

    def now(self) -> int:
        """The candle's time."""
        return self._now

    def runs(self, backtest: Callable[..., Any]) -> Callable[..., Any]:
        """A whole run, by its own clock."""
        telling, trading = self._telling, self._telling.trading

        @wraps(backtest)
        def run(own: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - freqtrade's
            silent, clock = telling.silent, trading.clock
            telling.silent = own.config.get("runmode") != _BACKTEST
            telling.guard(self._begin, own, args, kwargs)
            try:
                return backtest(own, *args, **kwargs)
            finally:
                telling.guard(telling.begin_anew, "the run ended")
                if trading.clock == self.now:
                    trading.clock = clock
                telling.silent = silent

        return run

    def steps(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """One candle of one pair."""

        @wraps(step)
        def stepped(own: Any, row: Any, pair: str, current_time: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            self._now = nanoseconds(current_time)
            return step(own, row, pair, current_time, *args, **kwargs)

        return stepped

    def orders(self, place: Callable[..., Any]) -> Callable[..., Any]:
        """What ends with the trade having another order."""

        @wraps(place)
        def placed(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            trade = place(*args, **kwargs)
            if trade is not None and trade.orders:
                self._telling.guard(self._submitted, trade, trade.orders[-1])
            return trade

        return placed

    def fills(self, close: Callable[..., Any]) -> Callable[..., Any]:
        """An order is filled, all at once."""

        @wraps(close)
        def closed(order: Any, close_date: Any, trade: Any) -> Any:  # noqa: ANN401
            self._telling.guard(self._submitted, trade, order)
            result = close(order, close_date, trade)
            self._telling.guard(self._filled, trade, order, close_date)
            return result

        return closed

    def ends_of_order(self, reason: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """What may take an order away."""

        def make(check: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(check)
            def checked(own: Any, trade: Any, order: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
                result = check(own, trade, order, *args, **kwargs)
                if result or not any(each is order for each in trade.orders):
                    self._telling.guard(self._telling.gone, order.order_id, reason)
                return result

            return checked

        return make

    def cancellations(self, cancel: Callable[..., Any]) -> Callable[..., Any]:
        """What takes all open orders of a trade away."""

        @wraps(cancel)
        def canceled(own: Any, trade: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            before = [order for order in trade.orders if order.ft_is_open]
            result = cancel(own, trade, *args, **kwargs)
            for order in before:
                self._telling.guard(self._telling.gone, order.order_id, "replaced")
            return result

        return canceled

    def removals(self, remove: Callable[..., Any]) -> Callable[..., Any]:
        """A trade whose entry was never filled is taken out of the books."""

        @wraps(remove)
        def removed(trade: Any) -> Any:  # noqa: ANN401
            self._telling.guard(self._removed, trade)
            return remove(trade)

        return staticmethod(removed)

    def _begin(self, own: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:  # noqa: ANN401
        telling = self._telling
        telling.begin_anew("the run ended")
        telling.strategy = own.strategy.get_strategy_name()
        start = kwargs.get("start_date") or (args[1] if len(args) > 1 else None)
        self._now = nanoseconds(start) if start is not None else 0
        self._started.clear()
        telling.trading.clock = self.now

    def _submitted(self, trade: Any, order: Any) -> None:  # noqa: ANN401
        telling = self._telling
        if trade.id not in self._started:
            self._started.add(trade.id)
            telling.trading.trade_started(strategy=telling.strategy, trade_id=trade.id)
        if not telling.knows(order.order_id):
            telling.submitted(
                order.order_id,
                venue=trade.exchange,
                symbol=trade.pair,
                side=order.side,
                type=order.order_type,
                quantity=order.amount,
                price=order.ft_price,
                expected_price=order.ft_price,
            )

    def _filled(self, trade: Any, order: Any, close_date: Any) -> None:  # noqa: ANN401
        rate = trade.fee_open if order.side == trade.entry_side else trade.fee_close
        self._telling.updated(
            order.order_id,
            status="closed",
            filled=order.amount,
            price=order.ft_price,
            fee={"cost": order.amount * order.ft_price * (rate or 0), "currency": trade.stake_currency},
            time_ns=nanoseconds(close_date),
        )

    def _removed(self, trade: Any) -> None:  # noqa: ANN401
        for order in trade.orders:
            self._telling.gone(order.order_id, "entry canceled")
        self._telling.trade_gone(trade)
