"""The next start delivers what a killed bot recorded."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from otel_trading import _native
from otel_trading.flight.folder import recordings
from otel_trading.flight.recovery import recover
from tests.flight.conftest import ONE_SPAN, of_spans, until, values
from tests.forks import in_child

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.flight.folder import Listed
    from tests.core.conftest import Configure
    from tests.core.otlp_receiver import OtlpReceiver
    from tests.flight.conftest import Run

    Killed = Callable[..., Path]

UNFINISHED = """
outer = tracer.start_span("session", start_time=1_000)
with tracer.start_as_current_span("tick", start_time=2_000, end_on_exit=False) as span:
    span.end(end_time=7_000)
"""


def test_the_spans_of_a_killed_bot_arrive_at_the_next_start(
    killed: Killed, configured: Configure, receiver: OtlpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    """They have their values, times and resource, and are marked."""
    recording = killed()
    (recorded,) = _native.Recording(recording).spans()
    configured()
    (span,) = until(lambda: receiver.spans)
    assert values(span) == {"symbol": "BTC/USDT", "amount": 0.5, "trading.telemetry.recovered": True}
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (recorded["start_ns"], recorded["end_ns"])
    assert span.span_id.hex() == recorded["span_id"]
    assert receiver.resource()["strategy"] == "basis"
    until(lambda: _native.Recording(recording).state == "recovered")
    until(lambda: f"recovered 1 spans of test-bot (pid {_native.Recording(recording).pid}, died" in caplog.text)


def test_a_recording_is_recovered_once(killed: Killed, configured: Configure, receiver: OtlpReceiver) -> None:
    """A further start finds nothing to do."""
    recording = killed()
    configured()
    until(lambda: _native.Recording(recording).state == "recovered")
    assert list(recover(recording.parent, None, {"traces": _refuse})) == []
    assert until(lambda: len(receiver.spans) == 1)


def test_a_span_that_had_not_ended_ends_as_an_error(
    killed: Killed, configured: Configure, receiver: OtlpReceiver
) -> None:
    """It ends at the last moment that is known."""
    killed(UNFINISHED)
    configured()
    spans = {span.name: span for span in until(lambda: receiver.spans)}
    session = spans["session"]
    assert values(session) == {"trading.telemetry.recovered": True, "otel_trading.unfinished": True}
    assert (session.start_time_unix_nano, session.end_time_unix_nano) == (1_000, 7_000)
    assert (session.status.code, session.status.message) == (2, "process died")
    assert values(spans["tick"]) == {"trading.telemetry.recovered": True}


def test_spans_wait_for_a_receiver_that_is_away(killed: Killed, configured: Configure, receiver: OtlpReceiver) -> None:
    """They are in the spool then, and are sent again until they arrive."""
    recording = killed()
    receiver.status = 503
    telemetry = configured()
    until(lambda: _native.Recording(recording).state == "recovered")
    until(lambda: telemetry.status().signals["traces"].spooled == 1)
    receiver.status = 200
    assert until(lambda: receiver.spans)


def test_without_a_spool_the_recording_stays_until_a_receiver_is_there(
    killed: Killed, configured: Configure, receiver: OtlpReceiver
) -> None:
    """A start while the receiver is away changes nothing; the next one can still recover it."""
    recording = killed()
    receiver.status = 503
    configured(spool_enabled=False).shutdown(0.5)
    assert _native.Recording(recording).state == "unfinished"
    receiver.status = 200
    configured(spool_enabled=False, span_delay=0.5)
    until(lambda: _native.Recording(recording).state == "recovered")
    assert until(lambda: len(receiver.spans) == 1)


def test_recordings_of_other_bots_are_left_to_them(
    killed: Killed, configured: Configure, receiver: OtlpReceiver
) -> None:
    """The name of the service says whose a recording is."""
    others, own = killed(service="other-bot"), killed()
    before = others.read_bytes()
    configured()
    until(lambda: _native.Recording(own).state == "recovered")
    assert others.read_bytes() == before
    assert until(lambda: len(receiver.spans) == 1)


def test_a_living_bots_recording_is_not_touched(
    start: Run, folder: Path, configured: Configure, receiver: OtlpReceiver, killed: Killed
) -> None:
    """Its spans are its own to deliver."""
    bot = start(ONE_SPAN + "\nprint('ready', flush=True)\ninput()", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert bot.stdout is not None
    assert bot.stdout.readline() == "ready\n"
    (living,) = folder.iterdir()
    before = living.read_bytes()
    dead = killed("with tracer.start_as_current_span('last'): pass\n")
    configured()
    until(lambda: _native.Recording(dead).state == "recovered")
    assert [span.name for span in until(lambda: receiver.spans)] == ["last"]
    assert living.read_bytes() == before
    bot.kill()
    bot.communicate()


def test_damaged_and_foreign_files_are_told_of_and_left(
    killed: Killed, configured: Configure, receiver: OtlpReceiver, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What is whole beside them is recovered."""
    whole = killed("with tracer.start_as_current_span('whole'): pass\n")
    (folder / "a-foreign.flight").write_bytes(b"something else" * 1_000)
    (folder / "b-short.flight").write_bytes(whole.read_bytes()[:100])
    cut = folder / "c-cut.flight"
    cut.write_bytes(whole.read_bytes()[:300_000])
    configured()
    until(lambda: _native.Recording(whole).state == "recovered")
    until(lambda: _native.Recording(cut).state == "recovered")
    assert "whole" in {span.name for span in until(lambda: receiver.spans)}
    lines = [record.getMessage() for record in caplog.records if record.name == "otel_trading"]
    assert sum("a-foreign.flight cannot be recovered: the file is not a recording" in line for line in lines) == 1
    assert sum("b-short.flight cannot be recovered: the file ends after 100 bytes" in line for line in lines) == 1
    assert sum("c-cut.flight is damaged: the file ends after 300000 of" in line for line in lines) == 1


