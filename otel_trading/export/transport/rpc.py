"""OTLP over gRPC, by grpcio."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from otel_trading.export.delivery import Delivery, Outcome
from otel_trading.export.transport import headers, statuses, tls
from otel_trading.export.transport.watch import is_loopback
from otel_trading.extras import require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.export.destination import Destination, Signal

_METHODS: dict[Signal, str] = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
_RETRYABLE = frozenset({"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"})
_MAYBE_ARRIVED = frozenset({"CANCELLED", "DEADLINE_EXCEEDED", "UNAVAILABLE"})
_NOT_CONNECTED = ("failed to connect", "resol", "connection refused", "handshake")
_TLS = re.compile(r"OPENSSL_internal:(\w+)((?:: [\w -]+)?)")
"""What OpenSSL says, within what gRPC says."""
_MAX_ANSWER = 1 << 20
_VERBOSITY = "GRPC_VERBOSITY"


class GrpcTransport:
    """Sends requests over one channel, which connects and reconnects by itself."""

    def __init__(self, signal: Signal, destination: Destination, agent: str) -> None:
        with _quiet():
            self._grpc: Any = require("grpc", extra="grpc")
        self._signal: Signal = signal
        self._destination = destination
        gzip = destination.compression == "gzip"
        self._compression = self._grpc.Compression.Gzip if gzip else self._grpc.Compression.NoCompression
        self._metadata = tuple((name.lower(), value) for name, value in destination.headers.items())
        self._options = (
            ("grpc.primary_user_agent", agent),
            ("grpc.max_receive_message_length", _MAX_ANSWER),
            ("grpc.max_reconnect_backoff_ms", 5_000),  # when to try again is the queue's decision
            ("grpc.initial_reconnect_backoff_ms", 500),
            ("grpc.enable_http_proxy", 0 if is_loopback(urlsplit(destination.url).hostname or "") else 1),
        )
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._closed = False
        self._channel: Any = None
        self._call: Any = None

    def send(self, request: bytes) -> Delivery:
        """Deliver a request, or say why not."""
        try:
            with self._lock:
                if self._closed:
                    return _SHUT_DOWN
                if self._channel is None:
                    self._connect()
                call = self._call
            answer = call(request, self._destination.timeout, metadata=self._metadata, compression=self._compression)
        except self._grpc.RpcError as error:
            return self._failed(error)
        except tls.CertificateError as error:
            return Delivery(Outcome.RETRY, reason=str(error))
        except (ValueError, TypeError) as error:
            if self._closed:
                return _SHUT_DOWN
            return Delivery(Outcome.RETRY, reason=f"the request cannot be made: {error}")
        return self._accepted(answer)

    def close(self) -> None:
        """Release the connection, which ends a request that is under way."""
        with self._lock:
            self._closed = True
            channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def restart_in_child(self) -> None:
        """Begin with a channel of its own; the parent's is left as it is."""
        _left_to_parents.append((self._channel, self._call))
        self._begin()

    def _connect(self) -> None:
        headers.check(dict(self._metadata), headers.GRPC)
        parts = urlsplit(self._destination.url)
        target = f"{parts.netloc.rpartition('@')[2]}"
        with _quiet():
            if parts.scheme == "https":
                authorities, key, certificate = self._destination.credentials.files()
                credentials = self._grpc.ssl_channel_credentials(authorities, key, certificate)
                self._channel = self._grpc.secure_channel(target, credentials, self._options)
            else:
                self._channel = self._grpc.insecure_channel(target, self._options)
        self._call = self._channel.unary_unary(_METHODS[self._signal])

    def _accepted(self, answer: bytes) -> Delivery:
        try:
            rejected, message = statuses.partial_success(self._signal, answer)
        except ValueError:
            return Delivery(Outcome.REFUSED, reason="answer is not OTLP")
        return Delivery(Outcome.SENT, rejected, message or None)

    def _failed(self, call: Any) -> Delivery:  # noqa: ANN401 - grpc.Call
        if self._closed:
            return _SHUT_DOWN
        code, details = call.code().name, call.details() or ""
        said = _last(details)
        message, wait = _details(call)
        reason = f"gRPC status {code}: {message or said}" if message or said else f"gRPC status {code}"
        retryable = code in _RETRYABLE or (code == "RESOURCE_EXHAUSTED" and not _too_large(details))
        if not retryable:
            return Delivery(Outcome.REFUSED, reason=reason)
        if code == "DEADLINE_EXCEEDED":
            reason = f"no answer within {self._destination.timeout:g} s"
        uncertain = code in _MAYBE_ARRIVED and not any(each in details.lower() for each in _NOT_CONNECTED)
        if (told := _TLS.search(details)) is not None:
            reason = f"TLS fails: {told[1].lower().replace('_', ' ')}{statuses.cut(told[2])}"
            if self._destination.scheme_is_assumed:
                reason = f"{reason}; without TLS the endpoint is http://{urlsplit(self._destination.url).netloc}"
            self._reconnect()
        return Delivery(Outcome.RETRY, reason=reason, retry_after=wait, uncertain=uncertain)

    def _reconnect(self) -> None:
        """Have the files of certificates read again: they may be others by then."""
        with self._lock:
            channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()


_SHUT_DOWN = Delivery(Outcome.RETRY, reason="shut down", uncertain=True)
_left_to_parents: list[Any] = []
"""Channels of the parent in a child: to let go of one would end its connections."""


def _last(details: str) -> str:
    """What gRPC says, without what it did before.

    >>> _last("failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.1:4317: Failed to connect: refused")
    'Failed to connect: refused'
    """
    return statuses.cut(re.sub(r"^.*last error: \w+: (?:ipv[46]:\S+: )?", "", details, flags=re.DOTALL))


def _too_large(details: str) -> bool:
    """The one kind of exhaustion that another try does not help."""
    return "larger than max" in details


def _details(call: Any) -> tuple[str, float | None]:  # noqa: ANN401 - grpc.Call
    """What the receiver says in the rich form of an error."""
    for name, value in call.trailing_metadata() or ():
        if name == "grpc-status-details-bin":
            with contextlib.suppress(ValueError):
                return statuses.status_of(value)
    return "", None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep gRPC's own lines from the bot's error stream, unless somebody asks for them: it reads this once."""
    if _VERBOSITY in os.environ:
        yield
        return
    os.environ[_VERBOSITY] = "NONE"
    try:
        yield
    finally:
        os.environ.pop(_VERBOSITY, None)
