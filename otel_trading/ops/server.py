"""The ops server: a thread and an event loop of its own, so that it answers while the bot's loop is stuck."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import socket
import threading
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler, Middleware

_STOP_TIMEOUT = 1.0


class Source(Protocol):
    """What the server shows."""

    def render_metrics(self, accept: str) -> tuple[bytes, str]:
        """The metrics as text and their content type."""
        ...

    def status_json(self) -> Mapping[str, object]:
        """The state of telemetry."""
        ...


class OpsServer:
    """Serves ``/metrics``, ``/status`` and ``/health``; raises ``OSError`` when the port cannot be had."""

    def __init__(self, source: Source, host: str, port: int, token: str | None) -> None:
        self.host = host
        self._source = source
        self._token = token
        self._open = token is None or is_loopback(host)
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="otel-ops", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is found."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def close(self) -> None:
        """Stop serving and give the port back."""
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)
        self._thread.join(_STOP_TIMEOUT)
        self._socket.close()

    def abandon_in_child(self) -> None:
        """In a forked child the parent goes on serving; the child only closes its copy of the socket."""
        self._socket.close()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        application = web.Application(middlewares=[self._guarded()])
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/status", self._status)
        application.router.add_get("/health", self._health)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.SockSite(runner, self._socket).start()
        try:
            await self._stop.wait()
        finally:
            await runner.cleanup()

    def _guarded(self) -> Middleware:
        """Off loopback every request needs the token, compared in constant time."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not self._open and not self._authorised(request.headers.get("Authorization", "")):
                return web.json_response(
                    {"error": "a bearer token is required: the value of OTEL_TRADING_OPS_TOKEN"},
                    status=401,
                    headers={"WWW-Authenticate": "Bearer"},
                )
            return await handler(request)

        return guarded

    def _authorised(self, header: str) -> bool:
        expected = f"Bearer {self._token}".encode()
        return hmac.compare_digest(header.encode(errors="surrogateescape"), expected)

    async def _metrics(self, request: web.Request) -> web.Response:
        body, content_type = self._source.render_metrics(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _status(self, _: web.Request) -> web.Response:
        return web.json_response(self._source.status_json(), dumps=lambda value: json.dumps(value, default=str))

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})


def is_loopback(host: str) -> bool:
    """Whether an address reaches this host only.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=64)
