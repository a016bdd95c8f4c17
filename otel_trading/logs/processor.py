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
from otel_trading.logs.native import NativeLogger, NativeLoggerProvider
from otel_trading.logs.queue import QueuedLog

if TYPE_CHECKING:
    from otel_trading.logs.lines import Lines
    from otel_trading.logs.queue import LogQueue


class QueueLogProcessor(LogRecordProcessor):
    """Queues each record without the context it was made in, which may hold anything of the bot's."""

    def __init__(self, queue: LogQueue) -> None:
        self._queue = queue

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Queue a copy of the record."""
        record = copy.copy(log_record.log_record)
        record.context = Context()
        with contextlib.suppress(Exception):
            record.body = values.clean(record.body)  # type: ignore[assignment]  # as any attribute's value
        self._queue.put(
            QueuedLog(
                log_record=record,
                resource=log_record.resource or Resource.get_empty(),
                instrumentation_scope=log_record.instrumentation_scope,
                limits=log_record.limits,
                lane=lane(record),
            )
        )

    def shutdown(self) -> None:
        """Leave the queue to its owner, who knows the deadline."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Deliver what is queued, for callers that hold the provider; False when it is not done in time."""
        return self._queue.flush(timeout_millis / 1_000)


class LinesProcessor(LogRecordProcessor):
    """Has records of engine sdk written as lines, for the sinks."""

    def __init__(self, lines: Lines) -> None:
        self._provider = NativeLoggerProvider(lines, beside=True)
        self._loggers: dict[str, NativeLogger] = {}

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Write the record."""
        scope = log_record.instrumentation_scope
        name = scope.name if scope is not None else ""
        logger = self._loggers.get(name)
        if logger is None:
            logger = self._loggers.setdefault(name, self._provider.get_logger(name))
        logger.emit(log_record)

    def shutdown(self) -> None:
        """Leave the lines to their writer, who knows the deadline."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """The writer is flushed with the pipeline."""
        return True
