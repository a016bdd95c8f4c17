"""Processors that others add to our providers: carried along at a reconfiguration, and never waited for too long.

What they raise costs themselves. They are called where the bot ends its spans and logs its lines, as the SDK does, so
one that takes its time there takes the bot's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

from otel_trading.export import bounded
from otel_trading.settings import report

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

    def add(self, processor: P) -> P:
        """Take one; what is to be added to providers in its place."""
        known = next((each for each in self.processors if cast("_Guarded", each).processor is processor), None)
        if known is not None:
            return known
        self.processors.append(cast("P", _Guarded(processor)))
        return self.processors[-1]

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


class _Guarded:
    """A processor that raises nothing; a failure is an answer of ``False``, and is said once for each method."""

    def __init__(self, processor: object) -> None:
        self.processor = processor

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the SDK asks of processors
        method = getattr(self.processor, name)
        if not callable(method):
            return method
        said = False

        def guarded(*args: object, **kwargs: object) -> object:
            nonlocal said
            try:
                return method(*args, **kwargs)
            except Exception as error:
                if not said:
                    said = True
                    kind = type(self.processor).__name__
                    report(f"processor {kind}: {name} fails: {type(error).__name__}: {error}; it is not said again")
                return False

        setattr(self, name, guarded)
        return guarded
