from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.core.otlp_receiver import OtlpReceiver

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.core.conftest import Configure


def wait_until(condition: object, seconds: float = 10.0) -> None:
    """Wait for a condition to hold."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_three_signals_arrive_with_the_resource_and_the_trace_id(configured: Configure, receiver: OtlpReceiver) -> None:
    """Span, log record and exemplar carry one trace id; the resource says who reports."""
    quiet = {"health_enabled": False, "alerts_enabled": False}  # so that the bot alone has something to say
    handle = configured(service_version="1.2", profile="staging", resource_attributes={"team": "arb"}, **quiet)
    with handle.tracer.start_as_current_span("tick") as span:
        handle.meter.create_histogram("bot.decide.duration", "s").record(0.002)
        logging.getLogger("bot").warning("order sent", extra={"trading.order.client_id": "c-1"})
        trace_id = span.get_span_context().trace_id.to_bytes(16, "big")
    assert handle.flush(5)
    assert receiver.spans[0].trace_id == trace_id
    (record,) = receiver.logs
    assert record.trace_id == trace_id
    attributes = {attribute.key: attribute.value.string_value for attribute in record.attributes}
    assert attributes.pop("log.record.uid")
    assert attributes == {"trading.order.client_id": "c-1"}
    point = receiver.metrics("bot.decide.duration")[0].exponential_histogram.data_points[0]
    assert point.exemplars[0].trace_id == trace_id
    resource = receiver.resource()
    expected = {
        "service.name": "test-bot",
        "service.version": "1.2",
        "deployment.environment.name": "staging",
        "trading.execution.mode": "paper",
        "telemetry.distro.name": "otel-trading",
        "team": "arb",
    }
    assert expected.items() <= resource.items()
    assert resource["service.instance.id"]


def test_outage_is_bridged_and_said_once(
    configured: Configure, receiver: OtlpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    """While the Collector answers 503 everything is kept; afterwards it all arrives; two lines tell the story."""
    receiver.status = 503
    handle = configured(span_delay=0.05, log_delay=0.05, health_enabled=False, alerts_enabled=False)
    with caplog.at_level(logging.WARNING, "otel_trading"):
        for number in range(100):
            handle.tracer.start_span(f"tick {number}").end()
            logging.getLogger("bot").warning("line %s", number)
        wait_until(lambda: handle.status().signals["traces"].last_error == "HTTP status 503")
        time.sleep(1.0)
        receiver.status = 200
        assert handle.flush(10)
    assert [span.name for span in receiver.spans] == [f"tick {number}" for number in range(100)]
    assert len(receiver.logs) == 100
    said = [record.getMessage() for record in caplog.records if record.name == "otel_trading"]
    assert said == [
        f"otel-trading: nothing can be delivered to {receiver.url} (HTTP status 503); it waits and is sent again",
        f"otel-trading: deliveries to {receiver.url} arrive again",
    ]


def test_full_queue_drops_the_oldest_and_counts(configured: Configure, receiver: OtlpReceiver) -> None:
    """With more spans than the queue holds, the newest are delivered and the account is exact."""
    receiver.status = 503
    handle = configured(span_queue_size=50, span_batch_size=10, span_delay=60.0)
    for number in range(200):
        handle.tracer.start_span(f"tick {number}").end()
    receiver.status = 200
    assert handle.flush(10)
    account = handle.status().signals["traces"]
    assert account.emitted == 200
    assert account.sent == len(receiver.spans)
    assert account.dropped == {"queue_full": 200 - len(receiver.spans)}
    assert [span.name for span in receiver.spans][-40:] == [f"tick {number}" for number in range(160, 200)]


@pytest.mark.parametrize("status", [302, 400, 404, 500])
def test_refusals_are_losses_that_are_seen(
    configured: Configure, receiver: OtlpReceiver, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """A redirect or an error of ours is a counted loss with its status, said once."""
    receiver.status = status
    handle = configured(metrics_exporter="none")
    with caplog.at_level(logging.WARNING, "otel_trading"):
        for _ in range(3):
            handle.tracer.start_span("tick").end()
            handle.flush(5)
    account = handle.status().signals["traces"]
    assert (account.sent, account.dropped) == (0, {"refused": 3})
    assert str(account.last_error).startswith(f"HTTP status {status}")
    assert len(caplog.records) == 1


def test_partial_success_is_counted(configured: Configure, receiver: OtlpReceiver) -> None:
    """Spans the Collector rejects from an accepted batch are dropped, the others sent."""
    receiver.reject = 3
    handle = configured()
    for _ in range(10):
        handle.tracer.start_span("tick").end()
    handle.flush(5)
    account = handle.status().signals["traces"]
    assert (account.sent, account.dropped, account.last_error) == (7, {"refused": 3}, "too many")


def test_shutdown_keeps_one_deadline_with_a_hanging_collector(configured: Configure, receiver: OtlpReceiver) -> None:
    """A Collector that accepts and never answers costs the deadline once, not once a signal; all of it is kept."""
    receiver.hanging.set()
    handle = configured(span_delay=0.05, log_delay=0.05)
    handle.tracer.start_span("tick").end()
    logging.getLogger("bot").warning("hello")
    time.sleep(0.3)
    started = time.monotonic()
    assert not handle.shutdown(3.0)
    assert time.monotonic() - started < 6.0  # three signals in turn would take nine seconds
    signals = handle.status().signals
    assert (signals["traces"].spooled, signals["traces"].dropped) == (1, {})
    assert (signals["logs"].spooled, signals["logs"].dropped) == (1, {})
    receiver.released.set()


def test_flush_keeps_its_deadline(configured: Configure, receiver: OtlpReceiver) -> None:
    """flush() gives up in time and says that not all went out."""
    receiver.hanging.set()
    handle = configured()
    handle.tracer.start_span("tick").end()
    started = time.monotonic()
    assert not handle.flush(0.5)
    assert time.monotonic() - started < 5.0  # the export's own timeout is ten
    receiver.released.set()


def test_nothing_is_accepted_after_shutdown_and_it_is_counted(configured: Configure) -> None:
    """What the bot reports too late is a drop with its reason."""
    handle = configured()
    tracer = handle.tracer
    assert handle.shutdown(5)
    tracer.start_span("late").end()
    assert handle.status().signals["traces"].dropped == {"shut_down": 1}


def test_headers_and_signal_endpoints_are_honoured(configured: Configure, receiver: OtlpReceiver) -> None:
    """Headers reach the Collector; a signal's own endpoint wins over the one for all."""
    with OtlpReceiver() as other:
        handle = configured(headers={"api-key": "k"}, traces_endpoint=f"{other.url}/v1/traces")
        handle.tracer.start_span("tick").end()
        logging.getLogger("bot").warning("hello")
        assert handle.flush(5)
        assert [span.name for span in other.spans] == ["tick"]
        assert receiver.spans == []
        assert {headers["api-key"] for headers in receiver.headers + other.headers} == {"k"}


