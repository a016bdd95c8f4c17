"""Bots in processes of their own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import urllib3

from tests.environment import bare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class BotProcess:
    """A running bot, see ``tests.ops.bot``."""

    def __init__(self, process: subprocess.Popen[str], state: Path) -> None:
        self.process = process
        self.state = state
        self.url = self.line()
        self.port = int(urlsplit(self.url).port or 0)
        self.pool = urllib3.PoolManager(retries=False, timeout=20)

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def tell(self, command: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return self.line()

    def get(self, path: str) -> urllib3.BaseHTTPResponse:
        return self.pool.request("GET", self.url + path)

    @property
    def memory(self) -> int:
        return int(self.tell("memory"))


@contextlib.contextmanager
def running(folder: Path, **variables: str) -> Iterator[BotProcess]:
    """A bot until the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.ops.bot"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={
            **bare(),
            "OTEL_TRADING_FLIGHT_FOLDER": str(folder / "flight"),
            "XDG_STATE_HOME": str(folder / "state"),
            **variables,
        },
    )
    with process:
        bot = BotProcess(process, folder / "state")
        try:
            yield bot
        finally:
            bot.pool.clear()
            with contextlib.suppress(OSError):
                process.stdin.close()  # type: ignore[union-attr]
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
