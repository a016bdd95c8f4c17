from __future__ import annotations

import gc
import gzip
import logging
import os
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from google.protobuf.any_pb2 import Any as Packed
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from otel_trading.export.delivery import Delivery, Outcome
from tests.export.received import answer, eventually
from tests.export.receiver import Receiver
from tests.export.senders import UnderWay, request, sender, timed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.export.transport import OtlpSender

WELL_WITHIN = 30.0
"""Seconds that nothing here takes unless it waits for something else than its own, short timeout."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def sending(receiver: Receiver) -> Iterator[OtlpSender]:
    with sender(f"{receiver.url}/v1/traces") as made:
        yield made


@pytest.mark.parametrize("compression", ["none", "gzip", "deflate"])
def test_request_arrives_with_headers_and_user_agent(receiver: Receiver, compression: str) -> None:
    """What is sent is what is received, whatever the compression; the bot's headers win over ours."""
    headers = {"api-key": "k", "content-type": "application/x-protobuf; bot"}
    with sender(f"{receiver.url}/v1/traces", compression=compression, headers=headers) as sending:
        assert sending.send(request("one", "two")) == Delivery(Outcome.SENT)
    assert receiver.counted("traces") == {"one": 1, "two": 1}
    (got,) = receiver.headers("traces")
    assert got["api-key"] == "k"
    assert got["content-type"] == "application/x-protobuf; bot"
    assert got.get("content-encoding", "none") == compression
    assert got["user-agent"].startswith("OTel-OTLP-Exporter-Python/")


def test_connection_is_used_again_and_made_anew_when_it_is_gone(receiver: Receiver, sending: OtlpSender) -> None:
    """Many requests, one connection; after the receiver was restarted, another one."""
    for _ in range(20):
        assert sending.send(request("tick")).outcome is Outcome.SENT
    assert receiver.connections == 1
    receiver.mode = "refuse"
    receiver.mode = "healthy"
    eventually(lambda: sending.send(request("tick")).outcome is Outcome.SENT)
    assert receiver.connections == 2


def test_user_and_password_of_the_url_become_a_header(receiver: Receiver) -> None:
    """They are in no message."""
    with sender(f"http://bot:p%40ss@127.0.0.1:{receiver.port}/v1/traces") as sending:
        assert sending.send(request("tick")).outcome is Outcome.SENT
        assert "p%40ss" not in sending.target
    assert receiver.headers("traces")[0]["authorization"] == "Basic Ym90OnBAc3M="


@pytest.mark.parametrize("status", [200, 202, 204])
def test_every_good_status_is_a_success(receiver: Receiver, sending: OtlpSender, status: int) -> None:
    receiver.mode = status
    assert sending.send(request("tick")) == Delivery(Outcome.SENT)


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_overload_is_worth_another_try(receiver: Receiver, sending: OtlpSender, status: int) -> None:
    receiver.mode = status
    assert sending.send(request("tick")) == Delivery(Outcome.RETRY, reason=f"HTTP status {status}")
    receiver.retry_after = "7"
    assert sending.send(request("tick")).retry_after == 7.0
    receiver.retry_after = format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)
    assert 500 < (sending.send(request("tick")).retry_after or 0) <= 600
    receiver.retry_after = "soon"
    assert sending.send(request("tick")).retry_after is None
    receiver.retry_after = "999999999999"
    assert sending.send(request("tick")).retry_after == 3_600.0


@pytest.mark.parametrize("status", [101, 400, 401, 404, 413, 500, 501])
def test_other_errors_are_refusals(receiver: Receiver, sending: OtlpSender, status: int) -> None:
    receiver.mode = status
    assert sending.send(request("tick")) == Delivery(Outcome.REFUSED, reason=f"HTTP status {status}")


