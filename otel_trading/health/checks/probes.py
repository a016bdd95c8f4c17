"""What is asked of each kind of dependency, and how; everything here is called on the ops thread's loop."""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from otel_trading import redaction
from otel_trading.extras import MissingExtraError
from otel_trading.forks import whole_imports
from otel_trading.health.checks import resp
from otel_trading.health.checks.probe import Probe

if TYPE_CHECKING:
    from collections.abc import Mapping

_DNS_SHOWN = 8
_PORTS = {"redis": 6379, "rediss": 6379, "http": 80, "https": 443, "ws": 80, "wss": 443, "postgresql": 5432}


class UnhealthyError(Exception):
    """What was asked answers, and is not well."""


def redis(url: str = "redis://localhost:6379") -> Probe:
    """Asks a Redis for a PING: ``redis://``, ``rediss://`` with TLS, or ``unix:///path``; user and password in the URL.

    >>> redis("redis://bot:geheim@cache:6380/0").address
    'redis://bot:[redacted:password]@cache:6380/0'
    """
    parts = _parts(url, "redis", "rediss", "unix")
    credentials = [unquote(each) for each in (parts.username, parts.password) if each]

    async def ask() -> Mapping[str, object]:
        context = await _tls() if parts.scheme == "rediss" else None
        where = parts.path if parts.scheme == "unix" else (parts.hostname or "localhost", _port(parts))
        return await resp.ping(where, credentials, context)

    return Probe("redis", redaction.redact(url), ask, _secrets(parts))


def postgres(dsn: str = "postgresql://localhost:5432", query: str = "SELECT 1") -> Probe:
    """Connects to a PostgreSQL and runs a query; needs the extra ``postgres`` (asyncpg), or psycopg.

    >>> postgres("postgresql://bot:geheim@db/trades").address
    'postgresql://bot:[redacted:password]@db/trades'
    """
    dsn = dsn.replace("postgresql+asyncpg://", "postgresql://").replace("postgresql+psycopg://", "postgresql://")
    parts = _parts(dsn, "postgresql", "postgres")

    async def ask() -> Mapping[str, object] | None:
        driver = await asyncio.to_thread(_driver)
        if driver.__name__ == "asyncpg":
            connection = await driver.connect(dsn)
            try:
                await connection.fetchval(query)
                return {"server_version": str(connection.get_settings().server_version)}
            finally:
                connection.terminate()
        async with await driver.AsyncConnection.connect(dsn) as connection:
            await connection.execute(query)
        return None

    return Probe("postgres", redaction.redact(dsn), ask, _secrets(parts))


def http(
    url: str, *, status: int | None = None, method: str = "GET", headers: Mapping[str, str] | None = None
) -> Probe:
    """Asks a URL; well is this status, or without one any below 400.

    >>> http("https://api.binance.com/api/v3/ping").kind
    'http'
    """
    parts = _parts(url, "http", "https")
    secret = tuple(value for value in (headers or {}).values() if len(value) > 3)  # noqa: PLR2004 - a scheme's word is none

    async def ask() -> Mapping[str, object]:
        aiohttp = await _aiohttp()
        session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None), cookie_jar=aiohttp.DummyCookieJar())
        async with session, session.request(method, url, headers=headers) as answer:
            if answer.status != status if status is not None else answer.status >= 400:  # noqa: PLR2004 - an error's
                message = f"it answers {answer.status} {answer.reason or ''}".rstrip()
                raise UnhealthyError(message)
            return {"status_code": answer.status}

    return Probe("http", redaction.redact(url), ask, (*_secrets(parts), *secret))


def websocket(url: str, *, ping: bool = True, headers: Mapping[str, str] | None = None) -> Probe:
    """Opens a WebSocket, and waits for the answer to a ping, or for any frame.

    >>> websocket("wss://stream.binance.com/ws").address
    'wss://stream.binance.com/ws'
    """
    parts = _parts(url, "ws", "wss", "http", "https")
    secret = tuple(value for value in (headers or {}).values() if len(value) > 3)  # noqa: PLR2004 - as above

    async def ask() -> None:
        aiohttp = await _aiohttp()
        ends = {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.ERROR}
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
            opened = await session.ws_connect(
                url, autoping=False, timeout=aiohttp.ClientWSTimeout(ws_close=0.5), headers=headers
            )
            try:
                if ping:
                    await opened.ping(b"otel-trading")
                    answer = await opened.receive()
                    if answer.type in ends:
                        message = f"it closed the connection ({opened.close_code})"
                        raise UnhealthyError(message)
            finally:
                await opened.close()

    return Probe("websocket", redaction.redact(url), ask, (*_secrets(parts), *secret))


def tcp(host: str, port: int) -> Probe:
    """Connects to a port.

    >>> tcp("localhost", 6379).address
    'localhost:6379'
    """

    async def ask() -> None:
        _, writer = await asyncio.open_connection(host, port)
        writer.close()

    return Probe("tcp", f"{host}:{port}", ask)


def dns(host: str) -> Probe:
    """Resolves a name, as the bot would.

    >>> dns("api.binance.com").address
    'api.binance.com'
    """

    async def ask() -> Mapping[str, object]:
        found = await asyncio.get_running_loop().getaddrinfo(host, None)
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        return {"addresses": addresses[:_DNS_SHOWN]}

    return Probe("dns", host, ask)


def collector(url: str = "http://localhost:4318") -> Probe:
    """Connects to the port of an OpenTelemetry Collector's receiver.

    >>> collector("http://collector:4318/v1/traces").kind
    'collector'
    """
    parts = _parts(url if "://" in url else f"http://{url}", "http", "https", "grpc")
    port = parts.port or _PORTS.get(parts.scheme, 4317)
    return Probe("collector", redaction.redact(url), tcp(parts.hostname or "localhost", port).ask, _secrets(parts))


def _parts(url: str, *schemes: str) -> Any:  # noqa: ANN401 - SplitResult, with its port checked
    parts = urlsplit(url)
    if parts.scheme not in schemes:
        message = f"the URL has to begin with {' or '.join(f'{scheme}://' for scheme in schemes)}"
        raise ValueError(message)
    _ = parts.scheme == "unix" or "," in parts.netloc or parts.port  # raises where it is none
    return parts


def _port(parts: Any) -> int:  # noqa: ANN401 - as above
    return int(parts.port or _PORTS[parts.scheme])


def _secrets(parts: Any) -> tuple[str, ...]:  # noqa: ANN401 - as above
    password = parts.password
    return tuple(dict.fromkeys((password, unquote(password)))) if password else ()


async def _aiohttp() -> Any:  # noqa: ANN401 - the module
    loaded = sys.modules.get("aiohttp")
    return loaded if loaded is not None else await asyncio.to_thread(_imported, "aiohttp")


def _driver() -> Any:  # noqa: ANN401 - a module
    for name in ("asyncpg", "psycopg"):
        try:
            return _imported(name)
        except ModuleNotFoundError:
            continue
    raise MissingExtraError.of("asyncpg", "postgres")


def _imported(name: str) -> Any:  # noqa: ANN401 - a module
    with whole_imports():
        return import_module(name)


async def _tls() -> Any:  # noqa: ANN401 - an SSLContext
    import ssl

    return await asyncio.to_thread(ssl.create_default_context)
