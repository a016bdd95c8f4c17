"""The native engine of traces: spans in the core, behind OpenTelemetry's API."""

from __future__ import annotations

from otel_trading.tracing.native.provider import NativeTracerProvider

__all__ = ["NativeTracerProvider"]
