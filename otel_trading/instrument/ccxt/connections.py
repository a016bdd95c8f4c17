"""Connections of ccxt.pro: dialled, open, lost, closed; and what goes out on them."""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any

from otel_trading.instrument.ccxt.receipts import size_of, size_of_content
from otel_trading.instrument.ccxt.stream import OURS

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.instrument.ccxt.stream import Stream


class Connections:
    """The connections of all clients.

    Methods in the progressive form take a method of ccxt's and give what replaces it.
    """

    def __init__(self, stream: Callable[[Any], Stream | None], closed: Callable[[Any], None]) -> None:
        self._stream = stream
        """What is measured of a client; ``None`` for one that is left alone."""
        self._closed = closed
        """What an exchange is told to that the bot has closed."""
        self._closing: weakref.WeakSet[Any] = weakref.WeakSet()

    def opening(self, open_: Any) -> Any:  # noqa: ANN401
        """The client connects, or fails to."""

        async def opened(client: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            stream = self._stream(client)
            try:
                result = await open_(client, *args, **kwargs)
            except BaseException as error:
                _end(client, error=error)
                raise
            if stream is not None and client.isConnected:
                stream.opened(client.url)
            return result

        return opened

    def dialing(self, create_connection: Any) -> Any:  # noqa: ANN401
        """After the wait for its turn, if there was one."""

        def dial(client: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            stream = self._stream(client)
            if stream is not None:
                exchange = stream.exchange()
                failed = (getattr(exchange, "ws_dial_backoff", None) or {}).get(client.url)
                stream.dialing(client.url, failed["attempts"] + 1 if failed else None)
            return create_connection(client, *args, **kwargs)

        return dial

    def failing(self, on_error: Any) -> Any:  # noqa: ANN401
        """The connection failed, or could not be opened."""

        def failed(client: Any, error: Any) -> Any:  # noqa: ANN401
            _end(client, error=error)
            return on_error(client, error)

        return failed

    def ending(self, on_close: Any) -> Any:  # noqa: ANN401
        """The connection is closed: by the venue, or it broke."""

        def ended(client: Any, code: Any) -> Any:  # noqa: ANN401
            _end(client, reason=f"closing code {code}", error=client.error)
            return on_close(client, code)

        return ended

    def closing(self, close: Any) -> Any:  # noqa: ANN401
        """The client closes its connection: because the bot says so, or because ccxt begins anew."""

        async def closed(client: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            stream = vars(client).get(OURS)
            if stream is not None:
                wanted = stream.exchange() in self._closing
                if stream.socket is not None:
                    stream.socket.wanted_closed = wanted
                stream.ended(reason="closed by the bot" if wanted else "closed by ccxt", error=client.error)
            return await close(client, *args, **kwargs)

        return closed

    def closing_exchange(self, close: Any) -> Any:  # noqa: ANN401
        """The bot is done with an exchange: its subscriptions have no age any more."""

        async def closed(exchange: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            self._closing.add(exchange)
            try:
                return await close(exchange, *args, **kwargs)
            finally:
                self._closing.discard(exchange)
                self._closed(exchange)

        return closed

    def sending(self, send: Any) -> Any:  # noqa: ANN401
        """A frame of the bot's goes out."""

        async def sent(client: Any, message: Any) -> Any:  # noqa: ANN401
            stream = self._stream(client)
            if stream is None:
                return await send(client, message)
            text = _text(client, message)
            result = await send(client, text)
            if stream.socket is not None:
                stream.socket.frames_sent(1)
                stream.socket.bytes_sent(size_of(text) or size_of_content(text))
            return result

        return sent


def _text(client: Any, message: Any) -> Any:  # noqa: ANN401
    """A message as ccxt will send it; itself where that is not known."""
    if isinstance(message, str):
        return message
    for each in type(client).__mro__:
        dumps = getattr(sys.modules.get(each.__module__), "json_dumps", None)
        if dumps is not None:
            return dumps(message)
    return message


def _end(client: Any, *, reason: str | None = None, error: BaseException | None = None) -> None:  # noqa: ANN401
    stream: Stream | None = vars(client).get(OURS)
    if stream is not None:
        stream.ended(reason=reason, error=error)
