from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace

from otel_trading import configure
from otel_trading.building import build_pipeline
from tests.core.otlp_receiver import OtlpReceiver

if TYPE_CHECKING:
    from otel_trading.pipeline import Pipeline
    from otel_trading.settings import Resolved
    from tests.core.conftest import Configure

Bot = Callable[..., subprocess.CompletedProcess[str]]

MINIMAL = """
import time
import otel_trading as ot
started = time.perf_counter()
telemetry = ot.configure()
took = time.perf_counter() - started
telemetry.meter.create_counter("frames").add(1)
with telemetry.tracer.start_as_current_span("tick"):
    pass
started = time.perf_counter()
telemetry.shutdown()
# 8 s: far above what a busy machine needs, below the 10 s of any wait for the network
print("bot ran to its end", "in time" if took < 8 else f"configure took {took}",
      "and out" if time.perf_counter() - started < 8 else "and hung")
"""


def complaints(run: subprocess.CompletedProcess[str]) -> list[str]:
    """What was said about the configuration."""
    return [line for line in run.stderr.splitlines() if line.startswith("otel-trading: ") and "deliver" not in line]


def test_malformed_file_in_the_working_folder_is_one_message(bot: Bot, tmp_path: Path) -> None:
    """A broken otel-trading.toml does not stop the bot."""
    (tmp_path / "otel-trading.toml").write_text("[ops\nport = 1", "utf-8")
    run = bot(MINIMAL)
    assert run.returncode == 0
    (message,) = complaints(run)
    assert "otel-trading.toml cannot be read" in message


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:1", "http://192.0.2.1:4318", "http://no-such-host.invalid:4318"]
)
def test_unreachable_endpoint_costs_no_time(bot: Bot, endpoint: str, protocol: str) -> None:
    """Refused, black-holed or unresolvable: configure() and shutdown stay within their bounds, one line says so."""
    run = bot(
        MINIMAL,
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
        OTEL_TRADING_SHUTDOWN_TIMEOUT="2",
    )
    assert run.stdout == "bot ran to its end in time and out\n"
    assert f"{endpoint} (not reachable)" in run.stderr
    assert "Traceback" not in run.stderr


def test_the_one_line_says_where_telemetry_goes(bot: Bot, receiver: OtlpReceiver) -> None:
    """Name, service, profile, Collector with its state, ops server."""
    run = bot(MINIMAL, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_TRADING_PROFILE="staging")
    (line,) = run.stderr.splitlines()
    parts = line.split(" · ")
    assert parts[0].startswith("otel-trading ")
    assert parts[1:4] == ["my_bot", "staging", f"OTLP {receiver.url} (reachable)"]
    assert parts[4].startswith("http://127.0.0.1:")


def test_taken_ops_port_is_one_message(configured: Configure, caplog: pytest.LogCaptureFixture) -> None:
    """A port somebody else has costs /metrics, and the message names the setting."""
    with socket.create_server(("127.0.0.1", 0)) as taken, caplog.at_level(logging.WARNING, "otel_trading"):
        port = taken.getsockname()[1]
        handle = configured(ops_port=port)
        assert handle.ops is None
    (message,) = [record.getMessage() for record in caplog.records]
    assert f"ops_port={port}" in message
    assert "OTEL_TRADING_OPS_PORT" in message


def test_same_options_give_the_same_handle(configured: Configure) -> None:
    """A second call with the same options changes nothing, also no thread."""
    handle = configured()
    before = own_threads()
    assert configured() is handle
    assert own_threads() == before


def test_other_options_reconfigure_and_lose_nothing(configured: Configure, receiver: OtlpReceiver) -> None:
    """What is pending goes to the old Collector, what comes later to the new one, by the same instruments.

    Totals go on: the new Collector sees a counter that never fell.
    """
    handle = configured(span_delay=60.0)
    tracer, counter = handle.tracer, handle.meter.create_counter("bot.frames")
    tracer.start_span("before").end()
    counter.add(1)
    with OtlpReceiver() as second:
        assert configured(endpoint=second.url) is handle
        tracer.start_span("after").end()
        counter.add(2)
        assert handle.shutdown(5)
        assert [span.name for span in receiver.spans] == ["before"]
        assert [span.name for span in second.spans] == ["after"]
        assert [metric.sum.data_points[0].as_int for metric in receiver.metrics("bot.frames")] == [1]
        assert [metric.sum.data_points[0].as_int for metric in second.metrics("bot.frames")] == [3]


SHORT_LIVED = ("otel-ops-work", "otel-check", "otel-alerts-", "otel-alert-", "otel-probe")


