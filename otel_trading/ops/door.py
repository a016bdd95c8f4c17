"""Takes connections in by itself, so that none is there uncounted, also while it shakes hands."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from typing import TYPE_CHECKING, Any

from otel_trading.ops.limits import party

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from otel_trading.ops.visitors import Visitor, Visitors

_HANDSHAKE, _FAREWELL = 10.0, 1.0
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE = 0.1
_AT_ONCE = 16


class Door:
    """Lets all in who come to a socket, from ``open`` to ``close``; the socket is its own."""

    def __init__(
        self,
        listening: socket.socket,
        visitors: Visitors,
        context: Callable[[], ssl.SSLContext | None],
        *,
        metrics_only: bool = False,
    ) -> None:
        listening.setblocking(False)
        self._listening = listening
        self._visitors = visitors
        self._context = context
        self._metrics_only = metrics_only
        self._loop = asyncio.get_running_loop()
        self._later: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Begin."""
        self._later = None
        self._loop.add_reader(self._listening.fileno(), self._come)

    def close(self) -> None:
        """Let nobody in any more."""
        if self._later is not None:
            self._later.cancel()
        self._loop.remove_reader(self._listening.fileno())
        self._listening.close()

    def drop(self) -> None:
        """Close the copy of a forked child."""
        self._listening.close()

    def _come(self) -> None:
        """Accept some; others on this loop have their turn in a flood."""
        for _ in range(_AT_ONCE):
            try:
                connection, address = self._listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self._loop.remove_reader(self._listening.fileno())
                if error.errno in _NO_ROOM:  # of the bot's descriptors
                    self._visitors.evict()
                self._later = self._loop.call_later(_PAUSE, self.open)
                return
            connection.setblocking(False)
            visitor = self._visitors.admit(connection, party(address), metrics_only=self._metrics_only)
            arrival = _Arrival(visitor, connection, self._visitors)
            task = self._loop.create_task(arrival.take_place(self._context))
            task.add_done_callback(arrival.over)
            self._visitors.arriving(visitor, task)


class _Arrival:
    """From the connection to the end of the handshake."""

    def __init__(self, visitor: Visitor, connection: socket.socket, visitors: Visitors) -> None:
        self._visitor = visitor
        self._connection = connection
        self._visitors = visitors
        self._began = self._arrived = False

    async def take_place(self, context: Callable[[], ssl.SSLContext | None]) -> None:
        """Shake hands, where there are hands to shake."""
        self._began = True
        secured: dict[str, Any] = {}
        if (chosen := context()) is not None:
            secured = {"ssl": chosen, "ssl_handshake_timeout": _HANDSHAKE, "ssl_shutdown_timeout": _FAREWELL}
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # they left, or do not speak TLS
            await loop.connect_accepted_socket(lambda: self._visitor, self._connection, **secured)
            self._arrived = True

    def over(self, task: asyncio.Task[None]) -> None:
        """Forget a visitor that did not arrive."""
        if not self._began:
            self._connection.close()
        if not self._arrived:
            self._visitors.forget(self._visitor)
        if not task.cancelled():
            task.exception()
