from __future__ import annotations

import logging
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from otel_trading.export.delivery import Delivery, Outcome
from otel_trading.export.destination import destination
from otel_trading.export.transport.tls import Credentials
from otel_trading.settings import resolve
from tests.export.certificates import Authority
from tests.export.grpc_receiver import GrpcReceiver
from tests.export.receiver import Receiver
from tests.export.senders import UnderWay, request, sender, timed

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"), "ours")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("theirs"), "theirs")


@pytest.fixture(params=["http/protobuf", "grpc"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def running(ours: Authority, protocol: str) -> Iterator[Receiver | GrpcReceiver]:
    """A receiver with a certificate of ours."""
    with _receiver(ours, protocol, wants_clients=False) as receiver:
        yield receiver


@pytest.fixture
def demanding(ours: Authority, protocol: str) -> Iterator[Receiver | GrpcReceiver]:
    """One that lets in only clients with a certificate of ours."""
    with _receiver(ours, protocol, wants_clients=True) as receiver:
        yield receiver


def _receiver(ours: Authority, protocol: str, *, wants_clients: bool) -> Receiver | GrpcReceiver:
    if protocol == "http/protobuf":
        return Receiver(ours.context(wants_clients=wants_clients))
    certificate, key, authority = (Path(path).read_bytes() for path in (*ours.server, ours.certificate))
    pairs = [(key, certificate)]
    return GrpcReceiver(grpc.ssl_server_credentials(pairs, authority if wants_clients else None, wants_clients))


def _send(receiver: Receiver | GrpcReceiver, protocol: str, **credentials: Any) -> Delivery:
    url = f"{receiver.url}/v1/traces" if protocol == "http/protobuf" else receiver.url
    with sender(url, protocol=protocol, credentials=Credentials(**credentials)) as sending:
        return sending.send(request("tick"))


def test_trusted_receiver_gets_the_request(running: Receiver, ours: Authority, protocol: str) -> None:
    assert _send(running, protocol, certificate=ours.certificate) == Delivery(Outcome.SENT)
    assert running.counted("traces") == {"tick": 1}


@pytest.mark.parametrize("trusted", ["the system's", "theirs"])
def test_other_receivers_get_nothing(running: Receiver, theirs: Authority, protocol: str, trusted: str) -> None:
    """Nothing is lost either: the certificate may be corrected."""
    certificate = theirs.certificate if trusted == "theirs" else None
    delivery = _send(running, protocol, certificate=certificate)
    assert (delivery.outcome, delivery.uncertain) == (Outcome.RETRY, False)
    assert str(delivery.reason).startswith("TLS fails: ")
    assert "certificate" in str(delivery.reason).lower()
    assert running.counted("traces") == {}


def test_client_shows_who_it_is(demanding: Receiver, ours: Authority, protocol: str) -> None:
    certificate, key = ours.client
    given = {"certificate": ours.certificate, "client_certificate": certificate, "client_key": key}
    assert _send(demanding, protocol, **given) == Delivery(Outcome.SENT)


def test_client_without_a_certificate_is_told(demanding: Receiver, ours: Authority, protocol: str) -> None:
    delivery = _send(demanding, protocol, certificate=ours.certificate)
    assert delivery.outcome is Outcome.RETRY
    assert delivery.reason
    assert demanding.counted("traces") == {}


def test_key_of_another_certificate_is_named(demanding: Receiver, ours: Authority, protocol: str) -> None:
    """The files of a client are named with what is wrong; once they are right, requests arrive."""
    certificate, _ = ours.client
    other = ours.server[1]
    delivery = _send(demanding, protocol, client_certificate=certificate, client_key=other)
    assert delivery.outcome is Outcome.RETRY
    expected = f"client_certificate={certificate}, client_key={other} cannot be used: key values mismatch"
    assert delivery.reason == expected


def test_certificate_that_is_replaced_is_read_again(
    running: Receiver, ours: Authority, theirs: Authority, protocol: str, tmp_path: Path
) -> None:
    """Without a restart of the bot."""
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(Path(theirs.certificate).read_bytes())
    url = f"{running.url}/v1/traces" if protocol == "http/protobuf" else running.url
    with sender(url, protocol=protocol, credentials=Credentials(certificate=str(trusted))) as sending:
        assert sending.send(request("tick")).outcome is Outcome.RETRY
        trusted.write_bytes(Path(ours.certificate).read_bytes())
        assert sending.send(request("tick")) == Delivery(Outcome.SENT)
        trusted.unlink()
        assert sending.send(request("tick")) == Delivery(Outcome.SENT)  # the connection stands


def test_receiver_without_tls_is_told_apart(protocol: str) -> None:
    """The certificate is not to blame when there is none."""
    with Receiver() if protocol == "http/protobuf" else GrpcReceiver() as receiver:
        url = receiver.url.replace("http", "https")
        with sender(url, protocol=protocol, timeout=5.0) as sending:
            delivery = sending.send(request("tick"))
    assert (delivery.outcome, delivery.uncertain) == (Outcome.RETRY, False)
    assert str(delivery.reason).startswith("TLS fails: ")


@pytest.mark.parametrize("mode", ["hang", "drip"])
def test_deadline_and_close_hold_over_tls(ours: Authority, mode: str) -> None:
    with Receiver(ours.context()) as receiver:
        receiver.mode = mode
        trusting = {"credentials": Credentials(certificate=ours.certificate)}
        with sender(f"{receiver.url}/v1/traces", timeout=3.0, **trusting) as sending:
            delivery, seconds = timed(lambda: sending.send(request("tick")))
        assert delivery == Delivery(Outcome.RETRY, reason="no answer within 3 s", uncertain=True)
        assert seconds < 30.0
        with sender(f"{receiver.url}/v1/traces", timeout=300.0, **trusting) as sending:
            under_way = UnderWay(lambda: sending.send(request("tick")))
            time.sleep(0.3)
            sending.close()
            assert under_way.result().reason == "shut down"


def test_handshake_that_hangs_costs_the_deadline(ours: Authority) -> None:
    """Somebody who accepts connections and does not speak TLS, nor anything else."""
    with Receiver() as receiver:
        receiver.mode = "hang"
        url = f"https://127.0.0.1:{receiver.port}/v1/traces"
        receiver._stop_listening()
        receiver._listener = socket.create_server(("127.0.0.1", receiver.port))
        with sender(url, timeout=0.5) as sending:
            delivery, seconds = timed(lambda: sending.send(request("tick")))
        assert delivery == Delivery(Outcome.RETRY, reason="no connection within 0.5 s")
        assert seconds < 30.0
        with sender(url, timeout=300.0) as sending:
            under_way = UnderWay(lambda: sending.send(request("tick")))
            time.sleep(0.3)
            sending.close()
            assert under_way.result() == Delivery(Outcome.RETRY, reason="shut down")


def test_files_come_from_the_standard_variables(ours: Authority) -> None:
    """For all signals and for each; a stronger origin wins, as with the other options."""
    certificate, key = ours.client
    variables = {
        "OTEL_EXPORTER_OTLP_CERTIFICATE": ours.certificate,
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": certificate,
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": key,
        "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY": ours.server[1],
    }
    resolved = resolve({}, variables=variables)
    assert resolved.problems == ()
    assert destination(resolved, "traces").credentials == Credentials(ours.certificate, certificate, key)
    assert destination(resolved, "logs").credentials == Credentials(ours.certificate, certificate, ours.server[1])


@pytest.mark.parametrize("option", ["certificate", "client_certificate", "client_key", "traces_certificate"])
@pytest.mark.parametrize("content", [None, "no certificate", "\0"])
def test_file_that_cannot_be_used_is_one_message(option: str, content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "file.pem"
    if content is not None:
        path.write_text(content)
    resolved = resolve({option: path}, variables={})
    (problem,) = resolved.problems
    assert str(problem).startswith(f"{option}={path} (argument) is not usable; allowed: a readable file in PEM")
    assert getattr(resolved.settings, option) is None


@pytest.mark.parametrize(
    ("endpoint", "protocol", "insecure", "url"),
    [
        ("collector:4317", "grpc", "", "https://collector:4317"),
        ("collector:4317", "grpc", "true", "http://collector:4317"),
        ("http://collector:4317", "grpc", "false", "http://collector:4317"),
        ("https://collector:4317", "grpc", "true", "https://collector:4317"),
        ("collector:4318", "http/protobuf", "", "http://collector:4318/v1/traces"),
        ("", "grpc", "", "http://127.0.0.1:4317"),
    ],
)
def test_scheme_decides_and_insecure_where_there_is_none(endpoint: str, protocol: str, insecure: str, url: str) -> None:
    """As the specification says: a gRPC endpoint without a scheme is encrypted unless it is said to be insecure."""
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_INSECURE": insecure,
    }
    assert destination(resolve({}, variables=variables), "traces").url == url
    variables["OTEL_EXPORTER_OTLP_TRACES_INSECURE"] = variables.pop("OTEL_EXPORTER_OTLP_INSECURE")
    assert destination(resolve({}, variables=variables), "traces").url == url


def test_nothing_is_logged_by_grpc(ours: Authority, capfd: pytest.CaptureFixture[str], caplog: Any) -> None:
    """Failures of TLS are gRPC's loudest."""
    certificate, key = (Path(path).read_bytes() for path in ours.server)
    with caplog.at_level(logging.DEBUG), GrpcReceiver(grpc.ssl_server_credentials([(key, certificate)])) as receiver:
        _send(receiver, "grpc")
    assert caplog.records == []
