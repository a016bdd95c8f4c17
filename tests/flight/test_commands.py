"""``otel-trading flight`` and ``otel-trading recover``."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from otel_trading import _native
from otel_trading.cli.commands import cli
from otel_trading.flight.folder import recordings
from tests.flight.conftest import ONE_SPAN, of_spans, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    from tests.core.conftest import Configure
    from tests.core.otlp_receiver import OtlpReceiver
    from tests.flight.conftest import Run

    Killed = Callable[..., Path]

SECOND = 1_000_000_000
TROUBLED = f"""
S, T = {SECOND}, 1_700_000_000 * {SECOND}
from opentelemetry import context, trace
def span(name, start, end, parent=None, error=None, **attributes):
    inside = trace.set_span_in_context(parent) if parent else context.Context()
    made = tracer.start_span(name, inside, start_time=T + round(start * S), attributes=attributes)
    if error:
        made.set_status(trace.StatusCode.ERROR, error)
    if end is not None:
        made.end(T + round(end * S))
    return made
for number in range(25):
    span("poll", -30 + number, -30 + number + 0.001)
span("poll", -4, -3.9)
tick = span("tick", -2, -1, symbol="BTC/USDT")
order = span("order.submit", -1.75, -1.5, tick, "rejected\\x1b[31m", side="buy")
session = span("session", -0.5, None)
span("last", -0.1, 0)
"""

MEASURED = """
from opentelemetry._logs import LogRecord, SeverityNumber
from otel_trading.logs.lines import lines
from otel_trading.logs.native import NativeLoggerProvider
from otel_trading.metrics.native import NativeMeterProvider
from otel_trading.metrics.native.recorder import MeasurementRecorder
lines().record(folder, size=1 << 21, service=sys.argv[2])
lines().core.set_demand(4_096, None)
logger = NativeLoggerProvider(lines()).get_logger("")
def logged(ago, **given):
    when = T - round(ago * S)
    logger.emit(LogRecord(timestamp=when, observed_timestamp=when, **given))
logged(1.6, severity_number=SeverityNumber.WARN, body="no margin\\x1b[31m", event_name="trading.order.rejected",
       attributes={"trading.order.id": "7"}, context=trace.set_span_in_context(order, context.Context()))
