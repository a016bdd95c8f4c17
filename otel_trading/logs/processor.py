"""Log records go to a queue; the bot does not wait."""

from __future__ import annotations

import contextlib
import copy
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource

from otel_trading import values
from otel_trading.logs.recorder import RecordedLog

if TYPE_CHECKING:
    from otel_trading.export.queue import BatchQueue
    from otel_trading.logs.recorder import LogRecorder


class QueueLogProcessor(LogRecordProcessor):
    """Queues each record without the context it was made in, which may hold anything of the bot's.

    With a ``recorder`` it is in a file before the call returns, and there until the queue is done with it.
    """

    def __init__(self, queue: BatchQueue[RecordedLog], recorder: LogRecorder | None = None) -> None:
        self._queue = queue
        self._recorder = recorder
        if recorder is not None:
            queue.done = lambda batch: recorder.settled(batch[-1].sequence)

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Queue a copy of the record."""
        record = copy.copy(log_record.log_record)
        record.context = Context()
        with contextlib.suppress(Exception):
            record.body = values.clean(record.body)  # type: ignore[assignment]  # as any attribute's value
        scope = log_record.instrumentation_scope
        with self._queue.order:
            self._queue.put(
                RecordedLog(
                    log_record=record,
                    resource=log_record.resource or Resource.get_empty(),
                    instrumentation_scope=scope,
                    limits=log_record.limits,
                    sequence=0 if self._recorder is None else self._recorder.write(record, scope),
                )
            )

    def shutdown(self) -> None:
        """Leave the queue to its owner, who knows the deadline."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Deliver what is queued, for callers that hold the provider; False when it is not done in time."""
        return self._queue.flush(timeout_millis / 1_000)
