from __future__ import annotations

import json
import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from otel_trading.cli.doctor import doctor
from otel_trading.stack.backends import CollectorMetrics
from otel_trading.stack.endpoint import GRPC, Endpoint, headers_from_environment
from otel_trading.stack.ports import Ports
from tests.export.http2_receiver import Http2Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

    from otel_trading.stack import Stack


@pytest.fixture(autouse=True)
def exporters_log_as_before() -> Iterator[None]:
    logger = logging.getLogger("opentelemetry")
    level = logger.level
    yield
    logger.setLevel(level)


def run_doctor(stack: Stack, *arguments: str) -> Result:
    environment = {"OTEL_TRADING_STACK_DATA": str(stack.data_dir), **stack.ports.environment()}
    return CliRunner().invoke(doctor, arguments, env=environment, catch_exceptions=False)


@pytest.mark.stack
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_all_three_are_found_and_the_exit_status_is_zero(stack: Stack, protocol: str) -> None:
    """A healthy path shows three finds, each with its time and link."""
    result = run_doctor(stack, "--protocol", protocol)
    assert result.exit_code == 0, result.output
    assert result.output.count("✓ found") == 3
    assert f"{stack.urls['jaeger_ui']}/api/traces/" in result.output  # built from its module, Jaeger has no pages


@pytest.mark.stack
def test_json_holds_what_the_table_shows(stack: Stack) -> None:
    """Other programs can read the report."""
    report = json.loads(run_doctor(stack, "--json").stdout)
    assert report["healthy"] is True
    assert [finding["signal"] for finding in report["findings"]] == ["trace", "metric", "log"]
    assert all(finding["seconds"] < 20 for finding in report["findings"])
    assert len(report["trace_id"]) == 32


@pytest.mark.stack
def test_a_collector_that_is_down_is_named_and_the_exit_status_is_one(own_stack: Stack) -> None:
    """The first hop is blamed when nothing listens there."""
    own_stack.stop("collector")
    result = run_doctor(own_stack)
    assert result.exit_code == 1
    assert result.output.count("✗ missing") == 3
    assert "bot → Collector: nothing listens on" in result.output
    assert "otel-trading stack up" in result.output


@pytest.mark.stack
@pytest.mark.parametrize(
    ("component", "name", "signal"),
    [("loki", "Loki", "log"), ("jaeger", "Jaeger", "trace"), ("prometheus", "Prometheus", "metric")],
)
def test_a_backend_that_is_down_is_named_and_the_others_are_found(
    own_stack: Stack, component: str, name: str, signal: str
) -> None:
    """One dead backend costs one signal, and the report says where its data waits."""
    own_stack.stop(component)
    result = run_doctor(own_stack, "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 1
    [missing] = [finding for finding in report["findings"] if not finding["found"]]
    assert (missing["signal"], missing["problem"]["hop"]) == (signal, name)
    assert "does not answer" in missing["problem"]["what"]
    assert "the Collector keeps" in missing["problem"]["advice"]


@pytest.mark.stack
def test_a_grpc_port_spoken_to_over_http_is_recognized(stack: Stack) -> None:
    """Port 4317 with the HTTP protocol is the classic mistake; it is called by its name."""
    problem = Endpoint(stack.urls["otlp_grpc"]).find_problem()
    assert problem is not None
    assert "that is how a gRPC port" in problem.what


@pytest.mark.stack
def test_an_http_port_spoken_to_over_grpc_is_recognized(stack: Stack) -> None:
    """And so is the other way round."""
    problem = Endpoint(stack.urls["otlp_http"], GRPC).find_problem()
    assert problem is not None
    assert "that is how an HTTP port" in problem.what


@pytest.mark.stack
def test_a_signals_path_in_the_endpoint_is_recognized(stack: Stack) -> None:
    """An endpoint that ends in /v1/traces is answered with 404, and that is explained."""
    problem = Endpoint(f"{stack.urls['otlp_http']}/v1/traces").find_problem()
    assert problem is not None
    assert "HTTP 404" in problem.what
    assert "without /v1/traces" in problem.advice


def answering(status: int, *, port: int = 0) -> tuple[HTTPServer, str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"data": []}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}"


