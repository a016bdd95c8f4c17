"""What the transports have in common: one request at a time, one deadline for all of it, one connection."""

from __future__ import annotations

import socket
import ssl
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from otel_trading.export.delivery import Delivery, Outcome
from otel_trading.export.transport import tls
from otel_trading.export.transport.proxies import Proxy, without_user
from otel_trading.export.transport.quiet import quiet
from otel_trading.export.transport.watch import ClosedError, Watch

if TYPE_CHECKING:
    from otel_trading.export.destination import Destination, Signal

_A_MOMENT = 0.1


class Exchange(ABC):
    """Sends requests over one connection, which is kept."""

    def __init__(self, signal: Signal, destination: Destination) -> None:
        self._signal: Signal = signal
        self._destination = destination
        self._url, self._credentials = without_user(destination.url)
        self._proxy: Proxy | None = None
        self._watch = Watch()
        self._turn = threading.Lock()

    def send(self, request: bytes) -> Delivery:
        """Deliver a request, or say why not."""
        with self._turn, quiet, self._watch.request(self._destination.timeout):
            try:
                return self._sent(request)
            except Exception as error:
                return self._failed(error)
            finally:
                if self._watch.closed:
                    self._release()

    def close(self) -> None:
        """End a request that is under way, and release the connection."""
        self._watch.close()
        if self._turn.acquire(timeout=_A_MOMENT):  # else whoever sends releases it
            try:
                self._release()
            finally:
                self._turn.release()

    def restart_in_child(self) -> None:
        """Begin without a connection: the parent's would mix its answers with ours."""
        self._watch.forget()
        self._forget()
        self._watch = Watch()
        self._turn = threading.Lock()

    @abstractmethod
    def _sent(self, request: bytes) -> Delivery:
        """Send a request, and read the answer."""

    @abstractmethod
    def _release(self) -> None:
        """Close the connection, if there is one."""

    @abstractmethod
    def _forget(self) -> None:
        """Know nothing of the connection any more, which is the parent's."""

    def _failed(self, error: Exception) -> Delivery:
        if self._watch.closed:
            return Delivery(Outcome.RETRY, reason=str(ClosedError()), uncertain=self._watch.sent)
        if isinstance(error, ssl.SSLError | tls.CertificateError):
            self._release()  # the files are read again, and may be others by then
        if isinstance(error, UnicodeError | ValueError) and not isinstance(error, OSError):
            return Delivery(Outcome.RETRY, reason=f"the request cannot be made: {error}")
        by = f" (by the proxy {self._proxy.place})" if self._proxy else ""
        return Delivery(Outcome.RETRY, reason=f"{self._said(error)}{by}", uncertain=self._watch.sent)

    def _said(self, error: Exception) -> str:
        """The reason in words that a person can act on."""
        if isinstance(error, TimeoutError):
            return f"{self._missing()} within {self._destination.timeout:g} s"
        if isinstance(error, socket.gaierror):
            host = self._proxy.place if self._proxy else urlsplit(self._url).hostname
            return f"{host} cannot be resolved: {tls.reason(error)}"
        if isinstance(error, ssl.SSLError):
            return f"TLS fails: {tls.reason(error)}"
        return tls.reason(error)

    def _missing(self) -> str:
        """What there was not when the time was up."""
        return "no answer" if self._watch.sent else "no connection"