def test_reconfiguring_leaks_no_thread(configured: Configure) -> None:
    """Ten reconfigurations leave as many threads as one."""
    handle = configured(log_delay=0.1)
    handle.tracer.start_span("tick").end()
    logging.getLogger("bot").warning("hello")
    assert handle.flush(5)
    expected = own_threads()
    for step in range(10):
        configured(log_delay=0.2 + step / 10)
        handle.tracer.start_span("tick").end()
        logging.getLogger("bot").warning("hello")
    deadline = time.monotonic() + 5
    while ((passing := passing_threads()) or own_threads() != expected) and time.monotonic() < deadline:
        assert handle.flush(5)
        time.sleep(0.02)
    assert own_threads() == expected
    assert passing == []


def eventually_no_thread_but(others: list[threading.Thread]) -> bool:
    """Whether the kit's threads end soon, but for those that were there before."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        started = [thread for thread in threading.enumerate() if thread not in others]
        if not any(thread.name.startswith("otel-") for thread in started):
            return True
        time.sleep(0.02)
    return False


def own_threads() -> list[str]:
    """The names of the kit's threads, but for those that end when their work is done."""
    names = [thread.name for thread in threading.enumerate()]
    return sorted(name for name in names if name.startswith("otel-") and not name.startswith(SHORT_LIVED))


def passing_threads() -> list[str]:
    """The names of those that end when their work is done."""
    return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith(SHORT_LIVED))


def test_handle_works_again_after_shutdown(configured: Configure, receiver: OtlpReceiver) -> None:
    """configure() after shutdown() starts anew, with the tracers libraries already have."""
    tracer = trace.get_tracer("a.library")
    configured().shutdown()
    tracer.start_span("lost").end()
    handle = configured(span_delay=0.1)
    tracer.start_span("kept").end()
    assert handle.shutdown(5)
    assert [span.name for span in receiver.spans] == ["kept"]


def test_context_manager_shuts_down(configured: Configure, receiver: OtlpReceiver) -> None:
    """Leaving the block delivers everything and ends our threads."""
    before = threading.enumerate()
    with configured() as handle:
        handle.tracer.start_span("tick").end()
    assert not handle.delivering
    assert [span.name for span in receiver.spans] == ["tick"]
    assert eventually_no_thread_but(before)


def test_disabled_does_nothing_and_costs_no_thread(configured: Configure, receiver: OtlpReceiver) -> None:
    """With disabled=True the API works, no thread runs and nothing is sent."""
    before = threading.enumerate()
    with configured(disabled=True) as handle:
        handle.meter.create_counter("bot.frames").add(1)
        with handle.tracer.start_as_current_span("tick") as span:
            assert not span.is_recording()
        assert eventually_no_thread_but(before)
    assert receiver.requests == []


