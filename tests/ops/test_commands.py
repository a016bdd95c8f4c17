"""How commands find a running bot, and what they say when they do not."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from click.testing import CliRunner

from otel_trading.cli.client import client
from otel_trading.cli.commands import cli
from otel_trading.ops import notes
from tests.environment import bare

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest
    from click.testing import Result

    from tests.core.conftest import Configure


def run(arguments: Sequence[str]) -> Result:
    return CliRunner().invoke(cli, ["ops", *arguments])


def test_commands_of_the_same_user_have_the_token(configured: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which was made for them, in a file that only this user reads, gone with the bot."""
    handle = configured()
    assert handle.ops is not None
    monkeypatch.setenv("OTEL_TRADING_OPS_PORT", str(handle.ops.port))
    client().get("/health")
    [path] = [each for each in notes.folder().glob("*.json") if str(handle.ops.port) in each.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o077 == 0
    token = run(["token"]).output.strip()
    assert len(token) > 40
    assert client().post("/emergency/stop", {"reason": "drill"})["changed"] is True
    assert client(f"localhost:{handle.ops.port}").post("/emergency/resume")["changed"] is True
    assert client().get("/emergency")["engaged"] is False
    listed = run(["list"])
    assert handle.ops.url in listed.output
    assert f"{os.getpid()} ok" in " ".join(listed.output.split())
    assert json.loads(run(["get", "session"]).output) == {"known": True, "needed_to_read": False}
    handle.shutdown()
    assert not path.exists()


def test_a_token_that_was_given_is_not_written_anywhere(configured: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands take it from where the bot has it."""
    handle = configured(ops_token="given-token")
    assert handle.ops is not None
    asked = client(handle.ops.url)
    deadline = time.monotonic() + 30
    while not any(note.url == handle.ops.url for note in notes.found()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert all(b"given-token" not in path.read_bytes() for path in notes.folder().iterdir())
    told = run(["get", "/flight", "--url", handle.ops.url])
    assert told.exit_code == 1
    assert "401" in told.output
    assert "OTEL_TRADING_OPS_TOKEN" in told.output
    assert asked.token is None
    assert run(["get", "/flight", "--url", handle.ops.url, "--token", "given-token"]).exit_code == 0
    monkeypatch.setenv("OTEL_TRADING_OPS_TOKEN", "given-token")
    assert run(["get", "/flight", "--url", handle.ops.url]).exit_code == 0


def test_nobody_there_is_an_exit_status_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """3, with the address that was asked."""
    monkeypatch.setenv("OTEL_TRADING_OPS_PORT", "1")
    for arguments in (["get", "/health"], ["get", "/health", "--url", "http://127.0.0.1:1"]):
        told = run(arguments)
        assert told.exit_code == 3
        assert "no bot answers at http://127.0.0.1:1; is it running" in told.output
    assert run(["get", "/health", "--url", "http://[::1"]).exit_code == 2


def test_somebody_else_there_is_no_bot() -> None:
    """Whatever answers there, it is not taken for one."""

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            told = CliRunner().invoke(cli, ["status", "--url", f"http://127.0.0.1:{server.server_port}"])
        finally:
            server.shutdown()
    assert told.exit_code == 3
    assert "no bot answers" in told.output


def test_notes_of_others_are_not_believed(tmp_path: Path) -> None:
    """What is damaged, or in a folder that others may write to, is left alone."""
    place = tmp_path / "ops"
    note = notes.Note("http://127.0.0.1:1", "a-bot", 7, "made-up")
    path = notes.leave(note, "127.0.0.1", 1, place)
    notes.leave(note, "::1", 1, place)
    (place / "damaged.json").write_text('{"url": 1')
    (place / "other.json").write_text('{"unknown": 1}')
    assert notes.found(place) == [note, note]
    notes.take_back(path, 8)
    assert path.exists()
    notes.take_back(path, 7)
    assert not path.exists()
    gone = notes.leave(notes.Note("http://127.0.0.1:2", "killed", 2**22 + 1), "127.0.0.1", 2, place)
    notes.leave(note, "127.0.0.1", 1, place)
    assert gone.exists()
    os.utime(gone, (1, 1))
    notes.leave(note, "127.0.0.1", 1, place)
    assert not gone.exists()
    place.chmod(0o777)
    try:
        notes.leave(note, "127.0.0.1", 1, place)
    except PermissionError:
        pass
    else:
        raise AssertionError


def test_the_example_of_the_page_runs(tmp_path: Path) -> None:
    """As a program of its own."""
    page = Path(__file__).parents[2] / "docs" / "ops-server.md"
    [example] = re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    variables = bare(XDG_STATE_HOME=str(tmp_path))
    subprocess.run([sys.executable, "-c", example], env=variables, check=True, timeout=120)
