"""What the bus says of components, of the trader, and of the state of trading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nautilus_trader.common.enums import ComponentState
from nautilus_trader.model.enums import TradingState

from otel_trading.trading.facade.states import States as Counted

if TYPE_CHECKING:
    from otel_trading.instrument.reporting import Reporting

_BEGINS = frozenset({ComponentState.STARTING, ComponentState.RUNNING, ComponentState.RESUMING})
_OVER = frozenset({ComponentState.STOPPED, ComponentState.DISPOSED, ComponentState.FAULTED})
_HEALTH = {
    ComponentState.RUNNING: "healthy",
    ComponentState.DEGRADED: "degraded",
    ComponentState.STOPPED: "down",
    ComponentState.FAULTED: "down",
    ComponentState.DISPOSED: "down",
}
_FAILED = frozenset({ComponentState.DEGRADED, ComponentState.FAULTED})
_TRADER = "Trader"
_STATE = "trading.health.state"


class States:
    """Hears ``events.system.*``; while a backtest runs, trading events are told by its clock."""

    def __init__(self, said: Reporting, clock: Any, *, live: bool) -> None:  # noqa: ANN401 - nautilus_trader's
        self._trading = said.trading
        self._live = live
        self._health = Counted(_STATE, _STATE)
        self._health.connect(said.meter)
        self._simulated = clock.timestamp_ns
        self._real: Any = None

    def __call__(self, event: Any) -> None:  # noqa: ANN401 - nautilus_trader's ComponentStateChanged
        """Tell it."""
        state = ComponentState(event.state)
        if not self._live:
            self._tell_time(event, state)
        elif state in _HEALTH:
            self._health.change({"trading.health.component": event.component_id.value}, _HEALTH[state])
        if state in _FAILED:
            self._trading.strategy_failed(
                strategy=event.component_id.value,
                error=state.name.lower(),
                time_ns=event.ts_init,
            )

    def risk(self, event: Any) -> None:  # noqa: ANN401 - nautilus_trader's TradingStateChanged
        """Hear ``events.risk``: the risk engine halts trading, and lets it go on."""
        if event.state == TradingState.HALTED:
            self._trading.halted("risk_engine", time_ns=event.ts_init)
        elif event.state == TradingState.ACTIVE:
            self._trading.resumed("risk_engine", time_ns=event.ts_init)

    def close(self) -> None:
        """Give the clock back."""
        if self._real is not None:
            if self._trading.clock is self._simulated:
                self._trading.clock = self._real
            self._real = None

    def _tell_time(self, event: Any, state: ComponentState) -> None:  # noqa: ANN401
        if state in _BEGINS:
            if self._real is None:
                self._real, self._trading.clock = self._trading.clock, self._simulated
        elif state in _OVER and event.component_type == _TRADER:
            self.close()
