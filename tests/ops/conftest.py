from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.metrics import NoOpMeter

from otel_trading.alerts.manager import AlertManager
from otel_trading.health.model import HealthReport
from otel_trading.logs.levels import Levels
from otel_trading.ops.levels import TemporaryLevels
from otel_trading.ops.opening import opened
from otel_trading.ops.sampling import Sampling
from otel_trading.ops.terms import Terms
from otel_trading.ops.thread import OpsThread
from otel_trading.risk.emergency import Emergency
from tests.core.conftest import configured, receiver

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from otel_trading.ops.server import OpsServer

__all__ = ["configured", "receiver"]

TOKEN = "a-token-of-the-tests"


class Bot:
    """Answers the server as a running bot would."""

    service = "tested"

    def __init__(self, folder: Path) -> None:
        self.emergency = Emergency()
        self.alerts = AlertManager()
        self.now = HealthReport("healthy", ready=True)
        self.health = SimpleNamespace(report=lambda: self.now)
        self.levels = TemporaryLevels(Levels())
        self.sampling = Sampling(lambda: None)
        self.meter = NoOpMeter("tested")
        self.flight_folder = folder
        self.told: list[tuple[str, str, dict[str, object]]] = []
        self.metrics: Callable[[], bytes] = lambda: b"# EOF\n"

    def render_metrics(self, accept: str) -> tuple[bytes, str]:
        return self.metrics(), "text/plain; version=0.0.4; charset=utf-8"

    def status_json(self) -> Mapping[str, object]:
        return {"service": self.service}

    def reload_config(self) -> list[Mapping[str, object]]:
        return []

    def config_json(self) -> Mapping[str, object]:
        return {}

    def flight_snapshot(self) -> Path | None:
        return None

    def tell(self, message: str, event: str, fields: Mapping[str, object], *, warn: bool = False) -> None:
        self.told.append((message, event, dict(fields)))


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Served:
    """A server that is asked."""

    bot: Bot
    server: OpsServer
    context: Any = None
    address: str = "127.0.0.1"
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return self.server.port

    def knowing(self, token: str = "") -> Served:
        """Somebody who has the token."""
        shown = token or self.server._keys.token or ""
        return replace(self, headers={**self.headers, "Authorization": f"Bearer {shown}"})

    def ask(self, method: str, path: str, body: Any = None, /, port: int = 0, **headers: str) -> Answer:
        made: Any
        if self.server.terms.secure:
            made = http.client.HTTPSConnection(self.address, port or self.port, timeout=20, context=self.context)
        else:
            made = http.client.HTTPConnection(self.address, port or self.port, timeout=20)
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        try:
            made.request(method, path, body, sent)
            answer = made.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            made.close()

    def get(self, path: str, **headers: Any) -> Answer:
        return self.ask("GET", path, **headers)

    def connected(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection((self.address, self.port), timeout=20)

    def said(self, raw: bytes) -> bytes:
        """All that is answered to these bytes until the connection ends."""
        with self.connected() as connection:
            with contextlib.suppress(OSError):
                connection.sendall(raw)
            return drained(connection)


def drained(connection: socket.socket) -> bytes:
    """What comes until the end."""
    found = b""
    with contextlib.suppress(OSError):
        while part := connection.recv(65_536):
            found += part
    return found


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Servers of a bot that is made up."""
    running: list[tuple[OpsThread, OpsServer]] = []

    def begin(*, providers: Any = (), **terms: Any) -> Served:
        bot = Bot(tmp_path)
        server, problems = opened(bot, Terms(**{"host": "127.0.0.1", "port": 0, **terms}), None, providers)
        assert server is not None, problems
        house = OpsThread()
        house.house([server, bot.levels])
        running.append((house, server))
        served = Served(bot, server)
        if not server.terms.secure:
            served.get("/session")  # its note is there from now on
        return served

    yield begin
    for house, server in running:
        assert house.close(5)
        server.close()
