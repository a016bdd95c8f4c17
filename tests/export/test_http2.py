"""What receivers may do with HTTP/2, and what it means for a request over gRPC."""

from __future__ import annotations

import gzip
import os
import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hypothesis import given
from hypothesis import strategies as some

from otel_trading.export.delivery import Delivery, Outcome
from otel_trading.export.transport import grpc_answers
from otel_trading.export.transport.tls import Credentials
from tests.export.certificates import Authority
from tests.export.http2_receiver import OK, START, Call, Http2Receiver, message, stop
from tests.export.received import answer, eventually
from tests.export.senders import UnderWay, request, sender, timed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from otel_trading.export.transport import OtlpSender

SENT = Delivery(Outcome.SENT)
LARGE = 3 << 20
"""Bytes far beyond the 64 KiB that a receiver takes without saying more."""


@pytest.fixture
def receiver() -> Iterator[Http2Receiver]:
    with Http2Receiver() as running:
        yield running


@pytest.fixture
def sending(receiver: Http2Receiver) -> Iterator[OtlpSender]:
    with sender(receiver.url, protocol="grpc", timeout=10.0) as made:
        yield made


def test_many_requests_go_over_one_connection(receiver: Http2Receiver, sending: OtlpSender) -> None:
    for number in range(50):
        assert sending.send(request(f"{number}")) == SENT
    assert receiver.connections == 1
    assert receiver.counted("traces").total() == 50


def test_headers_are_those_of_grpc(receiver: Http2Receiver) -> None:
    """The bot's own are added; it cannot break the protocol, and what is binary is sent as gRPC wants it."""
    headers = {"Api-Key": "k", "trace-bin": "bot", "TE": "gzip", "grpc-timeout": "1n", "user-agent": "mine"}
    url = receiver.url.replace("//", "//me:secret@")
    with sender(url, protocol="grpc", timeout=2.5, headers=headers) as sending:
        assert sending.send(request("tick")) == SENT
    (call,) = receiver.calls
    expected = {
        ":method": "POST",
        ":scheme": "http",
        ":authority": f"127.0.0.1:{receiver.port}",
        ":path": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        "te": "trailers",
        "content-type": "application/grpc",
        "grpc-timeout": "2500m",
        "grpc-accept-encoding": "identity",
        "user-agent": "mine",
        "api-key": "k",
        "trace-bin": "Ym90",
        "authorization": "Basic bWU6c2VjcmV0",
    }
    assert call.headers == expected


# Bodies


@pytest.mark.parametrize(
    "settings", [{}, {SettingCodes.MAX_FRAME_SIZE: 1 << 20}, {SettingCodes.INITIAL_WINDOW_SIZE: 5}]
)
def test_body_beyond_the_window_arrives_whole(
    receiver: Http2Receiver, sending: OtlpSender, settings: dict[int, int]
) -> None:
    receiver.settings = settings
    body = request("x" * (1_000 if SettingCodes.INITIAL_WINDOW_SIZE in settings else LARGE))
    for _ in range(2):
        assert sending.send(body) == SENT
    assert [bytes(call.body) for call in receiver.calls] == [message(body)] * 2


def test_settings_may_change_amid_a_body(receiver: Http2Receiver, sending: OtlpSender) -> None:
    """The window of a stream may even become negative, and frames larger."""

    def begin(call: Call) -> None:
        call.http2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 100, SettingCodes.MAX_FRAME_SIZE: 1 << 18})

    receiver.begin = begin
    body = request("x" * 200_000)
    assert sending.send(body) == SENT
    assert bytes(receiver.calls[0].body) == message(body)


def test_compressed_body_is_marked(receiver: Http2Receiver) -> None:
    receiver.answer = lambda call: call.answer()
    with sender(receiver.url, protocol="grpc", compression="gzip") as sending:
        assert sending.send(request("tick")) == SENT
    (call,) = receiver.calls
    assert call.headers["grpc-encoding"] == "gzip"
    assert (call.body[0], gzip.decompress(call.body[5:])) == (1, request("tick"))


