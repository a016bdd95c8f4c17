"""WebSockets of aiohttp's client: connections, what they carry, and how old the data is.

What ``receive()`` gives counts, by whichever of its relatives it is called. Connections that ccxt holds are left to
the instrumentation of ccxt while that is on: ccxt reads past ``receive()``.
"""

from __future__ import annotations

import sys
from functools import wraps
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from otel_trading.imports import when_imported
from otel_trading.instrument.instrumentor import Instrumentor
from otel_trading.instrument.links import Links, link_of

if TYPE_CHECKING:
    from types import FrameType

    from otel_trading.instrument.links import Link
    from otel_trading.instrument.patching import Patches
    from otel_trading.instrument.reporting import Reporting

_DATA = ("TEXT", "BINARY")
_END = ("CLOSE", "CLOSING", "CLOSED", "ERROR")
_CCXT = f"{__package__}.ccxt"
_ABNORMAL = 1006


class AiohttpWebSocketInstrumentor(Instrumentor):
    """Instruments ``ClientSession.ws_connect`` and what it gives.

    ``instrument(frame_hook=...)`` takes a function that says what a message is of: ``(subscription, symbol, type,
    event_time_ns)``, or ``None`` for one that is no market data. Without it, that is found in the message.
    """

    packages = ("aiohttp >= 3.9, < 4",)

    def _patch(self, patches: Patches, said: Reporting, **given: Any) -> None:  # noqa: ANN401 - the contract's
        links = Links(said, given.get("frame_hook"))
        patches.afterwards(links.close)
        patches.afterwards(when_imported("aiohttp", lambda module: _patch(patches, links, module)))


def _patch(patches: Patches, links: Links, module: Any) -> None:  # noqa: ANN401 - a module
    patches.wrap(module.ClientSession, "ws_connect", lambda original: _dialled(original, links))
    client = module.ClientWebSocketResponse
    kinds = module.WSMsgType
    data = frozenset(getattr(kinds, name) for name in _DATA)
    end = frozenset(getattr(kinds, name) for name in _END)
    patches.wrap(client, "receive", lambda original: _received(original, links, data, end))
    for name in ("send_str", "send_bytes", "send_frame", "ping", "pong"):
        patches.wrap(client, name, lambda original: _sent(original, links))
    patches.wrap(client, "close", _closed)


def _dialled(original: Any, links: Links) -> Any:  # noqa: ANN401 - a method, as all of these
    @wraps(original)
    def ws_connect(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        asked = original(self, *args, **kwargs)
        seen = is_instrumentation_enabled() and not _is_ccxts(sys._getframe(1))  # noqa: SLF001 - who opens it is not said otherwise
        url = _address(self, args[0] if args else kwargs.get("url", "")) if seen else None
        watched = _watched(asked, url, links)
        try:
            return type(asked)(watched)
        except TypeError:  # what a subclass gives is another thing
            watched.close()
            return asked

    return ws_connect


async def _watched(asked: Any, url: str | None, links: Links) -> Any:  # noqa: ANN401 - what gives a connection
    with links.dialling(url) as attach:
        connection = await asked
        attach(connection)
    return connection


def _received(original: Any, links: Links, data: frozenset[Any], end: frozenset[Any]) -> Any:  # noqa: ANN401
    @wraps(original)
    async def receive(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        try:
            link = self.otel_trading_link
        except AttributeError:
            link = _adopted(self, links, sys._getframe(1))  # noqa: SLF001 - as above
        message = await original(self, *args, **kwargs)
        if link is not None:
            kind = message.type
            if kind in data:
                link.received(message.data)
            elif kind in end:
                _over(self, link, message.data if isinstance(message.data, BaseException) else None)
        return message

    return receive


def _sent(original: Any, links: Links) -> Any:  # noqa: ANN401
    @wraps(original)
    async def send(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        try:
            link = self.otel_trading_link
        except AttributeError:
            link = _adopted(self, links, sys._getframe(1))  # noqa: SLF001 - as above
        result = await original(self, *args, **kwargs)
        if link is not None:
            link.sent(args[0] if args else kwargs.get("data", kwargs.get("message", b"")))
        return result

    return send


def _closed(original: Any) -> Any:  # noqa: ANN401
    @wraps(original)
    async def close(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        link = link_of(self)
        if link is not None and not link.over and not self.closed and not _is_receiving(sys._getframe(1)):  # noqa: SLF001
            link.socket.wanted_closed = True
        try:
            return await original(self, *args, **kwargs)
        finally:
            if link is not None and self.closed:
                _over(self, link)

    return close


def _over(connection: Any, link: Link, error: BaseException | None = None) -> None:  # noqa: ANN401 - the library's
    """A connection has ended."""
    code = connection.close_code
    link.ended(_ABNORMAL if code is None else code, None, error or connection.exception())


def _adopted(connection: Any, links: Links, caller: FrameType) -> Link | None:  # noqa: ANN401 - as above
    """A connection that was opened before anybody looked."""
    if _is_ccxts(caller):
        links.attach(connection, None)
        return None
    return links.adopt(connection, _url)


def _url(connection: Any) -> str:  # noqa: ANN401 - as above
    return f"{getattr(getattr(connection, '_response', None), 'url', '')}"


def _address(session: Any, url: Any) -> str:  # noqa: ANN401 - as above
    """Where a connection is to lead: the address may be relative to the session's."""
    try:
        return f"{session._build_url(url)}"  # noqa: SLF001 - there is no other way to ask
    except Exception:  # it is then as it was given
        return f"{url}"


def _is_ccxts(caller: FrameType | None) -> bool:
    """Whether ccxt calls, and its own instrumentation sees what it receives."""
    if caller is None or not f"{caller.f_globals.get('__name__', '')}".startswith("ccxt."):
        return False
    module = sys.modules.get(_CCXT)
    return module is not None and bool(module.CcxtInstrumentor().is_instrumented_by_opentelemetry)


def _is_receiving(caller: FrameType | None) -> bool:
    """Whether it is the library that closes, as the other side did or the connection broke."""
    return (
        caller is not None
        and caller.f_code.co_name == "receive"
        and caller.f_globals.get("__name__", "").startswith("aiohttp.")
    )
