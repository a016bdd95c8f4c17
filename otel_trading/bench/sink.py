"""Receivers in processes of their own: they take what is sent to them and answer that all is well."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PATIENCE_S = 20.0

_SERVER = """
import sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()  # until the one that measures has ended, however it ends
"""


@contextmanager
def sink() -> Iterator[str]:
    """The URL of a receiver that lives as long as the block."""
    with subprocess.Popen(  # noqa: S603 - our own code in this interpreter
        [sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            if process.stdout is None:
                raise RuntimeError("the receiver has no output")
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


_COLLECTOR = """
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
exporters: {{nop: {{}}}}
service:
  telemetry: {{metrics: {metrics}, logs: {{level: error}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [nop]}}
    metrics: {{receivers: [otlp], exporters: [nop]}}
    logs: {{receivers: [otlp], exporters: [nop]}}
"""


_COUNTS = (
    "{{level: normal, readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {port}, "
    "without_type_suffix: false}}}}}}}}]}}"
)


@contextmanager
def collector(binary: Path, *, counts_port: int | None = None) -> Iterator[str]:
    """The URL of an OpenTelemetry Collector that takes all in and throws it away, as long as the block.

    Where a port is given, it says there what it took.
    """
    port = free_port()
    metrics = "{level: none}" if counts_port is None else _COUNTS.format(port=counts_port)
    with subprocess.Popen(  # noqa: S603 - the stack's own
        [binary, "--config", f"yaml:{_COLLECTOR.format(port=port, metrics=metrics)}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            _wait(process, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    """Until it accepts connections."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the Collector does not start")