def test_receiver_that_makes_no_room_costs_the_deadline(receiver: Http2Receiver) -> None:
    """It has not got the request: nothing can have been done with it."""
    receiver.gives_room = False
    with sender(receiver.url, protocol="grpc", timeout=0.5) as sending:
        delivery, seconds = timed(lambda: sending.send(os.urandom(LARGE)))
    assert delivery == Delivery(Outcome.RETRY, reason="the request is not taken within 0.5 s")
    assert seconds < 30.0


def test_receiver_that_takes_no_requests_for_now_is_waited_for(receiver: Http2Receiver) -> None:
    receiver.settings = {SettingCodes.MAX_CONCURRENT_STREAMS: 0}
    with sender(receiver.url, protocol="grpc", timeout=0.5) as sending:
        assert sending.send(request("tick")) == Delivery(Outcome.RETRY, reason="the request is not taken within 0.5 s")
    assert receiver.calls == []


def test_answer_amid_the_body_ends_it(receiver: Http2Receiver, sending: OtlpSender) -> None:
    """Who says no at once is not sent the rest, and the connection stays."""
    receiver.gives_room = False
    receiver.begin = lambda call: call.only_trailers(*START, ("grpc-status", "16"), ("grpc-message", "who?"))
    receiver.answer = lambda _: None
    expected = Delivery(Outcome.REFUSED, reason="gRPC status UNAUTHENTICATED: who?")
    for _ in range(3):
        assert sending.send(os.urandom(30_000)) == expected
    receiver.gives_room = True
    assert sending.send(os.urandom(LARGE)) == expected
    assert receiver.connections == 1


def test_answer_and_end_amid_the_body_at_once(receiver: Http2Receiver, sending: OtlpSender) -> None:
    """gRPC's own servers break off what they have answered; the connection stays."""

    def refuse(call: Call) -> None:
        call.http2.send_headers(call.stream, [*START, ("grpc-status", "3")], end_stream=True)
        call.http2.reset_stream(call.stream, ErrorCodes.NO_ERROR)

    receiver.begin, receiver.gives_room = refuse, False
    for _ in range(3):
        assert sending.send(os.urandom(LARGE)) == Delivery(Outcome.REFUSED, reason="gRPC status INVALID_ARGUMENT")
    assert receiver.connections == 1


# Answers


def test_answer_without_a_body(receiver: Http2Receiver, sending: OtlpSender) -> None:
    """Headers that are trailers as well."""
    details = [("grpc-status", "8"), ("grpc-message", "too%20much%21"), ("retry-after", "3")]
    receiver.answer = lambda call: call.only_trailers(*START, *details)
    expected = Delivery(Outcome.RETRY, reason="gRPC status RESOURCE_EXHAUSTED: too much!", retry_after=3.0)
    assert sending.send(request("tick")) == expected


@pytest.mark.parametrize(
    ("status", "outcome", "code"),
    [
        (400, Outcome.REFUSED, "INTERNAL"),
        (401, Outcome.REFUSED, "UNAUTHENTICATED"),
        (403, Outcome.REFUSED, "PERMISSION_DENIED"),
        (404, Outcome.REFUSED, "UNIMPLEMENTED"),
        (429, Outcome.RETRY, "UNAVAILABLE"),
        (500, Outcome.REFUSED, "UNKNOWN"),
        (502, Outcome.RETRY, "UNAVAILABLE"),
        (503, Outcome.RETRY, "UNAVAILABLE"),
        (504, Outcome.RETRY, "UNAVAILABLE"),
    ],
)
def test_proxy_that_knows_only_http_is_understood(
    receiver: Http2Receiver, sending: OtlpSender, status: int, outcome: Outcome, code: str
) -> None:
    """As gRPC maps it."""
    receiver.answer = lambda call: call.only_trailers((":status", f"{status}"), ("content-type", "text/html"))
    delivery = sending.send(request("tick"))
    assert (delivery.outcome, delivery.code) == (outcome, code)
    assert delivery.reason == f"gRPC status {code}: HTTP status {status}"


