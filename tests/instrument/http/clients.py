"""The HTTP clients that are instrumented, each asked in the same way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import httpx
import requests
import urllib3
from opentelemetry.instrumentation import aiohttp_client as contrib_aiohttp
from opentelemetry.instrumentation import httpx as contrib_httpx
from opentelemetry.instrumentation import requests as contrib_requests
from opentelemetry.instrumentation import urllib3 as contrib_urllib3
from urllib3.connectionpool import HTTPConnectionPool

from otel_trading.instrument.http import (
    AiohttpClientInstrumentor,
    HttpxInstrumentor,
    RequestsInstrumentor,
    Urllib3Instrumentor,
)

if TYPE_CHECKING:
    from otel_trading.instrument.http.instrumentor import HttpInstrumentor

Ask = Callable[..., list[int]]
_PATCHED = ("inject", "is_http_instrumentation_enabled")


@dataclass(frozen=True)
class Client:
    """A library: how to ask ``method`` of ``url`` so many times, and what is replaced while it is instrumented."""

    name: str
    instrumentor: type[HttpInstrumentor]
    ask: Ask
    error: type[BaseException]
    originals: tuple[tuple[object, str], ...]
    hooks: tuple[str, ...] = ("request_hook", "response_hook")
    asynchronous: bool = False


def with_requests(method: str, url: str, count: int = 1, headers: dict[str, str] | None = None) -> list[int]:
    """Ask with a session."""
    with requests.Session() as session:
        return [session.request(method, url, headers=headers, timeout=30).status_code for _ in range(count)]


def with_urllib3(method: str, url: str, count: int = 1, headers: dict[str, str] | None = None) -> list[int]:
    """Ask with a pool."""
    with urllib3.PoolManager(retries=urllib3.Retry(3, redirect=3, connect=0, read=0), timeout=30) as pool:
        return [pool.request(method, url, headers=headers).status for _ in range(count)]


def with_httpx(method: str, url: str, count: int = 1, headers: dict[str, str] | None = None) -> list[int]:
    """Ask with a client."""
    with httpx.Client(timeout=30, trust_env=False) as client:
        return [client.request(method, url, headers=headers).status_code for _ in range(count)]


def with_httpx_async(method: str, url: str, count: int = 1, headers: dict[str, str] | None = None) -> list[int]:
    """Ask with a client of coroutines."""

    async def ask() -> list[int]:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            return [(await client.request(method, url, headers=headers)).status_code for _ in range(count)]

    return asyncio.run(ask())


def with_aiohttp(method: str, url: str, count: int = 1, headers: dict[str, str] | None = None) -> list[int]:
    """Ask with a session."""

    async def ask() -> list[int]:
        statuses = []
        async with aiohttp.ClientSession() as session:
            for _ in range(count):
                async with session.request(method, url, headers=headers) as response:
                    await response.read()
                    statuses.append(response.status)
        return statuses

    return asyncio.run(ask())


def _of(module: object, *owned: tuple[object, str]) -> tuple[tuple[object, str], ...]:
    return (*((module, name) for name in _PATCHED), *owned)


_HTTPX = _of(contrib_httpx, (httpx.HTTPTransport, "handle_request"), (httpx.AsyncHTTPTransport, "handle_async_request"))
_HTTPX_HOOKS = ("request_hook", "response_hook", "async_request_hook", "async_response_hook")

CLIENTS = (
    Client(
        "aiohttp-client",
        AiohttpClientInstrumentor,
        with_aiohttp,
        aiohttp.ClientConnectorError,
        _of(
            contrib_aiohttp,
            (contrib_aiohttp, "create_trace_config"),
            (aiohttp.ClientSession, "__init__"),
            (aiohttp.ClientSession, "_request"),
        ),
    ),
    Client("httpx", HttpxInstrumentor, with_httpx, httpx.ConnectError, _HTTPX, _HTTPX_HOOKS),
    Client("httpx async", HttpxInstrumentor, with_httpx_async, httpx.ConnectError, _HTTPX, _HTTPX_HOOKS, True),
    Client(
        "requests",
        RequestsInstrumentor,
        with_requests,
        requests.ConnectionError,
        _of(contrib_requests, (requests.Session, "send")),
    ),
    Client(
        "urllib3",
        Urllib3Instrumentor,
        with_urllib3,
        urllib3.exceptions.MaxRetryError,
        _of(contrib_urllib3, (HTTPConnectionPool, "urlopen")),
    ),
)
