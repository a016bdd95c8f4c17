"""A fake Collector for OTLP over HTTP that fails in every way a network can, on a socket of its own.

    with Receiver() as receiver:
        receiver.mode = 503                 # a status; retry_after, location, answer, kind and length go with it
        receiver.mode = "hang"              # see MODES
        receiver.mode = "healthy"
        receiver.poison = "text"            # a request that holds it is not answered
        receiver.counted("traces")          # names of spans that arrived, and how often

Where nothing has to go wrong, the tests use the real Collector instead.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
import zlib
from typing import TYPE_CHECKING, cast

from tests.export.received import Received, answer

if TYPE_CHECKING:
    import ssl
    from typing import Self

    from otel_trading.export.destination import Signal

    Mode = str | int

MODES = {
    "healthy": "takes requests, and rejects ``reject`` items of each",
    "refuse": "does not listen",
    "black hole": "does not answer a connection",
    "hang": "accepts connections, reads, never answers",
    "drip": "answers well, one byte every ``pace`` seconds",
    "drip body": "the same, once the head is out",
    "endless": "answers with a body that does not end",
    "garbage": "answers with what is not HTTP",
    "html": "answers 200 with a page",
    "not protobuf": "answers 200 with what is no message",
    "cut": "closes the connection amid the body of its answer",
    "swallow": "takes requests and closes the connection without an answer",
    "reset": "resets connections",
}


class Receiver(Received):
    """Receives OTLP/HTTP on one port; ``mode`` may be changed at any time."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.reject = 0
        self.poison: str | None = None
        self.message = ""
        self.retry_after: str | None = None
        self.location: str | None = None
        self.answer = b""
        self.kind = "application/x-protobuf"
        self.length: int | None = None
        self.pace = 0.1
        self.connections = 0
        self.asked = 0
        self._context = context
        self._mode: Mode = "healthy"
        self._ended = threading.Event()
        self._changed = threading.Event()
        self._open: set[socket.socket] = set()
        self._fillers: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        self._listen()

    @property
    def mode(self) -> Mode:
        """What it does with connections and requests."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        assert isinstance(mode, int) or mode in MODES
        before, self._mode = self._mode, mode
        if before in {"refuse", "black hole"} and mode != before:
            self._reopen()
        if mode in {"refuse", "black hole"}:
            self._stop_listening()
            self._drop_all()
        if mode == "black hole":
            self._fill()
        if before == "hang":
            self._drop_all()
        self._changed.set()
        self._changed = threading.Event()

    def close(self) -> None:
        """Stop listening and drop all connections."""
        self._ended.set()
        self._changed.set()
        self._stop_listening()
        self._drop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _listen(self) -> None:
        self._stop = threading.Event()
        self._acceptor = threading.Thread(target=self._accept, args=(self._listener, self._stop), daemon=True)
        self._acceptor.start()

    def _stop_listening(self) -> None:
        self._stop.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(10)
        self._listener.close()
        while self._fillers:
            self._fillers.pop().close()

    def _reopen(self) -> None:
        self._stop_listening()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._listen()

    def _fill(self) -> None:
        """Leave no room in the backlog: the kernel then ignores who wants to connect."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=0)
        for _ in range(8):
            filler = socket.socket()
            self._fillers.append(filler)
            filler.settimeout(0.3)
            try:
                filler.connect(("127.0.0.1", self.port))
            except TimeoutError:
                return

    def _drop_all(self) -> None:
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self.connections += 1
        used = connection
        try:
            if self._mode == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                return
            if self._context is not None:
                self._open.discard(connection)
                used = self._context.wrap_socket(connection, server_side=True)
                self._open.add(used)
            with used.makefile("rb") as stream:
                while self._handled(used, stream):
                    """Go on with the next request."""
        except OSError:
            """The other side went away, or did not like our certificate."""
        finally:
            self._open.discard(used)
            used.close()

    def _handled(self, connection: socket.socket, stream: object) -> bool:
        """Read a request and answer it; whether there may be another one."""
        if stream.peek(1)[:1] == b"\x16":  # type: ignore[attr-defined]  # TLS, to a receiver that does not speak it
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return False
        head = _head(stream)
        if head is None:
            return False
        path, headers = head
        body = stream.read(int(headers.get("content-length", 0)))  # type: ignore[attr-defined]
        self.asked += 1
        mode, signal = self._mode, cast("Signal", path.rsplit("/", 1)[-1])
        while mode == "hang" and not self._ended.is_set():
            self._changed.wait(0.1)
            if self._mode != "hang":
                return False
        body = _unpacked(body, headers.get("content-encoding"))
        if self.poison is not None and self.poison.encode() in body:
            return False
        if mode in {"healthy", "drip", "drip body", "swallow"} or mode == 200:
            self.add(signal, body, headers)
        return self._answered(connection, mode, signal)

    def _answered(self, connection: socket.socket, mode: Mode, signal: Signal) -> bool:
        if mode in {"swallow", "hang", "refuse", "black hole", "reset"}:
            return False
        if mode == "garbage":
            connection.sendall(b"\x00\x00\x12\x04 this is no HTTP\r\n\r\n")
            return False
        status = mode if isinstance(mode, int) else 200
        content = self.answer or answer(signal, self.reject, self.message) if status == 200 else self.answer
        kind = self.kind
        if mode == "html":
            kind, content = "text/html; charset=utf-8", b"<html><body>Please log in</body></html>"
        if mode == "not protobuf":
            content = b"\xff\xff\xff\xff no message"
        if mode == "drip body":
            content = content or answer(signal, 0, "all is well")
        head = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {kind}"]
        head += [f"Retry-After: {self.retry_after}"] if self.retry_after is not None else []
        head += [f"Location: {self.location}"] if self.location is not None else []
        length = {"cut": 1_000, "endless": 1 << 40}.get(str(mode), self.length or len(content))
        lines = "\r\n".join([*head, f"Content-Length: {length}", "", ""]).encode()
        if mode == "drip":
            return self._dripped(connection, lines + content)
        connection.sendall(lines)
        if mode == "drip body":
            return self._dripped(connection, content)
        if mode == "endless":
            while not self._ended.is_set():
                connection.sendall(bytes(1 << 16))
        connection.sendall(content[:10] if mode == "cut" else content)
        return mode != "cut"

    def _dripped(self, connection: socket.socket, content: bytes) -> bool:
        for byte in content:
            if self._ended.wait(self.pace):
                return False
            connection.sendall(bytes([byte]))
        return True


def _unpacked(body: bytes, encoding: str | None) -> bytes:
    if encoding == "gzip":
        return gzip.decompress(body)
    return zlib.decompress(body) if encoding == "deflate" else body


def _head(stream: object) -> tuple[str, dict[str, str]] | None:
    """The path and the headers of a request; nothing at the connection's end."""
    lines: list[str] = []
    while True:
        line = stream.readline().decode("latin-1")  # type: ignore[attr-defined]
        if not line:
            return None
        if not line.strip():
            break
        lines.append(line.strip())
    headers = dict(line.split(":", 1) for line in lines[1:])
    return lines[0].split(" ")[1], {name.strip().lower(): value.strip() for name, value in headers.items()}
