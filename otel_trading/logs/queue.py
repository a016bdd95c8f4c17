"""The queue of log records, which knows what of the recording need not be recovered any more."""

from __future__ import annotations

from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from otel_trading.export.queue import BatchQueue, Lot
from otel_trading.logs.recorder import RecordedLog

if TYPE_CHECKING:
    from otel_trading.export.feeder import Taker
    from otel_trading.export.ledger import Ledger
    from otel_trading.logs.recorder import LogRecorder


class LogQueue(BatchQueue[RecordedLog]):
    """Queues log records in two lanes.

    With a ``recorder``, each record is in a file before ``put``, and there until it is safe with the taker.
    """

    def __init__(self, taker: Taker, ledger: Ledger, **queueing: Any) -> None:  # noqa: ANN401 - as the queue takes them
        self.recorder: LogRecorder | None = None
        super().__init__(taker, ledger, lane=attrgetter("lane"), **queueing)

    def _start(self) -> None:
        super()._start()
        self._unsafe: dict[int, int] = {}
        self._newest = 0

    def put(self, item: RecordedLog) -> None:
        """See ``BatchQueue``."""
        self._newest = item.sequence
        super().put(item)

    def _hand_over(self, batch: Lot[RecordedLog]) -> None:
        safe = None
        if self.recorder is not None:
            with self._lock:
                self._unsafe[id(batch)] = batch.items[0].sequence
            safe = partial(self._safe, id(batch), batch)
        self._taker.take(batch.items, len(batch), batch.lane, safe)

    def _safe(self, key: int, _: Lot[RecordedLog]) -> None:
        """What stands before the first record that is not safe need not be recovered; ``_`` keeps the key unique."""
        with self._lock:
            self._unsafe.pop(key, None)
            queued = [items[0].sequence for items in (self._important, self._low) if items]
            first = min([*queued, *self._unsafe.values()], default=self._newest + 1)
            if self.recorder is not None:
                self.recorder.settled(first - 1)
