"""A log file as a sink: it never raises, and what the disk does not take waits."""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import TYPE_CHECKING
from weakref import WeakSet

from otel_trading import forks
from otel_trading.logs.files.appending import Appender, PartlyError
from otel_trading.logs.files.locking import BusyError
from otel_trading.logs.files.rotation import Rotation, Rotator
from otel_trading.logs.files.waiting import LEVELS, Waiting, counted
from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_AGAIN = 1.0
"""Seconds after which a file that could not be written is tried again."""

_AGAIN_IF_BUSY = 5.0
"""The same where another process holds it, which takes more than a second to find out."""

_REPEATED = 600.0
"""Seconds between two reports of lost lines."""


class JsonFile:
    """A file of lines, rotated by size and by day, safe with several processes.

    What cannot be written waits in memory, at most ``memory`` bytes of it, and comes into the file when that takes it
    again; beyond it the least severe lines go first, and are counted. ``option`` is its name in messages.

    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> file = JsonFile(Path(mkdtemp()) / "logs" / "bot.log")
    >>> file.write(b'{"timestamp":"2025-01-15T14:23:45.123456Z","level":"INFO"}' + bytes([10]), {"INFO": 1})
    {}
    >>> file.close()
    {}
    """

    def __init__(
        self,
        path: Path,
        *,
        level: int = 0,
        rotation: Rotation | None = None,
        option: str = "log_file",
        memory: int = 8 << 20,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        path = path.expanduser().absolute()
        self.path = path
        self.level = level
        self.problem: str | None = None
        """Why nothing can be written at the moment."""

        self._lock = forks.lock()
        self._name = f"{option}={path}"
        self._file = Appender(path)
        self._rotator = Rotator(self._name, rotation or Rotation(), now=now, clock=clock)
        self._waiting = Waiting(memory)
        self._memory = memory
        self._clock = clock
        self._reopen = False
        self.closed = False
        self._next_try = self._next_report = float("-inf")
        self._lost: Counter[str] = Counter()
        self._untold: Counter[str] = Counter()
        _files.add(self)
        self._try(b"")
        self.flush()

    def write(self, lines: bytes, counts: Mapping[str, int]) -> Mapping[str, int]:
        """Append whole lines; how many were lost since the last answer, by level."""
        with self._lock:
            self._look_anew()
            if self.problem is None:
                self._try(lines)
            else:
                self._keep(lines)
                self._try_again()
            return self._answer()

    def flush(self) -> None:
        """Try again what waits, if it is time to, and look after what was rotated."""
        with self._lock:
            self._look_anew()
            self._try_again()
            if self.problem is None and not self.closed and self._rotator.is_time_to_tidy():
                self._rotator.tidy(self.path.resolve())

    def reopen(self) -> None:
        """Open the file of the path anew before the next line; may be called from anywhere."""
        self._reopen = True

    def close(self) -> Mapping[str, int]:
        """Write what waits, and close; how many lines are lost with it."""
        with self._lock:
            self._next_try = float("-inf")
            self._try_again()
            self._lose(counted(self._waiting.take()))
            self._file.close()
            self.closed = True
            self._tell()
            return self._answer()

    def let_go_in_child(self) -> None:
        """Begin anew in a forked child: the descriptor shares its lock with the parent's, and what waits is its."""
        self._file.close()
        self._waiting.take()
        self._lost.clear()
        self._untold.clear()

    def _look_anew(self) -> None:
        if self._reopen:
            self._reopen, self._next_try = False, float("-inf")
            self._file.close()

    def _try_again(self) -> None:
        if self.problem is not None and self._clock() >= self._next_try:
            self._try(self._waiting.take())

    def _try(self, lines: bytes) -> None:
        try:
            self._file.append(lines, self._rotator)
        except PartlyError as error:
            self._fails(error)
            self._keep(lines[error.written :])
        except OSError as error:
            self._fails(error)
            self._keep(lines)
        else:
            if lines:
                self._rotator.wrote()
            if self.problem is not None:
                self.problem = None
                self._tell("is written again")

    def _fails(self, error: OSError) -> None:
        self._next_try = self._clock() + (_AGAIN_IF_BUSY if isinstance(error, BusyError) else _AGAIN)
        known, self.problem = self.problem is not None, f"{self._name} cannot be written: {error.strerror or error}"
        if not known:
            report(f"{self.problem}; lines wait in memory, at most {self._memory >> 20} MiB, the severest longest")

    def _keep(self, lines: bytes) -> None:
        self._lose(self._waiting.add(lines))

    def _lose(self, lost: Counter[str]) -> None:
        if lost:
            self._lost += lost
            self._untold += lost
            if self._clock() >= self._next_report:
                self._tell()

    def _tell(self, news: str = "") -> None:
        said = [news] if news else []
        if self._untold:
            said.append("lines are lost: " + ", ".join(f"{self._untold[n]} {n}" for n in LEVELS if self._untold[n]))
            self._untold = Counter()
            self._next_report = self._clock() + _REPEATED
        if said:
            report(f"{self._name}: " + "; ".join(said))

    def _answer(self) -> Mapping[str, int]:
        if not self._lost:
            return {}
        lost, self._lost = dict(self._lost), Counter()
        return lost


_files: WeakSet[JsonFile] = WeakSet()


def open_files() -> list[JsonFile]:
    """The log files of this process; asks no lock, as it is called where a signal is handled."""
    return [file for file in list(_files) if not file.closed]


def _in_child() -> None:
    for file in list(_files):
        file.let_go_in_child()


os.register_at_fork(after_in_child=_in_child)
