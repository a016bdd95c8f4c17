"""ccxt.pro: every frame of its WebSockets, the connections, and what the frames say of markets and of own orders."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from otel_trading.imports import when_imported
from otel_trading.instrument.ccxt.caches import Caches
from otel_trading.instrument.ccxt.connections import Connections
from otel_trading.instrument.ccxt.orders import LEFT_ALONE
from otel_trading.instrument.ccxt.stream import OURS, Stream
from otel_trading.instrument.ccxt.subscriptions import Names, Subscriptions, safe_event_time
from otel_trading.instrument.sockets import Sockets, connection_name
from otel_trading.instrument.venues import venue_of
from otel_trading.runtime.voice import Voice
from otel_trading.settings.complaints import Complaints
from otel_trading.trading.conventions import create

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from otel_trading.instrument.ccxt.executions import Executions
    from otel_trading.instrument.patching import Patches
    from otel_trading.instrument.reporting import Reporting
    from otel_trading.trading.feeds import Feed

_complaints = Complaints("ccxt streams")


def patch(patches: Patches, said: Reporting, _given: Mapping[str, Any], executions: Executions) -> None:
    """Measure every client of ccxt.pro: those that there are, and those to come."""

    def client_imported(module: ModuleType) -> None:
        _patch_client(patches, module.Client, streams)

    def aiohttp_client_imported(module: ModuleType) -> None:
        _patch_client(patches, module.AiohttpClient, streams)

    def caches_imported(module: ModuleType) -> None:
        if executions.on:
            patches.wrap(module.ArrayCacheBySymbolById, "append", streams.caches.appending)

    def exchange_imported(module: ModuleType) -> None:
        owner = next(each for each in reversed(module.Exchange.__mro__) if each.__module__ == module.__name__)
        patches.wrap(owner, "close", streams.connections.closing_exchange)
        patches.wrap(owner, "clean_unsubscription", streams.unsubscribing)

    streams = Streams(said, executions)
    patches.afterwards(streams.close)
    base = "ccxt.async_support.base"
    for name, hook in (
        ("ws.client", client_imported),
        ("ws.aiohttp_client", aiohttp_client_imported),  # where ccxt before 4.5 has what receives and sends
        ("ws.cache", caches_imported),
        ("exchange", exchange_imported),
    ):
        patches.afterwards(when_imported(f"{base}.{name}", hook))


def _patch_client(patches: Patches, client: Any, streams: Streams) -> None:  # noqa: ANN401 - ccxt carries no types
    for name, make in (
        ("handle_message", streams.receiving),
        ("resolve", streams.resolving),
        ("reject", streams.rejecting),
        ("future", streams.waiting),
        ("open", streams.connections.opening),
        ("create_connection", streams.connections.dialing),
        ("on_error", streams.connections.failing),
        ("on_close", streams.connections.ending),
        ("close", streams.connections.closing),
        ("send", streams.connections.sending),
    ):
        if name in vars(client):
            patches.wrap(client, name, make)


class Streams:
    """All clients of one instrumentation.

    Methods in the progressive form take a method of ccxt's and give what replaces it.
    """

    def __init__(self, said: Reporting, executions: Executions) -> None:
        self._said = said
        self._sockets = Sockets(said)
        self._executions = executions
        self._clients: weakref.WeakSet[Any] = weakref.WeakSet()
        self._errors: Any = create(said.meter, "trading.market_data.errors")
        self._voice = Voice()
        self.subscriptions = Subscriptions(said.trading)
        self.caches = Caches(executions)
        self.connections = Connections(self.stream, self.subscriptions.closed)

    def close(self) -> None:
        """Measure nothing more."""
        for client in list(self._clients):
            stream = vars(client).get(OURS)
            if stream is not None:
                stream.leave(client)
            vars(client).pop(OURS, None)
        self.subscriptions.close()

    def stream(self, client: Any) -> Stream | None:  # noqa: ANN401 - ccxt carries no types
        """What is measured of a client; ``None`` for one that is left alone."""
        try:
            stream: Stream | None = vars(client)[OURS]
        except KeyError:
            return self._adopt(client)
        return stream

    def _adopt(self, client: Any) -> Stream | None:  # noqa: ANN401
        """Begin with a client that is about to connect, or did before anybody looked."""
        stream = None
        if is_instrumentation_enabled():
            try:
                stream = self._made(client)
            except Exception as error:
                _complaints.say(f"a ccxt client is not measured: {type(error).__name__}: {error}")
        setattr(client, OURS, stream)
        self._clients.add(client)
        return stream

    def _made(self, client: Any) -> Stream:  # noqa: ANN401
        exchange = getattr(client.on_message_callback, "__self__", None)
        venue = getattr(exchange, "id", None)
        names = None
        if isinstance(venue, str):
            self.caches.exchanges.add(exchange)
            on_balance = self._on_balance(exchange) if self._executions.on else None
            names = Names(self.subscriptions, exchange, venue, on_balance)
        else:
            host = connection_name(client.url).partition("/")[0]
            venue = venue_of(host, self._said.venue_hosts)
        stream = Stream(self._sockets, client, names, venue, _weakly(exchange))
        if getattr(client, "isConnected", False):
            stream.opened(client.url)
            for name in list(client.futures):
                _add(names, name)
        return stream

    def _on_balance(self, exchange: Any) -> Callable[[Any], None]:  # noqa: ANN401
        venue, weakly = exchange.id, weakref.ref(exchange)

        def told(content: Any) -> None:  # noqa: ANN401
            if isinstance(content, dict) and getattr(weakly(), LEFT_ALONE, True):
                self._executions.balance(venue, content)

        return told

    # frames

    def receiving(self, handle: Any) -> Any:  # noqa: ANN401 - a function of ccxt's
        """On the way of every frame: what is here is paid for at each of them."""
        from aiohttp import WSMsgType

        text, binary = WSMsgType.TEXT, WSMsgType.BINARY
        appended, tell = self.caches.appended, self.caches.tell

        def handle_message(client: Any, message: Any) -> Any:  # noqa: ANN401
            try:
                stream = client._otel_trading  # noqa: SLF001 - ours
            except AttributeError:
                stream = self._adopt(client)
            kind = message[0]
            if stream is None or (kind is not text and kind is not binary):
                return handle(client, message)
            stream.begin()
            try:
                result = handle(client, message)
            except BaseException as error:
                self._broken(stream, message.data, error)
                raise
            stream.end(message[1])
            if appended:
                tell()
            return result

        return handle_message

    def _broken(self, stream: Stream, data: Any, error: BaseException) -> None:  # noqa: ANN401
        """A frame could not be parsed, or what ccxt and the bot make of it failed."""
        stream.end(data)
        self.caches.tell()
        if isinstance(error, Exception):
            self._unusable(stream, error)

    def _unusable(self, stream: Stream, error: BaseException, feed: Feed | None = None) -> None:
        """Count it; say it at most once a minute of a venue."""
        kind = type(error).__name__
        if self._voice.kept_back((stream.venue, kind)) is None:
            self._errors.add(1, {"trading.venue.name": stream.venue, "error.type": kind})
            return
        symbol, name = (feed.about.symbol, feed.about.subscription) if feed is not None else (None, None)
        self._said.trading.market_data_error(venue=stream.venue, error=error, symbol=symbol, subscription=name)

    # subscriptions

    def waiting(self, future: Any) -> Any:  # noqa: ANN401
        """The bot waits for data: it is subscribed from the first time on."""

        def future_(client: Any, message_hash: Any) -> Any:  # noqa: ANN401
            stream = self.stream(client)
            if stream is not None:
                _add(stream.names, message_hash)
            return future(client, message_hash)

        return future_

    def resolving(self, resolve: Any) -> Any:  # noqa: ANN401
        """Data of a subscription is there; on the way of every frame, too."""
        from ccxt.async_support.base.ws.cache import ArrayCache

        def resolve_(client: Any, result: Any, message_hash: Any) -> Any:  # noqa: ANN401
            try:
                names = client._otel_trading.names  # noqa: SLF001 - ours
                message = names.messages.get(message_hash)
            except (AttributeError, TypeError):  # not ours, left alone, or a hash that is none
                return resolve(client, result, message_hash)
            if message is None:
                tell = names.others.get(message_hash)
                if tell is not None:
                    tell(result)
                return resolve(client, result, message_hash)
            try:
                last = result._deque[-1] if result.__class__ is ArrayCache else result  # noqa: SLF001 - rows[-1] takes ten times as long
                message(last["timestamp"] * 1_000_000)
            except Exception:
                message(safe_event_time(result))
            return resolve(client, result, message_hash)

        return resolve_

    def rejecting(self, reject: Any) -> Any:  # noqa: ANN401
        """A subscription failed: by a checksum, say, or what the venue answered to it."""

        def reject_(client: Any, result: Any, message_hash: Any = None) -> Any:  # noqa: ANN401
            stream = vars(client).get(OURS)
            if stream is not None and stream.names is not None and isinstance(result, Exception):
                feed = stream.names.feed(message_hash)
                if feed is not None and client.error is not result and not _expected(result):
                    self._unusable(stream, result, feed)
            return reject(client, result, message_hash)

        return reject_

    def unsubscribing(self, clean: Any) -> Any:  # noqa: ANN401
        """The venue confirmed that the bot unsubscribed."""

        def clean_unsubscription(exchange: Any, client: Any, *names: Any, **named: Any) -> Any:  # noqa: ANN401
            stream = vars(client).get(OURS)
            if stream is not None and stream.names is not None:
                name = names[0] if names else named.get("subHash")
                stream.names.remove(name, prefix=bool(names[2] if len(names) > 2 else named.get("subHashIsPrefix")))  # noqa: PLR2004 - the third
            return clean(exchange, client, *names, **named)

        return clean_unsubscription


def _add(names: Names | None, name: Any) -> None:  # noqa: ANN401
    try:
        if names is not None:
            names.add(name)
    except Exception as error:
        _complaints.say(f"the age of a subscription is not known: {type(error).__name__}: {error}")


def _expected(error: BaseException) -> bool:
    """Whether the bot unsubscribed, or the connection failed, which is told as such."""
    return type(error).__name__ in {"UnsubscribeError", "NetworkError", "RequestTimeout"}


def _weakly(exchange: Any) -> Callable[[], Any]:  # noqa: ANN401
    return (lambda: None) if exchange is None else weakref.ref(exchange)
