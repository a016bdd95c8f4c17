"""What is recorded of log records, and what has to go when there is no room."""

from __future__ import annotations

import enum
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from otel_trading import _native
from otel_trading.flight.folder import recordings
from otel_trading.logs.lines import Lines
from otel_trading.logs.native import NativeLoggerProvider
from tests.flight.conftest import environment, until, values
from tests.forks import in_child

if TYPE_CHECKING:
    from pathlib import Path

    from tests.core.conftest import Configure
    from tests.core.otlp_receiver import OtlpReceiver

SIZE = 1 << 21


class Level(enum.IntEnum):
    HIGH = 3


@pytest.fixture
def lines(folder: Path) -> Lines:
    made = Lines()
    made.record(folder, size=SIZE, service="test-bot")
    made.core.set_demand(4_096, None)
    return made


def log(lines: Lines, severity: SeverityNumber = SeverityNumber.ERROR, **given: Any) -> None:
    """Emit a record through the API."""
    record = LogRecord(timestamp=1_000, observed_timestamp=2_000, severity_number=severity, **given)
    NativeLoggerProvider(lines).get_logger("bot", "1.2").emit(record)


def read(folder: Path) -> _native.Recording:
    (path,) = folder.glob("*.logs.flight")
    return _native.Recording(path)


def arrived(recording: _native.Recording) -> list[Any]:
    return records(request for request, _ in recording.requests())


def records(requests: Any) -> list[Any]:
    decoded = [ExportLogsServiceRequest.FromString(request) for request in requests]
    scopes = [scope for request in decoded for scope in request.resource_logs[0].scope_logs]
    return [record for scope in scopes for record in scope.log_records]


def taken(lines: Lines) -> list[_native.LogBatch]:
    """What is ready to be sent."""
    batches: list[_native.LogBatch] = []
    while True:
        lines.core.drain(True)
        batch = lines.core.take()
        if batch is None:
            return batches
        batches.append(batch)


def lost(lines: Lines) -> dict[tuple[str, str, str], int]:
    return dict(lines.core.counts()["lost"])


def test_a_record_is_recovered_as_it_was(lines: Lines, folder: Path) -> None:
    """All of it, under the uid that the delivered one has."""
    attributes: dict[str, Any] = {
        "text": "ä",
        "int": 7,
        "big": 2**70,
        "float": 0.5,
        "flag": True,
        "list": ["a", 1],
        "level": Level.HIGH,
    }
    record = LogRecord(
        timestamp=1_000,
        observed_timestamp=2_000,
        severity_number=SeverityNumber.ERROR,
        severity_text="ERROR",
        body={"leg": [1, 2]},
        attributes=attributes,
        event_name="trading.order.rejected",
    )
    record.trace_id, record.span_id, record.trace_flags = 1 << 100, 5, 1  # type: ignore[assignment]
    NativeLoggerProvider(lines).get_logger("bot", "1.2").emit(record)
    (found,) = arrived(read(folder))
    assert (found.time_unix_nano, found.observed_time_unix_nano) == (1_000, 2_000)
    assert (found.severity_number, found.severity_text) == (17, "ERROR")
    assert found.event_name == "trading.order.rejected"
    assert (found.trace_id, found.span_id, found.flags) == ((1 << 100).to_bytes(16), (5).to_bytes(8), 1)
    assert [each.int_value for each in found.body.kvlist_value.values[0].value.array_value.values] == [1, 2]
    told = values(found)
    assert told.pop("list").values[1].int_value == 1
    (delivered,) = records(batch.request for batch in taken(lines))
    assert told.pop("log.record.uid") == values(delivered)["log.record.uid"] == lines.core.uid(1)
    assert told == {
        "text": "ä",
        "int": 7,
        "big": str(2**70),
        "float": 0.5,
        "flag": True,
        "level": 3,
        "trading.telemetry.recovered": True,
    }


def test_what_is_too_long_is_cut_and_says_so(lines: Lines, folder: Path) -> None:
    """A body has 64 KiB, a record 256, in the recording and where it arrives."""
    log(lines, body="ä" * 100_000, attributes={"long": "x" * 260_000, "short": 1})
    (delivered,) = records(batch.request for batch in taken(lines))
    for found in (*arrived(read(folder)), delivered):
        assert found.body.string_value == "ä" * 32_768
        assert found.dropped_attributes_count == 1
        told = values(found)
        assert (told["short"], told["trading.telemetry.truncated"]) == (1, True)
        assert "long" not in told


