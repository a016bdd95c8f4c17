"""Processes that outlive the command that started them, and that nobody else's process can be mistaken for."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from otel_trading.stack.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LOG_KEPT_BYTES = 20_000_000
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A process we started: its id, when it began (clock ticks since boot) and the program it runs.

    An id alone is reused by the system; the three together are not.
    """

    pid: int
    started: int
    program: str

    @classmethod
    def load(cls, file: Path) -> Self | None:
        """Read a record; nothing if there is none or it is unreadable."""
        try:
            return cls(**json.loads(file.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def save(self, file: Path) -> None:
        """Write the record in one step, so that a reader never sees half of it."""
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self)))
        partial.replace(file)

    def is_alive(self) -> bool:
        """Tell whether this very process still runs, or still holds its ports while it ends."""
        with suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        seen = _Seen.of(self.pid)
        if seen is None or seen.started != self.started:
            return False
        # its first thread is a zombie, its memory is gone: the files are closed only when the last thread has ended
        return seen.threads > 1 if seen.is_zombie else seen.program in {self.program, ""}

    def running_seconds(self) -> float:
        """Return how long ago the process began."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - self.started / os.sysconf("SC_CLK_TCK")

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if this very process still runs."""
        if self.is_alive():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, number)

    def wait_until_gone(self, seconds: float) -> bool:
        """Wait for the end of the process; tell whether it came."""
        deadline = time.monotonic() + seconds
        while self.is_alive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def stop(self, *, grace_seconds: float) -> bool:
        """End the process: SIGTERM, then SIGKILL after ``grace_seconds``; tell whether SIGTERM was enough."""
        self.send(signal.SIGTERM)
        if self.wait_until_gone(grace_seconds):
            return True
        self.send(signal.SIGKILL)
        self.wait_until_gone(grace_seconds)
        return False


def start_detached(command: Sequence[str], *, environment: Mapping[str, str], log: Path) -> ProcessRecord:
    """Start a program in its own session, its output appended to ``log``.

    It keeps running when this process or the terminal ends.

    Raises:
        StartError: the program cannot be executed, or ended at once.

    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_KEPT_BYTES:
        log.replace(log.with_suffix(".log.1"))
    output = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    try:
        pid = os.posix_spawn(
            command[0],
            list(command),
            dict(environment),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), output, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
    except OSError as error:
        raise StartError(f"cannot execute {command[0]}: {error.strerror}") from error
    seen = _Seen.of(pid)
    if seen is None or not seen.program:
        raise StartError(f"{command[0]} ended at once; see {log}\n{tail(log)}")
    return ProcessRecord(pid, seen.started, seen.program)


def tail(file: Path, lines: int = 8) -> str:
    """Return the last lines of a text file, or a word about its absence."""
    if not file.exists():
        return f"({file} does not exist)"
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - 400 * lines))
        return "\n".join(stream.read().decode(errors="replace").splitlines()[-lines:])


@dataclass(frozen=True, slots=True)
class _Seen:
    started: int
    threads: int
    is_zombie: bool
    program: str  # empty once the process has begun to end

    @classmethod
    def of(cls, pid: int) -> Self | None:
        folder = Path(f"/proc/{pid}")
        try:
            after_name = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        try:
            program = str((folder / "exe").readlink()).removesuffix(" (deleted)")
        except OSError:
            program = ""
        return cls(int(after_name[19]), int(after_name[17]), after_name[0] in "ZX", program)
