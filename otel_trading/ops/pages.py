"""The pages of the ops server."""

from __future__ import annotations

import hmac
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator

    from aiohttp.typedefs import Handler, Middleware

    from otel_trading.ops.server import Source


class Pages:
    """``/metrics``, ``/status`` and ``/health``; with a token only for those who have it."""

    def __init__(self, source: Source, token: str | None) -> None:
        self._source = source
        self._token = token

    @asynccontextmanager
    async def on(self, listening: socket.socket) -> AsyncIterator[None]:
        """Serve on a socket within the block."""
        application = web.Application(middlewares=[self._guarded()])
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/status", self._status)
        application.router.add_get("/health", self._health)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.SockSite(runner, listening).start()
        try:
            yield
        finally:
            await runner.cleanup()

    def _guarded(self) -> Middleware:
        """Every request needs the token, compared in constant time."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            if self._token is not None and not self._authorised(request.headers.get("Authorization", "")):
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
