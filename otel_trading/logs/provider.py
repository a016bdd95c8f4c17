"""The ``LoggerProvider`` of the ``sdk`` engine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from opentelemetry.sdk._logs import LoggerProvider

from otel_trading.logs.processor import QueueLogProcessor
from otel_trading.settings.plugins import configurator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.resources import Resource

    from otel_trading.export.queue import BatchQueue
    from otel_trading.logs.recorder import LogRecorder, RecordedLog


def build_logger_provider(
    resource: Resource,
    queues: Sequence[BatchQueue[RecordedLog]],
    recorder: tuple[LogRecorder, BatchQueue[RecordedLog]] | None = None,
) -> LoggerProvider:
    """The provider with one processor a queue; without a queue records go nowhere.

    A ``recorder`` keeps what one of the queues did not deliver yet.
    """
    provider = LoggerProvider(
        resource=resource, shutdown_on_exit=False, _logger_configurator=configurator("logger", os.environ)
    )
    for queue in queues:
        recorded = recorder is not None and recorder[1] is queue
        provider.add_log_record_processor(QueueLogProcessor(queue, recorder[0] if recorder and recorded else None))
    return provider
