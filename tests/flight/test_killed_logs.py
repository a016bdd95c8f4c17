"""A bot is killed at any moment: no important log record whose call had returned is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.flight.conftest import values
from tests.flight.killing import KILLS as ALL
from tests.flight.killing import killed, outcomes

if TYPE_CHECKING:
    from pathlib import Path

    from otel_trading import _native

KILLS = ALL // 2
LONGEST = 0.05


def test_no_important_record_is_lost_whenever_the_bot_is_killed(tmp_path: Path) -> None:
    """Each is delivered, or in the recording as it was, or both under the same uid."""
    seen = outcomes(_kill, tmp_path, seed=2_027, kills=KILLS, longest=LONGEST)
    # The bots were killed in the middle of their work, before and after deliveries.
    assert sum(recovered > 0 for recovered, _ in seen) > KILLS / 2
    assert sum(delivered > 0 for _, delivered in seen) > KILLS / 2


def _kill(place: Path, moment: float) -> tuple[int, int]:
    """Kill a bot after a time and compare what it logged with what arrived and what it recorded."""
    place.mkdir()
    arrived = place / "arrived"
    arrived.touch()
    bot = killed("tests.flight.killed_logger", place, moment, arrived)
    (progress, _), recording = bot.counters, bot.recording
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
