"""Which traces and events are kept, changed while the bot runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from otel_trading.settings import Settings

RETENTION = ("traces_retention", "traces_budget", "traces_slow_percentile", "traces_slippage_bps", "traces_max_age")
"""The options of which traces are kept once they are complete."""

_ARGUMENTS = {
    "traces_budget": "spans_per_second",
    "traces_slow_percentile": "slow_percentile",
    "traces_slippage_bps": "slippage_bps",
    "traces_max_age": "max_age",
}
_SDK = "engine=sdk keeps every trace that its sampler takes"
_AT_CONFIGURE = "takes effect with configure(): what began under another sampler is not cut in two"
_NO_EVENTS = "events_enabled=false"


class Sampling:
    """What is changed holds until telemetry is configured anew.

    Args:
        provider: the tracer provider in use; the native one has ``set_retention``.

    """

    def __init__(self, provider: Callable[[], Any]) -> None:
        self._provider = provider
        self._settings: Settings | None = None
        self._changed: dict[str, object] = {}

    def begin(self, settings: Settings) -> None:
        """Hold what the settings say."""
        self._settings = settings
        self._changed = {}

    def fixed(self) -> dict[str, str]:
        """What cannot be changed now, and why."""
        reasons = {"traces_sampler": _AT_CONFIGURE, "traces_sampler_arg": _AT_CONFIGURE}
        if not hasattr(self._provider(), "set_retention"):
            reasons |= dict.fromkeys(RETENTION, _SDK)
        if self._settings is None or not self._settings.events_enabled:
            reasons["event_sampling_rate"] = _NO_EVENTS
        return reasons

    def values(self) -> dict[str, object]:
        """What holds now, by option."""
        names = (*RETENTION, "event_sampling_rate", "traces_sampler", "traces_sampler_arg")
        return {name: self._value(name) for name in names}

    def change(self, wanted: Mapping[str, object]) -> None:
        """Hold these from now on; ``PermissionError`` with the reason when one of them is fixed."""
        fixed = self.fixed()
        for name in wanted:
            if name in fixed:
                raise PermissionError(f"{name} cannot be changed while the bot runs: {fixed[name]}")
        self._changed |= wanted
        if any(name in wanted for name in RETENTION):
            arguments = {argument: self._value(name) for name, argument in _ARGUMENTS.items()}
            self._provider().set_retention(self._value("traces_retention"), **arguments)
        if "event_sampling_rate" in wanted:
            from otel_trading.metrics.event_collector import MetricsCollector

            MetricsCollector().sampling_rate = float(str(wanted["event_sampling_rate"]))

    def _value(self, name: str) -> object:
        return self._changed.get(name, getattr(self._settings, name, None))
