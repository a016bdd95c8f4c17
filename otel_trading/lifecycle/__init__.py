"""The bot's end, in order: a block that ends by signal or by itself, its steps, and the state that is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_trading.lifecycle.facade import Lifecycle
    from otel_trading.lifecycle.model import EndReport, IncompleteError, Phase, Step
    from otel_trading.lifecycle.run import Run
    from otel_trading.lifecycle.state import StateError, StateFile

__all__ = ["EndReport", "IncompleteError", "Lifecycle", "Phase", "Run", "StateError", "StateFile", "Step"]

_HOMES = {
    "Lifecycle": "facade",
    **dict.fromkeys(("EndReport", "IncompleteError", "Phase", "Step"), "model"),
    "Run": "run",
    **dict.fromkeys(("StateError", "StateFile"), "state"),
}


def __getattr__(name: str) -> object:
    """Import only what is asked for."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
