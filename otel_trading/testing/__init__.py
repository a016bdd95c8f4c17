"""Testing a bot: what it measures, logs and traces is captured, time is told by the test, nothing leaves the process.

With pytest the fixture ``telemetry`` is there as soon as the kit is installed; elsewhere ``capture`` gives the same.

>>> from otel_trading.testing import capture
>>> with capture() as telemetry:
...     telemetry.meter.create_counter("bot.frames").add(2, {"venue": "binance"})
...     telemetry.metrics["bot.frames"](venue="binance").value
2
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_trading.testing.captured import Captured, capture
    from otel_trading.testing.clock import FakeClock
    from otel_trading.testing.errors import NotCapturedError

__all__ = ["Captured", "FakeClock", "NotCapturedError", "capture"]

_HOMES = {"Captured": "captured", "FakeClock": "clock", "NotCapturedError": "errors", "capture": "captured"}


def __getattr__(name: str) -> object:
    """Import only what is asked for."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
