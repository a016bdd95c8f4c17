"""A bot that logs and delivers until it is killed, and says in shared memory how far it came.

Its receiver is a file: what arrives there is a line with the record's uid.
"""

from __future__ import annotations

import mmap
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider

from otel_trading.export.ledger import Ledger
from otel_trading.logs.processor import QueueLogProcessor
from otel_trading.logs.queue import LogQueue
from otel_trading.logs.recorder import RECORDER, UID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_trading.export.feeder import Safe
    from otel_trading.export.ledger import Lane
    from otel_trading.logs.recorder import RecordedLog


class FileTaker:
    """A fake: writes what arrives into a file, and says afterwards that it is safe."""

    target = "file"

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("ab", buffering=0)  # noqa: SIM115 - open until the process is killed

    def take(self, batch: Sequence[RecordedLog], count: int, lane: Lane, safe: Safe | None = None) -> None:
        lines = [str(dict(item.log_record.attributes or {})[UID]) + "\n" for item in batch]
        self._file.write("".join(lines).encode())
        if safe is not None:
            safe()

    def flush(self, deadline: float) -> bool:
        return True

    def restart_in_child(self) -> None: ...

    def close(self) -> None: ...


def main(folder: str, counters: str, arrived: str) -> None:
    RECORDER.record(Path(folder), size=1 << 21, service="killed")
    queue = LogQueue(FileTaker(arrived), Ledger("logs"), capacity=100_000, batch_size=64, delay=0.002)
    queue.recorder = RECORDER
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(QueueLogProcessor(queue))
    logger = provider.get_logger("bot", "1.2")
    with Path(counters).open("r+b") as file:
        progress = memoryview(mmap.mmap(file.fileno(), 16)).cast("Q")
    number = 0
    while True:
        number += 1
        logger.emit(
            severity_number=SeverityNumber.ERROR if number % 3 else SeverityNumber.DEBUG,
            body=f"record {number} " + "x" * (number % 50),
            attributes={"number": number, "half": number / 2},
            event_name="trading.order.rejected" if number % 5 == 0 else None,
        )
        progress[0] = number


if __name__ == "__main__":
    main(*sys.argv[1:])
