"""A venue of a few lines: a WebSocket on loopback that sends what a test tells it to, and a ccxt.pro client of it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

import ccxt.pro
from aiohttp import WSMsgType, web

from otel_trading.testing.errors import NotCapturedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    from otel_trading.testing import Captured

SYMBOL = "BTC/USDT"


class Server:
    """Answers subscriptions, and pushes frames to every socket."""

    def __init__(self) -> None:
        self.sockets: list[web.WebSocketResponse] = []
        self.sent: list[str] = []
        self.received: list[str] = []
        self.refusing = False

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"ws://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for socket in self.sockets:
            await socket.close()
        await self._runner.cleanup()

    async def push(self, frame: str | dict[str, Any]) -> None:
        """Send a frame."""
        text = frame if isinstance(frame, str) else json.dumps(frame)
        for socket in self.sockets:
            await socket.send_str(text)
            self.sent.append(text)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if self.refusing:
            return web.Response(status=503, text="Service Unavailable")
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        self.sockets.append(socket)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self.received.append(message.data)
                    answer = json.dumps({"result": None, "id": json.loads(message.data)["id"]})
                    await socket.send_str(answer)
                    self.sent.append(answer)
        finally:
            self.sockets.remove(socket)
        return socket


@asynccontextmanager
async def exchange_at(server: Server, **options: Any) -> AsyncIterator[Any]:
    """A ccxt.pro client of binance whose sockets lead there."""
    exchange = ccxt.pro.binance({"enableRateLimit": False, "newUpdates": True, **options})
    exchange.urls["api"]["ws"]["spot"] = f"{server.url}/stream/ws"
    exchange.streaming["compress"] = 0
    exchange.timeout_on_exit = 0
    market = {"id": "BTCUSDT", "lowercaseId": "btcusdt", "symbol": SYMBOL, "base": "BTC", "quote": "USDT"}
    kind = {"type": "spot", "spot": True, "swap": False, "contract": False, "linear": None, "inverse": None}
    other = {**market, "id": "ETHUSDT", "lowercaseId": "ethusdt", "symbol": "ETH/USDT", "base": "ETH"}
    precision = {"precision": {"amount": 1e-8, "price": 1e-2}, "limits": {}, "active": True, "option": False}
    exchange.set_markets([{**market, **kind, **precision}, {**other, **kind, **precision}])
    try:
        yield exchange
    finally:
        await exchange.close()


def trade(number: int, at_ms: int, symbol: str = "BTCUSDT") -> dict[str, Any]:
    """A frame of the trade stream."""
    return {"e": "trade", "E": at_ms, "s": symbol, "t": number, "p": "60000", "q": "0.1", "T": at_ms, "m": True}


def quote(number: int) -> dict[str, Any]:
    """A frame of the quote stream, which has no time."""
    return {"u": number, "s": "BTCUSDT", "b": "60000", "B": "1", "a": "60001", "A": "1"}


def total(telemetry: Captured, metric: str, **attributes: Any) -> float:
    """What was counted so far."""
    try:
        return telemetry.metrics[metric](**attributes).value
    except NotCapturedError:
        return 0


def measured(telemetry: Captured, metric: str, **attributes: Any) -> int:
    """How many measurements there are so far."""
    try:
        return telemetry.metrics[metric](**attributes).count
    except NotCapturedError:
        return 0


def connections(telemetry: Captured) -> list[tuple[str, str]]:
    """What was said of connections, in order: the state, and why."""
    said = [log for log in telemetry.logs if log.event == "trading.venue.connection_changed"]
    return [
        (log.attributes["trading.connection.state"], log.attributes.get("trading.event.reason", "")) for log in said
    ]


async def soon(task: Any, within: float = 20.0) -> Any:
    """What an awaitable gives."""
    async with asyncio.timeout(within):
        return await task
