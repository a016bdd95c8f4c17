"""Who is connected to the ops server: bounded in number, time and memory, whatever they send or leave out."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import time
from collections import Counter
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

_MOST, _SHARE_OF_DESCRIPTORS = 128, 8
_UNREAD = 32 << 20
"""Bytes of answers that all visitors together may leave unread."""

_FAREWELL = 0.3
_STEPS_TO_CLOSE = 4
"""Turns of the loop from an abort to the closed socket, also below TLS."""


class Phase(IntEnum):
    """What a visitor does, in the order in which they are asked to leave."""

    IDLE = 0
    RECEIVING = 1
    """A request is on its way, or a handshake."""
    WORKING = 2
    """A request is being answered, or a WebSocket is open."""


class Visitor(asyncio.Protocol):
    """One connection: watches how long what takes, and hands the bytes on to whoever speaks HTTP."""

    def __init__(self, visitors: Visitors, connection: socket.socket, address: str, metrics_only: bool) -> None:
        self.address = address
        self.metrics_only = metrics_only
        self.phase = Phase.RECEIVING
        self.since = visitors.clock()
        self.arrival: asyncio.Task[None] | None = None
        self._visitors = visitors
        self._connection = connection
        self._transport: asyncio.Transport | None = None
        self._inner: asyncio.Protocol | None = None
        self._more = False

    def enter(self, phase: Phase) -> None:
        """Do something else from now on."""
        if phase is Phase.IDLE and self._more:
            phase = Phase.RECEIVING
        self.phase = phase
        self.since = self._visitors.clock()
        self._more = False

    def leave(self, *, gently: bool = False) -> None:
        """End the connection; ``gently`` what was answered is still sent."""
        if self.arrival is not None and not self.arrival.done():
            self.arrival.cancel()
        if self._transport is None:
            return
        if gently:
            self._transport.close()
        else:
            self._transport.abort()

    @property
    def unread(self) -> int:
        """Bytes of answers that were not fetched yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def drop(self) -> None:
        """Close the copy of a forked child: else the other side waits for its end, too."""
        with contextlib.suppress(OSError):
            self._connection.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of TCP
        self._transport = transport
        self._inner = self._visitors.welcome(self)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self.phase is Phase.IDLE:
            self.enter(Phase.RECEIVING)
        elif self.phase is Phase.WORKING:
            self._more = True
        if self._inner is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return None if self._inner is None else self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        inner, self._inner, self._transport = self._inner, None, None
        if inner is not None:
            self._visitors.bid_farewell(self, inner)
            inner.connection_lost(exc)

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_writing()


class Visitors:
    """All of them. Where there are too many, whoever has most connections loses the one that is idle for longest.

    Args:
        protocol: makes what speaks HTTP on a connection.
        most: how many there may be; by default 128, or an eighth of the descriptors that the process may have.
        receiving: seconds for a request to arrive.
        idle: seconds between two requests of a connection.
        clock: monotonic seconds.

    """

    def __init__(
        self,
        protocol: Callable[[], asyncio.Protocol],
        *,
        most: int = 0,
        receiving: float = 10.0,
        idle: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.clock = clock
        self.evicted = 0
        """How many had to leave for others."""
        self._protocol = protocol
        self._most = most or _affordable()
        self._patience = {Phase.IDLE: idle, Phase.RECEIVING: receiving}
        self._all: dict[Visitor, None] = {}  # the one that came first is the first
        self._by_protocol: dict[object, Visitor] = {}
        self._arrivals: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._all)

    def admit(self, connection: socket.socket, address: str, *, metrics_only: bool) -> Visitor:
        """Make room for a new one."""
        if len(self._all) >= self._most:
            self.evict()
        visitor = Visitor(self, connection, address, metrics_only)
        self._all[visitor] = None
        return visitor

    def forget(self, visitor: Visitor) -> None:
        """It left, or did not arrive."""
        self._all.pop(visitor, None)

    def welcome(self, visitor: Visitor) -> asyncio.Protocol:
        """What speaks HTTP to it."""
        inner = self._protocol()
        self._by_protocol[inner] = visitor
        return inner

    def bid_farewell(self, visitor: Visitor, inner: asyncio.Protocol) -> None:
        """Its connection is closed."""
        self._by_protocol.pop(inner, None)
        self.forget(visitor)

    def of(self, inner: object) -> Visitor | None:
        """Whose connection it speaks HTTP on."""
        return self._by_protocol.get(inner)

    def evict(self) -> None:
        """Have one leave."""
        if not self._all:
            return
        counts = Counter(visitor.address for visitor in self._all)
        most = max(counts.values())
        crowd = [visitor for visitor in self._all if counts[visitor.address] == most]
        leaving = min(crowd, key=lambda each: (each.phase is Phase.WORKING, each.unread > 0, each.since))
        self._dismiss(leaving)
        self.evicted += 1

    def sweep(self) -> None:
        """Have those leave who take too long; called about once a second."""
        now = self.clock()
        for visitor in list(self._all):
            if now - visitor.since > self._patience.get(visitor.phase, float("inf")):
                self._dismiss(visitor, gently=visitor.phase is Phase.IDLE and not visitor.unread)
        while sum(visitor.unread for visitor in self._all) > _UNREAD:
            self._dismiss(max(self._all, key=lambda each: each.unread))

    async def leave(self) -> None:
        """Have all leave; whoever has just begun is still answered, as the next server may stand behind this one."""
        until = self.clock() + _FAREWELL
        for visitor in list(self._all):
            if visitor.phase is Phase.IDLE and not visitor.unread:
                self._dismiss(visitor, gently=True)
        while self.clock() < until and any(self._has_just_begun(visitor) for visitor in self._all):  # noqa: ASYNC110
            await asyncio.sleep(_FAREWELL / 10)  # many things end the wait
        for visitor in list(self._all):
            self._dismiss(visitor, gently=visitor.phase is Phase.IDLE)
        arrivals = [task for task in self._arrivals if not task.done()]
        if arrivals:
            await asyncio.wait(arrivals, timeout=_FAREWELL)
        for _ in range(_STEPS_TO_CLOSE):
            await asyncio.sleep(0)

    def _has_just_begun(self, visitor: Visitor) -> bool:
        return visitor.phase is not Phase.IDLE and self.clock() - visitor.since < _FAREWELL

    def arriving(self, visitor: Visitor, arrival: asyncio.Task[None]) -> None:
        """It takes its place by this task."""
        visitor.arrival = arrival
        self._arrivals.add(arrival)
        arrival.add_done_callback(self._arrivals.discard)

    def drop_all(self) -> None:
        """Close the copies of a forked child."""
        for visitor in list(self._all):
            visitor.drop()

    def _dismiss(self, visitor: Visitor, *, gently: bool = False) -> None:
        self.forget(visitor)
        visitor.leave(gently=gently)


def _affordable() -> int:
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MOST if soft == resource.RLIM_INFINITY else max(8, min(_MOST, soft // _SHARE_OF_DESCRIPTORS))
