"""A venue's WebSocket server on loopback, in a thread of its own: it sends what it is told to, and breaks on demand."""

from __future__ import annotations

import asyncio
import gzip
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.demo.venue.venue_clients import recordings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

DROP, CLOSE, FREEZE, ECHO = "DROP", "CLOSE", "FREEZE", "ECHO"
"""The connection breaks; the venue closes it; it stays open and nothing comes; what the bot sends is sent back."""

LONG = 60.0


class FeedServer:
    """Sends its script: each connection goes on where the last one ended; after its end it waits for the bot.

    ``sent`` counts the messages that every client has received when the script is over: before a connection breaks,
    the server makes sure that all has arrived.
    """

    def __init__(self, script: Iterable[str | bytes | list[str]] = ()) -> None:
        self.script = iter(script)
        self.sent = 0
        self.received: list[Any] = []
        self.connections = 0
        self.paths: list[str] = []
        self.refuse = False
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._open: list[ServerConnection] = []
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"ws://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(LONG)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(LONG)
        self._loop.close()

    def pause(self, seconds: float) -> None:
        """Answer nobody for a while."""
        self._loop.call_soon_threadsafe(time.sleep, seconds)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        async with serve(self._handle, "127.0.0.1", 0, process_request=self._process, close_timeout=1) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            self._started.set()
            await self._stop.wait()
            for connection in self._open:
                connection.transport.abort()  # the loop of a client may stand still meanwhile

    def _process(self, connection: ServerConnection, request: Any) -> Any:
        return connection.respond(503, "no") if self.refuse else None

    async def _handle(self, connection: ServerConnection) -> None:
        self.connections += 1
        self._open.append(connection)
        self.paths.append(connection.request.path if connection.request else "")
        with suppress(ConnectionClosed):
            for each in self.script:
                if each == DROP:
                    await (await connection.ping())
                    connection.transport.abort()
                    return
                if each == CLOSE:
                    await connection.close(1012, "restart")
                    return
                if each == FREEZE:
                    await connection.wait_closed()
                    return
                if each == ECHO:
                    async for message in connection:
                        self.received.append(message)
                        await connection.send(message)
                    return
                await connection.send(each)
                self.sent += 1
            async for message in connection:
                self.received.append(message)


def recorded(venue: Literal["spot", "perp"]) -> list[str]:
    """The frames of a recording of Binance, without the answer to a request that is among them."""
    with gzip.open(recordings()[venue], "rt", encoding="utf-8") as lines:
        frames = [line.split(" ", 1)[1].strip() for line in lines]
    return [frame for frame in frames if frame.startswith('{"stream"')]


def polymarket() -> list[str]:
    """Messages of Polymarket's market channel, as recorded."""
    folder = recordings()["spot"].parent / "polymarket"
    return [path.read_text("utf-8") for path in sorted(folder.glob("ws_market_*.json"))]


def trade(number: int, symbol: str = "BTCUSDT") -> str:
    """A trade as Binance sends it."""
    return f'{{"stream":"{symbol.lower()}@trade","data":{{"e":"trade","s":"{symbol}","t":{number},"p":"1.5"}}}}'