def test_two_that_start_at_once_do_not_both_recover(killed: Killed) -> None:
    """Whoever is first holds the recording until it is done."""
    recording = killed()
    delivering, go_on = threading.Event(), threading.Event()
    delivered = []

    def deliver(request: bytes, _: int) -> None:
        delivering.set()
        assert go_on.wait(10)
        delivered.append(request)

    first = threading.Thread(target=lambda: list(recover(recording.parent, None, {"traces": deliver})))
    first.start()
    assert delivering.wait(10)
    assert list(recover(recording.parent, None, {"traces": _refuse})) == []
    go_on.set()
    first.join()
    assert len(delivered) == 1
    assert _native.Recording(recording).state == "recovered"


def test_the_folder_is_kept_within_its_budget(killed: Killed, configured: Configure, receiver: OtlpReceiver) -> None:
    """The oldest that has nothing to recover goes first."""
    old, new = killed(), killed()
    size = new.stat().st_size
    # The bot's own is larger than one.
    configured(flight_budget=3 * size, logs_exporter="none", metrics_exporter="none")
    until(lambda: len(receiver.spans) == 2)
    until(lambda: _native.Recording(new).state == "recovered")
    assert until(lambda: not old.exists())
    assert new.exists()


def test_a_forked_child_records_into_a_file_of_its_own(
    configured: Configure, receiver: OtlpReceiver, folder: Path
) -> None:
    """The parent's stays as it is, and what the child leaves behind is recovered."""
    telemetry = configured(span_delay=60.0)
    with telemetry.tracer.start_as_current_span("parents"):
        pass

    def child() -> int:
        with telemetry.tracer.start_as_current_span("childs"):
            pass
        return os.getpid()

    (parents,) = [each for each in _spans(folder) if each.in_use]
    before = parents.path.read_bytes()
    pid = in_child(child)
    assert parents.path.read_bytes()[8192:] == before[8192:]
    (childs,) = [each for each in _spans(folder) if not each.in_use]
    assert childs.pid == pid
    assert f"-{pid}-" in childs.path.name
    assert [span["name"] for span in _native.Recording(childs.path).spans()] == ["childs"]
    (found,) = recover(folder, "test-bot", {"traces": lambda *_: None})
    assert (found.pid, found.items) == (pid, 1)
    assert [each.pid for each in _spans(folder) if each.in_use] == [os.getpid()]


def test_forked_children_keep_the_folder_within_its_budget(configured: Configure, folder: Path) -> None:
    """Each leaves a recording when it is not shut down in order."""
    only = {"logs_exporter": "none", "metrics_exporter": "none"}
    configured(**only)
    (own,) = of_spans(folder)
    size = own.stat().st_size
    configured(flight_budget=3 * size, **only)
    until(lambda: len(of_spans(folder)) == 1)
    left = [in_child(lambda: len(_spans(folder))) for _ in range(6)]
    assert left == [2, 3, 4, 4, 4, 4]


