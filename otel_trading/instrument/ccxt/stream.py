"""One client of ccxt.pro, and what is measured of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otel_trading.instrument.ccxt.receipts import receipt

if TYPE_CHECKING:
    from otel_trading.instrument.ccxt.subscriptions import Names
    from otel_trading.instrument.sockets import Socket, Sockets

OURS = "_otel_trading"
"""The attribute of a client that leads to what is measured of it."""


class Stream:
    """What is measured of one client: its socket, its subscriptions, and the frame at hand."""

    __slots__ = (
        *("_sockets", "begin", "end", "exchange", "is_open", "names", "original", "over", "parsed", "socket"),
        "venue",
    )

    def __init__(self, sockets: Sockets, client: Any, names: Names | None, venue: str, exchange: Any) -> None:  # noqa: ANN401
        self._sockets = sockets
        self.venue = venue
        self.exchange = exchange
        """A weak reference, or what gives ``None``."""
        self.names = names
        messages, received, _, _, parsed, dispatched, _ = sockets.series(venue)
        measured = receipt(messages, received, parsed, dispatched)
        self.begin, self.parsed, self.end = measured.begin, measured.parsed, measured.end
        self.socket: Socket | None = None
        """There is none before it is dialled: ccxt has clients that are never connected."""
        self.is_open = self.over = False
        self.original: Any = client.on_message_callback
        client.on_message_callback = self._dispatching()

    def dialing(self, url: str, attempt: int | None) -> None:
        """The connection is being opened."""
        self.socket = self._sockets.socket(self.venue, url)
        self.socket.dialing(attempt)

    def opened(self, url: str) -> None:
        """The connection is there."""
        if self.socket is None:
            self.socket = self._sockets.socket(self.venue, url)
        if not self.over:
            self.socket.opened()
            self.is_open = True

    def ended(self, *, reason: str | None = None, error: BaseException | None = None) -> None:
        """The connection is over; the first that says so says why."""
        socket = self.socket
        if socket is None or self.over:
            return
        self.over = True
        cause = error
        if error is not None and error.args and isinstance(error.args[0], BaseException):
            cause = error.args[0]  # of ccxt's NetworkError
        status = getattr(cause, "status", None)
        if isinstance(status, int):  # its own text has the address in it, with keys
            reason = f"{status} {getattr(cause, 'message', '')}"
        if self.is_open:
            socket.closed(reason, cause)
        else:
            socket.failed(cause if cause is not None else reason or "closed", reason)

    def _dispatching(self) -> Any:  # noqa: ANN401
        dispatch, parsed = self.original, self.parsed

        def on_message(client: Any, message: Any) -> Any:  # noqa: ANN401
            parsed()
            return dispatch(client, message)

        ours: Any = on_message
        ours.stream = self
        return ours

    def leave(self, client: Any) -> None:  # noqa: ANN401
        """Give the client back its own callback."""
        if getattr(client.on_message_callback, "stream", None) is self:
            client.on_message_callback = self.original
        if vars(client).get(OURS) is self:
            delattr(client, OURS)
