"""A fake Collector for what a real one cannot be told to do: hang, refuse, redirect, reject a part.

It understands OTLP over HTTP with the official protobuf classes. Where nothing has to go wrong, the tests use the
real Collector instead.
"""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

if TYPE_CHECKING:
    from typing import Self

REQUESTS: dict[str, tuple[Any, Any]] = {
    "/v1/traces": (ExportTraceServiceRequest, ExportTraceServiceResponse),
    "/v1/metrics": (ExportMetricsServiceRequest, ExportMetricsServiceResponse),
    "/v1/logs": (ExportLogsServiceRequest, ExportLogsServiceResponse),
}


class OtlpReceiver:
    """Receives OTLP/HTTP; ``status``, ``hanging`` and ``reject`` say how it misbehaves."""

    def __init__(self) -> None:
        self.status = 200
        self.reject = 0
        self.hanging = threading.Event()
        self.released = threading.Event()
        self.requests: list[tuple[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver.answer(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Read a request, keep it when all is well, and answer as told."""
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        if self.hanging.is_set():
            self.released.wait(60)
            handler.close_connection = True
            return
        content = b""
        if self.status == 200 and handler.path in REQUESTS:
            request_type, response_type = REQUESTS[handler.path]
            request = request_type.FromString(
                gzip.decompress(body) if handler.headers.get("Content-Encoding") == "gzip" else body
            )
            self.requests.append((handler.path, request))
            self.headers.append({name.lower(): value for name, value in handler.headers.items()})
            response = response_type()
            if self.reject and handler.path == "/v1/traces":
                response.partial_success.rejected_spans = self.reject
                response.partial_success.error_message = "too many"
            content = response.SerializeToString()
        handler.send_response(self.status)
        if self.status == 302:
            handler.send_header("Location", "/elsewhere")
        handler.send_header("Content-Type", "application/x-protobuf")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def _items(self, path: str, *levels: str) -> list[Any]:
        """Everything received on a path, down the levels of its message."""
        found = [request for received, request in self.requests if received == path]
        for level in levels:
            found = [item for parent in found for item in getattr(parent, level)]
        return found

    @property
    def spans(self) -> list[Any]:
        """All spans received."""
        return self._items("/v1/traces", "resource_spans", "scope_spans", "spans")

    @property
    def logs(self) -> list[Any]:
        """All log records received."""
        return self._items("/v1/logs", "resource_logs", "scope_logs", "log_records")

    def metrics(self, name: str) -> list[Any]:
        """Every export of a metric, oldest first."""
        received = self._items("/v1/metrics", "resource_metrics", "scope_metrics", "metrics")
        return [metric for metric in received if metric.name == name]

    def resource(self) -> dict[str, str]:
        """The attributes of the resource that was received first."""
        _, request = self.requests[0]
        kind = next(field.name for field, _ in request.ListFields())
        attributes = getattr(request, kind)[0].resource.attributes
        return {attribute.key: attribute.value.string_value for attribute in attributes}

    def close(self) -> None:
        """Stop listening."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
