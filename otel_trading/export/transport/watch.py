"""One deadline over everything a request does on the network, and an end to it from another thread."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from otel_trading.export import bounded

if TYPE_CHECKING:
    from collections.abc import Iterator

    Address = tuple[Any, Any, int, str, Any]
    """One of ``getaddrinfo``'s answers."""

_SHARE_OF_AN_ADDRESS = 0.5
"""Of the time that is left, what one of several addresses may take to accept a connection."""


class ClosedError(OSError):
    """The request was ended by ``Watch.close``."""

    def __init__(self) -> None:
        super().__init__("shut down")


class Watch:
    """The deadline of the request under way, and the socket it is on."""

    def __init__(self) -> None:
        self.sent = False
        """Whether the whole request was handed to the network."""
        self.closed = False
        self._deadline = float("inf")
        self._socket: socket.socket | None = None

    @contextlib.contextmanager
    def request(self, timeout: float) -> Iterator[None]:
        """The time of one request, in seconds, and its socket's."""
        self.sent = False
        self._deadline = time.monotonic() + timeout
        try:
            yield
        finally:
            self._deadline = float("inf")

    def left(self) -> float:
        """The seconds that are left; raises when there are none, or after ``close``."""
        if self.closed:
            raise ClosedError
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def use(self, used: socket.socket) -> None:
        """What is done from now on is done on this socket."""
        self._socket = used
        self.left()  # closed meanwhile

    def close(self) -> None:
        """End the request under way at once; what waits on its socket wakes up."""
        self.closed = True
        used = self._socket
        if used is not None:
            # Not the method of a TLS socket, which takes the session from under the thread that reads.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(used, socket.SHUT_RDWR)

    def forget(self) -> None:
        """Close the socket in a forked child; the parent's own stays as it is."""
        used, self._socket = self._socket, None
        if used is not None:
            with contextlib.suppress(OSError):
                used.close()

    def connect(self, host: str, port: int, options: Any) -> TimedSocket:  # noqa: ANN401 - urllib3's socket options
        """A connection to the first of the host's addresses that accepts one."""
        addresses = self._addresses(host, port)
        for position, address in enumerate(addresses):
            last = position == len(addresses) - 1
            try:
                return self._connected(address, options, 1.0 if last else _SHARE_OF_AN_ADDRESS)
            except OSError:
                if last or self.closed:
                    raise
        raise OSError(f"{host} has no address")

    def _connected(self, address: Address, options: Any, share: float) -> TimedSocket:  # noqa: ANN401
        family, kind, protocol, _, where = address
        made = TimedSocket(family, kind, protocol)
        made.watch = self
        try:
            for option in options or ():
                made.setsockopt(*option)
            made.settimeout(self.left() * share)
            self.use(made)
            made.connect(where)
            made.settimeout(self.left())  # a TLS handshake takes it over
        except BaseException:
            made.close()
            raise
        return made

    def _addresses(self, host: str, port: int) -> list[Address]:
        """Resolve the name; nothing ends a resolver that hangs, so it is left alone when time is up."""
        ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        with contextlib.suppress(OSError, UnicodeError):
            return ask(flags=socket.AI_NUMERICHOST)
        answers: list[list[Address] | Exception] = []
        done = threading.Event()

        def resolve() -> None:
            try:
                answers.append(ask())
            except Exception as error:
                answers.append(error)
            done.set()

        (thread,) = bounded.start([resolve], "otel-resolver")
        if thread.ident is None:  # no threads while the interpreter shuts down
            resolve()
        while not done.wait(min(self.left(), 0.05)):
            """Ask ``left`` again, which knows about the end."""
        (answer,) = answers
        if isinstance(answer, Exception):
            raise answer
        return answer


class _Timed:
    """A socket whose every wait ends by its watch, not after a time of its own."""

    watch: Watch

    def arrived(self, size: int) -> bytes | None:
        """What is there already, so many bytes at most; ``None`` when nothing is."""
        self.watch.left()
        self.settimeout(0)  # type: ignore[attr-defined]
        try:
            return super().recv(size)  # type: ignore[misc,no-any-return]
        except (BlockingIOError, ssl.SSLWantReadError):
            return None

    def recv_into(self, *arguments: Any, **named: Any) -> int:  # noqa: ANN401 - the socket's own
        self.settimeout(self.watch.left())  # type: ignore[attr-defined]
        return super().recv_into(*arguments, **named)  # type: ignore[misc,no-any-return]

    def recv(self, *arguments: Any, **named: Any) -> bytes:  # noqa: ANN401 - the socket's own
        self.settimeout(self.watch.left())  # type: ignore[attr-defined]
        return super().recv(*arguments, **named)  # type: ignore[misc,no-any-return]

    def send(self, *arguments: Any, **named: Any) -> int:  # noqa: ANN401 - the socket's own
        self.settimeout(self.watch.left())  # type: ignore[attr-defined]
        return super().send(*arguments, **named)  # type: ignore[misc,no-any-return]

    def sendall(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - the socket's own
        self.settimeout(self.watch.left())  # type: ignore[attr-defined]
        super().sendall(*arguments, **named)  # type: ignore[misc]


class TimedSocket(_Timed, socket.socket):
    """A plain connection."""


class TimedTlsSocket(_Timed, ssl.SSLSocket):
    """What a context makes of a connection; ``timed`` sets it."""

    def do_handshake(self, block: bool = False) -> None:
        """Begin, on the socket that is the watch's from now on."""
        self.watch.use(self)
        super().do_handshake(block)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself.

    >>> is_loopback("127.0.0.1"), is_loopback("collector")
    (True, False)
    """
    return host == "localhost" or host.startswith(("127.", "::1"))


def timed(context: ssl.SSLContext, watch: Watch) -> ssl.SSLContext:
    """The context, whose connections end by the watch."""
    context.sslsocket_class = type("WatchedTlsSocket", (TimedTlsSocket,), {"watch": watch})
    return context