@pytest.mark.parametrize(
    "given",
    [
        {"body": b""},
        {"body": message()[:3]},
        {"body": message(b"abc")[:-1]},
        {"body": message() * 2},
        {"body": message(b"\xff\xff")},
        {"body": message(b"not gzip", compressed=True), "headers": [*START, ("grpc-encoding", "gzip")]},
        {"body": message(gzip.compress(b""), compressed=True)},
        {"trailers": [("x", "y")], "headers": [(":status", "200"), ("content-type", "text/html")]},
    ],
)
def test_answer_that_is_none_of_otlp_is_not_believed(
    receiver: Http2Receiver, sending: OtlpSender, given: dict[str, Any]
) -> None:
    receiver.answer = lambda call: call.answer(**given)
    delivery = sending.send(request("tick"))
    assert delivery.outcome is Outcome.REFUSED
    assert str(delivery.reason).startswith("answer is not OTLP")


def test_answer_that_is_compressed_is_read(receiver: Http2Receiver, sending: OtlpSender) -> None:
    body = message(gzip.compress(answer("traces", 3, "no")), compressed=True)
    receiver.answer = lambda call: call.answer(body, headers=[*START, ("grpc-encoding", "gzip")])
    assert sending.send(request("a")) == Delivery(Outcome.SENT, 3, "no")


def test_long_answer_is_read_and_endless_one_not(receiver: Http2Receiver, sending: OtlpSender) -> None:
    """Room for an answer is given as it comes, up to a mebibyte."""

    def much(call: Call) -> None:
        call.http2.send_headers(call.stream, START)
        threading.Thread(target=_talk_on, args=(call,), daemon=True).start()

    receiver.answer = lambda call: call.answer(message(answer("traces", 1, "x" * 30_000)))
    for _ in range(5):
        assert sending.send(request("a")).rejected == 1
    assert receiver.connections == 1
    receiver.answer = much
    expected = Delivery(Outcome.REFUSED, reason="answer is not OTLP (more than 1 MiB)")
    assert sending.send(request("a")) == expected


def _talk_on(call: Call) -> None:
    while call.connection.fileno() >= 0:
        with call.lock:
            if call.http2.local_flow_control_window(call.stream) >= 1_000:
                call.http2.send_data(call.stream, bytes(1_000))
                call.flush()


def test_answer_that_ends_before_its_status_is_uncertain(receiver: Http2Receiver, sending: OtlpSender) -> None:
    receiver.answer = lambda call: call.answer(trailers=[("x", "y")])
    expected = Delivery(Outcome.RETRY, reason="the answer ended before its status", uncertain=True)
    assert sending.send(request("tick")) == expected


@pytest.mark.parametrize("status", ["17", "-1", "abc", "", "9" * 40])
def test_status_that_nobody_knows(receiver: Http2Receiver, sending: OtlpSender, status: str) -> None:
    receiver.answer = lambda call: call.answer(trailers=[("grpc-status", status)])
    assert sending.send(request("tick")) == Delivery(Outcome.REFUSED, reason="gRPC status UNKNOWN")


@pytest.mark.parametrize("details", ["!!!", "", "/w", "AAAA"])
def test_details_that_cannot_be_read_cost_nothing(receiver: Http2Receiver, sending: OtlpSender, details: str) -> None:
    trailers = [("grpc-status", "14"), ("grpc-message", "busy"), ("grpc-status-details-bin", details)]
    receiver.answer = lambda call: call.answer(trailers=trailers)
    delivery = sending.send(request("tick"))
    assert (delivery.outcome, delivery.reason) == (Outcome.RETRY, "gRPC status UNAVAILABLE: busy")


@given(some.text(some.characters(codec="utf-8"), max_size=50))
def test_message_of_a_status_is_read_whatever_it_is(said: str) -> None:
    """As gRPC encodes it: UTF-8, what is not printable ASCII in percent."""
    headers = {"grpc-status": "3", "grpc-message": quote(said, safe=" !\"#$&'()*+,/:;<=>?@[\\]^`{|}~")}
    delivery = _delivery(headers)
    shown = " ".join("".join(letter if letter.isprintable() else " " for letter in said).split())
    assert delivery.reason == (f"gRPC status INVALID_ARGUMENT: {shown}" if shown else "gRPC status INVALID_ARGUMENT")


@given(some.text(some.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=100))
def test_message_that_is_badly_encoded_is_read_as_far_as_it_goes(said: str) -> None:
    assert _delivery({"grpc-status": "3", "grpc-message": said}).outcome is Outcome.REFUSED