def test_opentelemetry_instrument_configures_the_bot(bot: Bot, receiver: OtlpReceiver) -> None:
    """An unchanged bot under opentelemetry-instrument sends its traces, metrics and logs."""
    source = """
import logging
from opentelemetry import metrics, trace
logging.basicConfig(level=logging.INFO, format="BOT %(message)s")
metrics.get_meter("bot").create_counter("bot.frames").add(3)
with trace.get_tracer("bot").start_as_current_span("tick"):
    logging.getLogger("bot").info("order sent")
"""
    command = str(Path(sys.executable).with_name("opentelemetry-instrument"))
    run = bot(source, command, sys.executable, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert run.returncode == 0, run.stderr
    assert " · my_bot · production · OTLP " in run.stderr
    assert "BOT order sent" in run.stderr
    assert [span.name for span in receiver.spans] == ["tick"]
    (record,) = receiver.logs
    assert record.body.string_value == "order sent"
    assert record.trace_id == receiver.spans[0].trace_id
    assert receiver.metrics("bot.frames")[-1].sum.data_points[0].as_int == 3
    assert receiver.resource()["telemetry.distro.name"] == "otel-trading"


def test_normal_exit_delivers_without_shutdown_being_called(bot: Bot, receiver: OtlpReceiver) -> None:
    """A bot that just ends loses neither spans nor logs nor counts."""
    source = """
import logging
import otel_trading as ot
telemetry = ot.configure(banner=False)
telemetry.meter.create_counter("bot.frames").add(7)
telemetry.tracer.start_span("tick").end()
logging.getLogger("bot").error("the end")
"""
    run = bot(source, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (run.returncode, run.stdout) == (0, "")
    assert [span.name for span in receiver.spans] == ["tick"]
    assert [record.body.string_value for record in receiver.logs] == ["the end"]
    assert receiver.metrics("bot.frames")[-1].sum.data_points[0].as_int == 7


def test_forked_child_reports_for_itself(configured: Configure, receiver: OtlpReceiver) -> None:
    """The child sends what it made, under its own instance id, and not what the parent had queued."""
    handle = configured(span_delay=60.0)
    handle.tracer.start_span("before").end()
    assert handle.flush(5)
    handle.tracer.start_span("parent").end()
    child = os.fork()
    if child == 0:
        handle.tracer.start_span("child").end()
        os._exit(0 if handle.flush(5) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert [span.name for span in receiver.spans] == ["before", "child"]
    assert handle.flush(5)
    assert [span.name for span in receiver.spans] == ["before", "child", "parent"]


def test_importing_loads_no_sdk_and_starts_no_thread(bot: Bot) -> None:
    """The import alone is cheap: the SDK comes with configure()."""
    source = """
import sys, threading
import otel_trading
print([name for name in sys.modules if name.startswith("opentelemetry.sdk")], threading.active_count())
"""
    assert bot(source).stdout == "[] 1\n"


def test_configure_raises_no_exception_on_wrong_types() -> None:
    """Even nonsense arguments only cost themselves."""
    handle = configure(
        service_name=5,  # type: ignore[arg-type]
        endpoint=object(),  # type: ignore[arg-type]
        timeout="soon",  # type: ignore[arg-type]
        ops_port=None,  # type: ignore[arg-type]
        ops_enabled=False,
        traces_exporter="none",
        metrics_exporter="none",
        logs_exporter="none",
    )
    assert len(handle.status().problems) == 4
    assert handle.shutdown(1)


def test_defect_of_ours_turns_telemetry_off_and_lets_the_bot_run(
    configured: Configure, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """When the pipeline cannot be built for an unforeseen reason, one message says so and the API does nothing."""

    def broken(resolved: Resolved, *parts: Any) -> Pipeline:
        if resolved.settings.disabled:
            return build_pipeline(resolved, *parts)
        raise RuntimeError("out of luck")

    monkeypatch.setattr("otel_trading.building.build_pipeline", broken)
    with caplog.at_level(logging.WARNING, "otel_trading"):
        handle = configured()
    assert handle.settings.disabled
    handle.tracer.start_span("tick").end()
    (message,) = [record.getMessage() for record in caplog.records]
    assert message == "otel-trading: telemetry is off: it cannot be set up: RuntimeError: out of luck"


def test_defect_at_the_first_call_lets_the_bot_run_too(bot: Bot) -> None:
    """Also where nothing was configured before, a part that breaks turns telemetry off."""
    source = "import otel_trading.logs.bridge as bridge\nbridge.Bridge = lambda *_: 1 / 0\n" + MINIMAL
    run = bot(source)
    assert run.stdout == "bot ran to its end in time and out\n", run.stderr
    (message,) = complaints(run)
    assert message == "otel-trading: telemetry is off: it cannot be set up: ZeroDivisionError: division by zero"


def test_address_that_cannot_be_resolved_is_one_message(
    configured: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    """An ops_host nobody knows costs /metrics, and the message says why."""
    with caplog.at_level(logging.WARNING, "otel_trading"):
        assert configured(ops_host="no-such-host.invalid", ops_token="t").ops is None
    (message,) = [record.getMessage() for record in caplog.records]
    assert "ops_port=0 on no-such-host.invalid cannot be used (" in message
    assert "Unknown error" not in message


DECLARED = """
file_format: "1.0"
resource:
  attributes:
    - {name: service.name, value: declared-bot}
tracer_provider:
  processors:
    - batch: {exporter: {otlp_http: {endpoint: "RECEIVER/v1/traces"}}}
"""


def test_declarative_configuration_file_is_honoured(bot: Bot, receiver: OtlpReceiver, tmp_path: Path) -> None:
    """OTEL_CONFIG_FILE decides where spans go and who reports, behind the same handle."""
    (tmp_path / "sdk.yaml").write_text(DECLARED.replace("RECEIVER", receiver.url), "utf-8")
    run = bot(MINIMAL, OTEL_CONFIG_FILE=str(tmp_path / "sdk.yaml"))
    assert run.stdout == "bot ran to its end in time and out\n", run.stderr
    assert complaints(run) == []
    assert [span.name for span in receiver.spans] == ["tick"]
    assert receiver.resource()["service.name"] == "declared-bot"


def test_unusable_declarative_file_is_one_message(bot: Bot, tmp_path: Path) -> None:
    """A file that cannot be read or does not fit its schema gives way to the other options."""
    (tmp_path / "sdk.yaml").write_text("tracer_provider: 7\n", "utf-8")
    run = bot(MINIMAL, OTEL_CONFIG_FILE=str(tmp_path / "sdk.yaml"))
    assert run.stdout == "bot ran to its end in time and out\n"
    (message,) = complaints(run)
    assert "OTEL_CONFIG_FILE=" in message