def test_receivers_message_is_read(receiver: Receiver, sending: OtlpSender) -> None:
    """From google.rpc.Status in protobuf, from JSON and from text, on one line and cut; never from a page."""
    receiver.mode = 400
    receiver.answer = Status(code=3, message="span has\nno trace id").SerializeToString()
    assert sending.send(b"").reason == "HTTP status 400: span has no trace id"
    receiver.kind, receiver.answer = "application/json", b'{"code": 3, "message": "no tenant"}'
    assert sending.send(b"").reason == "HTTP status 400: no tenant"
    receiver.kind, receiver.answer = "text/plain", b"x" * 10_000
    assert len(sending.send(b"").reason or "") < 250
    receiver.kind, receiver.answer = "text/html", b"<html>"
    assert sending.send(b"").reason == "HTTP status 400"
    receiver.kind, receiver.answer = "application/x-protobuf", b"\xff\xff\xff"
    assert sending.send(b"").reason == "HTTP status 400"


def test_retry_info_of_the_body_counts_where_there_is_no_header(receiver: Receiver, sending: OtlpSender) -> None:
    receiver.mode = 503
    info = Packed()
    info.Pack(RetryInfo(retry_delay={"seconds": 3, "nanos": 500_000_000}))
    receiver.answer = Status(message="later", details=[info]).SerializeToString()
    assert sending.send(b"") == Delivery(Outcome.RETRY, reason="HTTP status 503: later", retry_after=3.5)


@pytest.mark.parametrize("location", [None, "http://elsewhere:4318/v1/traces", "/login", "http://[", ""])
def test_redirects_are_not_followed(receiver: Receiver, sending: OtlpSender, location: str | None) -> None:
    """They are refusals that say where to, so that the endpoint can be corrected."""
    receiver.mode, receiver.location = 302, location
    delivery = sending.send(request("tick"))
    assert delivery.outcome is Outcome.REFUSED
    assert "HTTP status 302" in str(delivery.reason)
    assert ("elsewhere:4318" in str(delivery.reason)) == (location is not None and "elsewhere" in location)
    assert receiver.asked == 1


def test_partial_success_is_read(receiver: Receiver, sending: OtlpSender) -> None:
    receiver.reject, receiver.message = 2, "too old"
    assert sending.send(request("a", "b", "c")) == Delivery(Outcome.SENT, 2, "too old")
    receiver.kind, receiver.answer = "application/json", b'{"partialSuccess": {"rejectedSpans": 1}}'
    assert sending.send(request("a")) == Delivery(Outcome.SENT, 1)
    receiver.kind, receiver.answer = "application/json", b"{}"
    assert sending.send(request("a")) == Delivery(Outcome.SENT)


def test_answer_that_is_compressed_is_read(receiver: Receiver, sending: OtlpSender) -> None:
    """It was not asked for, and comes all the same from some."""
    receiver.reject = 1
    receiver.kind = "application/x-protobuf\r\nContent-Encoding: gzip"
    receiver.answer = gzip.compress(answer("traces", 3, "no"))
    assert sending.send(request("a")) == Delivery(Outcome.SENT, 3, "no")


@pytest.mark.parametrize("mode", ["html", "not protobuf"])
def test_good_status_from_somebody_else_is_not_believed(receiver: Receiver, sending: OtlpSender, mode: str) -> None:
    """A login page answers 200 to everything: nothing has arrived, and that is said."""
    receiver.mode = mode
    delivery = sending.send(request("tick"))
    assert delivery.outcome is Outcome.REFUSED
    assert str(delivery.reason).startswith("answer is not OTLP")


@pytest.mark.parametrize("body", [b"[]", b"null", b"{", b'{"partialSuccess": 5}', b"[" * 100_000])
def test_json_that_is_no_answer_is_not_believed(receiver: Receiver, sending: OtlpSender, body: bytes) -> None:
    receiver.kind, receiver.answer = "application/json", body
    assert sending.send(request("tick")).outcome is Outcome.REFUSED


@pytest.mark.parametrize("mode", ["cut", "swallow", "garbage"])
def test_lost_answers_are_uncertain(receiver: Receiver, sending: OtlpSender, mode: str) -> None:
    """The request was sent: it may have arrived, and is sent again."""
    receiver.mode = mode
    delivery = sending.send(request("tick"))
    assert (delivery.outcome, delivery.uncertain) == (Outcome.RETRY, True)
    assert delivery.reason
    receiver.mode = "healthy"
    assert sending.send(request("tick")).outcome is Outcome.SENT


