"""Log records go to a queue; the bot does not wait."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource

if TYPE_CHECKING:
    from otel_trading.export.queue import BatchQueue


class QueueLogProcessor(LogRecordProcessor):
    """Queues each record without the context it was made in, which may hold anything of the bot's."""

    def __init__(self, queue: BatchQueue[ReadableLogRecord]) -> None:
        self._queue = queue

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Queue a copy of the record."""
        record = copy.copy(log_record.log_record)
        record.context = Context()
        self._queue.put(
            ReadableLogRecord(
                log_record=record,
                resource=log_record.resource or Resource.get_empty(),
                instrumentation_scope=log_record.instrumentation_scope,
                limits=log_record.limits,
            )
        )

    def shutdown(self) -> None:
        """Leave the queue to its owner, who knows the deadline."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Deliver what is queued, for callers that hold the provider; False when it is not done in time."""
        return self._queue.flush(timeout_millis / 1_000)
