"""Keys that others have for options of the kit: files that are written for them are understood as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Key(NamedTuple):
    """A key in a file: the options it stands for, and how its values become theirs."""

    options: tuple[str, ...]
    convert: Callable[[Any], Any] = lambda value: value


def _seconds(milliseconds: object) -> object:
    number = isinstance(milliseconds, int | float) and not isinstance(milliseconds, bool)
    return milliseconds / 1_000 if number else milliseconds  # type: ignore[operator]  # it is one


def _budgets(thresholds: object) -> object:
    """Stages by the names that the kit has for them; a number is seconds."""
    if not isinstance(thresholds, Mapping):
        return thresholds
    return {str(stage).lower(): _duration(limit) for stage, limit in thresholds.items()}


def _duration(limit: object) -> object:
    return f"{limit}s" if isinstance(limit, int | float) and not isinstance(limit, bool) else limit


KEYS: dict[str, Key] = {
    "telemetry.metrics_enabled": Key(("metrics_enabled",)),
    "telemetry.metrics_port": Key(("ops_port",)),
    "metrics.sampling_rate": Key(("event_sampling_rate",)),
    "metrics.buffer_size": Key(("event_buffer_size",)),
    "metrics.aggregation_interval_ms": Key(("event_interval",), _seconds),
    "metrics.export_interval_s": Key(("metric_interval", "metrics_file_interval")),
    "metrics.sla_thresholds": Key(("budgets",), _budgets),
    "metrics.export_enabled": Key(("events_exported",)),
}
"""Options by the keys that others write, with dots between tables."""

PARTS: dict[str, tuple[str, str]] = {
    "alerts.slack": ("alerts_channels", "slack"),
    "alerts.telegram": ("alerts_channels", "telegram"),
}
"""Tables that are parts of an option's table: the option, and the part's name."""

OF_THE_BOT = "bot"
"""The table that is the bot's own; see ``Telemetry.watch_config``."""