@pytest.mark.parametrize("body", ["a lone \ud800", object(), float("nan"), None, b"\xff", ["nested", {"a": object()}]])
def test_any_body_can_be_recorded(lines: Lines, folder: Path, body: Any) -> None:
    """Nothing that somebody logs is an error."""
    log(lines, body=body, attributes={"\ud800": "\ud800"})
    recording = read(folder)
    assert recording.damage == []
    assert len(arrived(recording)) == 1


def test_a_time_that_is_none_is_left_out(lines: Lines, folder: Path) -> None:
    """The record is delivered all the same."""
    record = LogRecord(body="x", severity_number=SeverityNumber.INFO)
    record.timestamp = "yesterday"  # type: ignore[assignment]
    NativeLoggerProvider(lines).get_logger("bot").emit(record)
    (found,) = arrived(read(folder))
    assert found.time_unix_nano == 0
    assert found.body.string_value == "x"


def test_the_newest_errors_stay_and_the_others_are_counted(lines: Lines, folder: Path) -> None:
    """When nobody reads."""
    for number in range(20_000):
        log(lines, body=str(number), attributes={"text": "x" * 200})
    recording = read(folder)
    bodies = [record.body.string_value for record in arrived(recording)]
    assert recording.damage == []
    assert bodies == [str(number) for number in range(20_000 - len(bodies), 20_000)]
    gone = lost(lines)
    assert 20_000 - len(bodies) == recording.lost <= gone["queue_full", "important", "ERROR"]
    assert len(bodies) * 200 > SIZE / 3
    delivered = records(batch.request for batch in taken(lines))
    assert len(delivered) == 20_000 - gone["queue_full", "important", "ERROR"]
    assert delivered[-1].body.string_value == "19999"


def test_a_burst_of_low_ones_takes_no_room_of_important_ones(lines: Lines, folder: Path) -> None:
    """They have half of the ring, warnings three quarters."""
    log(lines, body="first")
    for number in range(20_000):
        log(lines, SeverityNumber.DEBUG, body=str(number), attributes={"text": "x" * 200})
    low = len(arrived(read(folder)))
    for number in range(20_000):
        log(lines, SeverityNumber.WARN, body=str(number), attributes={"text": "x" * 200})
    important = len(arrived(read(folder)))
    log(lines, body="last")
    recording = read(folder)
    bodies = [record.body.string_value for record in arrived(recording)]
    assert bodies[0] == "first"
    assert bodies[-1] == "last"
    assert recording.lost == 0
    assert lost(lines) == {
        ("queue_full", "low", "DEBUG"): 20_001 - low,
        ("queue_full", "important", "WARNING"): 20_000 - (important - low),
    }
    assert low > 2_000
    assert important - low > 200


def test_what_is_settled_is_not_recovered_and_makes_room(lines: Lines, folder: Path) -> None:
    """However much is logged, as long as it is delivered."""
    for number in range(20_000):
        log(lines, body=str(number), attributes={"text": "x" * 200})
        if number % 1_000 == 998:
            for batch in taken(lines):
                lines.core.settled(batch)
    recording = read(folder)
    assert recording.lost == 0
    assert [record.body.string_value for record in arrived(recording)] == ["19999"]
    assert not lines.core.finish()
    for batch in taken(lines):
        lines.core.settled(batch)
    assert arrived(read(folder)) == []
    assert lines.core.finish()
    assert list(folder.iterdir()) == []
    assert lost(lines) == {}


def test_what_is_on_its_way_makes_room_for_what_nobody_has_read(lines: Lines, folder: Path) -> None:
    """Of that only a process that is killed loses something, and its recording says how much."""
    batches = []
    for number in range(20_000):
        log(lines, SeverityNumber.INFO, body=str(number), attributes={"text": "x" * 200})
        if number % 500 == 499:
            batches += taken(lines)
    assert lost(lines) == {}
    assert sum(map(len, batches)) == 20_000
    recording = read(folder)
    assert recording.lost == 20_000 - len(arrived(recording)) > 0


def test_another_ring_takes_over(lines: Lines, folder: Path) -> None:
    """The old one goes when all in it is settled."""
    log(lines, body="a")
    old = lines.core.recording
    lines.record(folder, size=2 * SIZE, service="test-bot")
    log(lines, body="b")
    assert old is not None
    assert old.exists()
    first = lines.core.take()
    assert first is not None
    assert [record.body.string_value for record in records([first.request])] == ["a"]
    lines.core.settled(first)
    assert not old.exists()
    (found,) = arrived(read(folder))
    assert (found.body.string_value, values(found)["log.record.uid"]) == ("b", lines.core.uid(2))


