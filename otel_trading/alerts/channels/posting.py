"""One request to a service, and whether it can have arrived."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from otel_trading import forks
from otel_trading.alerts.channels.errors import LaterError, RefusedError, UnansweredError
from otel_trading.alerts.channels.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MOST_READ = 65_536
_LONGEST_PAUSE = 3_600.0
_REASON = 160
_UNKNOWN = frozenset({408, 504})
"""Somebody on the way gave up waiting: the service may have taken it."""
_TRY_AGAIN = frozenset({425, 429, 500, 502, 503})
_TOO_MANY, _SERVER_ERROR = 429, 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def good(self) -> bool:
        """Whether it took the message."""
        return 200 <= self.status < 300  # noqa: PLR2004 - RFC 9110

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> dict[str, Any]:
        """The body as an object; an empty one when it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def seconds(self, header: str) -> float | None:
        """A header that holds seconds."""
        return seconds(self.headers.get(header.lower()))


def seconds(value: object) -> float | None:
    """A time to wait as services say it; ``None`` when it says nothing.

    >>> seconds("2.5"), seconds("soon"), seconds(True), seconds(1e300)
    (2.5, None, None, 3600.0)
    """
    if not isinstance(value, (str, int, float)) or isinstance(value, bool):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return min(found, _LONGEST_PAUSE) if found >= 0 else None


async def post(
    url: str, body: object, *, within: float, headers: Mapping[str, str] | None = None, method: str = "POST"
) -> Answer:
    """Send an object as JSON; errors never hold the URL, which is a secret of many services.

    Raises:
        LaterError: nothing was sent.
        UnansweredError: something was.

    """
    with forks.whole_imports():
        import aiohttp

    began = False

    async def note(*_: object) -> None:
        nonlocal began
        began = True

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(note)
    data = body if isinstance(body, bytes) else encoded(body)
    sent = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "otel-trading",
        "Accept-Encoding": "identity",
        **(headers or {}),
    }
    limits = aiohttp.ClientTimeout(total=within, sock_connect=within / 2)
    try:
        connector = aiohttp.TCPConnector(resolver=_resolver(), force_close=True)
        async with (
            aiohttp.ClientSession(
                connector=connector, timeout=limits, trace_configs=[trace], cookie_jar=aiohttp.DummyCookieJar()
            ) as session,
            session.request(method, url, data=data, headers=sent, allow_redirects=False, proxy=_proxy(url)) as answer,
        ):
            return Answer(
                answer.status,
                {name.lower(): value for name, value in answer.headers.items()},
                await _read(answer.content.readany),
            )
    except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
        reason = _reason(error)
        if began and not isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError)):
            raise UnansweredError(f"no answer: {reason}") from None
        raise LaterError(f"not reached: {reason}") from None


def encoded(body: object) -> bytes:
    """An object as JSON."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def refused(answer: Answer, reason: str = "", after: float | None = None) -> Exception:
    """What an answer that is no success means; ``reason`` is what the service said."""
    said = f"{answer.status} {reason or _shown(answer)}".strip()
    if answer.status in _UNKNOWN:
        return UnansweredError(said)
    if answer.status in _TRY_AGAIN or answer.status > _SERVER_ERROR:
        pause = after if after is not None else answer.seconds("Retry-After")
        return LaterError(said, pause if pause is not None or answer.status != _TOO_MANY else 1.0)
    return RefusedError(said)


async def _read(readany: Callable[[], Any]) -> bytes:
    """The beginning of a body; what comes after it does not matter."""
    found = bytearray()
    while len(found) < _MOST_READ:
        piece = await readany()
        if not piece:
            break
        found += piece
    return bytes(found[:_MOST_READ])


def _shown(answer: Answer) -> str:
    text = " ".join(answer.text.split())
    return text[:_REASON] if text.isprintable() and not text.startswith("<") else ""


def _reason(error: BaseException) -> str:
    """What happened in words; the error's own text may hold the URL."""
    inner: Any = getattr(error, "os_error", error)
    number = getattr(inner, "errno", None)
    if isinstance(inner, socket.gaierror):
        return "the name of the host is not known"
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(number, int) and number > 0:
        return os.strerror(number)
    return type(error).__name__


def _proxy(url: str) -> str | None:
    """The proxy that the environment says."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if proxy_bypass_environment(parts.netloc.rpartition("@")[2]):
        return None
    proxy = getproxies_environment().get(parts.scheme)
    return proxy if proxy and host else None


def _resolver() -> Any:  # noqa: ANN401 - a class of aiohttp's, which is imported late
    from aiohttp.abc import AbstractResolver

    class Resolver(AbstractResolver):
        """Asks for names in a thread that the end of the process does not wait for."""

        async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> Any:  # noqa: ANN401
            found = await in_thread(
                lambda: socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM), name="resolver"
            )
            return [
                {
                    "hostname": host,
                    "host": address[0],
                    "port": address[1],
                    "family": kind,
                    "proto": protocol,
                    "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                }
                for kind, _, protocol, _, address in found
            ]

        async def close(self) -> None:
            """Nothing is held."""

    return Resolver()
