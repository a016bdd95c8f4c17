"""Senders of OTLP: opentelemetry's exporters, with their answers read instead of believed."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import requests

from otel_trading.export.delivery import Delivery, Outcome, Receiver, accepts_connections, partial_success
from otel_trading.extras import require

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from otel_trading.export.destination import Destination, Signal

Item = TypeVar("Item")

_OK = range(200, 300)
_RETRYABLE_STATUS = frozenset({408, 429, 502, 503, 504})
_RETRYABLE_CODES = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED", "CANCELLED", "OUT_OF_RANGE")
_EXPORTER_LOGGERS = (
    "opentelemetry.exporter.otlp.common.http",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
)


class OtlpSender(Generic[Item]):
    """Delivers one signal to one OTLP receiver: the SDK's objects, or requests that are ``encoded`` already."""

    def __init__(self, signal: Signal, destination: Destination, receiver: Receiver, *, encoded: bool = False) -> None:
        self.target = destination.url
        self.receiver = receiver
        self._signal: Signal = signal
        self._grpc = destination.protocol == "grpc"
        self._encoded = encoded
        self._closed = False
        self._destination = destination
        self.restart_in_child()

    def send(self, batch: Sequence[Item] | bytes) -> Delivery:
        """Deliver a batch, or an encoded request; the outcome is what the receiver answered."""
        if self._closed:
            return Delivery(Outcome.RETRY, reason="shut down")
        self._answers.clear()
        _complaints.last = None
        confirmed = self._export(batch)
        if self._answers.status is not None:
            return self._by_status(self._answers.status, confirmed=confirmed)
        if confirmed:
            return Delivery(Outcome.SENT)
        reason = self._answers.error or _complaints.last or "no answer"
        temporary = any(code in reason for code in _RETRYABLE_CODES)
        retryable = temporary if self._grpc else self._answers.error is not None
        return Delivery(Outcome.RETRY if retryable else Outcome.REFUSED, reason=reason)

    def _export_objects(self, batch: Any) -> bool:  # noqa: ANN401 - the SDK's objects of the signal
        return bool(self._exporter.export(batch).name == "SUCCESS")

    def _by_status(self, status: int, *, confirmed: bool) -> Delivery:
        if status in _OK and confirmed:
            rejected, message = partial_success(self._signal, self._answers.body)
            return Delivery(Outcome.SENT, rejected, message or None)
        outcome = Outcome.RETRY if status in _RETRYABLE_STATUS else Outcome.REFUSED
        return Delivery(outcome, reason=f"HTTP status {status}")

    def reachable(self) -> bool:
        """Whether the receiver accepts connections."""
        return accepts_connections(self.target)

    def restart_in_child(self) -> None:
        """Begin with an exporter and a session of its own: a connection shared with the parent would mix answers."""
        self._answers = _Answers()
        self._exporter = _exporter(self._signal, self._destination, self._answers)
        self._export = (
            _encoded_export(self._exporter, self._signal, grpc=self._grpc) if self._encoded else self._export_objects
        )

    def close(self) -> None:
        """End a delivery that is under way and release the connection."""
        if not self._closed:
            self._closed = True
            with contextlib.suppress(Exception):
                self._exporter.shutdown()


class _GaveUpError(Exception):
    """Ends the exporter's own retries, which would hold the thread: when to try again is the queue's decision."""


class _Answers(requests.Session):
    """A session that remembers the receiver's last answer."""

    def __init__(self) -> None:
        super().__init__()
        self.clear()

    def clear(self) -> None:
        self.status: int | None = None
        self.body = b""
        self.error: str | None = None

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401
        self.clear()
        try:
            response = super().request(*args, **kwargs)
        except requests.RequestException as error:
            self.error = _cause(error)
            raise _GaveUpError(self.error) from error
        self.status, self.body = response.status_code, response.content
        if self.status in _RETRYABLE_STATUS:
            raise _GaveUpError(f"HTTP status {self.status}")
        return response


def _cause(error: BaseException) -> str:
    """The innermost reason, which is what a person can act on."""
    while True:
        inner = next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        inner = inner or getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            break
        error = inner
    text = str(error) or type(error).__name__
    return text.rsplit("[Errno ", 1)[-1].partition("] ")[2] if "[Errno " in text else text


class _Complaints(threading.local):
    """The exporters' own log lines of this thread: kept for the reason, not printed."""

    last: str | None = None
    heard = False


_complaints = _Complaints()


def _listen(record: logging.LogRecord) -> bool:
    if not threading.current_thread().name.startswith("otel-"):
        return True
    with contextlib.suppress(Exception):
        _complaints.last = record.getMessage()
    return False


for _name in _EXPORTER_LOGGERS:
    logging.getLogger(_name).addFilter(_listen)


def _exporter(signal: Signal, destination: Destination, session: requests.Session) -> Any:  # noqa: ANN401 - no common base
    arguments: dict[str, object] = {
        "endpoint": destination.url,
        "headers": dict(destination.headers) or None,
        "timeout": destination.timeout,
    }
    if destination.protocol == "grpc":
        grpc = require("grpc", extra="grpc")
        compression = grpc.Compression.Gzip if destination.compression == "gzip" else grpc.Compression.NoCompression
        exporter = _exporter_class("grpc", signal)(compression=compression, **arguments)
        exporter._retryable_error_codes = frozenset()  # noqa: SLF001 - when to try again is the queue's decision
        return exporter
    from opentelemetry.exporter.otlp.proto.http import Compression

    return _exporter_class("http", signal)(
        compression=Compression(destination.compression), session=session, **arguments
    )


def _encoded_export(exporter: Any, signal: Signal, *, grpc: bool) -> Callable[[Any], bool]:  # noqa: ANN401
    """How an exporter sends what is encoded already, with its own compression, headers and credentials."""
    if not grpc:
        client = exporter._client  # noqa: SLF001 - what its export() calls with the bytes it encoded
        return lambda request: bool(client.export(request).success)
    # gRPC's stub takes messages only.
    exporter._translate_data = _request_class(signal).FromString  # noqa: SLF001
    exporter._count_data = len  # noqa: SLF001
    return lambda request: bool(exporter._export(request).name == "SUCCESS")  # noqa: SLF001


def _request_class(signal: Signal) -> Any:  # noqa: ANN401 - protobuf's generated classes
    if signal == "traces":
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        return ExportTraceServiceRequest
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    return ExportMetricsServiceRequest


def _exporter_class(transport: str, signal: Signal) -> Any:  # noqa: ANN401 - found by name
    module, name = {
        "traces": ("trace_exporter", "OTLPSpanExporter"),
        "metrics": ("metric_exporter", "OTLPMetricExporter"),
        "logs": ("_log_exporter", "OTLPLogExporter"),
    }[signal]
    return getattr(require(f"opentelemetry.exporter.otlp.proto.{transport}.{module}", extra="grpc"), name)
