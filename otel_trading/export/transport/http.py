"""OTLP over HTTP, by urllib3."""

from __future__ import annotations

import http.client
import ssl
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from otel_trading.export.transport import answers, headers
from otel_trading.export.transport.compression import COMPRESSIONS, expanded
from otel_trading.export.transport.exchange import Exchange
from otel_trading.export.transport.proxies import proxy_of
from otel_trading.export.transport.quiet import silence
from otel_trading.export.transport.watch import timed

if TYPE_CHECKING:
    import socket

    from otel_trading.export.delivery import Delivery
    from otel_trading.export.destination import Destination, Signal
    from otel_trading.export.transport.watch import Watch

_MAX_ANSWER = 1 << 20

silence(
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.poolmanager",
    "urllib3.response",
    "urllib3.util.retry",
)


class HttpTransport(Exchange):
    """Sends requests by urllib3."""

    def __init__(self, signal: Signal, destination: Destination, agent: str) -> None:
        super().__init__(signal, destination)
        self._compress = COMPRESSIONS[destination.compression]
        encoding = {} if destination.compression == "none" else {"Content-Encoding": destination.compression}
        self._headers: dict[str, str] = {
            "User-Agent": agent,
            "Accept-Encoding": "identity",
            "Content-Type": "application/x-protobuf",
            **encoding,
            **self._credentials,
        }
        known = {name.lower(): name for name in self._headers}
        for name, value in destination.headers.items():
            self._headers[known.get(name.lower(), name)] = value
        self._manager: urllib3.PoolManager | None = None

    def _sent(self, request: bytes) -> Delivery:
        self._watch.left()
        body = self._compress(request)
        if self._manager is None:
            self._manager = self._connected()
        response = self._manager.urlopen(
            "POST",
            self._url,
            body=body,
            headers=self._headers,
            retries=False,
            redirect=False,
            timeout=None,
            preload_content=False,
            decode_content=False,
        )
        try:
            answer = self._answer(response)
        finally:
            response.close() if response.connection is not None else response.release_conn()
        return answers.delivery(self._signal, self._url, response.status, response.headers, answer)

    def _answer(self, response: urllib3.BaseHTTPResponse) -> bytes:
        """The body, as far as it is looked at."""
        try:
            answer = response.read(_MAX_ANSWER, decode_content=False)
            if response.length_remaining and len(answer) < _MAX_ANSWER:
                raise http.client.IncompleteRead(answer, response.length_remaining)
            if response.headers.get("Content-Encoding") in {"gzip", "deflate"}:
                answer = expanded(answer, _MAX_ANSWER)
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, zlib.error):
            if response.status < 300:  # noqa: PLR2004 - what was accepted is said in the body
                raise
            return b""
        return answer

    def _failed(self, error: Exception) -> Delivery:
        return super()._failed(_cause(error))

    def _said(self, error: Exception) -> str:
        words = next((words for kinds, words in _WORDS if isinstance(error, kinds)), None)
        return words or super()._said(error)

    def _connected(self) -> urllib3.PoolManager:
        """What makes the connection, at the first request and after errors of TLS."""
        headers.check(self._destination.headers, headers.HTTP)
        parts = urlsplit(self._url)
        options: dict[str, Any] = {"num_pools": 1, "maxsize": 1}
        if parts.scheme == "https":
            options["ssl_context"] = timed(self._destination.credentials.context(), self._watch)
        self._proxy = proxy = proxy_of(self._url)
        if proxy is None:
            manager = urllib3.PoolManager(**options)
        else:
            if urlsplit(proxy.url).scheme == "https":
                options["proxy_ssl_context"] = timed(ssl.create_default_context(), self._watch)
            manager = urllib3.ProxyManager(proxy.url, proxy_headers=proxy.headers, **options)
        pools: Any = {  # made as the classes make them
            "http": partial(_pool, HTTPConnectionPool, partial(_Connection, self._watch)),
            "https": partial(_pool, HTTPSConnectionPool, partial(_TlsConnection, self._watch)),
        }
        manager.pool_classes_by_scheme = pools
        return manager

    def _release(self) -> None:
        manager, self._manager = self._manager, None
        if manager is not None:
            manager.clear()

    def _forget(self) -> None:
        self._manager = None


_WORDS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((http.client.RemoteDisconnected,), "the connection ended before the answer"),
    ((http.client.IncompleteRead, urllib3.exceptions.IncompleteRead), "the connection ended amid the answer"),
    ((http.client.BadStatusLine,), "the answer is not HTTP"),
)


class _NotConnectedError(Exception):
    """Wraps the reason: a connection that is reset early is taken for one that has answered."""


class _Watched:
    """A connection that is made by the watch, and tells it when all is sent."""

    _dns_host: str
    port: int
    socket_options: Any

    def __init__(self, watch: Watch, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - urllib3's own
        self._watch = watch
        super().__init__(*arguments, **options)

    def _new_conn(self) -> socket.socket:
        try:
            return self._watch.connect(self._dns_host, self.port, self.socket_options)
        except OSError as error:
            raise _NotConnectedError(error) from error

    def getresponse(self) -> Any:  # noqa: ANN401 - urllib3's own
        self._watch.sent = True
        return super().getresponse()  # type: ignore[misc]


class _Connection(_Watched, HTTPConnection):
    pass


class _TlsConnection(_Watched, HTTPSConnection):
    pass


def _pool(kind: Any, connection: Any, host: str, port: int, **options: Any) -> Any:  # noqa: ANN401 - urllib3's own
    made = kind(host, port, **options)
    made.ConnectionCls = connection
    return made


def _cause(error: BaseException) -> Exception:
    """The innermost of urllib3's errors, which is what somebody can do something about."""
    found = error
    while True:
        inner = [*found.args, getattr(found, "reason", None), getattr(found, "original_error", None)]
        found = next((each for each in inner if isinstance(each, Exception)), found)
        if not any(each is found for each in inner):
            break
    if isinstance(found, urllib3.exceptions.TimeoutError):
        return TimeoutError(str(found))
    return found if isinstance(found, Exception) else RuntimeError(str(found))
