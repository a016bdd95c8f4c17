"""``otel-trading health``."""

from __future__ import annotations

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from otel_trading.cli.commands import cli
from otel_trading.health import health_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.health.conftest import Bench


@contextmanager
def serving(body: bytes, status: int = 200) -> Iterator[str]:
    """A bot's ops server that answers this to those who have its token."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = self.headers.get("Authorization") in {None, "Bearer right"} and self.path == "/health/detailed"
            said = body if allowed else b'{"detail": "a bearer token is required"}'
            self.send_response(status if allowed else 401)
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def documented(bench: Bench) -> bytes:
    return json.dumps(health_json(bench.monitor.report())).encode()


@pytest.mark.parametrize(("state", "code"), [("healthy", 0), ("degraded", 1), ("down", 2)])
def test_the_exit_status_says_how_it_is(bench: Bench, state: str, code: int) -> None:
    """Also where the page's own status is another than 200."""
    bench.monitor.component("model", critical=True).set(state, "old weights")  # type: ignore[arg-type]
    with serving(documented(bench), 503 if state == "down" else 200) as url:
        shown = CliRunner().invoke(cli, ["health", "--url", url])
        as_json = CliRunner().invoke(cli, ["health", "--url", url, "--json"])
    assert (shown.exit_code, as_json.exit_code) == (code, code)
    assert json.loads(as_json.output)["status"] == state
    assert "model *" in shown.output
    assert ("old weights" in shown.output) is (state != "healthy")
    assert ("not ready: model is down" in shown.output) is (state == "down")


def test_venues_are_shown_in_short(bench: Bench) -> None:
    """With the figures of their requests."""
    bench.trading.connection_changed("binance", "connected")
    for _ in range(20):
        bench.trading.request_completed("binance", "ping", 0.25)
    bench.wait(1)
    with serving(documented(bench)) as url:
        shown = CliRunner().invoke(cli, ["health", "--url", url], env={"COLUMNS": "200"})
    assert "p99 250.0 ms" in shown.output


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"<html>", 200, "does not know /health/detailed"),
        (b"[]", 200, "no health of a bot"),
        (b'{"detail": "x"}', 404, ": x"),
    ],
)
def test_what_is_no_bot_is_unreachable(body: bytes, status: int, said: str) -> None:
    """Whoever listens there."""
    with serving(body, status) as url:
        shown = CliRunner().invoke(cli, ["health", "--url", url])
    assert shown.exit_code == 3
    assert said in shown.output


def test_nobody_there_is_unreachable(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    """As a wrong token is."""
    shown = CliRunner().invoke(cli, ["health", "--url", "http://127.0.0.1:1"])
    assert shown.exit_code == 3
    assert "no bot answers at http://127.0.0.1:1" in shown.output
    with serving(documented(bench)) as url:
        monkeypatch.setenv("OTEL_TRADING_OPS_TOKEN", "wrong")
        shown = CliRunner().invoke(cli, ["health", "--url", url])
        assert shown.exit_code == 3
        assert "401: a bearer token is required" in shown.output
        monkeypatch.setenv("OTEL_TRADING_OPS_TOKEN", "right")
        assert CliRunner().invoke(cli, ["health", "--url", url]).exit_code == 0
