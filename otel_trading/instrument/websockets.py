"""The ``websockets`` library: connections of its clients, what they carry, and how old the data is.

Seen are the new asyncio client, the threaded client and the legacy client; servers are left alone. What a client's
``recv`` gives counts, however it is called: by ``async for``, by ``recv_streaming``, in a thread.
"""

from __future__ import annotations

from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from otel_trading.imports import when_imported
from otel_trading.instrument.instrumentor import Instrumentor
from otel_trading.instrument.links import Links, link_of, size_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator

    from otel_trading.instrument.links import Link
    from otel_trading.instrument.patching import Patches
    from otel_trading.instrument.reporting import Reporting


class WebSocketsInstrumentor(Instrumentor):
    """Instruments the clients of ``websockets``.

    ``instrument(frame_hook=...)`` takes a function that says what a message is of: ``(subscription, symbol, type,
    event_time_ns)``, or ``None`` for one that is no market data. Without it, that is found in the message.
    """

    packages = ("websockets >= 13",)

    def _patch(self, patches: Patches, said: Reporting, **given: Any) -> None:  # noqa: ANN401 - the contract's
        links = Links(said, given.get("frame_hook"))
        patches.afterwards(links.close)
        for module, patch in (
            ("websockets.asyncio.client", _patch_asyncio),
            ("websockets.sync.client", _patch_threads),
            ("websockets.legacy.client", _patch_legacy),
        ):
            patches.afterwards(when_imported(module, partial(patch, patches, links)))


def _patch_asyncio(patches: Patches, links: Links, module: Any) -> None:  # noqa: ANN401 - a module
    patches.wrap(module.connect, "__await__", partial(_awaited, links=links))
    if not hasattr(module.connect, "__aiter__"):  # before 14 it does not keep where it is to lead
        patches.wrap(module.connect, "__init__", _begun)
    _patch_coroutines(patches, links, module.ClientConnection)


def _patch_legacy(patches: Patches, links: Links, module: Any) -> None:  # noqa: ANN401 - as above
    patches.wrap(module.Connect, "__await__", partial(_awaited, links=links))
    _patch_coroutines(patches, links, module.WebSocketClientProtocol)


def _patch_coroutines(patches: Patches, links: Links, client: Any) -> None:  # noqa: ANN401 - a class
    for name, make in (
        ("recv", _received),
        ("recv_streaming", partial(_streamed, watched=_watched)),
        ("send", _sent),
        ("ping", _sent),
        ("pong", _sent),
    ):
        patches.wrap(client, name, partial(make, links=links))
    patches.wrap(client, "close", _closed)
    patches.wrap(client, "connection_lost", _lost)


def _patch_threads(patches: Patches, links: Links, module: Any) -> None:  # noqa: ANN401 - as above
    reconnect = getattr(module, "reconnect", None)
    if hasattr(reconnect, "connect"):  # since 17.1
        patches.wrap(reconnect, "connect", partial(_dialled, links=links))
    else:
        patches.wrap(module, "connect", partial(_dialled, links=links))
    client = module.ClientConnection
    for name, make in (
        ("recv", _received_here),
        ("recv_streaming", partial(_streamed, watched=_watched_here)),
        ("send", _sent_here),
        ("ping", _sent_here),
        ("pong", _sent_here),
    ):
        patches.wrap(client, name, partial(make, links=links))
    patches.wrap(client, "close", _closed_here)
    patches.wrap(client, "recv_events", _read)


def _begun(original: Any) -> Any:  # noqa: ANN401 - a method, as all of these
    @wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401, N807 - what it stands for
        original(self, *args, **kwargs)
        self.otel_trading_uri = args[0] if args else kwargs["uri"]

    return __init__


def _leads_to(connect: Any) -> str:  # noqa: ANN401 - the library's
    names = ("uri", "_uri", "otel_trading_uri")
    return next((f"{uri}" for name in names if (uri := getattr(connect, name, None))), "")


def _awaited(original: Any, links: Links) -> Any:  # noqa: ANN401 - a method, as all of these
    @wraps(original)
    def __await__(self: Any) -> Generator[Any, None, Any]:  # noqa: ANN401, N807 - what it stands for
        with links.dialling(_leads_to(self)) as attach:
            connection = yield from original(self)
            attach(connection)
        return connection

    return __await__