def test_account_balances_under_threads(configured: Configure, receiver: OtlpReceiver) -> None:
    """Emitted is sent plus dropped, to the item, with eight threads and a small queue."""
    handle = configured(span_queue_size=64, span_batch_size=16, span_delay=0.01)

    def work() -> None:
        for _ in range(500):
            handle.tracer.start_span("tick").end()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    handle.shutdown(10)
    account = handle.status().signals["traces"]
    assert account.emitted == 4_000
    assert account.sent == len(receiver.spans)
    assert account.sent + account.lost == 4_000
    assert account.pending == 0


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_bad_values_take_no_neighbour_with_them(configured: Configure, receiver: OtlpReceiver, engine: str) -> None:
    """What OTLP cannot carry arrives as what it can, in all signals."""
    handle = configured(engine=engine)
    meter = handle.meter
    meter.create_counter("good").add(3)
    meter.create_counter("wei").add(10**19)
    for name in ("good", "half \ud800"):
        handle.tracer.start_span(name, attributes={"wei": 10**19}).end()
        logging.getLogger("bot").warning(name, extra={"wei": 10**19, "half": "\ud800"})
    assert handle.flush(5)
    replacement = "?" if engine == "native" else "\ufffd"
    assert [span.name for span in receiver.spans] == ["good", f"half {replacement}"]
    assert sorted(record.body.string_value for record in receiver.logs) == ["good", "half ?"]
    assert all({"wei", "half"} <= {each.key for each in record.attributes} for record in receiver.logs)
    assert receiver.metrics("good")[0].sum.data_points[0].WhichOneof("value") is not None
    assert receiver.metrics("wei")
    for signal, account in handle.status().signals.items():
        assert (signal, account.lost, account.pending) == (signal, 0, 0)


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_certificate_that_cannot_be_used_is_said_and_nothing_raises(
    configured: Configure, caplog: pytest.LogCaptureFixture, protocol: str, tmp_path: Path
) -> None:
    """One message that names the option and the file."""
    path = tmp_path / "none.pem"
    with caplog.at_level(logging.WARNING, "otel_trading"):
        handle = configured(
            endpoint="https://127.0.0.1:1", protocol=protocol, certificate=path, metrics_exporter="none"
        )
        handle.tracer.start_span("tick").end()
    assert [str(path) in record.getMessage() for record in caplog.records].count(True) == 1
    assert any("certificate=" in problem for problem in handle.status().problems)


def test_no_other_http_library_is_loaded(bot: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """A bot that does not use requests does not pay for it."""
    ran = bot("import sys, otel_trading; otel_trading.configure(); print('requests' in sys.modules)")
    assert ran.stdout == "False\n", ran.stderr


def test_delivery_itself_is_not_traced(configured: Configure, receiver: OtlpReceiver) -> None:
    """The sender's own requests and log lines produce no telemetry."""
    handle = configured(health_enabled=False, alerts_enabled=False)
    for _ in range(3):
        handle.tracer.start_span("tick").end()
        assert handle.flush(5)
    assert {span.name for span in receiver.spans} == {"tick"}
    assert receiver.logs == []
