"""Where each signal goes: the option for one signal before the one for all, a stronger origin before a weaker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import urlsplit, urlunsplit

from otel_trading.export.transport.tls import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_trading.settings import Resolved

Signal = Literal["traces", "metrics", "logs"]
SIGNALS: tuple[Signal, ...] = ("traces", "metrics", "logs")

_GRPC_PORT = 4317


@dataclass(frozen=True, slots=True)
class Destination:
    """One signal's receiver and how to talk to it; ``timeout`` is in seconds, for all of a request."""

    url: str
    protocol: str
    compression: str
    timeout: float
    headers: Mapping[str, str] = field(repr=False)
    credentials: Credentials = field(default_factory=Credentials)
    scheme_is_assumed: bool = False


def destination(resolved: Resolved, signal: Signal) -> Destination:
    """Where a signal goes, by the rules of the OTLP exporter specification.

    >>> from otel_trading.settings import resolve
    >>> destination(resolve({"endpoint": "http://collector:4318/otlp/"}, variables={}), "logs").url
    'http://collector:4318/otlp/v1/logs'
    >>> destination(resolve({"protocol": "grpc"}, variables={}), "traces").url
    'http://127.0.0.1:4317'
    >>> destination(resolve({"protocol": "grpc", "endpoint": "collector:4317"}, variables={}), "traces").url
    'https://collector:4317'
    """
    protocol = cast("str", _choose(resolved, "protocol", signal))
    insecure = cast("bool", _choose(resolved, "insecure", signal))
    endpoint = cast("str", _choose(resolved, "endpoint", signal))
    files = ("certificate", "client_certificate", "client_key")
    return Destination(
        url=_url(resolved, signal, endpoint, protocol, insecure=insecure),
        protocol=protocol,
        compression=cast("str", _choose(resolved, "compression", signal)),
        timeout=cast("float", _choose(resolved, "timeout", signal)),
        headers=cast("Mapping[str, str]", _choose(resolved, "headers", signal)),
        credentials=Credentials(*(cast("str | None", _choose(resolved, name, signal)) for name in files)),
        scheme_is_assumed="://" not in endpoint,
    )


def with_scheme(endpoint: str, protocol: str, *, insecure: bool) -> str:
    """The endpoint's URL; gRPC without a scheme is encrypted unless it is ``insecure``.

    >>> with_scheme("collector:4317", "grpc", insecure=True), with_scheme("collector:4317", "grpc", insecure=False)
    ('http://collector:4317', 'https://collector:4317')
    """
    if "://" in endpoint:
        return endpoint
    return f"{'https' if protocol == 'grpc' and not insecure else 'http'}://{endpoint}"


def _choose(resolved: Resolved, option: str, signal: Signal) -> object:
    """The signal's own value unless the one for all signals has a stronger origin."""
    own = getattr(resolved.settings, f"{signal}_{option}")
    if own is None or resolved.rank(option) < resolved.rank(f"{signal}_{option}"):
        return getattr(resolved.settings, option)
    return own


def _url(resolved: Resolved, signal: Signal, endpoint: str, protocol: str, *, insecure: bool) -> str:
    chosen = with_scheme(endpoint, protocol, insecure=insecure)
    if endpoint != resolved.settings.endpoint:
        return chosen
    parts = urlsplit(chosen)
    if protocol != "grpc":
        return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/v1/{signal}"))
    if resolved.origins["endpoint"] == "default" or parts.port is None:
        user, at, _ = parts.netloc.rpartition("@")
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return urlunsplit(parts._replace(netloc=f"{user}{at}{host}:{_GRPC_PORT}"))
    return chosen