def _dialled(original: Any, links: Links) -> Any:  # noqa: ANN401
    @wraps(original)
    def connect(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - of an object that has the address, or with it
        first = args[0] if args else kwargs.get("uri", "")
        with links.dialling(f"{getattr(first, 'uri', first)}") as attach:
            connection = original(*args, **kwargs)
            attach(connection)
        return connection

    return connect


def _received(original: Any, links: Links) -> Any:  # noqa: ANN401
    @wraps(original)
    async def recv(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        try:
            link = self.otel_trading_link
        except AttributeError:
            link = links.adopt(self, _url)
        message = await original(self, *args, **kwargs)
        if link is not None:
            link.received(message)
        return message

    return recv


def _streamed(original: Any, links: Links, watched: Any) -> Any:  # noqa: ANN401
    @wraps(original)
    def recv_streaming(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        link = links.of(self, _url)
        parts = original(self, *args, **kwargs)
        return parts if link is None else watched(parts, link)

    return recv_streaming


async def _watched(parts: Any, link: Link) -> AsyncIterator[Any]:  # noqa: ANN401 - the library's generator
    first, size = None, 0
    try:
        async for part in parts:
            first = part if first is None else first
            size += size_of(part)
            yield part
        if first is not None:
            link.received(first, size)
    finally:
        await parts.aclose()


def _sent(original: Any, links: Links) -> Any:  # noqa: ANN401
    @wraps(original)
    async def send(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        link = links.of(self, _url)
        result = await original(self, *args, **kwargs)
        if link is not None:
            link.sent(_content(args, kwargs))
        return result

    return send


def _closed(original: Any) -> Any:  # noqa: ANN401
    @wraps(original)
    async def close(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        link = link_of(self)
        _wanted(self, link)
        try:
            return await original(self, *args, **kwargs)
        finally:
            _over(self, link)

    return close


def _lost(original: Any) -> Any:  # noqa: ANN401
    @wraps(original)
    def connection_lost(self: Any, exc: Any) -> Any:  # noqa: ANN401
        try:
            return original(self, exc)
        finally:
            _over(self, link_of(self), exc)

    return connection_lost


def _received_here(original: Any, links: Links) -> Any:  # noqa: ANN401
    @wraps(original)
    def recv(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        link = links.of(self, _url)
        _warning(self)()
        try:
            message = original(self, *args, **kwargs)
        except Exception:
            _over(self, link)
            raise
        if link is not None:
            link.received(message)
        return message

    return recv


def _watched_here(parts: Any, link: Link) -> Iterator[Any]:  # noqa: ANN401
    first, size = None, 0
    try:
        for part in parts:
            first = part if first is None else first
            size += size_of(part)
            yield part
        if first is not None:
            link.received(first, size)
    finally:
        parts.close()


def _sent_here(original: Any, links: Links) -> Any:  # noqa: ANN401
    @wraps(original)
    def send(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        link = links.of(self, _url)
        _warning(self)()
        result = original(self, *args, **kwargs)
        if link is not None:
            link.sent(_content(args, kwargs))
        return result

    return send


def _closed_here(original: Any) -> Any:  # noqa: ANN401
    @wraps(original)
    def close(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        link = link_of(self)
        _warning(self)()
        _wanted(self, link)
        try:
            return original(self, *args, **kwargs)
        finally:
            _over(self, link)

    return close


def _read(original: Any) -> Any:  # noqa: ANN401
    @wraps(original)
    def recv_events(self: Any) -> Any:  # noqa: ANN401 - runs in the connection's own thread
        try:
            return original(self)
        finally:
            _over(self, link_of(self))

    return recv_events


def _warning(connection: Any) -> Callable[[], Any]:  # noqa: ANN401 - the library's
    """What warns of how the library is called; it reckons where its caller is, and we stand in between."""
    warn: Callable[[], Any] = getattr(connection, "maybe_raise_legacy_warning", bool)
    return warn


def _content(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401 - what is sent
    return args[0] if args else kwargs.get("message", kwargs.get("data", b""))


def _wanted(connection: Any, link: Link | None) -> None:  # noqa: ANN401 - as above
    """The bot closes: that is the end it wants, unless the other side was first."""
    if link is not None and not link.over and _state(connection) == "OPEN":
        link.socket.wanted_closed = True


def _over(connection: Any, link: Link | None, error: BaseException | None = None) -> None:  # noqa: ANN401 - as above
    """Say that a connection is gone, if it is."""
    if link is not None and not link.over and _state(connection) == "CLOSED":
        link.ended(_told(connection, "close_code"), _told(connection, "close_reason"), error)


def _state(connection: Any) -> str:  # noqa: ANN401 - as above
    return getattr(_told(connection, "state"), "name", "")


def _told(connection: Any, name: str) -> Any:  # noqa: ANN401 - as above
    """What a connection says of itself; before 13.1 its protocol does."""
    found = getattr(connection, name, None)
    return getattr(getattr(connection, "protocol", None), name, None) if found is None else found


def _url(connection: Any) -> str:  # noqa: ANN401 - as above
    """Where a connection leads that was there before anybody looked."""
    for uri in (getattr(getattr(connection, "protocol", None), name, None) for name in ("uri", "wsuri")):
        if uri is not None:
            return f"wss://{uri.host}{uri.path}"
    return f"wss://{getattr(connection, 'host', '')}{getattr(connection, 'path', '')}"