def _delivery(headers: dict[str, str]) -> Delivery:
    return grpc_answers.delivery("traces", headers, b"", limit=1, timeout=1.0, sent=True)


# Ends


def test_connection_that_was_closed_while_idle_costs_nothing(receiver: Http2Receiver, sending: OtlpSender) -> None:
    """Nobody has to try again for it."""
    for number in range(1, 4):
        assert sending.send(request("tick")) == SENT
        assert receiver.connections == number
        receiver.drop_connections()
        time.sleep(0.05)
    assert receiver.counted("traces") == {"tick": 3}


def test_connection_that_ends_as_the_request_is_sent_is_made_anew(receiver: Http2Receiver, sending: OtlpSender) -> None:
    """What has not got the whole request has done nothing with it."""
    assert sending.send(request("tick")) == SENT
    large = request("x" * LARGE)
    receiver.begin = lambda call: call.end() if receiver.connections == 1 else None
    assert sending.send(large) == SENT
    assert receiver.connections == 2


def test_connection_that_ends_before_the_answer_is_uncertain(receiver: Http2Receiver, sending: OtlpSender) -> None:
    """The request was sent, and is not sent again behind the back of who counts."""
    receiver.answer = Call.end
    for _ in range(2):
        expected = Delivery(Outcome.RETRY, reason="the connection ended before the answer", uncertain=True)
        assert sending.send(request("tick")) == expected
    receiver.answer = receiver.accept
    assert sending.send(request("tick")) == SENT


def test_connection_that_ends_amid_the_answer_is_uncertain(receiver: Http2Receiver, sending: OtlpSender) -> None:
    def cut(call: Call) -> None:
        call.http2.send_headers(call.stream, START)
        call.flush()
        time.sleep(0.05)
        call.end()

    receiver.answer = cut
    expected = Delivery(Outcome.RETRY, reason="the connection ended amid the answer", uncertain=True)
    assert sending.send(request("tick")) == expected


def test_farewell_between_requests_costs_nothing(receiver: Http2Receiver, sending: OtlpSender) -> None:
    """A receiver that restarts says so; the next request goes over a connection of its own."""
    assert sending.send(request("tick")) == SENT
    receiver.calls[0].go_away(1)
    time.sleep(0.05)
    assert sending.send(request("tick")) == SENT
    assert receiver.connections == 2


def test_farewell_amid_a_request_lets_it_end(receiver: Http2Receiver, sending: OtlpSender) -> None:
    """First without a last request, then with it; the answer comes all the same, and pings are answered until then."""

    def leave(call: Call) -> None:
        call.go_away((1 << 31) - 1)
        call.http2.ping(bytes(8))
        call.go_away(call.stream)
        threading.Thread(target=late, args=(call,), daemon=True).start()

    def late(call: Call) -> None:
        eventually(lambda: "PingAckReceived" in call.events)
        with call.lock:
            receiver.accept(call)

    receiver.answer = leave
    assert sending.send(request("tick")) == SENT
    receiver.answer = receiver.accept
    assert sending.send(request("tick")) == SENT
    assert receiver.connections == 2


def test_farewell_before_a_request_that_was_sent_is_no_doubt(receiver: Http2Receiver, sending: OtlpSender) -> None:
    """The receiver says that it did nothing: it is sent again at once, and is no duplicate."""
    assert sending.send(request("tick")) == SENT
    receiver.answer = lambda call: call.go_away(1) if receiver.connections == 1 else receiver.accept(call)
    assert sending.send(request("tick")) == SENT
    assert receiver.counted("traces") == {"tick": 2}
    receiver.answer = lambda call: call.go_away(0, ErrorCodes.ENHANCE_YOUR_CALM, b"too_many_pings")
    reason = "the receiver goes away: ENHANCE_YOUR_CALM (too_many_pings)"
    assert sending.send(request("tick")) == Delivery(Outcome.RETRY, reason=reason)


