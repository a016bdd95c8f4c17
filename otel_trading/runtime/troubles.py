"""What went wrong inside runtime telemetry: counted by component and error, each said once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.metrics import Observation

from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.metrics import CallbackOptions, Meter

_MOST_KINDS = 100


class Troubles:
    """Counts the errors of components as ``trading.runtime.errors``."""

    def __init__(self, meter: Meter) -> None:
        self._counts: dict[tuple[str, str], int] = {}
        meter.create_observable_counter(
            "trading.runtime.errors", [self._observe], "{error}", "Errors inside runtime telemetry, by component."
        )

    def note(self, component: str, error: BaseException) -> None:
        """Count an error; its first of a kind is reported."""
        key = (component, type(error).__qualname__)
        count = self._counts.get(key, 0)
        if count == 0:
            if len(self._counts) >= _MOST_KINDS:
                return
            report(f"runtime telemetry: {component} cannot be measured: {key[1]}: {error}; said once, then counted")
        self._counts[key] = count + 1

    @property
    def total(self) -> int:
        """All errors so far."""
        return sum(list(self._counts.values()))

    def restart_in_child(self) -> None:
        """Count from zero in a forked child."""
        self._counts.clear()

    def _observe(self, _: CallbackOptions) -> Iterable[Observation]:
        for (component, kind), count in list(self._counts.items()):
            yield Observation(count, {"trading.runtime.component": component, "error.type": kind})
