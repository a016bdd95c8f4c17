"""Senders of OTLP: a request goes out, and what the receiver says about it comes back."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit, urlunsplit

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value

from otel_trading.export.delivery import Delivery, Outcome, Receiver, accepts_connections

if TYPE_CHECKING:
    from otel_trading.export.destination import Destination, Signal


class Transport(Protocol):
    """How requests travel; ``send`` ends by the destination's timeout, and at once after ``close``."""

    def send(self, request: bytes) -> Delivery:
        """Deliver a request, or say why not."""
        ...

    def close(self) -> None:
        """End a request that is under way, and release the connection."""

    def restart_in_child(self) -> None:
        """Leave the parent's connection to the parent, in a forked child."""


class OtlpSender:
    """Delivers one signal's requests to one receiver; a request is encoded, and not compressed."""

    def __init__(self, signal: Signal, destination: Destination, receiver: Receiver) -> None:
        self.target = without_user(destination.url)
        self.receiver = receiver
        self._closed = False
        self._transport = _transport(signal, destination)

    def send(self, request: bytes) -> Delivery:
        """Deliver a request within the destination's timeout; raises nothing."""
        if self._closed:
            return Delivery(Outcome.RETRY, reason="shut down")
        token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))  # it is not the bot's own request
        try:
            return self._transport.send(request)
        except Exception as error:
            return Delivery(Outcome.RETRY, reason=f"{type(error).__name__}: {error}")
        finally:
            detach(token)

    def reachable(self) -> bool:
        """Whether the receiver accepts connections."""
        return accepts_connections(self.target)

    def restart_in_child(self) -> None:
        """Begin with a connection of its own."""
        self._transport.restart_in_child()

    def close(self) -> None:
        """End a request that is under way, from any thread, and release the connection."""
        if not self._closed:
            self._closed = True
            self._transport.close()


def without_user(url: str) -> str:
    """The URL as people may see it.

    >>> without_user("https://bot:secret@collector:4318")
    'https://collector:4318'
    """
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def place_of(url: str) -> str:
    """Whom a URL leads to: what is said of one of its paths holds for all.

    >>> place_of("https://bot:secret@collector:4318/v1/traces")
    'https://collector:4318'
    """
    return urlunsplit(urlsplit(without_user(url))._replace(path="", query="", fragment=""))


@cache
def _agent() -> str:
    """Who sends, in the form that the OTLP specification recommends."""
    ours = version("otel-trading")
    return f"OTel-OTLP-Exporter-Python/{ours} otel-trading/{ours}"


def _transport(signal: Signal, destination: Destination) -> Transport:
    if destination.protocol == "grpc":
        from otel_trading.export.transport.rpc import GrpcTransport

        return GrpcTransport(signal, destination, _agent())
    from otel_trading.export.transport.http import HttpTransport

    return HttpTransport(signal, destination, _agent())
