from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from otel_trading.export.delivery import Delivery, Outcome
from otel_trading.extras import MissingExtraError
from tests.export.grpc_receiver import GrpcReceiver
from tests.export.received import eventually
from tests.export.receiver import Receiver
from tests.export.senders import UnderWay, request, sender, timed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.export.transport import OtlpSender


@pytest.fixture
def receiver() -> Iterator[GrpcReceiver]:
    with GrpcReceiver() as running:
        yield running


@pytest.fixture
def sending(receiver: GrpcReceiver) -> Iterator[OtlpSender]:
    with sender(receiver.url, protocol="grpc") as made:
        yield made


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_request_arrives_with_headers_and_user_agent(receiver: GrpcReceiver, compression: str) -> None:
    """Names of headers are lower case, as gRPC wants them."""
    with sender(receiver.url, protocol="grpc", compression=compression, headers={"Api-Key": "k"}) as sending:
        assert sending.send(request("one", "two")) == Delivery(Outcome.SENT)
    assert receiver.counted("traces") == {"one": 1, "two": 1}
    (got,) = receiver.headers("traces")
    assert got["api-key"] == "k"
    assert got["user-agent"].startswith("OTel-OTLP-Exporter-Python/")


@pytest.mark.parametrize(
    "code",
    ["CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS", "RESOURCE_EXHAUSTED"],
)
def test_codes_that_are_worth_another_try(receiver: GrpcReceiver, sending: OtlpSender, code: str) -> None:
    """With the wait that the receiver asks for."""
    receiver.mode, receiver.message = code, "busy"
    delivery = sending.send(request("tick"))
    assert (delivery.outcome, delivery.retry_after) == (Outcome.RETRY, None)
    receiver.retry_after = 0.25
    assert sending.send(request("tick")).retry_after == 0.25


@pytest.mark.parametrize(
    "code",
    ["INVALID_ARGUMENT", "NOT_FOUND", "PERMISSION_DENIED", "UNAUTHENTICATED", "UNIMPLEMENTED", "INTERNAL", "UNKNOWN"],
)
def test_other_codes_are_refusals(receiver: GrpcReceiver, sending: OtlpSender, code: str) -> None:
    receiver.mode, receiver.message = code, "no\nthanks"
    assert sending.send(request("tick")) == Delivery(Outcome.REFUSED, reason=f"gRPC status {code}: no thanks")


def test_request_that_is_too_large_is_not_tried_for_ever(receiver: GrpcReceiver, sending: OtlpSender) -> None:
    """Receivers call it exhausted, too, and it does not get smaller."""
    delivery = sending.send(request("x" * (5 << 20)))
    assert delivery.outcome is Outcome.REFUSED
    assert "RESOURCE_EXHAUSTED" in str(delivery.reason)


def test_partial_success_is_read(receiver: GrpcReceiver, sending: OtlpSender) -> None:
    receiver.reject, receiver.message = 2, "too old"
    assert sending.send(request("a", "b", "c")) == Delivery(Outcome.SENT, 2, "too old")


def test_answer_that_is_no_message_is_not_believed(receiver: GrpcReceiver, sending: OtlpSender) -> None:
    receiver.mode = "garbage"
    assert sending.send(request("tick")) == Delivery(Outcome.REFUSED, reason="answer is not OTLP")


@pytest.mark.parametrize("mode", ["hang", "black hole", "refuse"])
def test_one_deadline_for_all_of_a_request(mode: str) -> None:
    """Nobody there, somebody who says nothing, and a connection that is not answered."""
    with Receiver() as receiver, sender(receiver.url, protocol="grpc", timeout=1.0) as sending:
        receiver.mode = mode
        delivery, seconds = timed(lambda: sending.send(request("tick")))
    assert delivery.outcome is Outcome.RETRY
    assert delivery.reason
    assert seconds < 30.0


def test_receiver_that_hangs_is_uncertain(receiver: GrpcReceiver) -> None:
    receiver.mode = "hang"
    with sender(receiver.url, protocol="grpc", timeout=0.5) as sending:
        delivery, seconds = timed(lambda: sending.send(request("tick")))
    assert delivery == Delivery(Outcome.RETRY, reason="no answer within 0.5 s", uncertain=True)
    assert seconds < 30.0


def test_close_ends_a_request_under_way(receiver: GrpcReceiver) -> None:
    receiver.mode = "hang"
    with sender(receiver.url, protocol="grpc", timeout=300.0) as sending:
        under_way = UnderWay(lambda: sending.send(request("tick")))
        eventually(lambda: receiver.asked == 1)
        sending.close()
        assert under_way.result().reason == "shut down"
        assert sending.send(request("tick")) == Delivery(Outcome.RETRY, reason="shut down")


def test_name_that_cannot_be_resolved_is_said() -> None:
    with sender("http://no-such-host.invalid:4317", protocol="grpc", timeout=30.0) as sending:
        delivery = sending.send(request("tick"))
    assert (delivery.outcome, delivery.uncertain) == (Outcome.RETRY, False)
    assert str(delivery.reason).startswith("no-such-host.invalid cannot be resolved: ")


def test_receiver_that_comes_back_is_found(receiver: GrpcReceiver) -> None:
    """With the next request: when to try again is for the caller to say."""
    with sender(receiver.url, protocol="grpc", timeout=5.0) as sending:
        assert sending.send(request("tick")).outcome is Outcome.SENT
        receiver.close()
        assert sending.send(request("tick")).outcome is Outcome.RETRY
        with GrpcReceiver(port=receiver.port) as again:
            assert sending.send(request("again")).outcome is Outcome.SENT
            assert again.counted("traces") == {"again": 1}


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_header_that_cannot_be_sent_is_said(receiver: GrpcReceiver, protocol: str) -> None:
    """Nothing is raised, and nothing lost: the next start may have a better one."""
    with Receiver() as other:
        url = receiver.url if protocol == "grpc" else f"{other.url}/v1/traces"
        with sender(url, protocol=protocol, headers={"x": "line\nsecret"}) as sending:
            delivery = sending.send(request("tick"))
    expected = "the request cannot be made: the value of header x holds characters that cannot be sent"
    assert delivery == Delivery(Outcome.RETRY, reason=expected)


def test_extra_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h2", None)
    with (
        pytest.raises(MissingExtraError, match=r"^h2 is not installed; run: pip install 'otel-trading\[grpc\]'$"),
        sender("http://127.0.0.1:1", protocol="grpc"),
    ):
        pass


_CHILD = """
import os, sys
from tests.export.senders import request, sender
from otel_trading.export.delivery import Outcome
with sender(sys.argv[1], protocol="grpc") as sending:
    assert sending.send(request("parent")).outcome is Outcome.SENT
    if (pid := os.fork()) == 0:
        sending.restart_in_child()
        done = [sending.send(request("child")).outcome is Outcome.SENT for _ in range(2)]
        sending.close()
        os._exit(0 if all(done) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert sending.send(request("parent")).outcome is Outcome.SENT
"""


def test_child_has_a_connection_of_its_own(receiver: GrpcReceiver) -> None:
    """The parent's goes on as it was: the child neither uses nor ends it."""
    ran = subprocess.run(
        [sys.executable, "-c", _CHILD, receiver.url],
        env={name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert receiver.counted("traces") == {"parent": 2, "child": 2}
