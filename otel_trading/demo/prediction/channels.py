"""Polymarket's WebSocket channels: the market's, by token, and the user's, by credentials."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from otel_trading.demo.prediction.server import Venue
    from otel_trading.demo.prediction.signing import Credentials

Json = dict[str, Any]


class MarketChannel:
    """Who listens to which tokens.

    Args:
        venue: whose sockets.
        snapshot: the first message of a token, ``None`` where there is no such token.

    """

    def __init__(self, venue: Venue, snapshot: Callable[[str], Json | None]) -> None:
        self._venue = venue
        self._snapshot = snapshot
        self._listening: dict[web.WebSocketResponse, set[str]] = {}
        self.subscribed = asyncio.Event()
        """Set once somebody listens."""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve a connection."""
        async with self._venue.connected(request) as socket:
            try:
                await _read(socket, lambda said: self._subscribe(socket, said))
            finally:
                self._listening.pop(socket, None)
            return socket

    async def publish(self, message: Json) -> None:
        """Send a message to all that listen to a token of it; one about new or answered questions goes to all."""
        about = set(tokens_of(message))
        news = message.get("event_type") in {"new_market", "market_resolved"}
        for socket, tokens in list(self._listening.items()):
            if news or not tokens.isdisjoint(about):
                await self._venue.send(socket, str(message.get("event_type")), message)

    async def _subscribe(self, socket: web.WebSocketResponse, said: Json) -> None:
        tokens: Iterable[str] = said.get("assets_ids") or said.get("asset_ids") or ()
        self._listening.setdefault(socket, set()).update(tokens)
        snapshots = [message for token in tokens if (message := self._snapshot(token)) is not None]
        if snapshots:
            await self._venue.send(socket, "book", snapshots)
        self.subscribed.set()


class UserChannel:
    """Who listens to the account."""

    def __init__(self, venue: Venue, credentials: Callable[[], Credentials | None]) -> None:
        self._venue = venue
        self._credentials = credentials
        self._sockets: set[web.WebSocketResponse] = set()
        self.subscribed = asyncio.Event()
        """Set once somebody listens."""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve a connection; one with other credentials is closed."""
        async with self._venue.connected(request) as socket:
            try:
                await _read(socket, lambda said: self._subscribe(socket, said))
            finally:
                self._sockets.discard(socket)
            return socket

    async def publish(self, message: Json) -> None:
        """Send a message to all that listen."""
        for socket in list(self._sockets):
            await self._venue.send(socket, str(message["event_type"]), message)

    async def _subscribe(self, socket: web.WebSocketResponse, said: Json) -> None:
        credentials, auth = self._credentials(), said.get("auth") or {}
        wanted = None if credentials is None else tuple(credentials)
        if (auth.get("apiKey"), auth.get("secret"), auth.get("passphrase")) == wanted:
            self._sockets.add(socket)
            self.subscribed.set()
        else:
            await socket.close(code=4001, message=b"unauthorized")


def tokens_of(message: Json) -> list[str]:
    """The tokens that a message is about."""
    if "price_changes" in message:
        return [change["asset_id"] for change in message["price_changes"]]
    if "asset_id" in message:
        return [message["asset_id"]]
    return list(message.get("assets_ids", ()))


async def _read(socket: web.WebSocketResponse, subscribe: Callable[[Json], Awaitable[None]]) -> None:
    async for message in socket:
        if message.type is not WSMsgType.TEXT:
            continue
        if message.data == "PING":
            await socket.send_str("PONG")
            continue
        try:
            said = json.loads(message.data)
        except ValueError:
            await socket.send_str("INVALID OPERATION")
            continue
        await subscribe(said)
