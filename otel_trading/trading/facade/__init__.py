"""``telemetry.trading``: the bot says what happened, and everything else follows."""

from __future__ import annotations

from otel_trading.settings.complaints import Complaints
from otel_trading.trading.facade.market import MarketEvents
from otel_trading.trading.facade.money import MoneyEvents
from otel_trading.trading.facade.orders import OrderEvents
from otel_trading.trading.facade.risk import RiskEvents
from otel_trading.trading.facade.trades import TradeEvents


class Trading(OrderEvents, TradeEvents, MarketEvents, MoneyEvents, RiskEvents):
    """One method for each thing that can happen; each becomes metrics, a log line and a part of the current trace.

    Made by ``configure()``. No call raises, blocks or waits: what cannot be used is left out and said once. Amounts may
    be ``Decimal``, numbers or the texts that venues send.

    >>> import otel_trading as ot
    >>> telemetry = ot.configure(traces_exporter="none", metrics_exporter="none", logs_exporter="none",
    ...                          ops_port=0, banner=False)
    >>> trading = telemetry.trading
    >>> trading.order_submitted("c-1", venue="binance", symbol="BTC/USDT", side="buy", type="limit", quantity="0.5",
    ...                         price=27_000)
    >>> trading.order_acknowledged("c-1", venue_order_id="987")
    >>> trading.order_filled("c-1", quantity=0.2, price=26_999.5, execution_id="t-1", liquidity="maker")
    >>> trading.orders.get("c-1").status, len(trading.orders)
    ('partially_filled', 1)
    >>> trading.order_canceled("c-1", reason="timeout")
    >>> len(trading.orders)
    0
    >>> telemetry.shutdown()
    True
    """

    def begin_anew(self) -> None:
        """Begin at nothing, as at the start of a test: no subscription is known either."""
        self.forget()
        self.feeds.clear()
        self._known_feeds.clear()

    def forget(self) -> None:
        """Begin at nothing, as in a forked child: orders, positions and trades are the parent's."""
        self.orders.clear()
        self.sessions.clear()
        self._opened.clear()
        self.positions.clear()
        self._started.clear()
        self._ticks.clear()
        self.failures.clear()
        self._complaints = Complaints("trading events")
        self.feeds.restart_in_child()
        self.staleness.clear()
        for states in (self._connections, self._breakers, self._trading_state):
            states.clear()
        self._left.clear()


__all__ = ["Trading"]
