"""What a receiver of OTLP got: requests, and their items counted by name."""

from __future__ import annotations

import threading
import time
from collections import Counter
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
    from collections.abc import Callable

    from otel_trading.export.destination import Signal

REQUESTS: dict[Signal, Any] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}
_LEVELS: dict[Signal, tuple[str, ...]] = {
    "traces": ("resource_spans", "scope_spans", "spans"),
    "metrics": ("resource_metrics", "scope_metrics", "metrics"),
    "logs": ("resource_logs", "scope_logs", "log_records"),
}


def items(signal: Signal, request: Any) -> list[Any]:
    """The spans, metrics or log records of a request."""
    found = [request]
    for level in _LEVELS[signal]:
        found = [item for parent in found for item in getattr(parent, level)]
    return found


def answer(signal: Signal, reject: int = 0, message: str = "") -> bytes:
    """An answer that accepts a request, all but ``reject`` of its items."""
    if signal == "traces":
        traces = ExportTraceServiceResponse()
        traces.partial_success.rejected_spans = reject
        traces.partial_success.error_message = message
        return traces.SerializeToString() if reject or message else b""
    if signal == "metrics":
        metrics = ExportMetricsServiceResponse()
        metrics.partial_success.rejected_data_points = reject
        metrics.partial_success.error_message = message
        return metrics.SerializeToString() if reject or message else b""
    logs = ExportLogsServiceResponse()
    logs.partial_success.rejected_log_records = reject
    logs.partial_success.error_message = message
    return logs.SerializeToString() if reject or message else b""


class Received:
    """The requests that arrived whole; safe to ask from any thread while more arrive."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[tuple[Signal, Any, dict[str, str]]] = []

    def add(self, signal: Signal, body: bytes, headers: dict[str, str]) -> None:
        """Keep a request."""
        request = REQUESTS[signal].FromString(body)
        with self._lock:
            self._requests.append((signal, request, headers))

    def requests(self, signal: Signal) -> list[Any]:
        """The requests of a signal, decoded, oldest first."""
        with self._lock:
            return [request for kind, request, _ in self._requests if kind == signal]

    def headers(self, signal: Signal) -> list[dict[str, str]]:
        """The headers of each request, names in lower case."""
        with self._lock:
            return [headers for kind, _, headers in self._requests if kind == signal]

    def items(self, signal: Signal) -> list[Any]:
        """All spans, metrics or log records that arrived, oldest first."""
        return [item for request in self.requests(signal) for item in items(signal, request)]

    def counted(self, signal: Signal) -> Counter[str]:
        """How often each span name, log body or metric's data point arrived: more than once is a duplicate."""
        found: Counter[str] = Counter()
        for item in self.items(signal):
            if signal == "metrics":
                found[item.name] += len(getattr(item, item.WhichOneof("data")).data_points)
            else:
                found[item.name if signal == "traces" else item.body.string_value] += 1
        return found

    def clear(self) -> None:
        """Forget all requests."""
        with self._lock:
            self._requests.clear()


def eventually(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for a condition to hold."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