def test_answer_that_is_cut_is_not_taken_for_another(receiver: Receiver, sending: OtlpSender) -> None:
    """Its first bytes may be anything."""
    receiver.mode, receiver.answer = "cut", answer("traces", 1, "a message that is cut")
    expected = Delivery(Outcome.RETRY, reason="the connection ended amid the answer", uncertain=True)
    assert sending.send(request("tick")) == expected


def test_error_counts_although_its_body_is_cut(receiver: Receiver, sending: OtlpSender) -> None:
    """The status says all."""
    receiver.mode, receiver.length = 400, 500
    with sender(f"{receiver.url}/v1/traces", timeout=3.0) as impatient:
        assert impatient.send(request("tick")).outcome is Outcome.REFUSED


@pytest.mark.parametrize("mode", ["refuse", "reset"])
def test_connections_that_fail_are_no_uncertain_ones(receiver: Receiver, mode: str) -> None:
    receiver.mode = mode
    with sender(f"{receiver.url}/v1/traces") as sending:
        delivery = sending.send(request("tick"))
    assert delivery.outcome is Outcome.RETRY
    if mode == "refuse":
        assert (delivery.reason, delivery.uncertain) == ("connection refused", False)


@pytest.mark.parametrize("mode", ["hang", "drip", "drip body", "black hole", "endless"])
def test_one_deadline_for_all_of_a_request(receiver: Receiver, mode: str) -> None:
    """A receiver that never ends to answer costs the timeout, not the timeout for every byte."""
    with sender(f"{receiver.url}/v1/traces", timeout=2.0) as sending:
        receiver.mode = mode
        receiver.pace = 0.1
        receiver.answer = bytes(500) if mode == "drip body" else b""
        delivery, seconds = timed(lambda: sending.send(request("tick")))
        assert seconds < WELL_WITHIN
        if mode == "endless":
            return  # ended by its size
        assert delivery.outcome is Outcome.RETRY
        assert delivery.uncertain == (mode != "black hole")
        assert str(delivery.reason) in {"no answer within 2 s", "no connection within 2 s"}


def test_endless_answer_is_not_read_to_its_end(receiver: Receiver, sending: OtlpSender) -> None:
    receiver.mode = "endless"
    assert sending.send(request("tick")).outcome is Outcome.REFUSED


def test_receiver_that_does_not_read_costs_the_deadline() -> None:
    """Sending has no time of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1/traces"
        with sender(url, timeout=0.5) as sending:
            delivery, seconds = timed(lambda: sending.send(os.urandom(32 << 20)))
    assert (delivery.outcome, delivery.uncertain) == (Outcome.RETRY, False)
    assert seconds < WELL_WITHIN


@pytest.mark.parametrize("mode", ["hang", "drip", "black hole"])
def test_close_ends_a_request_under_way(receiver: Receiver, mode: str) -> None:
    """From another thread, at once, whatever the request waits for."""
    receiver.mode, receiver.pace = mode, 5.0
    with sender(f"{receiver.url}/v1/traces", timeout=300.0) as sending:
        under_way = UnderWay(lambda: sending.send(request("tick")))
        if mode == "black hole":
            time.sleep(0.3)  # nobody can tell that it has begun to connect
        else:
            eventually(lambda: receiver.asked)
        sending.close()
        assert under_way.result() == Delivery(Outcome.RETRY, reason="shut down", uncertain=mode != "black hole")
        assert sending.send(request("tick")) == Delivery(Outcome.RETRY, reason="shut down")


def test_name_that_cannot_be_resolved_is_said() -> None:
    with sender("http://no-such-host.invalid:4318/v1/traces", timeout=60.0) as sending:
        delivery = sending.send(request("tick"))
    assert (delivery.outcome, delivery.uncertain) == (Outcome.RETRY, False)


def test_resolver_that_hangs_costs_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver is made up; nothing can end a real one that hangs."""
    released = threading.Event()
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.delenv("HTTP_PROXY", raising=False)

    def hang(*_: object, flags: int = 0, **__: object) -> None:
        if flags:
            raise socket.gaierror(socket.EAI_NONAME, "no number")
        released.wait(60)

    monkeypatch.setattr("socket.getaddrinfo", hang)
    with sender("http://collector:4318/v1/traces", timeout=0.3) as sending:
        assert sending.send(request("tick")).reason == "no connection within 0.3 s"
    with sender("http://collector:4318/v1/traces", timeout=300.0) as sending:
        under_way = UnderWay(lambda: sending.send(request("tick")))
        time.sleep(0.2)
        sending.close()
        assert under_way.result().reason == "shut down"
    released.set()


