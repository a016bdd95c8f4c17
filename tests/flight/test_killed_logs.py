"""A bot is killed at any moment: no important log record whose call had returned is lost."""

from __future__ import annotations

import os
import random
import signal
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from otel_trading import _native
from tests.flight.conftest import environment, until, values

if TYPE_CHECKING:
    from pathlib import Path

KILLS = int(os.environ.get("FLIGHT_KILLS", "60")) // 2
AT_ONCE = 3
LONGEST = 0.05


def test_no_important_record_is_lost_whenever_the_bot_is_killed(tmp_path: Path) -> None:
    """Each is delivered, or in the recording as it was, or both under the same uid."""
    delays = random.Random(2_027)  # noqa: S311 - the same moments each time
    moments = [delays.uniform(0, LONGEST) for _ in range(KILLS)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        seen = list(pool.map(lambda each: _kill(tmp_path / str(each[0]), each[1]), enumerate(moments)))
    assert len(seen) == KILLS
    # The bots were killed in the middle of their work, before and after deliveries.
    assert sum(recovered > 0 for recovered, _ in seen) > KILLS / 2
    assert sum(delivered > 0 for _, delivered in seen) > KILLS / 2


def _kill(place: Path, moment: float) -> tuple[int, int]:
    """Kill a bot after a time and compare what it logged with what arrived and what it recorded."""
    place.mkdir()
    counters, arrived, folder = place / "counters", place / "arrived", place / "flight"
    counters.write_bytes(bytes(16))
    arrived.touch()
    folder.mkdir()
    command = [sys.executable, "-m", "tests.flight.killed_logger", str(folder), str(counters), str(arrived)]
    bot = subprocess.Popen(command, env=environment())
    until(lambda: any(counters.read_bytes()), 30)
    time.sleep(moment)
    bot.send_signal(signal.SIGKILL)
    assert bot.wait(10) == -signal.SIGKILL
    progress, _ = struct.unpack("QQ", counters.read_bytes())
    (path,) = folder.iterdir()
    recording = _native.Recording(path)
    assert recording.damage == []
    assert recording.lost == 0
    assert not recording.clean
    recovered: dict[str, Any] = {}
    for log in _logs(recording):
        told = values(log)
        assert told["trading.telemetry.recovered"] is True
        number = told["number"]
        assert log.body.string_value == f"record {number} " + "x" * (number % 50)
        assert told["half"] == number / 2
        assert log.event_name == ("trading.order.rejected" if number % 5 == 0 else "")
        assert told["log.record.uid"] not in recovered
        recovered[told["log.record.uid"]] = number
    delivered = arrived.read_text().split()
    assert len(set(delivered)) == len(delivered)
    numbers = {int(uid.rpartition("-")[2]) for uid in delivered} | set(recovered.values())
    important = {number for number in range(1, progress + 1) if number % 3 or number % 5 == 0}
    assert important <= numbers
    return len(recovered), len(delivered)


def _logs(recording: _native.Recording) -> list[Any]:
    found: list[Any] = []
    for request, count in recording.requests():
        (resource,) = ExportLogsServiceRequest.FromString(request).resource_logs
        (scope,) = resource.scope_logs
        assert (scope.scope.name, scope.scope.version) == ("bot", "1.2")
        assert len(scope.log_records) == count
        found += scope.log_records
    return found
