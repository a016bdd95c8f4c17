"""A venue on loopback that answers any request, and remembers what it was sent."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Venue:
    """What was asked, and where to ask: the status is that of ``status=`` in the query, 200 without."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.named = f"http://localhost:{port}"
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    @property
    def headers(self) -> dict[str, str]:
        """Of the last request, in lower case."""
        return self.asked[-1][2]


@contextmanager
def venue() -> Iterator[Venue]:
    """Run it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            running.asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
            status = int(self.path.partition("status=")[2][:3] or 200)
            body = b'{"orderId": 1}'
            self.send_response(status)
            if status in {301, 302, 307}:
                self.send_header("Location", "/moved")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = do_PUT = _answer  # noqa: N815 - the handler's names

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    running = Venue(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def nobody() -> str:
    """A URL where nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"
