"""A bot is killed at any moment: no span that ended is lost."""

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

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_trading import _native
from tests.flight.conftest import environment, until, values

if TYPE_CHECKING:
    from pathlib import Path

KILLS = int(os.environ.get("FLIGHT_KILLS", "60"))
AT_ONCE = 3
LONGEST = 0.05


def test_no_span_that_ended_is_lost_whenever_the_bot_is_killed(tmp_path: Path) -> None:
    """What is not delivered is in the recording, whole and with the values it had."""
    delays = random.Random(2_026)  # noqa: S311 - the same moments each time
    moments = [delays.uniform(0, LONGEST) for _ in range(KILLS)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        seen = list(pool.map(lambda each: _kill(tmp_path / str(each[0]), each[1]), enumerate(moments)))
    assert len(seen) == KILLS
    # The bots were killed in the middle of their work, before and after deliveries.
    assert sum(progress > delivered for progress, delivered in seen) > KILLS / 2
    assert sum(delivered > 0 for _, delivered in seen) > KILLS / 2


def _kill(place: Path, moment: float) -> tuple[int, int]:
    """Kill a bot after a time, compare what it said with what it recorded, and give how far it came."""
    place.mkdir()
    counters = place / "counters"
    counters.write_bytes(bytes(16))
    folder = place / "flight"
    folder.mkdir()
    bot = subprocess.Popen(
        [sys.executable, "-m", "tests.flight.killed_bot", str(folder), str(counters)], env=environment()
    )
    until(lambda: any(counters.read_bytes()), 30)
    time.sleep(moment)
    bot.send_signal(signal.SIGKILL)
    assert bot.wait(10) == -signal.SIGKILL
    progress, delivered = struct.unpack("QQ", counters.read_bytes())
    (path,) = folder.iterdir()
    recording = _native.Recording(path)
    assert recording.damage == []
    assert not recording.clean
    ended: dict[str, dict[int, Any]] = {"tick": {}, "order": {}}
    for span in _spans(recording):
        told = values(span)
        assert told["trading.telemetry.recovered"] is True
        if "otel_trading.unfinished" in told:
            continue
        ended[span.name][told["tick"]] = span
    expected = set(range(delivered, progress))
    assert expected <= set(ended["tick"])
    assert expected <= set(ended["order"])
    for number, span in ended["tick"].items():
        assert values(span)["half"] == number / 2
        assert values(span).get("text", "") == str(number) * (number % 7)
        assert span.start_time_unix_nano <= span.end_time_unix_nano
    for number in expected:
        assert ended["order"][number].parent_span_id == ended["tick"][number].span_id
    return progress, delivered


def _spans(recording: _native.Recording) -> list[Any]:
    requests = recording.requests()
    assert all(len(request) <= 1 << 20 for request, _ in requests)
    found = []
    for request, count in requests:
        (resource,) = ExportTraceServiceRequest.FromString(request).resource_spans
        spans = [span for scope in resource.scope_spans for span in scope.spans]
        assert len(spans) == count
        found += spans
    return found
