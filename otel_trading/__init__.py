"""OpenTelemetry for Python trading bots: metrics, traces and logs from one call.

>>> import otel_trading as ot
>>> ot.__version__ == __import__("importlib.metadata").metadata.version("otel-trading")
True
"""

from importlib.metadata import version
from typing import TYPE_CHECKING

from otel_trading.configure import configure

if TYPE_CHECKING:
    from otel_trading.telemetry import Status, Telemetry

__all__ = ["Status", "Telemetry", "__version__", "configure"]

__version__ = version("otel-trading")


def __getattr__(name: str) -> object:
    """Import the handle's classes, and with them opentelemetry-sdk, only when they are asked for."""
    if name in {"Status", "Telemetry"}:
        from otel_trading import telemetry

        return getattr(telemetry, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
