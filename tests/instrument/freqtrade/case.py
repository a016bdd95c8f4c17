"""The instrumentation of freqtrade in the conformance suite: an operation is an order at a venue on loopback."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from freqtrade.enums import CandleType, RunMode, TradingMode
from freqtrade.exceptions import InsufficientFundsError
from freqtrade.exchange.exchange import Exchange
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.persistence import LocalTrade, Order, Trade
from freqtrade.resolvers import ExchangeResolver
from freqtrade.rpc import RPCManager
from freqtrade.wallets import Wallets

from otel_trading.instrument.freqtrade import FreqtradeInstrumentor
from tests.instrument.freqtrade.local_binance import LocalBinance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.testing import Captured

_EXCHANGE = (
    *("_init_ccxt", "create_order", "create_stoploss", "cancel_order"),
    *("cancel_order_with_result", "cancel_stoploss_order_with_result"),
)
_BACKTESTING = (
    *("backtest", "backtest_loop", "_enter_trade", "_exit_trade"),
    *("check_order_cancel", "check_order_replace", "cancel_open_orders"),
)


class Case:
    """Orders through freqtrade's exchange."""

    name = "freqtrade"
    instrumentor = FreqtradeInstrumentor
    originals: tuple[tuple[object, str], ...] = (
        *((Exchange, name) for name in _EXCHANGE),
        *((Backtesting, name) for name in _BACKTESTING),
        *((Order, name) for name in ("update_from_ccxt_object", "close_bt_order")),
        *((LocalTrade, name) for name in ("recalc_trade_from_orders", "close", "remove_bt_trade")),
        *((FreqtradeBot, name) for name in ("process", "startup")),
        (Trade, "delete"),
        (RPCManager, "__init__"),
        (Wallets, "update"),
    )
    hooks: tuple[str, ...] = ()
    error: type[BaseException] = InsufficientFundsError
    many = 80
    parallel = True
    installed = True

    def __init__(self, venue: LocalBinance) -> None:
        config = venue.config(
            dry_run=False,
            runmode=RunMode.LIVE,
            trading_mode=TradingMode.SPOT,
            candle_type_def=CandleType.SPOT,
            margin_mode="",
        )
        self.exchange: Any = ExchangeResolver.load_exchange(config, validate=False)
        self.exchange.reload_markets(force=True)

    def work(self, count: int) -> None:
        """Buy so many times."""
        for _ in range(count):
            self.order(0.001)

    def fail(self) -> None:
        """Buy more than there is money for."""
        self.order(900)

    def order(self, amount: float) -> Any:
        """Buy."""
        return self.exchange.create_order(
            pair="BTC/USDT", ordertype="limit", side="buy", amount=amount, rate=59_000.0, leverage=1.0
        )

    def counted(self, telemetry: Captured) -> int:
        """How many orders the venue took."""
        return self._total(telemetry, "trading.order.submissions") - self.failures(telemetry)

    def failures(self, telemetry: Captured) -> int:
        """How many it refused."""
        if "trading.execution.reports" not in telemetry.metrics:
            return 0
        points = telemetry.metrics["trading.execution.reports"].points
        return sum(int(each.value or 0) for each in points if each.attributes["trading.execution.type"] == "rejected")

    def _total(self, telemetry: Captured, name: str) -> int:
        return int(telemetry.metrics[name].value) if name in telemetry.metrics else 0


@contextmanager
def case() -> Iterator[Case]:
    """With the venue it needs."""
    with LocalBinance() as venue:
        made = Case(venue)
        try:
            yield made
        finally:
            made.exchange.close()
