"""A bot is killed at any moment: no span that ended is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.flight.conftest import values
from tests.flight.killing import KILLS, killed, outcomes

if TYPE_CHECKING:
    from pathlib import Path

    from otel_trading import _native

LONGEST = 0.05


def test_no_span_that_ended_is_lost_whenever_the_bot_is_killed(tmp_path: Path) -> None:
    """What is not delivered is in the recording, whole and with the values it had."""
    seen = outcomes(_kill, tmp_path, seed=2_026, kills=KILLS, longest=LONGEST)
    # The bots were killed in the middle of their work, before and after deliveries.
    assert sum(progress > delivered for progress, delivered in seen) > KILLS / 2
    assert sum(delivered > 0 for _, delivered in seen) > KILLS / 2


def _kill(place: Path, moment: float) -> tuple[int, int]:
    """Kill a bot after a time, compare what it said with what it recorded, and give how far it came."""
    place.mkdir()
    bot = killed("tests.flight.killed_bot", place, moment)
    (progress, delivered), recording = bot.counters, bot.recording
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
