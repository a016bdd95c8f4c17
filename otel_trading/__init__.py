"""OpenTelemetry for Python trading bots: metrics, traces and logs from one call.

>>> import otel_trading as ot
>>> ot.__version__ == __import__("importlib.metadata").metadata.version("otel-trading")
True
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

from otel_trading.configure import configure

if TYPE_CHECKING:
    from otel_trading.metrics.timer import Timer, TimerStats, ms, us
    from otel_trading.status import Status
    from otel_trading.telemetry import Telemetry

__all__ = ["Status", "Telemetry", "Timer", "TimerStats", "__version__", "configure", "ms", "us"]

_HOMES = {
    "Status": "otel_trading.status",
    "Telemetry": "otel_trading.telemetry",
    **dict.fromkeys(("Timer", "TimerStats", "ms", "us"), "otel_trading.metrics.timer"),
}

__version__ = version("otel-trading")


def __getattr__(name: str) -> object:
    """Import what is asked for, and only then: importing the package costs little."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
