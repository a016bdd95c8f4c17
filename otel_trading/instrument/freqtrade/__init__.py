"""freqtrade: its orders, trades, wallets, protections and messages become trading events.

Live trading and dry runs are heard in freqtrade's own records of orders and trades, which are brought up to date by
whatever it learns from the venue; backtests in the candle loop, by the time of the candles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from otel_trading.imports import when_imported
from otel_trading.instrument.freqtrade.strategy import TelemetryMixin
from otel_trading.instrument.instrumentor import Instrumentor

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from otel_trading.instrument.patching import Patches
    from otel_trading.instrument.reporting import Reporting

__all__ = ["FreqtradeInstrumentor", "TelemetryMixin"]


class FreqtradeInstrumentor(Instrumentor):
    """Hears the bots and backtests of this process, also those that are there already.

    Hyperopt is left alone: nobody looks at thousands of made-up trading days. Where orders go to a venue, ccxt's
    instrumentation measures the requests and leaves the orders to this one.
    """

    packages: ClassVar[tuple[str, ...]] = ("freqtrade >= 2026.1",)

    def _patch(self, patches: Patches, said: Reporting, **given: Any) -> None:  # noqa: ANN401 - the contract's
        from otel_trading.instrument.freqtrade import backtests, bots, records
        from otel_trading.instrument.freqtrade.telling import Telling

        telling = Telling(said)
        parts: dict[str, Callable[[Patches, Telling, Any], None]] = {
            "freqtrade.exchange.exchange": bots.patch_exchange,
            "freqtrade.persistence.trade_model": records.patch,
            "freqtrade.freqtradebot": bots.patch_bot,
            "freqtrade.rpc.rpc_manager": bots.patch_messages,
            "freqtrade.wallets": bots.patch_wallets,
            "freqtrade.optimize.backtesting": backtests.patch,
        }
        for name, part in parts.items():
            patches.afterwards(when_imported(name, _bound(part, patches, telling)))


def _bound(
    part: Callable[[Patches, Any, Any], None], patches: Patches, telling: object
) -> Callable[[ModuleType], None]:
    return lambda module: part(patches, telling, module)