@pytest.mark.stack
@pytest.mark.parametrize(
    ("status", "says", "advises"),
    [(400, "Prometheus refused", "stack logs collector"), (503, "wait in the Collector's queue", "raise --timeout")],
)
def test_a_backend_that_does_not_take_what_the_collector_sends_is_told_from_one_that_is_down(
    own_stack: Stack, status: int, says: str, advises: str
) -> None:
    """The hop between Collector and backend is blamed, and whether the data is lost or waits."""
    own_stack.stop("prometheus")
    server, _ = answering(status, port=own_stack.ports.prometheus)
    try:
        report = json.loads(run_doctor(own_stack, "--json", "--timeout", "4").stdout)
    finally:
        server.shutdown()
        server.server_close()
    [missing] = [finding for finding in report["findings"] if not finding["found"]]
    assert missing["problem"]["hop"] == "Collector → Prometheus"
    assert says in missing["problem"]["what"]
    assert advises in missing["problem"]["advice"]


@pytest.mark.parametrize(
    ("status", "says"),
    [(401, "wants a login"), (403, "refuses these credentials"), (405, "no POST"), (503, "HTTP 503")],
)
def test_a_refusal_is_explained_by_its_status(status: int, says: str) -> None:
    """What the endpoint answers becomes what to do."""
    server, url = answering(status)
    try:
        problem = Endpoint(url).find_problem()
    finally:
        server.shutdown()
        server.server_close()
    assert problem is not None
    assert says in problem.what
    assert problem.advice


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("0", None),
        ("12", "takes no OTLP traces"),
        ("16", "wants a login"),
        ("7", "refuses these credentials"),
        ("14", "answers gRPC status UNAVAILABLE: full"),
    ],
)
def test_a_refusal_over_grpc_is_explained_by_its_status(status: str, says: str | None) -> None:
    """As over HTTP."""
    with Http2Receiver() as receiver:
        receiver.answer = lambda call: call.answer(trailers=[("grpc-status", status), ("grpc-message", "full")])
        problem = Endpoint(receiver.url, GRPC).find_problem()
    assert (problem is None) == (says is None)
    assert problem is None or str(says) in problem.what


def test_what_is_no_grpc_port_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who speaks HTTP, who says nothing, and who knows no TLS."""
    server, url = answering(200)
    try:
        problem = Endpoint(url, GRPC).find_problem()
        assert problem is not None
        assert "that is how an HTTP port" in problem.what
        problem = Endpoint(url.replace("http", "https"), GRPC).find_problem()
        assert problem is not None
        assert "TLS fails" in problem.what
    finally:
        server.shutdown()
        server.server_close()
    monkeypatch.setattr("otel_trading.stack.endpoint.ANSWER_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        problem = Endpoint(f"http://127.0.0.1:{silent.getsockname()[1]}", GRPC).find_problem()
    assert problem is not None
    assert "does not answer" in problem.what


def test_a_host_that_does_not_exist_is_recognized() -> None:
    """A name that cannot be resolved is not mistaken for a dead Collector."""
    problem = Endpoint("http://no-such-host.invalid:4318").find_problem()
    assert problem is not None
    assert "cannot be resolved" in problem.what


def test_a_port_that_takes_the_connection_and_says_nothing_is_recognized(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hung receiver is told from a closed port."""
    monkeypatch.setattr("otel_trading.stack.endpoint.ANSWER_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        problem = Endpoint(f"http://127.0.0.1:{silent.getsockname()[1]}").find_problem()
    assert problem is not None
    assert "does not answer" in problem.what


def test_headers_of_the_environment_are_sent_with_the_question() -> None:
    """The endpoint sees the credentials the bot would send."""
    assert headers_from_environment({"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x"}) == {
        "authorization": "Bearer x"
    }


def test_a_wrong_port_number_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nonsense in a port variable is named, without a traceback."""
    result = CliRunner().invoke(doctor, [], env={"LOKI_PORT": "http"})
    assert result.exit_code == 1
    assert "LOKI_PORT='http' is not a port" in result.output


def test_a_collector_without_metrics_is_no_error() -> None:
    """Behind a foreign endpoint nobody may be there to ask."""
    assert CollectorMetrics(f"http://127.0.0.1:{Ports.free().collector_metrics}").by_exporter() == {}
