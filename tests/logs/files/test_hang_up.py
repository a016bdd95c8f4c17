"""SIGHUP opens log files anew; where the terminal is gone, and without log files, it ends the bot as ever."""

from __future__ import annotations

import os
import pty
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.core.started_bots import WAIT, StartedBot
from tests.environment import bare
from tests.logs.files.numbered import breaks

if TYPE_CHECKING:
    from pathlib import Path

WRITES = """
import os, signal, sys, threading, time
from pathlib import Path
import otel_trading as ot
from otel_trading.logs.files.file import JsonFile
{before}
telemetry = ot.configure(**dict.fromkeys(("traces_exporter", "metrics_exporter", "logs_exporter"), "none"),
                         runtime_enabled=False, ops_enabled=False, banner=False)
file = JsonFile(Path("logs/bot.log"))
number = 0
os.write(1, b"ready\\n")
while True:
    file.write(b'{{"timestamp":"2025-01-15T14:23:45.123456Z","level":"INFO","n":%d}}\\n' % number, {{}})
    number += 1
    time.sleep(0.001)
"""


def until(condition: object, seconds: float = WAIT) -> None:
    """Wait until it holds."""
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("own", [False, True], ids=["no handler of the bot", "a handler of the bot"])
def test_a_bot_with_log_files_goes_on(tmp_path: Path, own: bool) -> None:
    """As after logrotate: the file was renamed, the next line is in a new one, and the bot runs."""
    before = 'signal.signal(signal.SIGHUP, lambda *_: os.write(1, b"hung up\\n"))' if own else ""
    path = tmp_path / "logs" / "bot.log"
    with StartedBot(WRITES.format(before=before), tmp_path) as bot:
        bot.ready()
        for turn in range(3):
            until(lambda: path.exists() and path.stat().st_size)
            path.rename(path.with_name(f"old.{turn}"))
            bot.process.send_signal(signal.SIGHUP)
            if own:
                assert bot.line() == "hung up"
        until(lambda: path.exists() and path.stat().st_size)
        assert bot.process.poll() is None
        bot.process.send_signal(signal.SIGTERM)
        assert bot.ended()[0] == -signal.SIGTERM
    texts = [path.with_name(f"old.{turn}").read_text("utf-8") for turn in range(3)] + [path.read_text("utf-8")]
    found = [int(each.split(":")[-1].rstrip("}")) for each in "".join(texts).splitlines()]
    assert breaks(found) == []


def test_without_log_files_it_ends_the_bot(tmp_path: Path) -> None:
    """As it does without the kit."""
    begin = WRITES.format(before="")
    source = begin[: begin.index("file = ")] + 'os.write(1, b"ready\\n")\ntime.sleep(600)\n'
    with StartedBot(source, tmp_path) as bot:
        bot.ready().process.send_signal(signal.SIGHUP)
        assert bot.ended()[0] == -signal.SIGHUP


def test_with_its_terminal_gone_it_ends_also_with_log_files(tmp_path: Path) -> None:
    """A signal that somebody sends while the terminal is there only opens the files anew."""
    script = tmp_path / "bot.py"
    script.write_text(WRITES.format(before="signal.signal(signal.SIGHUP, signal.SIG_DFL)"), "utf-8")
    path = tmp_path / "logs" / "bot.log"
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        clean = bare()
        os.execve(  # noqa: S606 - the terminal is already there
            sys.executable, [sys.executable, str(script)], clean
        )
    try:
        until(lambda: path.exists() and path.stat().st_size)
        os.kill(child, signal.SIGHUP)
        path.unlink()
        until(lambda: path.exists() and path.stat().st_size)
        assert os.waitpid(child, os.WNOHANG) == (0, 0)
        os.close(terminal)
        ended: list[int] = []

        def has_ended() -> bool:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                ended.append(os.waitstatus_to_exitcode(status))
            return bool(pid)

        until(has_ended)
        assert ended == [-signal.SIGHUP]
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
