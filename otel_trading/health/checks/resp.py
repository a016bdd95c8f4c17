"""As much of Redis's protocol as a PING needs.

https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from ssl import SSLContext

_LONGEST = 65_536


class RedisError(Exception):
    """Redis refused what it was asked."""


async def ping(
    where: str | tuple[str, int], credentials: Sequence[str] = (), context: SSLContext | None = None
) -> Mapping[str, object]:
    """Ask a Redis at a socket's path, or a host and port, with a password, or user and password, before it."""
    if isinstance(where, str):
        reader, writer = await asyncio.open_unix_connection(where, limit=_LONGEST)
    else:
        reader, writer = await asyncio.open_connection(*where, ssl=context, limit=_LONGEST)
    try:
        if credentials:
            await _ask(reader, writer, "OK", "AUTH", *credentials)
        await _ask(reader, writer, "PONG", "PING")
    finally:
        writer.close()
        with suppress(Exception):
            writer.transport.abort()
    return {}


def command(*words: str) -> bytes:
    r"""A command as it is sent: an array of bulk strings.

    >>> command("PING")
    b'*1\r\n$4\r\nPING\r\n'
    """
    parts = [f"*{len(words)}\r\n".encode()]
    for word in words:
        encoded = word.encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(encoded), encoded))
    return b"".join(parts)


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, expected: str, *words: str) -> None:
    writer.write(command(*words))
    await writer.drain()
    line = await reader.readline()
    if not line.endswith(b"\n"):
        message = f"it closed the connection when asked for {words[0]}"
        raise RedisError(message)
    answer = line.decode("utf-8", "replace").rstrip("\r\n")
    if answer.startswith("-"):
        raise RedisError(answer[1:])
    if answer != f"+{expected}":
        message = f"it answers {answer[:40]!r} to {words[0]}: is it a Redis?"
        raise RedisError(message)
