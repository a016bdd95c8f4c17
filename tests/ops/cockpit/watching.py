"""The page's part of the conversation, without a page."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import aiohttp

from otel_trading.ops.cockpit.deltas import patched

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 60.0


class Watching:
    """Takes updates in, and confirms them unless told not to."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.state: dict[str, Any] = {}
        self.history: dict[str, Any] = {}
        self.lines: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []

    async def next(self, *, confirm: bool = True, patience: float = PATIENCE) -> dict[str, Any]:
        """The next message."""
        message = await asyncio.wait_for(self.socket.receive(), patience)
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise ConnectionResetError(message)
        told: dict[str, Any] = json.loads(message.data)
        if told["type"] == "trace":
            return told
        self.messages.append(told)
        self.state = told["state"] if "state" in told else patched(self.state, told.get("patch", {}))
        self.history = told.get("history", self.history)
        self.lines += told.get("lines", [])
        if confirm:
            await self.socket.send_str(json.dumps({"ack": told["seq"]}))
        return told

    async def until(self, true: Callable[[Watching], object]) -> None:
        """Take updates in until something holds."""
        deadline = time.monotonic() + PATIENCE
        while not true(self):
            assert time.monotonic() < deadline, self.state
            await self.next()
