"""OTLP over HTTP, by urllib3."""

from __future__ import annotations

import gzip
import http.client
import logging
import socket
import ssl
import threading
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import make_headers

from otel_trading.export.delivery import Delivery, Outcome
from otel_trading.export.transport import answers, headers, tls
from otel_trading.export.transport.watch import ClosedError, Watch, is_loopback, timed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from otel_trading.export.destination import Destination, Signal

_MAX_ANSWER = 1 << 20
_GZIP_LEVEL = 3
"""A seventh of the time of 9, and a tenth more bytes."""
_A_MOMENT = 0.1


class HttpTransport:
    """Sends requests over one connection, which is kept."""

    def __init__(self, signal: Signal, destination: Destination, agent: str) -> None:
        self._signal: Signal = signal
        self._destination = destination
        self._url, credentials = _without_user(destination.url)
        self._compress = _COMPRESSIONS[destination.compression]
        encoding = {} if destination.compression == "none" else {"Content-Encoding": destination.compression}
        self._headers: dict[str, str] = {
            "User-Agent": agent,
            "Accept-Encoding": "identity",
            "Content-Type": "application/x-protobuf",
            **encoding,
            **credentials,
        }
        known = {name.lower(): name for name in self._headers}
        for name, value in destination.headers.items():
            self._headers[known.get(name.lower(), name)] = value
        self._manager: urllib3.PoolManager | None = None
        self._proxy: str | None = None
        self._watch = Watch()
        self._turn = threading.Lock()

    def send(self, request: bytes) -> Delivery:
        """Deliver a request, or say why not."""
        with self._turn, _quiet, self._watch.request(self._destination.timeout):
            try:
                return self._sent(request)
            except ClosedError as error:
                return Delivery(Outcome.RETRY, reason=str(error), uncertain=self._watch.sent)
            except Exception as error:
                return self._failed(error)
            finally:
                if self._watch.closed:
                    self._release()

    def close(self) -> None:
        """End a request that is under way, and release the connection."""
        self._watch.close()
        if self._turn.acquire(timeout=_A_MOMENT):  # else whoever sends releases it
            try:
                self._release()
            finally:
                self._turn.release()

    def restart_in_child(self) -> None:
        """Begin without a connection: the parent's would mix its answers with ours."""
        self._watch.forget()
        self._manager = None
        self._watch = Watch()
        self._turn = threading.Lock()

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
                answer = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(answer, _MAX_ANSWER)
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, zlib.error):
            if response.status < 300:  # noqa: PLR2004 - what was accepted is said in the body
                raise
            return b""
        return answer

    def _failed(self, error: Exception) -> Delivery:
        if self._watch.closed:
            return Delivery(Outcome.RETRY, reason=str(ClosedError()), uncertain=self._watch.sent)
        error = _cause(error)
        if isinstance(error, ssl.SSLError | tls.CertificateError):
            self._release()  # the files are read again, and may be others by then
        if isinstance(error, UnicodeError | ValueError) and not isinstance(error, OSError):
            return Delivery(Outcome.RETRY, reason=f"the request cannot be made: {error}")
        return Delivery(Outcome.RETRY, reason=self._said(error), uncertain=self._watch.sent)

    def _said(self, error: Exception) -> str:
        """The reason in words that a person can act on."""
        by = f" (by the proxy {self._proxy})" if self._proxy else ""
        if isinstance(error, TimeoutError):
            doing = "no answer" if self._watch.sent else "no connection"
            return f"{doing} within {self._destination.timeout:g} s{by}"
        if isinstance(error, socket.gaierror):
            host = self._proxy or urlsplit(self._url).hostname
            return f"{host} cannot be resolved: {tls.reason(error)}"
        if isinstance(error, ssl.SSLError):
            return f"TLS fails: {tls.reason(error)}{by}"
        words = next((words for kinds, words in _WORDS if isinstance(error, kinds)), None)
        return (words or tls.reason(error)) + by

    def _connected(self) -> urllib3.PoolManager:
        """What makes the connection, at the first request and after errors of TLS."""
        headers.check(self._destination.headers, headers.HTTP)
        parts = urlsplit(self._url)
        options: dict[str, Any] = {"num_pools": 1, "maxsize": 1}
        if parts.scheme == "https":
            options["ssl_context"] = timed(self._destination.credentials.context(), self._watch)
        proxy = _proxy(parts.scheme, parts.hostname or "", parts.netloc)
        self._proxy = None
        if proxy is None:
            manager = urllib3.PoolManager(**options)
        else:
            address, credentials = _without_user(proxy if "://" in proxy else f"http://{proxy}")
            if "Authorization" in credentials:
                options["proxy_headers"] = {"Proxy-Authorization": credentials["Authorization"]}
            if urlsplit(address).scheme == "https":
                options["proxy_ssl_context"] = timed(ssl.create_default_context(), self._watch)
            self._proxy = urlsplit(address).netloc
            manager = urllib3.ProxyManager(address, **options)
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


def _without_user(url: str) -> tuple[str, dict[str, str]]:
    """The URL without the user in it, and the header that says who it is.

    >>> _without_user("https://bot:p%40ss@collector:4318/v1/traces")
    ('https://collector:4318/v1/traces', {'Authorization': 'Basic Ym90OnBAc3M='})
    """
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    header = make_headers(basic_auth=unquote(user))["authorization"]
    return urlunsplit(parts._replace(netloc=host)), {"Authorization": header}


def _proxy(scheme: str, host: str, place: str) -> str | None:
    """The proxy that the environment names for a host; this machine is not reached through one."""
    if is_loopback(host) or proxy_bypass(place):
        return None
    proxies = getproxies()
    return proxies.get(scheme) or proxies.get("all") or None


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


def _gzipped(request: bytes) -> bytes:
    return gzip.compress(request, _GZIP_LEVEL)


_COMPRESSIONS: Mapping[str, Callable[[bytes], bytes]] = {"gzip": _gzipped, "deflate": zlib.compress, "none": bytes}


class _Quiet(threading.local):
    """What urllib3 logs in this thread while we send is in what we answer; it is not for the bot's log."""

    depth = 0

    def __enter__(self) -> None:
        self.depth += 1

    def __exit__(self, *_: object) -> None:
        self.depth -= 1


_quiet = _Quiet()


def _listen(_: logging.LogRecord) -> bool:
    return not _quiet.depth


for _name in (
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.poolmanager",
    "urllib3.response",
    "urllib3.util.retry",
):
    logging.getLogger(_name).addFilter(_listen)
