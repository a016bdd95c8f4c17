"""User data sockets of a venue: execution reports and account events, each order's in their order and in their time."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from otel_trading.demo.venue.orders import Reject

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.demo.venue.signing import Credentials

Json = dict[str, Any]

_APART = 1e-6
_LISTEN_KEY = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"


class UserFeed:
    """Sends user data events to every subscribed socket, one after the other.

    Args:
        credentials: the account's key.
        wrap: puts an event into the envelope of the connection it travels on.
        clock_ms: the venue's clock.

    """

    def __init__(self, credentials: Credentials, wrap: Callable[[Json], Json], clock_ms: Callable[[], int]) -> None:
        self._credentials = credentials
        self._wrap = wrap
        self._clock_ms = clock_ms
        self._sockets: set[web.WebSocketResponse] = set()
        self._queue: asyncio.Queue[Json] = asyncio.Queue()
        self._due: dict[int, float] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._task: asyncio.Task[None] | None = None

    @property
    def subscribers(self) -> int:
        """How many sockets receive the account's events."""
        return len(self._sockets)

    def send(self, order_id: int, event: Json, delay: float = 0.0) -> None:
        """Send an event about an order after ``delay`` seconds, but not before its earlier events.

        Args:
            order_id: the order it is about.
            event: its event time ``E`` is set when it is sent.
            delay: seconds from now.

        """
        loop = asyncio.get_running_loop()
        if self._task is None:
            self._task = loop.create_task(self._run(), name="user-feed")
        due = max(loop.time() + delay, self._due.get(order_id, 0.0) + _APART)
        self._due[order_id] = due

        def enqueue() -> None:
            self._timers.discard(timer)
            if self._due.get(order_id) == due:
                del self._due[order_id]
            self._queue.put_nowait(event)

        timer = loop.call_at(due, enqueue)
        self._timers.add(timer)

    async def close(self) -> None:
        """Drop what is not sent yet."""
        for timer in self._timers:
            timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def listen_key(self) -> str:
        """Return the account's listen key."""
        return _LISTEN_KEY

    async def serve_listen_key(self, request: web.Request) -> web.WebSocketResponse:
        """Serve a connection that names the listen key in its address; a wrong one receives nothing."""
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        if request.query.get("listenKey") == _LISTEN_KEY:
            self._sockets.add(socket)
        try:
            async for _ in socket:
                pass
        finally:
            self._sockets.discard(socket)
        return socket

    async def serve_requests(self, request: web.Request) -> web.WebSocketResponse:
        """Serve a request-response connection, on which the account's events are subscribed by signature."""
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await socket.send_str(json.dumps(self._answer(socket, message.data)))
        finally:
            self._sockets.discard(socket)
        return socket

    def _answer(self, socket: web.WebSocketResponse, text: str) -> Json:
        try:
            call = json.loads(text)
            request_id, method, parameters = call.get("id"), call.get("method"), call.get("params", {})
            parameters = {key: str(value) for key, value in parameters.items()}
        except (ValueError, AttributeError):
            return {"id": None, "status": 400, "error": {"code": -1135, "msg": "Invalid JSON Request"}}
        try:
            self._check(method, parameters)
        except Reject as reject:
            error = {"code": reject.code, "msg": reject.message}
            return {"id": request_id, "status": reject.status, "error": error, "rateLimits": []}
        self._sockets.add(socket)
        return {"id": request_id, "status": 200, "result": {"subscriptionId": 0}, "rateLimits": []}

    def _check(self, method: str, parameters: dict[str, str]) -> None:
        if method != "userDataStream.subscribe.signature":
            raise Reject(-1000, f"Unknown method '{method}'.")
        self._credentials.check_key(parameters.get("apiKey"))
        signed = "&".join(f"{key}={parameters[key]}" for key in sorted(parameters) if key != "signature")
        self._credentials.check_signature(signed, parameters.get("signature"), parameters)

    async def _run(self) -> None:
        while True:
            event = await self._queue.get()
            event["E"] = self._clock_ms()
            text = json.dumps(self._wrap(event))
            for socket in tuple(self._sockets):
                try:
                    await socket.send_str(text)
                except ConnectionError:
                    self._sockets.discard(socket)
