"""aiohttp's WebSockets in use: connections to a server that sends back what it gets."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

import aiohttp

from otel_trading.instrument.aiohttp_websocket import AiohttpWebSocketInstrumentor
from tests.instrument.feed_server import ECHO, FeedServer
from tests.instrument.sockets import failed_connects, frames_received

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.testing import Captured


class Case:
    """Messages that come back; each counts when it is received."""

    name = "aiohttp-websocket"
    instrumentor = AiohttpWebSocketInstrumentor
    originals: tuple[tuple[object, str], ...] = (
        (aiohttp.ClientSession, "ws_connect"),
        *(
            (aiohttp.ClientWebSocketResponse, name)
            for name in ("receive", "send_str", "send_bytes", "send_frame", "ping", "pong", "close")
        ),
    )
    hooks = ("frame_hook",)
    error: type[BaseException] = aiohttp.ClientConnectorError
    many = 300
    parallel = True
    installed = True

    def __init__(self, server: FeedServer) -> None:
        self._server = server

    def work(self, count: int) -> None:
        asyncio.run(self._exchange(count))

    async def _exchange(self, count: int) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(self._server.url) as connection:
            for number in range(count):
                await connection.send_str(f'{{"e":"trade","s":"BTCUSDT","t":{number}}}')
                await connection.receive_json()

    def fail(self) -> None:
        async def dial() -> None:
            async with aiohttp.ClientSession() as session:
                await session.ws_connect("ws://127.0.0.1:1/ws")

        asyncio.run(dial())

    def counted(self, telemetry: Captured) -> int:
        return frames_received(telemetry) + failed_connects(telemetry)

    def failures(self, telemetry: Captured) -> int:
        return failed_connects(telemetry)


@contextmanager
def case() -> Iterator[Case]:
    """With a server of its own."""
    with FeedServer(iter(lambda: ECHO, None)) as server:
        yield Case(server)
