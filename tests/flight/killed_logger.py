"""A bot that logs and delivers until it is killed, and says in shared memory how far it came.

Its receiver is a file: what arrives there is a line with the record's uid.
"""

from __future__ import annotations

import mmap
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from opentelemetry._logs import SeverityNumber
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from otel_trading.export.ledger import Ledger
from otel_trading.logs.lines import UID, lines
from otel_trading.logs.native import NativeLoggerProvider
from otel_trading.logs.shipping import LogShipper

if TYPE_CHECKING:
    from otel_trading.export.feeder import Safe
    from otel_trading.export.ledger import Lane

ROOM = 1 << 19
"""Bytes that may wait to be read: a quarter of the ring."""


class FileTaker:
    """A fake: writes what arrives into a file, and says afterwards that it is safe."""

    target = "file"

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("ab", buffering=0)  # noqa: SIM115 - open until the process is killed

    def take(self, batch: bytes, count: int, lane: Lane, safe: Safe | None = None) -> None:
        (resource,) = ExportLogsServiceRequest.FromString(batch).resource_logs
        records = [record for scope in resource.scope_logs for record in scope.log_records]
        assert len(records) == count
        uids = [each.value.string_value for record in records for each in record.attributes if each.key == UID]
        self._file.write("".join(f"{uid}\n" for uid in uids).encode())
        if safe is not None:
            safe()

    def flush(self, deadline: float) -> bool:
        return True

    def restart_in_child(self) -> None: ...

    def close(self) -> None: ...


def main(folder: str, counters: str, arrived: str) -> None:
    lines().record(Path(folder), size=1 << 21, service="killed")
    logger = NativeLoggerProvider(lines()).get_logger("bot", "1.2")
    LogShipper(lines(), FileTaker(arrived), Ledger("logs"), batch_size=64, delay=0.002)
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
        while number % 64 == 0 and lines().core.unread > ROOM:
            time.sleep(0.000_5)  # what is too much for the ring is dropped and counted: not what is looked at here


if __name__ == "__main__":
    main(*sys.argv[1:])
