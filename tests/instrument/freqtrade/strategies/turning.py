"""A strategy of the tests: it buys with every candle, and sells as soon as it can."""

from __future__ import annotations

from typing import Any

from freqtrade.strategy import IStrategy

from otel_trading.instrument.freqtrade import TelemetryMixin


class Turning(IStrategy):  # type: ignore[misc]  # freqtrade's are not typed
    INTERFACE_VERSION = 3
    timeframe = "5m"
    minimal_roi: dict[str, float] = {}  # noqa: RUF012 - as freqtrade wants it
    stoploss = -0.5
    process_only_new_candles = False
    startup_candle_count = 0

    def populate_indicators(self, dataframe: Any, metadata: dict[str, Any]) -> Any:
        return dataframe

    def populate_entry_trend(self, dataframe: Any, metadata: dict[str, Any]) -> Any:
        dataframe["enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: Any, metadata: dict[str, Any]) -> Any:
        dataframe["exit_long"] = 0
        return dataframe

    def custom_exit(self, pair: str, trade: Any, current_time: Any, *_: Any, **__: Any) -> str | None:
        return "turn" if (current_time - trade.open_date_utc).total_seconds() >= self.patience() else None

    def patience(self) -> float:
        return 1800.0 if self.config["runmode"] == "backtest" else 0.0


class TurningTold(TelemetryMixin, Turning):
    """The same, which brings its telemetry along."""


class Resting(Turning):
    """Bids far below the market."""

    def custom_entry_price(
        self, pair: str, trade: Any, current_time: Any, proposed_rate: float, *_: Any, **__: Any
    ) -> float:
        return proposed_rate * 0.99

    def check_entry_timeout(self, *_: Any, **__: Any) -> bool:
        return bool(self.config["runmode"] != "backtest")
