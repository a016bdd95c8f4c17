"""Processors that others add to our providers: carried along at a reconfiguration, and never waited for too long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from otel_trading.export import bounded

if TYPE_CHECKING:
    from collections.abc import Callable


class _Processor(Protocol):
    def force_flush(self, timeout_millis: int = 30_000) -> bool: ...

    def shutdown(self) -> None: ...


P = TypeVar("P", bound=_Processor)


class Added(Generic[P]):
    """The processors of others at one provider."""

    def __init__(self) -> None:
        self.processors: list[P] = []

    def flush(self, deadline: float) -> bool:
        """Flush them side by side; False when one is not done by the deadline (monotonic seconds)."""
        return self._all_done([processor.force_flush for processor in self.processors], deadline)

    def shutdown(self, deadline: float) -> bool:
        """Shut them down side by side, once; False when one is not done by the deadline."""
        processors, self.processors = self.processors, []
        return self._all_done([processor.shutdown for processor in processors], deadline)

    @staticmethod
    def _all_done(calls: list[Callable[[], object]], deadline: float) -> bool:
        return bounded.finished(bounded.start(calls, "otel-added"), deadline)
