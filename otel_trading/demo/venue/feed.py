"""Market data sockets of a venue: who subscribed to what, and what was delivered."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from otel_trading.demo.venue.market import STREAMS, Stream

if TYPE_CHECKING:
    from otel_trading.demo.venue.faults import Faults

_TIMES = re.compile(r'"([ET])":(\d+)')


class Feed:
    """Fans market data out to the sockets that subscribed to its stream.

    Args:
        symbol: the instrument's lower-case id, the first part of a stream's name.
        faults: the venue's faults; ``silent``, ``malformed`` and ``clock_skew`` act here.

    """

    def __init__(self, symbol: str, faults: Faults) -> None:
        self._symbol = symbol
        self._faults = faults
        self._subscribers: dict[Stream, set[web.WebSocketResponse]] = {stream: set() for stream in STREAMS}
        self._changed = asyncio.Event()
        self.sent: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.silenced: Counter[str] = Counter()
        self.malformed: Counter[str] = Counter()

    def subscribers(self) -> dict[str, int]:
        """Return how many sockets are subscribed to each stream."""
        return {stream: len(sockets) for stream, sockets in self._subscribers.items()}

    async def wait_for_subscribers(self, streams: list[Stream]) -> None:
        """Return once each of ``streams`` has a subscriber."""
        while not all(self._subscribers[stream] for stream in streams):
            self._changed.clear()
            await self._changed.wait()

    async def publish(self, stream: Stream, payload: str) -> None:
        """Send one frame to its subscribers, waiting where one reads too slowly; nobody there is counted as dropped."""
        sockets = self._subscribers[stream]
        if not sockets:
            self.dropped[stream] += 1
            return
        if self._faults.get("silent") is not None:
            self.silenced[stream] += 1
            return
        skew = self._faults.get("clock_skew")
        if skew is not None:
            payload = shift_times(payload, round(skew.value * 1000))
        if self._faults.get("malformed") is not None:
            payload = payload[: len(payload) // 2]
            self.malformed[stream] += 1
        delivered = False
        for socket in tuple(sockets):
            try:
                await socket.send_str(payload)
                delivered = True
            except ConnectionError:
                sockets.discard(socket)
        (self.sent if delivered else self.dropped)[stream] += 1

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one market data connection until it closes."""
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await socket.send_str(json.dumps(self._answer(socket, message.data)))
        finally:
            for sockets in self._subscribers.values():
                sockets.discard(socket)
        return socket

    def _answer(self, socket: web.WebSocketResponse, text: str) -> dict[str, Any]:
        try:
            command = json.loads(text)
            method, names, request_id = command["method"], command.get("params", []), command.get("id")
        except (ValueError, KeyError, TypeError, AttributeError):
            return {"error": {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}}
        if method == "LIST_SUBSCRIPTIONS":
            listed = [f"{self._symbol}@{stream}" for stream in STREAMS if socket in self._subscribers[stream]]
            return {"result": listed, "id": request_id}
        if method not in {"SUBSCRIBE", "UNSUBSCRIBE"}:
            return {"error": {"code": 2, "msg": f"Invalid request: unknown variant `{method}`"}, "id": request_id}
        for name in names:
            symbol, _, channel = str(name).partition("@")
            stream = channel.partition("@")[0]
            if symbol == self._symbol and stream in STREAMS:
                sockets = self._subscribers[stream]
                (sockets.add if method == "SUBSCRIBE" else sockets.discard)(socket)
        self._changed.set()
        return {"result": None, "id": request_id}


def shift_times(payload: str, by_ms: int) -> str:
    """Move the event times ``E`` and ``T`` of a frame.

    >>> shift_times('{"E":1000,"s":"BTCUSDT","T":999}', -100)
    '{"E":900,"s":"BTCUSDT","T":899}'
    """
    return _TIMES.sub(lambda match: f'"{match[1]}":{int(match[2]) + by_ms}', payload)
