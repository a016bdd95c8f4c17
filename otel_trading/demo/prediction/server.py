"""What the simulated prediction venues have in common: an address, faults, sockets that can be cut."""

from __future__ import annotations

import asyncio
import json
import time
from abc import ABC, abstractmethod
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

from otel_trading.demo.prediction.faults import Fault, Faults, Kind
from otel_trading.demo.prediction.orders import RefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from decimal import Decimal
    from types import TracebackType

Json = dict[str, Any]

_LOOPBACK = "127.0.0.1"


class Venue(ABC):
    """A venue on loopback, an async context manager.

    ``requests`` counts what was asked by method and path template, ``sent`` the frames that sockets took by kind.
    """

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self.url = ""
        self.faults = Faults()
        self.requests: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self._transports: set[asyncio.Transport] = set()
        self._runner: web.AppRunner | None = None

    @abstractmethod
    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Register the venue's paths."""

    @abstractmethod
    def refusal(self, refused: RefusedError) -> Json:
        """What the venue answers to a request that it does not carry out."""

    async def __aenter__(self) -> Self:
        """Listen."""
        app = web.Application(middlewares=[self._guard])
        self.add_routes(app.router)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, _LOOPBACK, self._port).start()
        self.url = f"http://{_LOOPBACK}:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what runs in the background, cut every socket and stop listening."""
        await self.close()
        self._cut()
        if self._runner is not None:
            await self._runner.cleanup()

    async def close(self) -> None:  # noqa: B027 - a venue may have nothing in the background
        """Stop what runs in the background."""

    def now(self) -> float:
        """The venue's clock, seconds since 1970."""
        return time.time()

    def switch_on(self, fault: Fault | str) -> None:
        """Start a fault such as ``silent:10s``; ``disconnect`` cuts every socket at once.

        Raises:
            FaultError: the text cannot be read.

        """
        fault = Fault.parse(fault) if isinstance(fault, str) else fault
        self.faults.switch_on(fault)
        if fault.kind == "disconnect":
            self._cut()

    def switch_off(self, kind: Kind | None = None) -> None:
        """End a fault, or all."""
        self.faults.switch_off(kind)

    async def acknowledging(self) -> None:
        """Wait as long as the venue needs for an order.

        Raises:
            RefusedError: orders are refused now.

        """
        slow = self.faults.get("slow_ack")
        if slow is not None:
            await asyncio.sleep(slow.value)
        if self.faults.get("reject") is not None:
            raise RefusedError(self.lack_of_funds)

    lack_of_funds = "insufficient balance"
    """What the venue says where an account has too little."""

    @asynccontextmanager
    async def connected(self, request: web.Request) -> AsyncIterator[web.WebSocketResponse]:
        """A WebSocket that a ``disconnect`` can cut and refuse."""
        if self.faults.get("disconnect") is not None:
            raise web.HTTPServiceUnavailable
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client left before it was served")
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        self._transports.add(transport)
        try:
            yield socket
        finally:
            self._transports.discard(transport)

    async def send(self, socket: web.WebSocketResponse, kind: str, content: object) -> None:
        """Send a frame, unless a fault is in its way; a client that is gone gets none."""
        if self.faults.get("silent") is not None:
            return
        text = json.dumps(content)
        if self.faults.get("malformed") is not None:
            kind, text = "malformed", text[: len(text) // 2]
        try:
            await socket.send_str(text)
        except (ConnectionError, RuntimeError):  # closed, or closing
            return
        self.sent[kind] += 1

    def _cut(self) -> None:
        for transport in tuple(self._transports):
            transport.abort()

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        resource = request.match_info.route.resource
        self.requests[f"{request.method} {resource.canonical if resource is not None else request.path}"] += 1
        if self.faults.get("unavailable") is not None:
            return web.json_response({"error": "service unavailable"}, status=503)
        try:
            return await handler(request)
        except RefusedError as refused:
            return web.json_response(self.refusal(refused), status=refused.status)


def public(answer: Callable[[web.Request], object]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A page that everybody may read."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return web.json_response(answer(request))

    return handle


def body_of(text: str) -> Any:  # noqa: ANN401 - whatever was sent
    """What a request has in its body.

    Raises:
        RefusedError: it cannot be read.

    """
    try:
        return json.loads(text or "{}")
    except ValueError:
        raise RefusedError("invalid request body") from None


def plain(number: Decimal) -> str:
    """A number without exponent and trailing zeros.

    >>> from decimal import Decimal
    >>> plain(Decimal("10.00")), plain(Decimal("1E+2"))
    ('10', '100')
    """
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
