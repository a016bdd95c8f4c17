"""Transports of OTLP: encoded requests over HTTP or gRPC, and the receivers' answers read."""

from otel_trading.export.transport.sender import OtlpSender

__all__ = ["OtlpSender"]
