"""A bot is killed at any moment: the totals of the last tick are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from tests.flight.conftest import values
from tests.flight.killing import KILLS as ALL
from tests.flight.killing import killed, outcomes

if TYPE_CHECKING:
    from pathlib import Path

KILLS = ALL // 3
LONGEST = 0.3


def test_the_last_totals_are_known_whenever_the_bot_is_killed(tmp_path: Path) -> None:
    """They are those of the last tick, or of one that was just being written."""
    ticks = outcomes(_kill, tmp_path, seed=2_028, kills=KILLS, longest=LONGEST)
    assert sum(tick > 1_000 for tick in ticks) > KILLS / 2


def _kill(place: Path, moment: float) -> int:
    place.mkdir()
    bot = killed("tests.flight.killed_meter", place, moment)
    (tick, measured), recording = bot.counters, bot.recording
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
    return tick


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
