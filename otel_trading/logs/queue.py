"""The queue of the SDK's log records: for engine sdk, and for exporters that take such."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs import ReadableLogRecord

from otel_trading.export.queue import BatchQueue

if TYPE_CHECKING:
    from otel_trading.export.feeder import Taker
    from otel_trading.export.ledger import Lane, Ledger


@dataclass(frozen=True)
class QueuedLog(ReadableLogRecord):
    """A log record, and how much it matters."""

    lane: Lane = "important"


class LogQueue(BatchQueue[QueuedLog]):
    """Queues log records in two lanes."""

    def __init__(self, taker: Taker, ledger: Ledger, **queueing: Any) -> None:  # noqa: ANN401 - as the queue takes them
        super().__init__(taker, ledger, lane=attrgetter("lane"), **queueing)