def test_refused_request_is_no_doubt(receiver: Http2Receiver, sending: OtlpSender) -> None:
    """Once it is sent again at once, on a new connection; then it waits like others."""
    receiver.answer = lambda call: call.reset(ErrorCodes.REFUSED_STREAM)
    expected = Delivery(Outcome.RETRY, reason="the receiver takes no request for now")
    assert sending.send(request("tick")) == expected
    receiver.answer = receiver.accept
    assert sending.send(request("tick")) == SENT
    before = receiver.connections
    receiver.answer = lambda call: (
        call.reset(ErrorCodes.REFUSED_STREAM) if receiver.connections == before else receiver.accept(call)
    )
    assert sending.send(request("tick")) == SENT


@pytest.mark.parametrize("code", [ErrorCodes.CANCEL, ErrorCodes.INTERNAL_ERROR, ErrorCodes.NO_ERROR, 0x99])
def test_request_that_is_broken_off_is_uncertain(receiver: Http2Receiver, sending: OtlpSender, code: int) -> None:
    receiver.answer = lambda call: call.reset(code)  # type: ignore[arg-type]
    name = "error 153" if code == 0x99 else ErrorCodes(code).name
    expected = Delivery(Outcome.RETRY, reason=f"the receiver breaks the request off: {name}", uncertain=True)
    assert sending.send(request("tick")) == expected


def test_status_counts_although_the_stream_is_broken_off_after_it(receiver: Http2Receiver, sending: OtlpSender) -> None:
    def answered(call: Call) -> None:
        call.answer()
        call.connection.sendall(b"\x00\x00\x04\x03\x00" + call.stream.to_bytes(4) + bytes(4))

    receiver.answer = answered
    for _ in range(3):
        assert sending.send(request("tick")) == SENT
    assert receiver.connections == 1


def test_pings_that_waited_are_answered_with_the_next_request(receiver: Http2Receiver, sending: OtlpSender) -> None:
    assert sending.send(request("tick")) == SENT
    receiver.calls[0].http2.ping(bytes(8))
    receiver.calls[0].flush()
    time.sleep(0.05)
    assert sending.send(request("tick")) == SENT
    eventually(lambda: "PingAckReceived" in receiver.calls[0].events)
    assert receiver.connections == 1


# Others


@contextmanager
def _peer(said: bytes, *, closes: bool = True) -> Iterator[str]:
    """The URL of somebody who says so to everybody."""
    held: list[socket.socket] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                held.append(listener.accept()[0])
                held[-1].sendall(said)
                if closes:
                    held[-1].shutdown(socket.SHUT_WR)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        stop(listener)
        thread.join()
    for each in held:
        each.close()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n",
            "the receiver does not speak HTTP/2, as gRPC does ('HTTP/1.1 400 Bad Request')",
        ),
        (b"\x15\x03\x01\x00\x02\x02\x16\x00\x00", "the receiver speaks TLS; its endpoint begins with https://"),
        (b"220 mail\r\n", "the receiver does not speak HTTP/2, as gRPC does ('220 mail')"),
        (b"", "the connection ended before HTTP/2 began"),
        (b"SSH", "the connection ended before HTTP/2 began ('SSH')"),
        (b"\x00\x00\x06\x04\x00\x00\x00\x00\x00" + bytes(3), "the connection ended before HTTP/2 began"),
    ],
)
def test_somebody_else_is_said_and_told_nothing(said: bytes, reason: str) -> None:
    """Nothing is sent to who has not shown that it speaks HTTP/2."""
    with _peer(said) as url, sender(url, protocol="grpc") as sending:
        delivery = sending.send(request("tick"))
    assert (delivery.outcome, delivery.uncertain) == (Outcome.RETRY, False)
    assert str(delivery.reason).startswith(reason)


@pytest.mark.parametrize(
    "said",
    [
        bytes(3) + b"\x04" + bytes(5) + b"\xff\xff\xff" + bytes(6),
        bytes(3) + b"\x04" + bytes(5) + b"\x00\x00\x01\x06" + bytes(6),
        b"\x00\x00\x06\x04\x00" + bytes(4) + b"\x00\x05" + bytes(4),
        bytes(3) + b"\x04" + bytes(5) + b"\x00\x00\x03\x01\x05\x00\x00\x00\x01\xff\xff\xff",
    ],
)
def test_http2_that_is_wrong_is_said(said: bytes) -> None:
    """Frames too large, pings too short, settings that cannot be, headers that nobody can read."""
    with _peer(said) as url, sender(url, protocol="grpc") as sending:
        delivery = sending.send(request("tick"))
    assert delivery.outcome is Outcome.RETRY
    assert str(delivery.reason).startswith("the receiver does not keep to HTTP/2: ")


