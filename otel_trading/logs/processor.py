"""Log records go to a queue; the bot does not wait."""

from __future__ import annotations

import contextlib
import copy
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource

from otel_trading import values
from otel_trading.logs.lanes import lane
from otel_trading.logs.recorder import RecordedLog

if TYPE_CHECKING:
    from otel_trading.logs.queue import LogQueue


class QueueLogProcessor(LogRecordProcessor):
    """Queues each record without the context it was made in, which may hold anything of the bot's.

    When its queue has a recorder the record is in a file before the call returns.
    """

    def __init__(self, queue: LogQueue) -> None:
        self._queue = queue

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Queue a copy of the record."""
        record = copy.copy(log_record.log_record)
        record.context = Context()
        with contextlib.suppress(Exception):
            record.body = values.clean(record.body)  # type: ignore[assignment]  # as any attribute's value
        scope, kind, recorder = log_record.instrumentation_scope, lane(record), self._queue.recorder
        with self._queue.order:
            self._queue.put(
                RecordedLog(
                    log_record=record,
                    resource=log_record.resource or Resource.get_empty(),
                    instrumentation_scope=scope,
                    limits=log_record.limits,
                    lane=kind,
                    sequence=0 if recorder is None else recorder.write(record, scope, kind),
                )
            )

    def shutdown(self) -> None:
        """Leave the queue to its owner, who knows the deadline."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Deliver what is queued, for callers that hold the provider; False when it is not done in time."""
        return self._queue.flush(timeout_millis / 1_000)