def test_without_a_folder_the_ring_is_memory(folder: Path) -> None:
    """Nothing else changes."""
    lines = Lines()
    lines.record(None, size=SIZE)
    lines.core.set_demand(4_096, None)
    log(lines, body="a")
    assert lines.core.recording is None
    assert [record.body.string_value for record in records(batch.request for batch in taken(lines))] == ["a"]


def test_a_forked_child_records_into_a_file_of_its_own(lines: Lines, folder: Path) -> None:
    """With uids of its own, and only once it logs something."""
    log(lines, body="parent's")
    (parents,) = folder.iterdir()
    before = parents.read_bytes()
    assert in_child(lambda: len(list(folder.iterdir()))) == 1

    def child() -> str:
        log(lines, body="child's")
        (sent,) = records(batch.request for batch in taken(lines))
        return str(values(sent)["log.record.uid"])

    uid = in_child(child)
    assert parents.read_bytes() == before
    (childs,) = [path for path in folder.iterdir() if path != parents]
    (found,) = arrived(_native.Recording(childs))
    assert found.body.string_value == "child's"
    assert values(found)["log.record.uid"] == uid
    assert uid != values(arrived(_native.Recording(parents))[0])["log.record.uid"]


BOT = """
import logging, os, sys, time
import otel_trading as ot
telemetry = ot.configure(service_name="test-bot", endpoint=sys.argv[1], flight_folder=sys.argv[2], ops_enabled=False,
                         traces_exporter="none", log_delay=60.0, metric_interval=60.0)
orders = telemetry.meter.create_counter("bot.orders")
for number in range(10):
    logging.getLogger("bot").warning("order %s is lost", number, extra={"trading.order.id": str(number)})
    orders.add(1)
time.sleep(0.5)
"""


def test_log_records_and_totals_of_a_killed_bot_arrive_at_the_next_start(
    configured: Configure, receiver: OtlpReceiver, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without traces, too; each signal at its own endpoint, with the resource of the bot."""
    source = BOT + "\nos.kill(os.getpid(), 9)\n"
    bot = subprocess.run([sys.executable, "-c", source, receiver.url, str(folder)], env=environment(), check=False)
    assert bot.returncode == -signal.SIGKILL
    assert receiver.logs == []
    assert sorted(each.path.suffixes[-2] for each in recordings(folder)) == [".logs", ".metrics"]
    configured(metric_interval=60.0)
    until(lambda: all(each.state == "recovered" for each in recordings(folder) if not each.in_use))
    until(lambda: _points(receiver, "bot.orders") and len(receiver.logs) >= 10)
    texts = [record.body.string_value for record in receiver.logs]
    assert [text for text in texts if "is lost" in text] == [f"order {number} is lost" for number in range(10)]
    recovered = [record for record in receiver.logs if "is lost" in record.body.string_value]
    assert [values(record)["trading.order.id"] for record in recovered] == [str(number) for number in range(10)]
    assert all(values(record)["trading.telemetry.recovered"] for record in recovered)
    assert "recovered 10 log records of test-bot" in caplog.text
    assert [point.as_int for point in _points(receiver, "bot.orders")] == [10]


def _points(receiver: OtlpReceiver, name: str) -> list[Any]:
    return [point for metric in receiver.metrics(name) for point in metric.sum.data_points]


def test_nothing_is_left_after_a_clean_end(configured: Configure, receiver: OtlpReceiver, folder: Path) -> None:
    """Log records and measurements have arrived as well."""
    import logging

    telemetry = configured()
    logging.getLogger("bot").warning("something")
    telemetry.meter.create_counter("bot.orders").add(1)
    assert len(list(folder.iterdir())) == 3
    assert telemetry.shutdown(5)
    assert list(folder.iterdir()) == []
    (record,) = [record for record in receiver.logs if record.body.string_value == "something"]
    assert values(record)["log.record.uid"]


def test_log_records_that_do_not_arrive_until_the_end_stay(
    configured: Configure, receiver: OtlpReceiver, folder: Path
) -> None:
    """So do the last totals, where there is no spool to take them over."""
    import logging

    receiver.status = 503
    telemetry = configured(traces_exporter="none", spool_enabled=False)
    logging.getLogger("bot").warning("something")
    telemetry.meter.create_counter("bot.orders").add(3)
    assert not telemetry.shutdown(0.5)
    assert "something" in [log["body"] for log in read(folder).logs()]
    (path,) = folder.glob("*.metrics.flight")
    assert _native.Recording(path).requests()
    assert os.getpid() == _native.Recording(path).pid