logged(0.6, severity_number=SeverityNumber.INFO, body="quiet")
meters = NativeMeterProvider()
measured = MeasurementRecorder(meters)
measured.record(folder, size=1 << 21, service=sys.argv[2])
meter = meters.get_meter("bot")
meter.create_counter("bot.orders").add(7, {"venue": "kraken"})
ack = meter.create_histogram("bot.ack", unit="s")
ack.record(0.01)
ack.record(0.02)
measured.core.tick()
"""


def run(*arguments: object, **environment: str) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], env=environment)


def test_recover_delivers_and_marks(killed: Killed, receiver: OtlpReceiver) -> None:
    """The second time there is nothing to do."""
    recording = killed()
    result = run("recover", "--folder", recording.parent, "--endpoint", receiver.url)
    assert result.exit_code == 0, result.output
    assert "recovered 1 spans of test-bot" in result.output
    assert [span.name for span in receiver.spans] == ["order.submit"]
    assert _native.Recording(recording).state == "recovered"
    result = run("recover", "--folder", recording.parent, "--endpoint", receiver.url)
    assert result.exit_code == 0
    assert "0 spans of 0 recordings" in result.output
    assert len(receiver.spans) == 1


@pytest.mark.parametrize("status", [503, 400])
def test_recover_fails_when_the_receiver_does_not_take_it(killed: Killed, receiver: OtlpReceiver, status: int) -> None:
    """The recording stays to be recovered."""
    recording = killed()
    receiver.status = status
    result = run("recover", "--folder", recording.parent, "--endpoint", receiver.url, "--timeout", "0.1")
    assert result.exit_code == 1
    assert f"HTTP status {status}; they stay in {recording}" in result.output
    assert [each.state for each in recordings(recording.parent)] == ["unfinished"]


def test_recover_takes_the_recordings_of_one_service(killed: Killed, receiver: OtlpReceiver) -> None:
    """Those of others stay."""
    one, other = killed(service="one"), killed(service="other")
    result = run("recover", "--folder", one.parent, "--endpoint", receiver.url, "--service", "one")
    assert result.exit_code == 0
    assert _native.Recording(one).state == "recovered"
    assert _native.Recording(other).state == "unfinished"


def test_list_says_what_there_is(killed: Killed, folder: Path) -> None:
    """Also what cannot be read."""
    assert "no recordings in" in run("flight", "list", "--folder", folder).output
    killed()
    (folder / "foreign.flight").write_bytes(b"?" * 10_000)
    result = run("flight", "list", "--folder", folder, COLUMNS="200")
    assert result.exit_code == 0
    assert re.search(r"test-bot-\d+-\d+\.flight +test-bot +\d+ .* MiB +to recover", result.output)
    assert re.search(r"foreign\.flight .* not readable", result.output)


def test_show_has_trouble_first_and_then_the_timeline(killed: Killed) -> None:
    """Times count from the last moment; what is inside a span is indented under it."""
    recording = killed(TROUBLED)
    result = run("flight", "show", recording, "--seconds", "3")
    assert result.exit_code == 0
    path, head, *lines = [line.rstrip() for line in result.output.splitlines()]
    assert path == str(recording)
    assert re.fullmatch(r"test-bot · pid \d+ · not closed in order · 30 spans, the last at \d{4}-\d\d-\d\d .*", head)
    assert lines == [
        "",
        "TROUBLE",
        "-0.500000 s  unfinished     500 ms  session",
        "-1.750000 s  error          250 ms  order.submit  rejected?[31m  side=buy",
        "-4.000000 s  slow           100 ms  poll",
        "",
        "TIMELINE the last 3.00 s",
        "-2.000000 s     1.00 s  ████████████████████   tick  symbol=BTC/USDT",
        "-1.750000 s     250 ms       █████           ✗   order.submit  side=buy",
        "-0.500000 s     500 ms  ████████████████████ … session",
        "-0.100000 s     100 ms  ████████████████████   last",
    ]


def test_show_has_log_records_and_measurements_of_the_same_process(killed: Killed) -> None:
    """Log records stand in their spans; each is counted from the last moment of them all."""
    recording = killed(TROUBLED + MEASURED)
    result = run("flight", "show", recording, "--seconds", "3")
    assert result.exit_code == 0
    lines = [line.rstrip() for line in result.output.splitlines()]
    assert [line.rpartition(".")[2] for line in lines[:3]] == ["flight"] * 3
    assert "30 spans and 2 log records" in lines[3]
    trouble = lines[lines.index("TROUBLE") + 1 : lines.index("TIMELINE the last 3.00 s") - 1]
    assert trouble[:3] == [
        "-0.500000 s  unfinished     500 ms  session",
        "-1.750000 s  error          250 ms  order.submit  rejected?[31m  side=buy",
        "-1.600000 s  warning           log  trading.order.rejected  no margin?[31m  trading.order.id=7",
    ]
    timeline = lines[lines.index("TIMELINE the last 3.00 s") + 1 :]
    assert timeline[1:4] == [
        "-1.750000 s     250 ms       █████           ✗   order.submit  side=buy",
        "-1.600000 s        log                       !     trading.order.rejected  no margin?[31m  trading.order.id=7",
        "-0.600000 s        log                         quiet",
    ]
    assert timeline[-3].startswith("MEASURED 2 series")
    measured = [line.split(" s  ")[1] for line in timeline[-2:]]
    assert measured == ["bot.ack  2, 15.0 ms on average", "bot.orders{venue=kraken}  7"]


def test_show_all_has_everything(killed: Killed) -> None:
    """Otherwise what is long ago is left out."""
    recording = killed(TROUBLED)
    assert run("flight", "show", recording, "--seconds", "3").output.count("poll") == 1
    assert run("flight", "show", "latest", "--folder", recording.parent, "--all").output.count("poll") == 27


def test_show_says_what_it_cannot_read(folder: Path) -> None:
    """There is no traceback."""
    (folder / "foreign.flight").write_bytes(b"?" * 10_000)
    result = run("flight", "show", "foreign.flight", "--folder", folder)
    assert result.exit_code == 1
    assert "the file is not a recording" in result.output
    assert "no recordings in" in run("flight", "show", "--folder", folder).output


def test_a_living_bot_is_shown_and_copied(start: Run, folder: Path) -> None:
    """Nobody recovers the copy."""
    bot = start(ONE_SPAN + "\nprint('ready', flush=True)\ninput()", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert bot.stdout is not None
    assert bot.stdout.readline() == "ready\n"
    assert "order.submit" in run("flight", "show", "--folder", folder).output
    result = run("flight", "snapshot", "--folder", folder)
    bot.kill()
    bot.communicate()
    assert result.exit_code == 0
    copy = _native.Recording(result.output.strip())
    assert copy.clean
    assert [span["name"] for span in copy.spans()] == ["order.submit"]
    until(lambda: not any(each.in_use for each in recordings(folder)))
    assert "nobody records into" in run("flight", "snapshot", "--folder", folder).output


def test_telemetry_takes_snapshots(configured: Configure, receiver: OtlpReceiver, folder: Path) -> None:
    """What is open is in it, too; it stays when the bot ends."""
    telemetry = configured(span_delay=60.0)
    with telemetry.tracer.start_as_current_span("tick"), telemetry.tracer.start_as_current_span("order"):
        path = telemetry.flight_snapshot()
    assert path is not None
    telemetry.shutdown(5)
    assert of_spans(folder) == [path]
    snapshot = _native.Recording(path)
    assert snapshot.state == "snapshot"
    assert {span["name"] for span in snapshot.spans() if span["open"]} == {"tick", "order"}
