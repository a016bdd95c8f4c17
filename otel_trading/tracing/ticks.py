"""The path that a bot repeats at every tick, as traces: what is the same each time is made once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import Tracer, TracerProvider

SCOPE = "otel_trading.ticks"
NAME = "tick_to_trade"


class Ticks:
    """Starts a trace for each tick; one set of attributes for each symbol and strategy."""

    def __init__(self, provider: Callable[[], TracerProvider]) -> None:
        self._provider = provider
        self._made: dict[tuple[str, str | None, float | None], tuple[Tracer, dict[str, str]]] = {}

    def start(self, symbol: str, strategy: str | None, budget: float | None) -> Any:  # noqa: ANN401 - either engine's
        """A context manager whose block is the way from the tick to the order."""
        key = (symbol, strategy, budget)
        try:
            tracer, attributes = self._made[key]
        except KeyError:
            tracer, attributes = self._made[key] = self._make(symbol, strategy, budget)
        return tracer.start_as_current_span(NAME, attributes=attributes)

    def _make(self, symbol: str, strategy: str | None, budget: float | None) -> tuple[Tracer, dict[str, str]]:
        attributes = {"trading.instrument.symbol": f"{symbol}"}
        if strategy is not None:
            attributes["trading.strategy.name"] = f"{strategy}"
        # A budget is the tracer's, so there is one for each.
        scope = {} if budget is None else {"budget": budget}
        tracer: Any = self._provider().get_tracer(SCOPE, attributes=scope)
        if budget is not None and hasattr(tracer, "_set_budget"):
            tracer._set_budget(budget)  # noqa: SLF001 - the core's half of this
        return tracer, attributes
