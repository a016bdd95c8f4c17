"""The three clients of ``websockets``, driven alike: each receives until it has enough, connecting again by itself."""

from __future__ import annotations

import asyncio
import inspect
import warnings
from typing import TYPE_CHECKING, Any

import websockets.sync.client
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import websockets.legacy.client

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    Enough = Callable[[int], bool]


_OPTIONS = inspect.signature(connect).parameters


def _at_once() -> Generator[float]:
    while True:
        yield 0.0


async def by_asyncio(url: str, enough: Enough) -> int:
    """With the library's own loop of connections."""
    got = 0
    options: dict[str, Any] = {"reconnect_delays": _at_once} if "reconnect_delays" in _OPTIONS else {}
    async for connection in connect(url, **options):
        try:
            while not enough(got):
                await connection.recv()
                got += 1
        except ConnectionClosed:
            continue
        await connection.close()
        return got
    raise AssertionError


async def by_legacy(url: str, enough: Enough) -> int:
    """With the client that is to go."""
    got = 0
    while True:
        try:
            async with websockets.legacy.client.connect(url) as connection:
                while not enough(got):
                    await connection.recv()
                    got += 1
                return got
        except ConnectionClosed:
            continue


async def by_thread(url: str, enough: Enough) -> int:
    """In a thread, as it blocks."""

    def receive() -> int:
        got = 0
        while True:
            try:
                with websockets.sync.client.connect(url) as connection:
                    while not enough(got):
                        connection.recv()
                        got += 1
                    return got
            except ConnectionClosed:
                continue

    return await asyncio.to_thread(receive)


CLIENTS: dict[str, Any] = {"asyncio": by_asyncio, "threads": by_thread, "legacy": by_legacy}
