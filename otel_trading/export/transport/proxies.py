"""Proxies that the environment names, and users in URLs."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

from otel_trading.export.transport import statuses
from otel_trading.export.transport.watch import is_loopback

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

_LONGEST_ANSWER = 1 << 16


class Proxy(NamedTuple):
    """Where a proxy is, and what tells it who we are."""

    url: str
    headers: Mapping[str, str]

    @property
    def place(self) -> str:
        """Its host and port."""
        return urlsplit(self.url).netloc


def proxy_of(url: str, *first: str) -> Proxy | None:
    """The proxy that the environment names for a URL's host; this machine is not reached through one.

    ``first`` are protocols whose proxies go before those of the URL's scheme: ``grpc`` for ``grpc_proxy``.
    """
    parts = urlsplit(url)
    if is_loopback(parts.hostname or "") or proxy_bypass(parts.netloc):
        return None
    proxies = getproxies()
    named = next((proxies[name] for name in (*first, parts.scheme, "all") if proxies.get(name)), None)
    if named is None:
        return None
    address, credentials = without_user(named if "://" in named else f"http://{named}")
    return Proxy(address, {f"Proxy-{name}": value for name, value in credentials.items()})


def without_user(url: str) -> tuple[str, dict[str, str]]:
    """The URL without the user in it, and the header that says who it is.

    >>> without_user("https://bot:p%40ss@collector:4318/v1/traces")
    ('https://collector:4318/v1/traces', {'Authorization': 'Basic Ym90OnBAc3M='})
    """
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    encoded = b64encode(unquote(user).encode(errors="replace")).decode()
    return urlunsplit(parts._replace(netloc=host)), {"Authorization": f"Basic {encoded}"}


def tunnel(connection: socket.socket, place: str, headers: Mapping[str, str]) -> None:
    """Have the proxy at the other end of a connection pass everything on to a host and port."""
    lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}", *(f"{name}: {value}" for name, value in headers.items())]
    connection.sendall("\r\n".join((*lines, "", "")).encode("latin-1"))
    answer = bytearray()
    while not answer.endswith(b"\r\n\r\n"):
        if len(answer) > _LONGEST_ANSWER or not (byte := connection.recv(1)):  # what follows is not the proxy's
            raise OSError("the proxy answers nothing that can be understood")
        answer += byte
    status = answer.split(b"\r\n", 1)[0].decode("latin-1")
    if status.split(" ")[1:2] != ["200"]:
        raise OSError(f"the proxy refuses: {statuses.cut(status)}")
