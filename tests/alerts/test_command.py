"""``otel-trading alerts``, with a bot that answers and without."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from otel_trading.cli.commands import cli
from otel_trading.settings import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALERT = {
    "key": "stale_data/kraken",
    "level": "ERROR",
    "title": "No market data",
    "message": "for 31 s",
    "fields": {},
    "timestamp": "2026-01-02T03:04:05+00:00",
    "rule": "stale_data",
    "subject": "kraken",
    "state": "firing",
}
SILENCE = {"id": "s1", "rule": "stale_*", "subject": "kraken", "until_ns": 1_700_000_000_000_000_000, "reason": "known"}


class Bot(BaseHTTPRequestHandler):
    """What the ops server answers."""

    asked: list[tuple[str, str, Any]]

    def answer(self) -> None:
        size = int(self.headers.get("Content-Length", "0"))
        body = json.loads(self.rfile.read(size)) if size else None
        type(self).asked.append((self.command, self.path, body))
        found: dict[str, Any] = {"active": [ALERT], "recent": [], "silences": [SILENCE], "tested": ["log", "chat"]}
        found["silence"] = SILENCE
        refused = self.headers.get("Authorization") != "Bearer s3cret"
        self.send_response(401 if refused else 200)
        self.end_headers()
        self.wfile.write(json.dumps({"detail": "a token is needed"} if refused else found).encode())

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 - as the base has them

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def bot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HTTPServer]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OTEL_TRADING_OPS_TOKEN", "s3cret")
    Bot.asked = []
    with HTTPServer(("127.0.0.1", 0), Bot) as server:
        monkeypatch.setenv("OTEL_TRADING_OPS_PORT", str(server.server_port))
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["alerts", *arguments])
    return result.exit_code, result.output


def test_list_shows_what_fires(bot: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is silent; the status says whether something is wrong; without the token it says what is missing."""
    status, output = run("list")
    assert status == 1
    assert "2026-01-02T03:04:05 ERROR    No market data" in output
    assert "s1: silent is stale_* kraken until 2023-11-14 22:13:20 UTC known" in output
    status, output = run("list", "--json")
    assert json.loads(output)["active"] == [ALERT]
    monkeypatch.setenv("OTEL_TRADING_OPS_TOKEN", "wrong")
    status, output = run("list")
    assert (status, "401: a token is needed" in output) == (1, True)


def test_silence_is_asked_of_the_bot(bot: HTTPServer) -> None:
    """With its duration in seconds; a time that is none is refused here."""
    assert run("silence", "stale_*", "kraken", "--for", "30min", "--reason", "known")[0] == 0
    body = {"rule": "stale_*", "subject": "kraken", "for": 1_800.0, "reason": "known"}
    assert Bot.asked == [("POST", "/alerts/silences", body)]
    assert run("silence", "s1", "--end") == (0, "s1 is over\n")
    assert Bot.asked[-1][:2] == ("DELETE", "/alerts/silences/s1")
    assert run("silence", "x", "--for", "long")[0] == 2


def test_rules_say_where_they_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the channels of the configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(
        "OTEL_TRADING_ALERTS_CHANNELS", '{"desk": {"type": "webhook", "url": "https://desk.example/in"}}'
    )
    status, output = run("rules")
    assert status == 0
    assert "low_fill_rate" in output
    assert "log, desk" in output


def test_rules_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of the file and JSON of a variable are the same thing."""
    (tmp_path / "otel-trading.toml").write_text(
        '[alerts]\nenabled = true\n[alerts.rules.high_latency]\nthreshold = "500ms"\nchannels = ["desk"]\n'
        '[alerts.rules]\nnew_opportunities = false\n[[alerts.routes]]\nlevel = "ERROR"\nchannels = ["desk"]\n'
    )
    monkeypatch.chdir(tmp_path)
    resolved = resolve({})
    assert resolved.problems == ()
    assert resolved.settings.alerts_rules == {
        "high_latency": {"threshold": "500ms", "channels": ["desk"]},
        "new_opportunities": False,
    }
    assert resolved.settings.alerts_routes == ({"level": "ERROR", "channels": ["desk"]},)
    status, output = run("rules", "--json")
    found = {rule["name"]: rule for rule in json.loads(output)["rules"]}
    assert (status, found["high_latency"]["threshold"], found["new_opportunities"]["enabled"]) == (0, 0.5, False)
    assert any("there is no channel desk" in problem for problem in json.loads(output)["problems"])
    monkeypatch.setenv("OTEL_TRADING_ALERTS_RULES", '{"stale_data": {"threshold": 5}}')
    assert resolve({}).settings.alerts_rules == {"stale_data": {"threshold": 5}}
    monkeypatch.setenv("OTEL_TRADING_ALERTS_RULES", "{")
    [problem] = resolve({}).problems
    assert "OTEL_TRADING_ALERTS_RULES='{' (environment) is not usable" in str(problem)
