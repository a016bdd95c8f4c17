"""Where each signal goes: the option for one signal before the one for all, a stronger origin before a weaker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_trading.settings import Resolved

Signal = Literal["traces", "metrics", "logs"]
SIGNALS: tuple[Signal, ...] = ("traces", "metrics", "logs")

_GRPC_PORT = 4317


@dataclass(frozen=True, slots=True)
class Destination:
    """One signal's receiver and how to talk to it; ``timeout`` is in seconds."""

    url: str
    protocol: str
    compression: str
    timeout: float
    headers: Mapping[str, str] = field(repr=False)


def destination(resolved: Resolved, signal: Signal) -> Destination:
    """Where a signal goes, by the rules of the OTLP exporter specification.

    >>> from otel_trading.settings import resolve
    >>> destination(resolve({"endpoint": "http://collector:4318/otlp/"}, variables={}), "logs").url
    'http://collector:4318/otlp/v1/logs'
    >>> destination(resolve({"protocol": "grpc"}, variables={}), "traces").url
    'http://127.0.0.1:4317'
    """
    protocol = cast("str", _choose(resolved, "protocol", signal))
    return Destination(
        url=_url(resolved, signal, protocol),
        protocol=protocol,
        compression=cast("str", _choose(resolved, "compression", signal)),
        timeout=cast("float", _choose(resolved, "timeout", signal)),
        headers=cast("Mapping[str, str]", _choose(resolved, "headers", signal)),
    )


def _choose(resolved: Resolved, option: str, signal: Signal) -> object:
    """The signal's own value unless the one for all signals has a stronger origin."""
    own = getattr(resolved.settings, f"{signal}_{option}")
    if own is None or resolved.rank(option) < resolved.rank(f"{signal}_{option}"):
        return getattr(resolved.settings, option)
    return own


def _url(resolved: Resolved, signal: Signal, protocol: str) -> str:
    chosen = cast("str", _choose(resolved, "endpoint", signal))
    if chosen != resolved.settings.endpoint:
        return chosen
    parts = urlsplit(chosen)
    if protocol != "grpc":
        return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/v1/{signal}"))
    if resolved.origins["endpoint"] == "default" or parts.port is None:
        return urlunsplit(parts._replace(netloc=f"{parts.hostname}:{_GRPC_PORT}"))
    return chosen
