"""An actor for those who put their system together from configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nautilus_trader.common.actor import Actor
from nautilus_trader.common.config import ActorConfig

from otel_trading.instrument.nautilus.hearing import dismiss, hear
from otel_trading.instrument.reporting import reporting

if TYPE_CHECKING:
    from otel_trading.instrument.reporting import Reporting


class TelemetryActorConfig(ActorConfig, frozen=True):
    """What a ``TelemetryActor`` hears.

    Args:
        data: patterns of topics whose messages are counted as market data, such as ``data.quotes.*``; when not given,
            a live node's quotes, trades, books and bars are, and a backtest's are not.

    """

    data: tuple[str, ...] | None = None


class TelemetryActor(Actor):  # type: ignore[misc]  # nautilus_trader's are not typed
    """Tells the orders, positions, accounts and components of its trader as trading events, from its start on.

    ``engine.add_actor(TelemetryActor())`` or ``node.trader.add_actor(TelemetryActor())``; where ``nautilus-trader`` is
    instrumented it is not needed, and does no harm. ``said`` is where to; the bot's telemetry when not given.
    """

    def __init__(self, config: TelemetryActorConfig | None = None, said: Reporting | None = None) -> None:
        super().__init__(config)
        self._said = said
        self._topics = None if config is None else config.data

    def on_start(self) -> None:
        """Hear the bus from now on; a trader that is started again is heard already."""
        said = self._said or reporting({})
        hear(self.msgbus, self.cache, self.clock, said, self._topics, [f"{self.trader_id}"])

    def on_dispose(self) -> None:
        """Hear it no more."""
        dismiss(self.msgbus)
