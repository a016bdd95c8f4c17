"""What ties a library's connection objects to what is measured of them."""

from __future__ import annotations

import weakref
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from otel_trading.instrument.frames import Frames, Subscriptions
from otel_trading.instrument.sockets import Socket, Sockets
from otel_trading.instrument.venues import venue_of
from otel_trading.settings.complaints import Complaints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from otel_trading.instrument.frames import FrameHook
    from otel_trading.instrument.reporting import Reporting

LINK = "otel_trading_link"
"""The attribute of a connection that holds its link; ``None`` in one that is left alone."""

_NORMAL = (1000, 1001)
"""Close codes that are no errors: done, going away."""
_complaints = Complaints("connections")


class Link:
    """One connection. Nothing here raises."""

    __slots__ = ("__weakref__", "_frames", "_subscriptions", "over", "socket")

    def __init__(self, socket: Socket, subscriptions: Subscriptions) -> None:
        self.socket = socket
        self.over = False
        self._subscriptions = subscriptions
        self._frames: Frames | None = None

    def opened(self) -> None:
        """The connection is there."""
        self._frames = self._subscriptions.frames(self.socket.venue, self.socket.path)
        self.socket.opened()

    def received(self, message: Any, size: int | None = None) -> None:  # noqa: ANN401 - text or bytes
        """The bot got a message; of one in parts, the first and the size of all."""
        try:
            socket = self.socket
            socket.frames_received(1)
            if size is None:
                socket.bytes_received(size_of(message))
                self._frames.take(message)  # type: ignore[union-attr]  # it is open
            else:
                socket.bytes_received(size)
                self._frames.take(message, whole=False)  # type: ignore[union-attr]  # as above
        except Exception as error:
            _failed("a message was not measured", error)

    def sent(self, message: Any) -> None:  # noqa: ANN401 - whatever the library sends
        """The bot sent a message."""
        try:
            self.socket.frames_sent(1)
            size = size_of(message)
            if size:
                self.socket.bytes_sent(size)
        except Exception as error:
            _failed("a message was not measured", error)

    def ended(self, code: int | None, text: str | None, error: BaseException | None = None) -> None:
        """The connection is gone; said again, it is not told again."""
        if self.over:
            return
        self.over = True
        try:
            frames, self_closed = self._frames, self.socket.wanted_closed
            if frames is not None:
                (frames.close if self_closed else frames.lose)()
            kind = error if error is not None or self_closed or code in _NORMAL else f"{code or 1006}"
            said = " ".join(str(part) for part in (code, text) if part) or None
            self.socket.closed(said, kind)
        except Exception as failure:
            _failed("the end of a connection was not told", failure)

    def failed(self, error: BaseException) -> None:
        """It did not come about."""
        self.over = True
        try:
            status = getattr(error, "status", None)
            self.socket.failed(error, None if status is None else f"HTTP {status} {getattr(error, 'message', '')}")
        except Exception as failure:
            _failed("a failed connection was not told", failure)


class Links:
    """All connections of one instrumentation."""

    def __init__(self, said: Reporting, hook: FrameHook | None) -> None:
        self._said = said
        self._sockets = Sockets(said)
        self._subscriptions = Subscriptions(said, hook)
        self._known: dict[Link, weakref.ref[Any]] = {}

    def of(self, connection: Any, url: Callable[[Any], str]) -> Link | None:  # noqa: ANN401 - the library's
        """The link of a connection; of one that was there before anybody looked, a new one."""
        try:
            link: Link | None = connection.otel_trading_link
        except AttributeError:
            link = self.adopt(connection, url)
        return link

    def adopt(self, connection: Any, url: Callable[[Any], str]) -> Link | None:  # noqa: ANN401 - as above
        """Begin to measure a connection that nobody has seen dialled, unless nothing is to be seen."""
        link = None
        try:
            if is_instrumentation_enabled():
                link = self._made(url(connection))
        except Exception as error:
            _failed("a connection is not measured", error)
        self.attach(connection, link)
        return link

    def dial(self, url: str) -> Link | None:
        """The bot begins to connect; ``None`` where that is not to be seen."""
        try:
            if not is_instrumentation_enabled():
                return None
            link = self._made(url)
            link.socket.dialing()
        except Exception as error:
            _failed("a connection is not measured", error)
            return None
        return link

    @contextmanager
    def dialling(self, url: str | None) -> Iterator[Callable[[Any], None]]:
        """The block connects, and hands the connection to what it gets; without an address it is not to be seen."""
        link = None if url is None else self.dial(url)
        try:
            yield partial(self.attach, link=link)
        except BaseException as error:
            if link is not None:
                link.failed(error)
            raise

    def attach(self, connection: Any, link: Link | None) -> None:  # noqa: ANN401 - as above
        """The connection that was dialled is there."""
        try:
            setattr(connection, LINK, link)
            if link is not None:
                link.opened()
                known = self._known
                known[link] = weakref.ref(connection, lambda _: _abandoned(known, link))
        except Exception as error:
            _failed("a connection is not measured", error)

    def close(self) -> None:
        """Leave all connections alone from now on."""
        for link, connection in list(self._known.items()):
            link.over = True
            found = connection()
            if found is not None and getattr(found, LINK, None) is link:
                delattr(found, LINK)
            self._sockets.release(link.socket)
        self._known.clear()
        self._subscriptions.close()

    def _made(self, url: str) -> Link:
        try:
            host = urlsplit(url).hostname
        except ValueError:
            host = None
        return Link(self._sockets.socket(venue_of(host, self._said.venue_hosts), url), self._subscriptions)


def link_of(connection: Any) -> Link | None:  # noqa: ANN401 - the library's
    """The link of a connection, if it has one."""
    link: Link | None = getattr(connection, LINK, None)
    return link


def size_of(message: Any) -> int:  # noqa: ANN401 - whatever is sent
    """The bytes of a message's content; of an iterator's, which is not to be touched, none are known.

    >>> size_of("abc"), size_of("€"), size_of(b"ab"), size_of(["a", "bc"]), size_of(iter("abc"))
    (3, 3, 2, 3, 0)
    """
    if isinstance(message, str):
        return len(message) if message.isascii() else len(message.encode("utf-8", "surrogatepass"))
    if isinstance(message, memoryview):
        return message.nbytes
    if isinstance(message, bytes | bytearray):
        return len(message)
    return sum(map(size_of, message)) if isinstance(message, list | tuple) else 0


def _abandoned(known: dict[Link, weakref.ref[Any]], link: Link) -> None:
    known.pop(link, None)
    link.ended(None, "abandoned")


def _failed(what: str, error: Exception) -> None:
    _complaints.say(f"{what}: {type(error).__name__}: {error}")
