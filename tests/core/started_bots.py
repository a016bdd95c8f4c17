"""Bots in processes of their own that are still running: to be told something, signalled, and waited for."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from tests.environment import bare

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

WAIT = 60.0
"""Seconds that nothing takes unless it hangs."""


_HANGS_UP = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
"""Whoever runs the tests may have it ignored, as nohup does."""


class StartedBot:
    """A bot that runs; killed at the end of the block if it is still there."""

    def __init__(self, source: str, folder: Path, **variables: str) -> None:
        script = folder / f"my_bot_{len(list(folder.iterdir()))}.py"
        script.write_text(_HANGS_UP + source, "utf-8")
        ours = {
            "OTEL_SERVICE_NAME": "test-bot",
            "OTEL_TRADING_OPS_ENABLED": "false",
            "OTEL_TRADING_BANNER": "false",
            "OTEL_TRADING_TRACES_RETENTION": "all",
            "OTEL_TRADING_FLIGHT_FOLDER": str(folder / "flight"),
            "OTEL_TRADING_SPOOL_FOLDER": str(folder / "spool"),
            "OTEL_TRADING_EMERGENCY_FOLDER": str(folder / "emergency"),
        }
        self.process = subprocess.Popen(
            [sys.executable, str(script)],
            env=bare(**ours | variables),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._watch(WAIT)

    def _watch(self, seconds: float) -> None:
        self.patience = seconds
        self._watchdog = threading.Timer(seconds, self.process.kill)
        self._watchdog.start()

    def extend(self, seconds: float) -> None:
        """Give it so many seconds from now."""
        self._watchdog.cancel()
        self._watch(seconds)

    def line(self) -> str:
        """The next line it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def ready(self) -> Self:
        """Wait until it says so."""
        line = self.line()
        assert line == "ready", (line, self.ended())
        return self

    def ended(self) -> tuple[int, str, str]:
        """Its exit status and what else it said, once it has ended."""
        out, err = self.process.communicate(timeout=self.patience)
        return self.process.returncode, out, err

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._watchdog.cancel()
        self.process.kill()
        self.process.communicate()
