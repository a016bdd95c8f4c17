"""WebSocket connections to venues, whatever library holds them: what all instrumentations of sockets measure."""

from __future__ import annotations

import re
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from otel_trading import forks
from otel_trading.trading.bound import bound
from otel_trading.trading.conventions import create

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.instrument.reporting import Reporting

_OPAQUE = re.compile(r"(?=.*\d)[\w\-=.~%]{16,}|[\w\-=.~%]{40,}|\d{4,}")
"""A part of a path that is a key, a session or a number rather than a name."""


def connection_name(url: str) -> str:
    """What a connection is called by its address: host and path, without what differs from one session to the next.

    >>> connection_name("wss://stream.binance.com:9443/ws/pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1")
    'stream.binance.com/ws/{key}'
    >>> connection_name("wss://me:secret@feed.example/v2/trades?token=abc")
    'feed.example/v2/trades'
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "unknown"
    path = "/".join("{key}" if _OPAQUE.fullmatch(part) else part for part in parts.path.split("/"))
    return f"{host}{path.rstrip('/')}"


class Sockets:
    """All connections of one instrumentation."""

    def __init__(self, said: Reporting) -> None:
        self.trading = said.trading
        self._messages = create(said.meter, "trading.venue.messages")
        self._io = create(said.meter, "trading.venue.io")
        self._connects = create(said.meter, "trading.venue.connect.duration")
        self._lasted = create(said.meter, "trading.venue.connection.duration")
        self._parse = create(said.meter, "trading.venue.message.parse.duration")
        self._dispatch = create(said.meter, "trading.venue.message.dispatch.duration")
        self._names: dict[tuple[str, str], set[int]] = {}
        self._series: dict[str, tuple[Callable[[float], None], ...]] = {}
        self._lock = forks.lock()

    def socket(self, venue: str, url: str) -> Socket:
        """A connection that is about to be opened, or was opened before anybody looked."""
        name = connection_name(url)
        with self._lock:
            taken = self._names.setdefault((venue, name), set())
            number = next(number for number in range(1, len(taken) + 2) if number not in taken)
            taken.add(number)
        return Socket(self, venue, name, number)

    def release(self, socket: Socket) -> None:
        """Its name may be used again."""
        key = (socket.venue, socket.path)
        with self._lock:
            taken = self._names.get(key, set())
            taken.discard(socket.number)
            if not taken:
                self._names.pop(key, None)

    def series(self, venue: str) -> tuple[Callable[[float], None], ...]:
        """What counts the frames and bytes of a venue, and times them: received, sent, parsed, dispatched, lasted."""
        found = self._series.get(venue)
        if found is None:
            at = {"trading.venue.name": venue}
            received, sent = ({**at, "network.io.direction": direction} for direction in ("receive", "transmit"))
            found = self._series[venue] = (
                bound(self._messages, "add", received),
                bound(self._io, "add", received),
                bound(self._messages, "add", sent),
                bound(self._io, "add", sent),
                bound(self._parse, "record", at),
                bound(self._dispatch, "record", at),
                bound(self._lasted, "record", at),
            )
        return found

    def connected(self, venue: str, seconds: float, error: str | None) -> None:
        """Connecting took so long, and failed if there is an error."""
        at = {"trading.venue.name": venue}
        self._connects.record(seconds, {**at, "error.type": error} if error else at)


class Socket:
    """One connection. Nothing here raises; calls cost some hundred nanoseconds at most.

    Whoever sees a frame calls ``frames_received(1)`` and ``bytes_received(size)``: they are the series themselves.
    """

    __slots__ = (
        *("_dialed", "_opened", "_sockets", "bytes_received", "bytes_sent", "dispatched", "frames_received"),
        *("frames_sent", "lasted", "number", "parsed", "path", "venue", "wanted_closed"),
    )

    def __init__(self, sockets: Sockets, venue: str, path: str, number: int) -> None:
        self._sockets = sockets
        self.venue = venue
        self.path = path
        self.number = number
        self.wanted_closed = False
        """Whether the bot itself asked for the end."""
        self._dialed = self._opened = 0.0
        series = sockets.series(venue)
        self.frames_received, self.bytes_received, self.frames_sent, self.bytes_sent = series[:4]
        self.parsed, self.dispatched, self.lasted = series[4:]

    @property
    def name(self) -> str:
        """What tells it apart from the venue's other connections."""
        return self.path if self.number == 1 else f"{self.path}#{self.number}"

    def dialing(self, attempt: int | None = None) -> None:
        """The bot begins to connect."""
        self._dialed = perf_counter()
        self._say("connecting", attempt=attempt)

    def opened(self) -> None:
        """The connection is there."""
        now = perf_counter()
        took = now - self._dialed if self._dialed else None
        self._dialed, self._opened = 0.0, now
        if took is not None:
            self._sockets.connected(self.venue, took, None)
        self._say("connected", duration=took)

    def failed(self, error: BaseException | str, reason: str | None = None) -> None:
        """The connection could not be opened; dialling may begin again, with another socket.

        ``reason`` is for errors whose own text holds more than may be logged.
        """
        if self._dialed:
            kind = error if isinstance(error, str) else type(error).__name__
            self._sockets.connected(self.venue, perf_counter() - self._dialed, kind)
            self._dialed = 0.0
        self._say("disconnected", reason=reason, error=error)
        self._sockets.release(self)

    def closed(self, reason: str | None = None, error: BaseException | str | None = None) -> None:
        """The connection ended; where the bot itself asked for that, it does not count as lost."""
        if self._opened:
            self.lasted(perf_counter() - self._opened)
            self._opened = 0.0
        self._say("disconnected", reason=reason, error=error, wanted=self.wanted_closed)
        self._sockets.release(self)

    def _say(self, state: str, **about: Any) -> None:  # noqa: ANN401 - the keywords of the event
        self._sockets.trading.connection_changed(self.venue, state, connection=self.name, **about)
