"""A receiver of OTLP over gRPC whose HTTP/2 can be told to misbehave; h2's side of servers does the talking.

    with Http2Receiver() as receiver:
        receiver.answer = lambda call: call.reset(ErrorCodes.REFUSED_STREAM)

``tests.export.grpc_receiver`` is a real gRPC server, whose HTTP/2 does nothing wrong.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, PingAckReceived, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import H2Error

from tests.export.received import Received

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from typing import Self

START = [(":status", "200"), ("content-type", "application/grpc")]
OK = [("grpc-status", "0")]


def message(body: bytes = b"", *, compressed: bool = False) -> bytes:
    """A message of gRPC."""
    return bytes((compressed,)) + len(body).to_bytes(4) + body


def stop(listener: socket.socket) -> None:
    """Close a listener, and wake up who waits at it."""
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@dataclass
class Call:
    """A request, and what may be answered to it."""

    connection: socket.socket
    http2: H2Connection
    stream: int
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)
    events: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Of the connection: h2 is for one thread at a time."""

    def answer(self, body: bytes = message(), trailers: Any = OK, headers: Any = START) -> None:
        """Answer as gRPC does: headers, a message, trailers."""
        self.http2.send_headers(self.stream, headers)
        for begin in range(0, len(body), 16_384):
            self.http2.send_data(self.stream, body[begin : begin + 16_384])
        self.http2.send_headers(self.stream, trailers, end_stream=True)
        self.flush()

    def only_trailers(self, *headers: tuple[str, str]) -> None:
        """Answer with headers that are the end as well."""
        self.http2.send_headers(self.stream, headers, end_stream=True)
        self.flush()

    def reset(self, code: ErrorCodes) -> None:
        """Break the request off."""
        self.http2.reset_stream(self.stream, code)
        self.flush()

    def go_away(self, last: int, code: ErrorCodes = ErrorCodes.NO_ERROR, said: bytes = b"") -> None:
        """Say which request was the last; h2 would take that for the end of everything."""
        self.flush()
        payload = last.to_bytes(4) + int(code).to_bytes(4) + said
        self.connection.sendall(len(payload).to_bytes(3) + b"\x07\x00" + bytes(4) + payload)

    def flush(self) -> None:
        """Send what waits."""
        with contextlib.suppress(OSError), self.lock:
            self.connection.sendall(self.http2.data_to_send())

    def end(self) -> None:
        """End the connection."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


class Http2Receiver(Received):
    """``answer`` is called when a request is there, ``begin`` when its headers are; ``settings`` are connections'."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.answer: Callable[[Call], None] = self.accept
        self.begin: Callable[[Call], None] = lambda _: None
        self.settings: dict[int, int] = {}
        self.gives_room = True
        self.connections = 0
        self.calls: list[Call] = []
        self._context = context
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def accept(self, call: Call) -> None:
        """Take the request and say so."""
        self.add("traces", bytes(call.body[5:]), call.headers)
        call.answer()

    def drop_connections(self) -> None:
        """End all connections, as a receiver does that was idle for too long."""
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = self._listener.accept()[0]
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, H2Error), connection:
            if self._context is None:
                self._talk(connection)
            else:
                with self._context.wrap_socket(connection, server_side=True) as encrypted:
                    self._talk(encrypted)

    def _talk(self, connection: socket.socket) -> None:
        self._open.append(connection)
        self.connections += 1
        http2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        http2.initiate_connection()
        if self.settings:
            http2.update_settings(self.settings)
        connection.sendall(http2.data_to_send())
        calls: dict[int, Call] = {}
        lock = threading.RLock()
        while data := connection.recv(1 << 16):
            with lock:
                for event in http2.receive_data(data):
                    if isinstance(event, RequestReceived):
                        calls[event.stream_id] = Call(connection, http2, event.stream_id, _texts(event), lock=lock)
                    self._happened(event, calls)
                connection.sendall(http2.data_to_send())

    def _happened(self, event: Any, calls: dict[int, Call]) -> None:
        if isinstance(event, RequestReceived):
            self.calls.append(calls[event.stream_id])
            self.begin(calls[event.stream_id])
        elif isinstance(event, DataReceived):
            calls[event.stream_id].body += event.data
            if self.gives_room:
                calls[event.stream_id].http2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            self.answer(calls[event.stream_id])
        elif isinstance(event, PingAckReceived | StreamReset | ConnectionTerminated):
            for call in calls.values():
                call.events.append(type(event).__name__)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        stop(self._listener)
        self.drop_connections()


def _texts(event: RequestReceived) -> dict[str, str]:
    return {str(name): str(value) for name, value in event.headers}
