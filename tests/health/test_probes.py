"""What is asked of dependencies, at real ones."""

from __future__ import annotations

import asyncio
import sys
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from otel_trading import health
from otel_trading.health.checks.check import Check, Terms
from otel_trading.health.checks.running import Checks
from otel_trading.testing import capture
from tests.health import servers
from tests.health.servers import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from otel_trading.health.model import Component


def checked(probe: Any, timeout: float = 20.0) -> Component:
    """The component after one run of a check."""
    check = Check("it", probe, Terms(timeout=timeout))
    checks = Checks(lambda *_: None, lambda: 0, Random(1))  # noqa: S311 - jitter
    asyncio.run(checks.run(check))
    return check.component


def why(probe: Any, timeout: float = 20.0) -> str:
    """Why it is down."""
    component = checked(probe, timeout)
    assert component.state == "down"
    assert PASSWORD not in f"{component}"
    assert quote(PASSWORD, safe="") not in f"{component}"
    return component.reasons[0]


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    """Host and port of a web server."""
    with servers.web_server() as address:
        yield address


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a PostgreSQL."""
    folder = tmp_path_factory.mktemp("postgres")
    for above in list(folder.parents)[:3]:
        above.chmod(0o755)  # its server is another user's
    with servers.postgres_server(folder) as port:
        yield port


def test_a_redis_is_asked_for_a_ping(tmp_path: Path) -> None:
    """Over TCP and its socket, with a password, a wrong one and none."""
    with servers.redis_server(tmp_path) as port:
        assert checked(health.redis(f"redis://127.0.0.1:{port}/0")).state == "healthy"
        assert checked(health.redis(f"unix://{tmp_path}/redis.sock")).state == "healthy"
    with servers.redis_server(tmp_path, "--requirepass", PASSWORD) as port:
        password = quote(PASSWORD, safe="")
        assert checked(health.redis(f"redis://:{password}@127.0.0.1:{port}")).state == "healthy"
        assert checked(health.redis(f"redis://default:{password}@127.0.0.1:{port}")).state == "healthy"
        assert "NOAUTH" in why(health.redis(f"redis://127.0.0.1:{port}"))
        assert "WRONGPASS" in why(health.redis(f"redis://default:{password}x@127.0.0.1:{port}"))
    assert "ConnectionRefusedError" in why(health.redis(f"redis://:{password}@127.0.0.1:{port}"))


@pytest.mark.parametrize(
    ("words", "said"),
    [(b"HTTP/1.1 400 Bad Request\r\n", "is it a Redis?"), (b"", "closed the connection"), (b"x" * 100_000, "")],
)
def test_what_is_no_redis_is_down(words: bytes, said: str) -> None:
    """Whatever it answers."""
    with servers.saying_server(words) as port:
        assert said in why(health.redis(f"redis://:{quote(PASSWORD, safe='')}@127.0.0.1:{port}"))


def test_a_postgres_runs_a_query(postgres: int) -> None:
    """With a password over SCRAM; a wrong password, a database that is not there, a query that fails."""
    user = f"postgresql://bot:{quote(PASSWORD, safe='')}@127.0.0.1:{postgres}"
    found = checked(health.postgres(f"{user}/postgres"))
    assert found.state == "healthy", found
    assert found.details["server_version"]
    assert "password authentication failed" in why(
        health.postgres(f"postgresql://bot:no@127.0.0.1:{postgres}/postgres")
    )
    assert 'database "nowhere" does not exist' in why(health.postgres(f"{user}/nowhere"))
    assert 'relation "nothing" does not exist' in why(health.postgres(f"{user}/postgres", "SELECT * FROM nothing"))


def test_psycopg_does_as_well(postgres: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where asyncpg is not installed."""
    pytest.importorskip("psycopg", reason="psycopg is not installed; run: pip install 'psycopg[binary]'")
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    user = f"postgresql://bot:{quote(PASSWORD, safe='')}@127.0.0.1:{postgres}"
    assert checked(health.postgres(f"{user}/postgres")).state == "healthy"
    assert "password authentication failed" in why(
        health.postgres(f"postgresql://bot:no@127.0.0.1:{postgres}/postgres")
    )


def test_a_missing_driver_is_said_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a reason of the component."""
    for name in ("asyncpg", "psycopg"):
        monkeypatch.setitem(sys.modules, name, None)
    assert "pip install 'otel-trading[postgres]'" in why(health.postgres("postgresql://localhost/x"))


def test_http_is_judged_by_its_status(web: str) -> None:
    """Any below 400, or the one that is expected; headers are sent and not shown."""
    assert checked(health.http(f"http://{web}/ok")).details["status_code"] == 200
    assert "it answers 418" in why(health.http(f"http://{web}/teapot"))
    assert checked(health.http(f"http://{web}/teapot", status=418)).state == "healthy"
    assert "it answers 200 OK" in why(health.http(f"http://{web}/ok", status=204))
    assert checked(health.http(f"http://{web}/secret", headers={"X-Key": PASSWORD})).state == "healthy"
    assert "it answers 403" in why(health.http(f"http://{web}/secret"))
    assert "ClientConnectorError" in why(health.http("http://127.0.0.1:1/"))


def test_a_websocket_answers_a_ping(web: str) -> None:
    """One that does not is down in time, and so is one that closes, or is none."""
    assert checked(health.websocket(f"ws://{web}/ws")).state == "healthy"
    assert checked(health.websocket(f"ws://{web}/ws-silent", ping=False)).state == "healthy"
    assert why(health.websocket(f"ws://{web}/ws-silent"), timeout=0.5) == "it did not answer within 0.5 s"
    assert "it closed the connection (1008)" in why(health.websocket(f"ws://{web}/ws-closing"))
    assert "WSServerHandshakeError" in why(health.websocket(f"ws://{web}/ok"))


def test_what_never_answers_is_down_in_time() -> None:
    """A port that accepts and is silent."""
    with servers.mute_server() as port:
        for probe in (
            health.redis(f"redis://127.0.0.1:{port}"),
            health.postgres(f"postgresql://bot:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/x"),
            health.http(f"http://127.0.0.1:{port}/"),
            health.websocket(f"ws://127.0.0.1:{port}/"),
        ):
            assert why(probe, timeout=1.0) == "it did not answer within 1 s"
        assert checked(health.tcp("127.0.0.1", port)).state == "healthy"
        assert checked(health.collector(f"http://127.0.0.1:{port}/v1/traces")).state == "healthy"


def test_names_are_resolved() -> None:
    """One that there is, and one that cannot be."""
    assert "127.0.0.1" in str(checked(health.dns("localhost")).details["addresses"])
    assert "gaierror" in why(health.dns("no-such-name.invalid"))


def test_a_checked_websocket_is_not_the_bots(web: str) -> None:
    """What telemetry asks is not measured as a connection of the bot's."""
    from otel_trading.instrument.aiohttp_websocket import AiohttpWebSocketInstrumentor
    from otel_trading.ops.thread import OpsThread

    with capture() as telemetry:
        instrumentor = AiohttpWebSocketInstrumentor()
        instrumentor.instrument()
        thread = OpsThread()
        try:
            thread.house([telemetry.handle.health])
            done = thread.submit(health.websocket(f"ws://{web}/ws")())
            assert done is not None
            done.result(60)
        finally:
            assert thread.close(30)
            instrumentor.uninstrument()
        assert telemetry.trading.connections() == []
