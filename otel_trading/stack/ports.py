"""The ports of the stack: their variables, free ones for tests, and who sits on one that is taken."""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from otel_trading.stack.errors import PortTakenError, StackError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LOOPBACK = "127.0.0.1"
HIGHEST_PORT = 65535
LOWEST_FREE_PORT, HIGHEST_FREE_PORT = 20_000, 32_000

VARIABLES = {
    "otlp_grpc": "OTLP_GRPC_PORT",
    "otlp_http": "OTLP_HTTP_PORT",
    "collector_health": "COL_HEALTH_PORT",
    "collector_metrics": "COL_METRICS_PORT",
    "jaeger_otlp": "JAEGER_OTLP_GRPC_PORT",
    "jaeger_ui": "JAEGER_UI_PORT",
    "jaeger_grpc": "JAEGER_QUERY_GRPC_PORT",
    "jaeger_health": "JAEGER_HEALTH_PORT",
    "jaeger_metrics": "JAEGER_METRICS_PORT",
    "prometheus": "PROM_PORT",
    "alertmanager": "AM_PORT",
    "loki": "LOKI_PORT",
    "loki_grpc": "LOKI_GRPC_PORT",
    "grafana": "GRAFANA_PORT",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """Every port the stack listens on, always on loopback.

    The environment variable of each is in `VARIABLES`; the defaults are those of the projects themselves, except
    where two of them would meet.

    >>> Ports.from_environment({"PROM_PORT": "19090"}).prometheus
    19090
    """

    otlp_grpc: int = 4317
    otlp_http: int = 4318
    collector_health: int = 13133
    collector_metrics: int = 8888
    jaeger_otlp: int = 14317
    jaeger_ui: int = 16686
    jaeger_grpc: int = 16685
    jaeger_health: int = 13134
    jaeger_metrics: int = 18888
    prometheus: int = 9090
    alertmanager: int = 9093
    loki: int = 3100
    loki_grpc: int = 9096
    grafana: int = 3000

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the ports from the environment; what is not set keeps its default.

        Raises:
            StackError: a variable holds something that is not a port.

        """
        environ = os.environ if environ is None else environ
        chosen: dict[str, int] = {}
        for name, variable in VARIABLES.items():
            text = environ.get(variable, "").strip()
            if not text:
                continue
            if not text.isdecimal() or not 0 < int(text) <= HIGHEST_PORT:
                raise StackError(f"{variable}={text!r} is not a port: give a number from 1 to {HIGHEST_PORT}")
            chosen[name] = int(text)
        return cls(**chosen)

    @classmethod
    def free(cls) -> Self:
        """Return ports nobody uses right now, for tests beside a running stack.

        They lie below those the system gives to outgoing connections: one of these could otherwise take the port of a
        component while that is restarted.
        """
        chosen: list[int] = []
        while len(chosen) < len(VARIABLES):
            port = LOWEST_FREE_PORT + secrets.randbelow(HIGHEST_FREE_PORT - LOWEST_FREE_PORT)
            if port not in chosen and not _is_taken(port):
                chosen.append(port)
        return cls(**dict(zip(VARIABLES, chosen, strict=True)))

    def environment(self) -> dict[str, str]:
        """Return the variables that tell the configuration files these ports."""
        return {variable: str(getattr(self, name)) for name, variable in VARIABLES.items()}


def check_free(ports: Ports, names: Iterable[str]) -> None:
    """Make sure that nobody listens on the named ports.

    Raises:
        PortTakenError: somebody does; the message names all of them at once.

    """
    taken = []
    for name in names:
        port = getattr(ports, name)
        if _is_taken(port):
            owner = listener_of(port) or "another program (not visible to this user)"
            taken.append(f"port {port} is taken by {owner}; stop it, or set {VARIABLES[name]} to a free port")
    if taken:
        raise PortTakenError("\n".join(taken))


def listener_of(port: int) -> str | None:
    """Name the process that listens on ``port``, as ``name (pid 123)``, if this user may see it."""
    inodes = {f"socket:[{inode}]" for table in ("tcp", "tcp6") for inode in _listening_inodes(table, port)}
    if not inodes:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(str(descriptor.readlink()) in inodes for descriptor in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
    return None


def _is_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that is only in TIME_WAIT is free
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return True
    return False


def _listening_inodes(table: str, port: int) -> list[str]:
    try:
        lines = Path("/proc/net", table).read_text().splitlines()[1:]
    except OSError:
        return []
    rows = [line.split() for line in lines]
    listening = "0A"
    return [row[9] for row in rows if row[3] == listening and int(row[1].rpartition(":")[2], 16) == port]
