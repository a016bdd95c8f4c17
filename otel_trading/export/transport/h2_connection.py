"""One HTTP/2 connection, over which requests go one after the other; h2 knows the protocol, and the bytes are ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings

from otel_trading.export.transport import statuses
from otel_trading.export.transport.quiet import silence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from h2.events import Event

    from otel_trading.export.transport.watch import TimedSocket, TimedTlsSocket, Watch

MAX_ANSWER = 1 << 20

_SETTINGS = {SettingCodes.ENABLE_PUSH: 0, SettingCodes.MAX_HEADER_LIST_SIZE: 1 << 16}
_LARGEST_FRAME = 1 << 18
_AT_ONCE = 1 << 18
"""Bytes of a request that are handed to the network before the other side is listened to again."""

_CHUNK = 1 << 16
_HEADER = 9
_SETTINGS_FRAME, _GOAWAY_FRAME = 4, 7
_LAST_STREAM = (1 << 31) - 1
_TLS_RECORDS = (b"\x15\x03", b"\x16\x03")

silence("hpack.hpack", "hpack.table")


class BrokenError(Exception):
    """The other side breaks the request off, or does not keep to HTTP/2."""


class NotProcessedError(BrokenError):
    """The other side says that it did nothing with the request."""


@dataclass(slots=True)
class Answer:
    """What came back on a stream; ``headers`` are those of the beginning and the end, names in lower case."""

    stream: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    is_too_long: bool = False
    reset: int | None = None


class Connection:
    """Owns a socket, whose watch says until when, and is told when a request was sent."""

    def __init__(self, connected: TimedSocket | TimedTlsSocket) -> None:
        self.began = False
        """Whether the other side has shown that it speaks HTTP/2."""
        self._socket = connected
        self._watch: Watch = connected.watch
        self._incoming = bytearray()
        self._http2 = H2Connection(H2Configuration(header_encoding=None, validate_outbound_headers=False))
        self._http2.local_settings = Settings(client=True, initial_values=_SETTINGS)
        self._answer: Answer | None = None
        self._last: int | None = None
        self._farewell = ""

    def begin(self) -> None:
        """Exchange the settings: who does not speak HTTP/2 is found out before a request is sent."""
        self._http2.initiate_connection()
        self._flush()
        while not self.began:
            self._receive()

    def is_usable(self) -> bool:
        """Whether another request may go over it; what has arrived meanwhile is looked at first."""
        try:
            self._listen()
        except (OSError, BrokenError):
            return False
        return self._last is None and self._http2.highest_outbound_stream_id < _LAST_STREAM - 2

    def exchange(self, headers: Sequence[tuple[str, str]], body: bytes) -> Answer:
        """Send a request, and read the answer; raises ``BrokenError`` and ``OSError``."""
        http2 = self._http2
        while http2.open_outbound_streams >= http2.remote_settings.max_concurrent_streams:
            self._flush()
            self._receive()
        if self._last is not None:
            raise self._unprocessed(self._farewell)
        self._answer = answer = Answer(http2.get_next_available_stream_id())
        try:
            http2.send_headers(answer.stream, headers)
            self._send(answer, body)
            while not answer.ended:
                self._flush()
                self._receive()
            self._flush()
        except H2Error as error:
            raise _breach(error) from error
        finally:
            self._answer = None
        if answer.reset is not None and "grpc-status" not in answer.headers:
            raise self._reset(answer.reset)
        return answer

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _send(self, answer: Answer, body: bytes) -> None:
        """Hand the body to the network as the other side makes room for it, unless it answers before."""
        http2, rest, waiting = self._http2, memoryview(body), 0
        while rest and not answer.ended:
            room = min(http2.local_flow_control_window(answer.stream), http2.max_outbound_frame_size, _LARGEST_FRAME)
            if room <= 0:
                self._flush()
                self._receive()
                continue
            http2.send_data(answer.stream, rest[:room], end_stream=room >= len(rest))
            rest = rest[room:]
            waiting += room
            if waiting >= _AT_ONCE:
                waiting = 0
                self._flush()
                self._listen()
        self._flush()
        if not rest:
            self._watch.sent = True
        elif answer.reset is None:
            http2.reset_stream(answer.stream, ErrorCodes.CANCEL)

    def _flush(self) -> None:
        data = self._http2.data_to_send()
        if data:
            self._socket.sendall(data)

    def _receive(self) -> None:
        """Wait for what the other side says."""
        self._take(self._socket.recv(_CHUNK))

    def _listen(self) -> None:
        """Take what it has said already."""
        while (data := self._socket.arrived(_CHUNK)) is not None:
            self._take(data)

    def _take(self, data: bytes) -> None:
        """Cut what arrives at the ends of frames.

        The farewell is not for h2, which would take no more from the connection, not even the answer that is promised.
        """
        if not data:
            raise BrokenError(self._ending())
        incoming = self._incoming
        incoming += data
        begin = end = 0
        while len(incoming) - end >= _HEADER:
            frame, kind = end, incoming[end + 3]
            length = int.from_bytes(incoming[frame : frame + 3])
            if not self.began and begin == 0 and frame == 0:
                self._check_beginning(kind, length)
            if length > self._http2.max_inbound_frame_size:
                raise _breach("a frame is too large")
            if len(incoming) < frame + _HEADER + length:
                break
            end = frame + _HEADER + length
            if kind == _GOAWAY_FRAME:
                self._handle(bytes(incoming[begin:frame]))
                self._goes_away(bytes(incoming[frame + _HEADER : end]))
                begin = end
        self._handle(bytes(incoming[begin:end]))
        del incoming[:end]

    def _check_beginning(self, kind: int, length: int) -> None:
        """A receiver that speaks HTTP/2 begins with its settings."""
        begin = bytes(self._incoming)
        if kind == _SETTINGS_FRAME and length % 6 == 0 and length <= self._http2.max_inbound_frame_size:
            return
        if begin.startswith(_TLS_RECORDS):
            raise BrokenError("the receiver speaks TLS; its endpoint begins with https://")
        said = statuses.cut(begin[:80].split(b"\r\n", 1)[0].decode(errors="replace"))
        raise BrokenError(f"the receiver does not speak HTTP/2, as gRPC does ({said!r})")

    def _handle(self, frames: bytes) -> None:
        if not frames:
            return
        try:
            events = self._http2.receive_data(frames)
        except (H2Error, ValueError) as error:
            raise _breach(error) from error
        for event in events:
            self._happened(event)

    def _happened(self, event: Event) -> None:
        answer = self._answer
        if isinstance(event, RemoteSettingsChanged):
            self.began = True
        elif answer is None or getattr(event, "stream_id", None) != answer.stream:
            return
        elif isinstance(event, StreamReset):
            answer.ended, answer.reset = True, int(event.error_code or 0)
        elif isinstance(event, ResponseReceived | TrailersReceived):
            answer.headers.update(_decoded(event.headers or ()))
        elif isinstance(event, DataReceived):
            self._add(answer, event)
        elif isinstance(event, StreamEnded):
            answer.ended = True

    def _add(self, answer: Answer, event: DataReceived) -> None:
        answer.body += event.data or b""
        if len(answer.body) > MAX_ANSWER:
            answer.ended = answer.is_too_long = True
        else:
            self._http2.acknowledge_received_data(event.flow_controlled_length or 0, answer.stream)

    def _goes_away(self, payload: bytes) -> None:
        """The last streams are answered still; nothing was done with those after them."""
        self._last = int.from_bytes(payload[:4]) & _LAST_STREAM
        code, said = int.from_bytes(payload[4:8]), statuses.cut(payload[8:].decode(errors="replace"))
        name = "" if code == ErrorCodes.NO_ERROR else f": {_name(code)}"
        self._farewell = f"the receiver goes away{name}{f' ({said})' if said else ''}"
        if self._answer is not None and self._answer.stream > self._last:
            raise self._unprocessed(self._farewell)

    def _reset(self, code: int) -> BrokenError:
        if code == ErrorCodes.REFUSED_STREAM:
            return self._unprocessed("the receiver takes no request for now")
        self._watch.left()  # it gives up when our time is up, too
        return BrokenError(f"the receiver breaks the request off: {_name(code)}")

    def _unprocessed(self, why: str) -> NotProcessedError:
        self._watch.sent = False
        return NotProcessedError(why)

    def _ending(self) -> str:
        """Why the connection has ended."""
        if self._farewell:
            return self._farewell
        if not self.began:
            said = statuses.cut(bytes(self._incoming).decode(errors="replace"))
            return "the connection ended before HTTP/2 began" + (f" ({said!r})" if said else "")
        amid = self._answer is not None and self._answer.headers
        return f"the connection ended {'amid' if amid else 'before'} the answer"


def _breach(what: object) -> BrokenError:
    return BrokenError(f"the receiver does not keep to HTTP/2: {what}")


def _decoded(headers: Iterable[tuple[str | bytes, str | bytes]]) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in headers}


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _name(code: int) -> str:
    return ErrorCodes(code).name if code in ErrorCodes.__members__.values() else f"error {code}"
