"""Metrics of the native engine: the standard API over cells that cost nanoseconds."""

from otel_trading.metrics.native.aggregation import Aggregation
from otel_trading.metrics.native.meter import NativeMeter
from otel_trading.metrics.native.provider import NativeMeterProvider
from otel_trading.metrics.native.reader import NativeReader
from otel_trading.metrics.native.rules import Rule

__all__ = ["Aggregation", "NativeMeter", "NativeMeterProvider", "NativeReader", "Rule"]