def test_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    """Requests to other hosts go through it; ``no_proxy`` and this machine are left out."""
    for name in ("HTTP_PROXY", "NO_PROXY", "no_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", f"http://me:secret@127.0.0.1:{receiver.port}")
    with sender("http://collector.invalid:4318/v1/traces") as sending:
        assert sending.send(request("by proxy")).outcome is Outcome.SENT
    assert receiver.headers("traces")[0]["proxy-authorization"].startswith("Basic ")
    assert receiver.headers("traces")[0]["host"] == "collector.invalid:4318"
    monkeypatch.setenv("no_proxy", ".invalid")
    with sender("http://collector.invalid:4318/v1/traces") as sending:
        assert sending.send(request("direct")).outcome is Outcome.RETRY
    assert receiver.counted("traces") == {"by proxy": 1}


def test_nothing_is_logged(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """Not even at the lowest level: the outcome says it all."""
    with caplog.at_level(logging.DEBUG), sender(f"{receiver.url}/v1/traces", timeout=0.3) as sending:
        for mode in ("healthy", 503, 302, "garbage", "cut", "hang", "refuse"):
            receiver.mode = mode
            sending.send(request("tick"))
    assert [record.getMessage() for record in caplog.records] == []


def test_instrumentation_is_suppressed(sending: OtlpSender, monkeypatch: pytest.MonkeyPatch) -> None:
    """Instrumented urllib3 makes no span of what we send, whoever calls."""
    seen: list[bool] = []
    transport = sending._transport

    def look(_: bytes) -> Delivery:
        seen.append(is_instrumentation_enabled())
        return Delivery(Outcome.SENT)

    monkeypatch.setattr(transport, "send", look)
    sending.send(b"")
    assert seen == [False]
    assert is_instrumentation_enabled()


def test_child_has_a_connection_of_its_own(receiver: Receiver, sending: OtlpSender) -> None:
    """The parent's goes on as it was: the child neither uses nor ends it."""
    assert sending.send(request("parent")).outcome is Outcome.SENT
    if (pid := os.fork()) == 0:
        try:
            sending.restart_in_child()
            done = sending.send(request("child")).outcome is Outcome.SENT
            sending.close()
            os._exit(0 if done else 1)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert sending.send(request("parent")).outcome is Outcome.SENT
    assert receiver.counted("traces") == {"parent": 2, "child": 1}
    assert receiver.connections == 2


def test_child_begins_anew_amid_a_request_of_the_parent(receiver: Receiver) -> None:
    """A fork while another thread waits for an answer; both get their own."""
    receiver.mode = "hang"
    with sender(f"{receiver.url}/v1/traces", timeout=60.0) as sending:
        under_way = UnderWay(lambda: sending.send(request("parent")))
        eventually(lambda: receiver.asked == 1)
        if (pid := os.fork()) == 0:
            try:
                sending.restart_in_child()
                os._exit(0 if sending.send(request("child")).uncertain else 1)
            except BaseException:
                os._exit(2)
        eventually(lambda: receiver.asked == 2)
        receiver.mode = "healthy"  # whoever waits is left alone
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert under_way.result().uncertain
        assert sending.send(request("parent")).outcome is Outcome.SENT


def test_no_descriptor_is_left(receiver: Receiver) -> None:
    """After failures of all kinds and the end of the sender there are as many as before."""

    def descriptors() -> int:
        gc.collect()
        return sum("socket" in _target(number) for number in Path("/proc/self/fd").iterdir())

    before = descriptors()
    for mode in ("healthy", 503, "garbage", "cut", "swallow", "reset", "hang", "refuse", "endless"):
        receiver.mode = mode
        for _ in range(5):
            with sender(f"{receiver.url}/v1/traces", timeout=0.2) as sending:
                sending.send(request("tick"))
    receiver.mode = "healthy"
    eventually(lambda: descriptors() <= before + len(receiver._open))


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except OSError:
        return ""
