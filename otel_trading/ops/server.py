"""The ops server: a thread and an event loop of its own, so that it answers while the bot's loop is stuck."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from typing import TYPE_CHECKING, Protocol

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value

from otel_trading.forks import whole_imports

if TYPE_CHECKING:
    from collections.abc import Mapping

_STOP_TIMEOUT = 1.0


class Source(Protocol):
    """What the server shows."""

    def render_metrics(self, accept: str) -> tuple[bytes, str]:
        """The metrics as text and their content type."""
        ...

    def status_json(self) -> Mapping[str, object]:
        """The state of telemetry."""
        ...


class OpsServer:
    """Serves ``/metrics``, ``/status`` and ``/health``; raises ``OSError`` when the port cannot be had."""

    def __init__(self, source: Source, host: str, port: int, token: str | None) -> None:
        self.host = host
        self._source = source
        self._token = token
        self._guarded = token is not None and not is_loopback(host)
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="otel-ops", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is found."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def close(self) -> None:
        """Stop serving and give the port back."""
        self._closing.set()
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)
        self._thread.join(_STOP_TIMEOUT)
        self._socket.close()

    def abandon_in_child(self) -> None:
        """In a forked child the parent goes on serving; the child only closes its copy of the socket."""
        self._socket.close()

    def _run(self) -> None:
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))  # scrapes are not the bot's own requests
        try:
            asyncio.run(self._serve())
        except OSError:
            if not self._closing.is_set():  # else the socket was closed before it was used
                raise

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        if self._closing.is_set():
            return
        with whole_imports():
            from otel_trading.ops.pages import Pages  # by this thread: nobody who starts a bot waits for a web server

        if self._closing.is_set():  # the import takes its time
            return
        async with Pages(self._source, self._token if self._guarded else None).on(self._socket):
            await self._stop.wait()


def is_loopback(host: str) -> bool:
    """Whether an address reaches this host only.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=64)
