"""``websockets`` in use: connections to a server that sends back what it gets."""

from __future__ import annotations

import asyncio
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import websockets.sync.client
from websockets.asyncio.client import ClientConnection, connect

from otel_trading.instrument.websockets import WebSocketsInstrumentor
from tests.instrument.feed_server import ECHO, FeedServer
from tests.instrument.sockets import failed_connects, frames_received

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import websockets.legacy.client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.testing import Captured

_METHODS = ("recv", "recv_streaming", "send", "ping", "pong", "close")
_CLIENTS = (ClientConnection, websockets.legacy.client.WebSocketClientProtocol)


class Case:
    """Messages that come back; each counts when it is received."""

    name = "websockets"
    instrumentor = WebSocketsInstrumentor
    originals: tuple[tuple[object, str], ...] = (
        (connect, "__await__"),
        (websockets.legacy.client.Connect, "__await__"),
        (websockets.sync.client.reconnect, "connect"),
        (websockets.sync.client.ClientConnection, "recv_events"),
        *((client, "connection_lost") for client in _CLIENTS),
        *((ClientConnection, name) for name in _METHODS),
        *((websockets.sync.client.ClientConnection, name) for name in _METHODS),
        *((websockets.legacy.client.WebSocketClientProtocol, name) for name in _METHODS if name != "recv_streaming"),
    )
    hooks = ("frame_hook",)
    error: type[BaseException] = OSError
    many = 300
    parallel = True
    installed = True

    def __init__(self, server: FeedServer) -> None:
        self._server = server

    def work(self, count: int) -> None:
        asyncio.run(self._exchange(count))

    async def _exchange(self, count: int) -> None:
        async with connect(self._server.url) as connection:
            for number in range(count):
                await connection.send(f'{{"e":"trade","s":"BTCUSDT","t":{number}}}')
                await connection.recv()

    def fail(self) -> None:
        async def dial() -> None:
            await connect("ws://127.0.0.1:1/ws")

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
