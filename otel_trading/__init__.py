"""OpenTelemetry for Python trading bots."""

from importlib.metadata import version

__version__ = version("otel-trading")
