"""Rotated files: their names, how many are kept and how long, and compressing them."""

from __future__ import annotations

import contextlib
import os
import re
import time
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from otel_trading.logs.files.locking import try_lock, unlock

if TYPE_CHECKING:
    from pathlib import Path

_TIME = "%Y%m%dT%H%M%S.%fZ"
_PACKED, _PART = ".gz", ".gz.part"
_BLOCK = 1 << 18
_GZIP = 31
"""zlib's number for the format of gzip with the largest window."""


@dataclass(frozen=True, slots=True)
class Backups:
    """The rotated files of one log file: the newest ``keep`` are kept, each for ``days`` at most.

    They stand beside it, ``bot.log.20250115T142345.123456Z`` with the time of the rotation, and ``.gz`` behind when
    they are compressed. No other file is touched.
    """

    path: Path
    keep: int
    days: float
    compress: bool

    def free_name(self, now: float) -> Path:
        """Where the file goes that is rotated now: behind all others, also when the clock was set back since."""
        moment = datetime.fromtimestamp(now, UTC)
        for backup in self.found():
            with contextlib.suppress(ValueError, OverflowError):  # it only looks like a time
                last = datetime.fromisoformat(backup.name.removeprefix(f"{self.path.name}."))
                moment = max(moment, last + timedelta(microseconds=1))
                break
        return self.path.with_name(f"{self.path.name}.{moment.strftime(_TIME)}")

    def found(self) -> dict[Path, set[str]]:
        """The rotated files, the newest first, each with the endings under which it is there."""
        pattern = re.compile(re.escape(self.path.name) + r"\.(\d{8}T\d{6}\.\d{6}Z)(\.gz(?:\.part)?)?")
        found: dict[Path, set[str]] = {}
        try:
            names = os.listdir(self.path.parent)  # noqa: PTH208 - a name that is no UTF-8 costs nothing here
        except FileNotFoundError:
            return {}
        for name in names:
            match = pattern.fullmatch(name)
            if match:
                found.setdefault(self.path.with_name(f"{self.path.name}.{match[1]}"), set()).add(match[2] or "")
        return dict(sorted(found.items(), reverse=True))

    def tidy(self, now: float) -> None:
        """Remove what is too old or too many, compress what is not yet, and remove what a killed compression left."""
        oldest = f"{self.path.name}.{datetime.fromtimestamp(now - 86_400 * self.days, UTC).strftime(_TIME)}"
        kept = 0
        for backup, endings in self.found().items():
            whole = endings - {_PART}
            if whole and kept < self.keep and backup.name >= oldest:
                kept += 1
                if self.compress and "" in whole:
                    self._pack(backup)
            elif whole or not _in_work(backup):
                for ending in endings:
                    _remove(f"{backup}{ending}")

    def _pack(self, backup: Path) -> None:
        """Compress one file, unless another process is at it, or it is the one that is written."""
        with contextlib.suppress(FileNotFoundError):
            source = os.open(backup, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if not try_lock(source) or _same(source, self.path) or not _same(source, backup):
                    return
                if not os.path.lexists(f"{backup}{_PACKED}"):  # else whoever made it was killed before the last step
                    _compressed(source, f"{backup}{_PART}")
                    os.rename(f"{backup}{_PART}", f"{backup}{_PACKED}")  # noqa: PTH104 - texts as everywhere here
                _remove(backup)
            except OSError:
                _remove(f"{backup}{_PART}")
                raise
            finally:
                unlock(source)
                os.close(source)


def _compressed(source: int, target: str) -> None:
    """Compress a file with half a processor at most: as long as it works it rests."""
    status = os.fstat(source)
    packer = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
    with open(target, "wb", opener=_private) as file:
        os.fchmod(file.fileno(), status.st_mode & 0o777)
        place, began = 0, time.monotonic()
        while block := os.pread(source, _BLOCK, place):
            place += len(block)
            file.write(packer.compress(block))  # without the interpreter lock
            time.sleep(time.monotonic() - began)
            began = time.monotonic()
        file.write(packer.flush())
        file.flush()
        os.fsync(file.fileno())
        os.utime(file.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _in_work(backup: Path) -> bool:
    """Whether what belongs to a part may come yet; alone it is what a killed process left."""
    return os.path.lexists(backup)


def _same(descriptor: int, path: Path) -> bool:
    try:
        found = path.stat()
    except OSError:
        return False
    return os.path.samestat(os.fstat(descriptor), found)


def _remove(path: str | Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 - as above
