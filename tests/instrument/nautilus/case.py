"""The instrumentation of nautilus_trader in the conformance suite: an operation is an order of a backtest."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from nautilus_trader.system.kernel import NautilusKernel

from otel_trading.instrument.nautilus import NautilusInstrumentor
from tests.instrument.nautilus.backtests import Flipping, Greedy, engine, ticks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.testing import Captured


class Case:
    """Backtests."""

    name = "nautilus-trader"
    instrumentor = NautilusInstrumentor
    originals: ClassVar[tuple[tuple[object, str], ...]] = (
        (NautilusKernel, "__init__"),
        (NautilusKernel, "start"),
        (NautilusKernel, "start_async"),
        (NautilusKernel, "dispose"),
    )
    hooks: ClassVar[tuple[str, ...]] = ()
    error = LookupError
    many = 300
    parallel = False
    installed = True

    def work(self, count: int) -> None:
        """Place so many orders."""
        backtest = engine(Flipping(every=1), ticks(count))
        backtest.run()
        backtest.dispose()

    def fail(self) -> None:
        """Place an order that the risk engine denies, which the strategy takes badly."""
        backtest = engine(Greedy(every=1), ticks(1))
        try:
            backtest.run()
        finally:
            backtest.dispose()

    def counted(self, telemetry: Captured) -> int:
        """How many orders telemetry counted."""
        name = "trading.order.submissions"
        return int(telemetry.metrics[name].value) if name in telemetry.metrics else 0

    def failures(self, telemetry: Captured) -> int:
        """How many of them were denied."""
        name = "trading.risk.checks"
        return int(telemetry.metrics[name].value) if name in telemetry.metrics else 0


@contextmanager
def case() -> Iterator[Case]:
    """Nothing has to be started."""
    yield Case()
