"""The ``LoggerProvider`` of the ``sdk`` engine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from opentelemetry.sdk._logs import LoggerProvider

from otel_trading.logs.processor import QueueLogProcessor
from otel_trading.logs.redacting import RedactingLogProcessor
from otel_trading.settings.plugins import configurator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.resources import Resource

    from otel_trading.logs.queue import LogQueue


def build_logger_provider(resource: Resource, queues: Sequence[LogQueue]) -> LoggerProvider:
    """The provider with one processor a queue; without a queue records go nowhere."""
    provider = LoggerProvider(
        resource=resource, shutdown_on_exit=False, _logger_configurator=configurator("logger", os.environ)
    )
    provider.add_log_record_processor(RedactingLogProcessor())
    for queue in queues:
        provider.add_log_record_processor(QueueLogProcessor(queue))
    return provider
