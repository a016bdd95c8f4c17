"""Who watches: what each of them has seen, and what it gets next."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import WSCloseCode, WSMsgType, web

from otel_trading.ops.cockpit.deltas import difference

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.logs.tail import Tail
    from otel_trading.ops.cockpit.history import History
    from otel_trading.ops.cockpit.values import Tree

WATCHERS = 8
"""Pages that may be open at once."""

UNDER_WAY = 3
"""Updates that a page has not confirmed before it gets no more: what is slow gets fewer, and delays nobody."""

SILENCE = 30.0
"""Seconds without a confirmation after which a page is taken to be gone."""

LONGEST_QUESTION = 4_096
"""Bytes that a page may send."""

_LINES = 200
"""Log lines in an update; a page that opens gets all there are."""

_LONG_LINE = 16_384
_PING = 15.0


@dataclass(eq=False)
class Watcher:
    """One page: the state it has, and how many updates it was sent and confirmed."""

    socket: web.WebSocketResponse
    hang_up: Callable[[], None]
    state: Tree = field(default_factory=dict)
    version: int = 0
    sent: int = 0
    confirmed: int = 0
    line: int = 0
    point: int = 0
    heard: float = 0.0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def has_room(self) -> bool:
        """Whether it keeps up."""
        return self.sent - self.confirmed < UNDER_WAY


class Hub:
    """Takes each new state in, and passes on what of it a page does not have yet."""

    def __init__(self, tail: Tail, history: History, trace: Callable[[str], Tree | None]) -> None:
        self._tail = tail
        self._history = history
        self._trace = trace
        self.begin()

    def begin(self) -> None:
        """Begin with nobody, as on a new loop."""
        self._watchers: set[Watcher] = set()
        self._state: Tree = {}
        self._version = 0
        self._patches: dict[int, str] = {}
        self._lines: dict[int, tuple[int, str, int]] = {}
        self.arrived = asyncio.Event()

    def __len__(self) -> int:
        """How many watch."""
        return len(self._watchers)

    def publish(self, state: Tree) -> None:
        """Have this passed on, which is the state now."""
        self._state = state
        self._version += 1
        self._patches.clear()
        self._lines.clear()
        for watcher in self._watchers:
            watcher.news.set()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Pass on what happens until the page goes."""
        socket = web.WebSocketResponse(heartbeat=_PING, max_msg_size=LONGEST_QUESTION, compress=False)
        await socket.prepare(request)
        if len(self._watchers) >= WATCHERS:
            await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=f"{WATCHERS} pages are open already".encode())
            return socket
        transport = request.transport
        if transport is None:  # gone meanwhile
            return socket
        watcher = Watcher(socket, transport.abort, heard=time.monotonic())
        self._watchers.add(watcher)
        self.arrived.set()
        telling = asyncio.ensure_future(self._tell(watcher))
        try:
            await self._listen(watcher)
        finally:
            self._watchers.discard(watcher)
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
        return socket

    async def close(self) -> None:
        """Send all away, as the server ends."""
        for watcher in list(self._watchers):
            await watcher.socket.close(code=WSCloseCode.GOING_AWAY, message=b"the bot ends")

    def drop_the_silent(self) -> None:
        """Take those to be gone who confirm nothing."""
        now = time.monotonic()
        for watcher in self._watchers:
            if not watcher.has_room and now - watcher.heard > SILENCE:
                watcher.hang_up()

    async def _listen(self, watcher: Watcher) -> None:
        async for message in watcher.socket:
            if message.type is not WSMsgType.TEXT:
                continue
            try:
                said = json.loads(message.data)
            except (ValueError, RecursionError):
                continue
            if not isinstance(said, dict):
                continue
            confirmed, wanted = said.get("ack"), said.get("trace")
            if isinstance(confirmed, int) and watcher.confirmed < confirmed <= watcher.sent:
                watcher.confirmed = confirmed
                watcher.heard = time.monotonic()
                watcher.news.set()
            if isinstance(wanted, str):
                found = {"type": "trace", "id": wanted[:64], "trace": self._trace(wanted)}
                await watcher.socket.send_str(_text(found))

    async def _tell(self, watcher: Watcher) -> None:
        while True:
            while not watcher.has_room or watcher.version == self._version:
                watcher.news.clear()
                await watcher.news.wait()
            await watcher.socket.send_str(self._next(watcher))

    def _next(self, watcher: Watcher) -> str:
        """What it does not have yet, as one message."""
        first = watcher.sent == 0
        parts = [f'"time":{time.time() * 1e3:.1f}']
        if first:
            parts.append(f'"state":{_text(self._state)}')
            parts.append(f'"history":{_text(self._history.all())}')
        else:
            patch = self._patch(watcher)
            if patch != "{}":
                parts.append(f'"patch":{patch}')
            points = self._history.since(watcher.point)
            if points:
                parts.append(f'"points":{_text(points)}')
        upto, lines, missed = self._behind(watcher.line, _LINES if not first else None)
        if lines:
            parts.append(f'"lines":[{lines}]')
        if missed and not first:
            parts.append(f'"missed":{missed}')
        watcher.sent += 1
        watcher.state, watcher.version = self._state, self._version
        watcher.line, watcher.point = upto, self._history.added
        return f'{{"type":"{"full" if first else "delta"}","seq":{watcher.sent},{",".join(parts)}}}'

    def _patch(self, watcher: Watcher) -> str:
        """The same for all that have the same."""
        patch = self._patches.get(watcher.version)
        if patch is None:
            patch = self._patches[watcher.version] = _text(difference(watcher.state, self._state))
        return patch

    def _behind(self, line: int, most: int | None) -> tuple[int, str, int]:
        found = self._lines.get(line)
        if found is None:
            upto, lines, missed = self._tail.since(line, most) if most else self._tail.since(line)
            joined = b",".join(shown for each in lines if (shown := _short(each)))
            found = self._lines[line] = upto, joined.decode("utf-8", "replace"), missed
        return found


def _short(line: bytes) -> bytes:
    """A line of JSON as it is, unless it is endless."""
    if not (line.startswith(b"{") and line.endswith(b"}")):
        return b""
    if len(line) <= _LONG_LINE:
        return line
    try:
        told = json.loads(line)
    except ValueError:
        return b""
    kept = {name: told[name] for name in ("timestamp", "level", "service", "event", "trace_id") if name in told}
    return _text({**kept, "message": f"{str(told.get('message', ''))[:_LINES]}… (too long to be shown here)"}).encode()


_text = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=str).encode
