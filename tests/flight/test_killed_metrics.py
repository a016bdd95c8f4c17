"""A bot is killed at any moment: the totals of the last tick are known."""

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

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from otel_trading import _native
from tests.flight.conftest import environment, until, values

if TYPE_CHECKING:
    from pathlib import Path

KILLS = int(os.environ.get("FLIGHT_KILLS", "60")) // 3
AT_ONCE = 3
LONGEST = 0.3


def test_the_last_totals_are_known_whenever_the_bot_is_killed(tmp_path: Path) -> None:
    """They are those of the last tick, or of one that was just being written."""
    delays = random.Random(2_028)  # noqa: S311 - the same moments each time
    moments = [delays.uniform(0, LONGEST) for _ in range(KILLS)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ticks = list(pool.map(lambda each: _kill(tmp_path / str(each[0]), each[1]), enumerate(moments)))
    assert len(ticks) == KILLS
    assert sum(tick > 1_000 for tick in ticks) > KILLS / 2


def _kill(place: Path, moment: float) -> int:
    place.mkdir()
    counters, folder = place / "counters", place / "flight"
    counters.write_bytes(bytes(16))
    folder.mkdir()
    bot = subprocess.Popen(
        [sys.executable, "-m", "tests.flight.killed_meter", str(folder), str(counters)], env=environment()
    )
    until(lambda: any(counters.read_bytes()[:8]), 30)
    time.sleep(moment)
    bot.send_signal(signal.SIGKILL)
    assert bot.wait(10) == -signal.SIGKILL
    tick, measured = struct.unpack("QQ", counters.read_bytes())
    (path,) = folder.iterdir()
    recording = _native.Recording(path)
    assert recording.damage == []
    assert recording.lost == 0
    points = _points(recording.measurements())
    (orders,) = points["bot.orders"]
    assert values(orders) == {"venue": "kraken"}
    number = orders.as_int
    assert tick <= number <= measured
    assert recording.started_ns < orders.time_unix_nano <= recording.last_ns
    assert recording.started_ns / 2 < orders.start_time_unix_nano <= orders.time_unix_nano
    (ack,) = points["bot.ack"]
    assert tick <= ack.count <= measured
    assert sum(ack.positive.bucket_counts) + ack.zero_count == ack.count
    assert abs(ack.sum - ack.count * (ack.count + 1) / 2_000) <= 2 * measured / 1_000
    (depth,) = points["bot.depth"]
    assert tick <= depth.as_int <= measured
    assert depth.start_time_unix_nano == 0
    late = [name for name in points if name.startswith("bot.late.")]
    assert len(late) >= min(tick // 7, 100)
    wanted = _points([request for request, _ in recording.requests()])
    assert wanted.keys() <= points.keys()
    if tick < 1_000 or tick % 1_000:
        assert [point.as_int for point in wanted["bot.orders"]] == [number]
    return int(tick)


def _points(requests: list[bytes]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for request in requests:
        (resource,) = ExportMetricsServiceRequest.FromString(request).resource_metrics
        for scope in resource.scope_metrics:
            assert (scope.scope.name, scope.scope.version) == ("bot", "1.2")
            for metric in scope.metrics:
                (mark,) = metric.metadata
                assert (mark.key, mark.value.bool_value) == ("trading.telemetry.recovered", True)
                data = getattr(metric, metric.WhichOneof("data") or "gauge")
                found.setdefault(metric.name, []).extend(data.data_points)
    return found