@pytest.mark.parametrize("said", [b"", bytes(2), b"\x00\x00\x06\x04\x00\x00\x00\x00\x00" + bytes(3)])
def test_half_a_frame_and_then_silence_costs_the_deadline(said: bytes) -> None:
    with _peer(said, closes=False) as url, sender(url, protocol="grpc", timeout=0.5) as sending:
        delivery, seconds = timed(lambda: sending.send(request("tick")))
    assert delivery == Delivery(Outcome.RETRY, reason="no connection within 0.5 s")
    assert seconds < 30.0


def test_half_an_answer_and_then_silence_costs_the_deadline(receiver: Http2Receiver) -> None:
    def half(call: Call) -> None:
        call.http2.send_headers(call.stream, START)
        data = call.http2.data_to_send()
        call.connection.sendall(data[:-2])

    receiver.answer = half
    with sender(receiver.url, protocol="grpc", timeout=0.5) as sending:
        delivery = sending.send(request("tick"))
    assert delivery == Delivery(Outcome.RETRY, reason="no answer within 0.5 s", uncertain=True)


@pytest.mark.parametrize("what", ["pings", "bytes"])
def test_deadline_holds_against_who_talks_and_says_nothing(receiver: Http2Receiver, what: str) -> None:
    """Pings without end, or an answer of one byte at a time."""

    def talk(call: Call) -> None:
        call.http2.send_headers(call.stream, START)
        for _ in range(1 if what == "bytes" else 0):
            call.http2.send_headers(call.stream, [("x", "y" * 1_000), *OK], end_stream=True)
        data = call.http2.data_to_send()
        for number in range(1_000):
            call.connection.sendall(
                data[number : number + 1] if what == "bytes" else b"\x00\x00\x08\x06\x00" + bytes(4 + 8)
            )
            time.sleep(0.02)

    receiver.answer = talk
    with sender(receiver.url, protocol="grpc", timeout=1.0) as sending:
        delivery, seconds = timed(lambda: sending.send(request("tick")))
    assert delivery == Delivery(Outcome.RETRY, reason="no answer within 1 s", uncertain=True)
    assert seconds < 10.0


@pytest.mark.parametrize("at", ["begin", "answer", "connection"])
def test_close_ends_a_request_under_way(receiver: Http2Receiver, at: str) -> None:
    """Whether it waits for room, for the answer or for the first word."""
    receiver.gives_room = at != "begin"
    receiver.answer = lambda _: None
    with (
        _peer(b"", closes=False) as silent,
        sender(silent if at == "connection" else receiver.url, protocol="grpc", timeout=300.0) as sending,
    ):
        under_way = UnderWay(lambda: sending.send(os.urandom(200_000 if at == "begin" else 100)))
        eventually(lambda: at == "connection" or receiver.calls)
        time.sleep(0.2)
        sending.close()
        assert under_way.result() == Delivery(Outcome.RETRY, reason="shut down", uncertain=at == "answer")


# TLS and proxies


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"), "ours")


@pytest.mark.parametrize("offers", [["h2"], ["http/1.1"], []])
def test_http2_is_agreed_on_in_tls(ours: Authority, offers: list[str]) -> None:
    """A receiver that does not offer it is told apart from one whose certificate is wrong."""
    context = ours.context()
    if offers:
        context.set_alpn_protocols(offers)
    credentials = Credentials(certificate=ours.certificate)
    with Http2Receiver(context) as receiver, sender(receiver.url, protocol="grpc", credentials=credentials) as sending:
        delivery = sending.send(request("x" * LARGE))
        assert sending.send(request("tick")) == delivery
    reason = None if offers == ["h2"] else "the receiver does not speak HTTP/2 over TLS, as gRPC does"
    assert delivery == Delivery(Outcome.SENT if reason is None else Outcome.RETRY, reason=reason)


