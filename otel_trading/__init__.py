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
    from otel_trading import health
    from otel_trading.instrument.refusals import EmergencyStopError
    from otel_trading.logs.sources.loguru import add_loguru_sink
    from otel_trading.logs.sources.structlog import StructlogProcessor
    from otel_trading.metrics.timer import Timer, TimerStats, ms, us
    from otel_trading.redaction import redact
    from otel_trading.risk.state import EmergencyState
    from otel_trading.status import Status
    from otel_trading.telemetry import Telemetry

__all__ = [
    "EmergencyState",
    "EmergencyStopError",
    "Status",
    "StructlogProcessor",
    "Telemetry",
    "Timer",
    "TimerStats",
    "__version__",
    "add_loguru_sink",
    "configure",
    "health",
    "ms",
    "redact",
    "us",
]

_HOMES = {
    "EmergencyState": "otel_trading.risk.state",
    "EmergencyStopError": "otel_trading.instrument.refusals",
    "Status": "otel_trading.status",
    "StructlogProcessor": "otel_trading.logs.sources.structlog",
    "add_loguru_sink": "otel_trading.logs.sources.loguru",
    "Telemetry": "otel_trading.telemetry",
    "redact": "otel_trading.redaction",
    **dict.fromkeys(("Timer", "TimerStats", "ms", "us"), "otel_trading.metrics.timer"),
}

__version__ = version("otel-trading")


def __getattr__(name: str) -> object:
    """Import what is asked for, and only then: importing the package costs little."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name == "health":
        return import_module("otel_trading.health")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
