"""``OTEL_CONFIG_FILE``: providers as opentelemetry-configuration builds them, behind the same handle.

The file decides everything the SDK does, as its specification says; the kit's own options for exporters and queues
then have no effect. Needs ``pip install 'otel-trading[declarative]'``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from otel_trading.export import bounded
from otel_trading.export.destination import SIGNALS
from otel_trading.export.ledger import Ledger
from otel_trading.extras import require
from otel_trading.pipeline import Pipeline

if TYPE_CHECKING:
    import threading


def build_declared_pipeline(path: str) -> Pipeline:
    """The pipeline a declarative configuration file describes; raises what its loader raises."""
    file = require("opentelemetry.configuration.file", extra="declarative")
    parts = {
        name: require(f"opentelemetry.configuration._{name}", extra="declarative")
        for name in ("resource", "tracer_provider", "meter_provider", "logger_provider", "propagator")
    }
    config = file.load_config_file(path)
    resource = parts["resource"].create_resource(config.resource)
    limits = config.attribute_limits
    on = not config.disabled
    tracer_provider: TracerProvider = (
        parts["tracer_provider"].create_tracer_provider(config.tracer_provider, resource, limits)
        if on and config.tracer_provider
        else TracerProvider(resource=resource, shutdown_on_exit=False)
    )
    meter_provider: MeterProvider = (
        parts["meter_provider"].create_meter_provider(config.meter_provider, resource)
        if on and config.meter_provider
        else MeterProvider(resource=resource, shutdown_on_exit=False)
    )
    logger_provider: LoggerProvider = (
        parts["logger_provider"].create_logger_provider(config.logger_provider, resource, limits)
        if on and config.logger_provider
        else LoggerProvider(resource=resource, shutdown_on_exit=False)
    )
    parts["propagator"].configure_propagator(config.propagator)
    _redact(tracer_provider, logger_provider)
    outlets = [_ProviderOutlet(provider) for provider in (tracer_provider, meter_provider, logger_provider)]
    return Pipeline(
        resource,
        tracer_provider,
        meter_provider,
        logger_provider,
        pull=None,
        ledgers={signal: Ledger(signal) for signal in SIGNALS},
        targets=dict.fromkeys(SIGNALS, (path,)),
        outlets=outlets,
    )


def _redact(tracer_provider: Any, logger_provider: Any) -> None:  # noqa: ANN401 - the SDK's, from the inside
    """Mask secrets before any processor of the file sees them."""
    from otel_trading.logs.redacting import RedactingLogProcessor
    from otel_trading.tracing.redacting import RedactingSpanProcessor

    tracer_provider.add_span_processor(RedactingSpanProcessor())
    processors = logger_provider._multi_log_record_processor  # noqa: SLF001 - it has to be the first
    processors._log_record_processors = (RedactingLogProcessor(), *processors._log_record_processors)  # noqa: SLF001


class _ProviderOutlet:
    """Flushes and closes one of the SDK's providers under a deadline it does not itself keep."""

    def __init__(self, provider: Any) -> None:  # noqa: ANN401 - three providers without a common base
        self._provider = provider
        self._deadline = 0.0
        self._closing: list[threading.Thread] = []

    def request_flush(self) -> list[threading.Thread]:
        return bounded.start([self._provider.force_flush], "otel-declared")

    def wait_flushed(self, ticket: list[threading.Thread], deadline: float) -> bool:
        return bounded.finished(ticket, deadline)

    def request_close(self, deadline: float) -> None:
        self._deadline = deadline
        self._closing = bounded.start([self._provider.shutdown], "otel-declared")

    def wait_closed(self) -> bool:
        return bounded.finished(self._closing, self._deadline)

    def restart_in_child(self) -> None:
        """The SDK's processors start again by themselves."""
