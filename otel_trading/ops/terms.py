"""Where the ops server is found and whom it lets in, as the settings say it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_trading.settings import Settings


@dataclass(frozen=True, slots=True)
class Terms:
    """A server serves under these until its end."""

    host: str
    port: int
    metrics_port: int | None = None
    token: str | None = None
    open_probes: bool = False
    hosts: tuple[str, ...] = ()
    certificate: str | None = None
    key: str | None = None
    client_ca: str | None = None
    rate_limit: float = 0.0

    @classmethod
    def of(cls, settings: Settings) -> Terms:
        """What the settings say."""
        return cls(
            host=settings.ops_host,
            port=settings.ops_port,
            metrics_port=settings.metrics_port,
            token=settings.ops_token,
            open_probes=settings.ops_open_probes,
            hosts=tuple(host.lower() for host in settings.ops_hosts),
            certificate=settings.ops_certificate,
            key=settings.ops_key,
            client_ca=settings.ops_client_ca,
            rate_limit=settings.ops_rate_limit,
        )

    @property
    def loopback(self) -> bool:
        """Whether only this host reaches it."""
        return is_loopback(self.host)

    @property
    def secure(self) -> bool:
        """Whether it speaks HTTPS, or was meant to."""
        return (self.certificate or self.key or self.client_ca) is not None

    def url(self, port: int) -> str:
        """Where it is found on this port.

        >>> Terms("::1", 0).url(8080)
        'http://[::1]:8080'
        """
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether an address reaches this host only.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