def test_a_child_does_not_hold_its_dead_parents_recording(start: Run, folder: Path) -> None:
    """The parent is killed while the child lives on."""
    source = ONE_SPAN + (
        "\nif os.fork():\n    os.kill(os.getpid(), 9)\nprint(os.getppid(), flush=True)\nsys.stdin.readline()"
    )
    bot = start(source, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert bot.wait(20) == -signal.SIGKILL
    assert bot.stdout is not None
    assert bot.stdin is not None
    assert bot.stdout.readline()
    dead = [each for each in _spans(folder) if each.pid == bot.pid]
    living = [each for each in _spans(folder) if each.pid != bot.pid]
    assert [each.in_use for each in dead] == [False]
    assert [each.in_use for each in living] == [True]
    bot.stdin.write("\n")
    bot.communicate()


def test_a_child_does_not_hold_what_its_parent_recovers(
    killed: Killed, configured: Configure, receiver: OtlpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    """The parent still does."""
    recording = killed()
    receiver.status = 503
    configured(spool_enabled=False)
    until(lambda: "nothing can be delivered" in caplog.text)

    def descriptors() -> int:
        return [each.readlink() for each in Path("/proc/self/fd").iterdir() if each.is_symlink()].count(recording)

    assert descriptors() == 1
    assert in_child(descriptors) == 0
    assert recordings(recording.parent)[0].in_use
    receiver.status = 200
    until(lambda: _native.Recording(recording).state == "recovered")


def test_nothing_is_left_after_a_clean_end(configured: Configure, receiver: OtlpReceiver, folder: Path) -> None:
    """Everything has arrived, so that there is nothing to recover."""
    telemetry = configured()
    with telemetry.tracer.start_as_current_span("tick"):
        assert len(of_spans(folder)) == 1
    assert telemetry.shutdown(5)
    assert until(lambda: len(receiver.spans) == 1)
    assert list(folder.iterdir()) == []


def test_what_does_not_arrive_until_the_end_stays(configured: Configure, receiver: OtlpReceiver, folder: Path) -> None:
    """The next start can deliver it, also where there is no spool."""
    receiver.status = 503
    telemetry = configured(spool_enabled=False)
    with telemetry.tracer.start_as_current_span("tick"):
        pass
    assert not telemetry.shutdown(0.5)
    (left,) = _spans(folder)
    assert left.state == "unfinished"
    (span,) = _native.Recording(left.path).spans()
    assert (span["name"], span["delivered"]) == ("tick", False)


def test_a_reconfigured_bot_goes_on_in_its_recording(
    configured: Configure, receiver: OtlpReceiver, folder: Path
) -> None:
    """Another size or service begins another one, and the old one goes when its spans have arrived."""
    configured()
    (first,) = of_spans(folder)
    assert of_spans(folder) == [first]
    telemetry = configured(span_delay=0.2)
    assert of_spans(folder) == [first]
    with telemetry.tracer.start_as_current_span("tick"):
        telemetry = configured(flight_size=1 << 21)
    (second,) = until(lambda: [path for path in of_spans(folder) if path != first])
    until(lambda: not first.exists())
    assert telemetry.flush(5)
    assert [span.name for span in receiver.spans] == ["tick"]
    telemetry.shutdown(5)
    assert not second.exists()


@pytest.mark.parametrize(
    "options", [{"flight_enabled": False}, {"traces_exporter": "none"}, {"traces_enabled": False}, {"disabled": True}]
)
def test_nothing_is_recorded_where_it_is_not_wanted(
    configured: Configure, folder: Path, options: dict[str, object]
) -> None:
    """There is no file without spans to deliver, or with the recorder off."""
    configured(**{"logs_exporter": "none", "metrics_exporter": "none", **options})
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_used_is_said_once(
    configured: Configure, receiver: OtlpReceiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Spans are delivered all the same."""
    caplog.set_level(logging.WARNING)
    (tmp_path / "file").write_text("not a folder", "utf-8")
    telemetry = configured(flight_folder=tmp_path / "file")
    with telemetry.tracer.start_as_current_span("tick"):
        pass
    assert telemetry.flush(5)
    assert [span.name for span in receiver.spans] == ["tick"]
    (message,) = [record.getMessage() for record in caplog.records if record.name == "otel_trading"]
    assert message.startswith(f"otel-trading: flight_folder: {tmp_path / 'file'}: File exists; ")


def _spans(folder: Path) -> list[Listed]:
    return [each for each in recordings(folder) if each.path in of_spans(folder)]


def _refuse(request: bytes, items: int) -> str:
    raise AssertionError("there is nothing to deliver")
