"""OTLP over gRPC, by h2."""

from __future__ import annotations

import math
import socket
import ssl
from base64 import b64encode
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from otel_trading.export.delivery import Delivery, Outcome
from otel_trading.export.transport import grpc_answers, headers
from otel_trading.export.transport.compression import gzipped
from otel_trading.export.transport.exchange import Exchange
from otel_trading.export.transport.proxies import proxy_of, tunnel
from otel_trading.export.transport.watch import TimedSocket, TimedTlsSocket, timed
from otel_trading.extras import require

if TYPE_CHECKING:
    from otel_trading.export.destination import Destination, Signal
    from otel_trading.export.transport.h2_connection import Connection

_METHODS: dict[Signal, str] = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
_OF_THE_PROTOCOL = frozenset(
    {"connection", "content-type", "host", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}
)
_AT_ONCE = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)
_MOST_MILLISECONDS = 99_999_999


class GrpcTransport(Exchange):
    """Makes unary calls by h2, in the thread that calls it; there is nothing that a fork could leave in between."""

    def __init__(self, signal: Signal, destination: Destination, agent: str) -> None:
        require("h2", extra="grpc")
        from otel_trading.export.transport import h2_connection

        super().__init__(signal, destination)
        self._http2 = h2_connection
        self._compresses = destination.compression == "gzip"
        self._headers = self._metadata(agent)
        self._connection: Connection | None = None

    def _metadata(self, agent: str) -> list[tuple[str, str]]:
        """The headers of every request: they stay the same, so that HTTP/2 sends each of them once."""
        parts = urlsplit(self._url)
        ours = {
            ":method": "POST",
            ":scheme": parts.scheme,
            ":authority": parts.netloc,
            ":path": _METHODS[self._signal],
            "te": "trailers",
            "content-type": "application/grpc",
            "user-agent": agent,
            "grpc-timeout": _timeout(self._destination.timeout),
            "grpc-accept-encoding": "identity",
            **({"grpc-encoding": "gzip"} if self._compresses else {}),
        }
        for name, value in {**self._credentials, **self._destination.headers}.items():
            key = name.lower()
            if key not in _OF_THE_PROTOCOL and not key.startswith("grpc-"):
                ours[key] = _binary(value) if key.endswith("-bin") else value
        return list(ours.items())

    def _sent(self, request: bytes) -> Delivery:
        self._watch.left()
        body = gzipped(request) if self._compresses else request
        message = b"".join((bytes((self._compresses,)), len(body).to_bytes(4), body))
        kept = self._connection
        if kept is not None and not kept.is_usable():
            kept = None
        try:
            answer = (kept or self._connected()).exchange(self._headers, message)
        except (self._http2.BrokenError, OSError) as error:
            if kept is None or self._watch.sent or self._watch.closed or isinstance(error, TimeoutError):
                raise
            answer = self._connected().exchange(self._headers, message)  # it had ended, and nothing was done
        if answer.is_too_long:
            self._release()
            return Delivery(Outcome.REFUSED, reason="answer is not OTLP (more than 1 MiB)")
        return grpc_answers.delivery(
            self._signal,
            answer.headers,
            bytes(answer.body),
            limit=self._http2.MAX_ANSWER,
            timeout=self._destination.timeout,
            sent=self._watch.sent,
        )

    def _connected(self) -> Connection:
        """A new connection; the files of certificates are read for it."""
        self._release()
        headers.check(self._destination.headers, headers.GRPC)
        parts = urlsplit(self._url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        context = self._destination.credentials.context() if parts.scheme == "https" else None
        plain = self._reached(host, port)
        connected = plain if context is None else self._encrypted(plain, context, host)
        self._connection = connection = self._http2.Connection(connected)
        connection.begin()
        return connection

    def _reached(self, host: str, port: int) -> TimedSocket:
        """A connection to the receiver, by the proxy if there is one."""
        self._proxy = proxy = proxy_of(self._url, "grpc")
        if proxy is None:
            return self._watch.connect(host, port, _AT_ONCE)
        parts = urlsplit(proxy.url)
        if parts.scheme != "http":
            raise ValueError(f"the proxy {proxy.place} is not one of http://")
        connected = self._watch.connect(parts.hostname or "", parts.port or 80, _AT_ONCE)
        try:
            tunnel(connected, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", proxy.headers)
        except BaseException:
            connected.close()
            raise
        return connected

    def _encrypted(self, plain: TimedSocket, context: ssl.SSLContext, host: str) -> TimedTlsSocket:
        context.set_alpn_protocols(["h2"])
        try:
            wrapped = timed(context, self._watch).wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise
        if wrapped.selected_alpn_protocol() != "h2":
            wrapped.close()
            raise self._http2.BrokenError("the receiver does not speak HTTP/2 over TLS, as gRPC does")
        return cast("TimedTlsSocket", wrapped)

    def _failed(self, error: Exception) -> Delivery:
        failed = super()._failed(error)
        self._release()
        return failed

    def _said(self, error: Exception) -> str:
        said = super()._said(error)
        if isinstance(error, ssl.SSLError) and self._destination.scheme_is_assumed:
            return f"{said}; without TLS the endpoint is http://{urlsplit(self._url).netloc}"
        return said

    def _missing(self) -> str:
        if self._connection is not None and self._connection.began and not self._watch.sent:
            return "the request is not taken"
        return super()._missing()

    def _release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _forget(self) -> None:
        self._connection = None


def _binary(value: str) -> str:
    """A value as gRPC sends those of headers that end in ``-bin``.

    >>> _binary("bot")
    'Ym90'
    """
    return b64encode(value.encode(errors="replace")).decode().rstrip("=")


def _timeout(seconds: float) -> str:
    """The time a receiver has, in gRPC's form.

    >>> _timeout(2.5), _timeout(1e6)
    ('2500m', '1000000S')
    """
    milliseconds = max(1, math.ceil(seconds * 1_000))
    return f"{milliseconds}m" if milliseconds <= _MOST_MILLISECONDS else f"{min(int(seconds), _MOST_MILLISECONDS)}S"