def test_connection_over_tls_that_was_closed_while_idle_costs_nothing(ours: Authority) -> None:
    context = ours.context()
    context.set_alpn_protocols(["h2"])
    credentials = Credentials(certificate=ours.certificate)
    with Http2Receiver(context) as receiver, sender(receiver.url, protocol="grpc", credentials=credentials) as sending:
        for number in range(1, 4):
            for _ in range(2):
                assert sending.send(request("tick")) == SENT
            assert receiver.connections == number
            receiver.drop_connections()
            time.sleep(0.05)


class _Proxy:
    """Passes on what comes after one ``CONNECT`` to a port of this machine, whoever is asked for."""

    def __init__(self, port: int, status: str = "200 Connection established") -> None:
        self.asked = ""
        self._port, self._status = port, status
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.place = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        connection = self._listener.accept()[0]
        with suppress(OSError), connection, socket.create_connection(("127.0.0.1", self._port)) as other:
            while not self.asked.endswith("\r\n\r\n"):
                self.asked += connection.recv(1).decode()
            connection.sendall(f"HTTP/1.1 {self._status}\r\nVia: proxy\r\n\r\n".encode())
            back = threading.Thread(target=_pass_on, args=(other, connection), daemon=True)
            back.start()
            _pass_on(connection, other)
            back.join()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(30)
        stop(self._listener)


def _pass_on(begin: socket.socket, end: socket.socket) -> None:
    with suppress(OSError):
        while data := begin.recv(1 << 16):
            end.sendall(data)
        end.shutdown(socket.SHUT_WR)


@pytest.fixture
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    for name in [*os.environ]:
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    return monkeypatch.setenv


@pytest.mark.parametrize("variable", ["http_proxy", "grpc_proxy", "all_proxy"])
def test_proxy_of_the_environment_is_asked(
    receiver: Http2Receiver, without_proxies: Callable[[str, str], None], variable: str
) -> None:
    """By ``CONNECT``; ``no_proxy`` and this machine are left out."""
    elsewhere = "http://collector.invalid:4317"
    with _Proxy(receiver.port) as proxy:
        without_proxies(variable, f"http://me:secret@{proxy.place}")
        with sender(elsewhere, protocol="grpc") as sending:
            assert sending.send(request("by proxy")) == SENT
    with sender(receiver.url, protocol="grpc") as sending:
        assert sending.send(request("direct")) == SENT
    without_proxies("no_proxy", ".invalid")
    with sender(elsewhere, protocol="grpc") as sending:
        delivery = sending.send(request("nowhere"))
    assert str(delivery.reason).startswith("collector.invalid cannot be resolved: ")
    assert proxy.asked.startswith("CONNECT collector.invalid:4317 HTTP/1.1\r\nHost: collector.invalid:4317\r\n")
    assert "Proxy-Authorization: Basic bWU6c2VjcmV0\r\n" in proxy.asked
    assert receiver.calls[0].headers[":authority"] == "collector.invalid:4317"


def test_proxy_that_refuses_is_said(receiver: Http2Receiver, without_proxies: Callable[[str, str], None]) -> None:
    """So is one that is reached by TLS itself, which nothing here does."""
    elsewhere = "http://collector.invalid:4317"
    with _Proxy(receiver.port, "407 Proxy Authentication Required") as proxy:
        without_proxies("http_proxy", proxy.place)
        with sender(elsewhere, protocol="grpc") as sending:
            delivery = sending.send(request("tick"))
    said = f"the proxy refuses: HTTP/1.1 407 Proxy Authentication Required (by the proxy {proxy.place})"
    assert delivery == Delivery(Outcome.RETRY, reason=said)
    without_proxies("http_proxy", "https://127.0.0.1:1")
    with sender(elsewhere, protocol="grpc") as sending:
        assert "is not one of http://" in str(sending.send(request("tick")).reason)


def test_no_descriptor_is_left_behind(receiver: Http2Receiver) -> None:
    """However a request ends."""
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are enough
    for how in (receiver.accept, Call.end, lambda call: call.reset(ErrorCodes.CANCEL), lambda _: None):
        receiver.answer = how
        for _ in range(3):
            with sender(receiver.url, protocol="grpc", timeout=0.2) as sending:
                sending.send(request("tick"))
    eventually(lambda: len(os.listdir("/proc/self/fd")) <= before)  # noqa: PTH208 - as above
