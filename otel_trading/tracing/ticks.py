"""The path that a bot repeats at every tick, as traces: what is the same each time is made once."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from otel_trading._native import CurrentSpan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.trace import Tracer, TracerProvider

TICK: ContextVar[int] = ContextVar("otel_trading.tick", default=0)
"""When the current tick began, in nanoseconds since 1970; the core's spans know it themselves."""
SCOPE = "otel_trading.ticks"
NAME = "tick_to_trade"


class Ticks:
    """Starts a trace for each tick; one set of attributes for each symbol and strategy."""

    def __init__(self, provider: Callable[[], TracerProvider]) -> None:
        self._provider = provider
        self._made: dict[tuple[str, str | None, float | None], tuple[Tracer, dict[str, str]]] = {}

    def start(self, symbol: str, strategy: str | None, budget: float | None, received_ns: int | None = None) -> Any:  # noqa: ANN401 - either engine's
        """A context manager whose block is the way from the tick to the order."""
        key = (symbol, strategy, budget)
        try:
            tracer, attributes = self._made[key]
        except KeyError:
            tracer, attributes = self._made[key] = self._make(symbol, strategy, budget)
        if received_ns is None:
            current: Any = tracer.start_as_current_span(NAME, attributes=attributes)
        else:
            current = tracer.start_as_current_span(NAME, attributes=attributes, start_time=received_ns)
        return current if current.__class__ is CurrentSpan else _told(current)

    def _make(self, symbol: str, strategy: str | None, budget: float | None) -> tuple[Tracer, dict[str, str]]:
        attributes = {"trading.instrument.symbol": f"{symbol}"}
        if strategy is not None:
            attributes["trading.strategy.name"] = f"{strategy}"
        # A budget is the tracer's, so there is one for each.
        scope = {} if budget is None else {"budget": budget}
        tracer: Any = self._provider().get_tracer(SCOPE, attributes=scope)
        if hasattr(tracer, "_start_ticks"):  # the core's half of this
            tracer._start_ticks()  # noqa: SLF001
            if budget is not None:
                tracer._set_budget(budget)  # noqa: SLF001
        return tracer, attributes


@contextmanager
def _told(current: Any) -> Iterator[Any]:  # noqa: ANN401 - opentelemetry-sdk's
    """Remember the tick's beginning: the SDK's spans do not know their root."""
    with current as span:
        token = TICK.set(getattr(span, "start_time", None) or 0)
        try:
            yield span
        finally:
            TICK.reset(token)
