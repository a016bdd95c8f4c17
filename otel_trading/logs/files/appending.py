"""A file that several processes append whole lines to, whoever renames or removes it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING, Protocol

from otel_trading.logs.files.locking import lock, unlock

if TYPE_CHECKING:
    from pathlib import Path

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_MODE = 0o640
_OURS = b'{"timestamp":"'
_BLOCK = 1 << 16
_LONGEST = 1 << 24
"""Bytes that are looked through for the beginning of a torn line."""

_ATTEMPTS = 100
"""Times that others may rotate the file before it is somebody else's turn; each time a whole file was written."""


class PartlyError(OSError):
    """Only so many bytes of the lines are in the file, up to the end of one."""

    def __init__(self, cause: OSError, written: int) -> None:
        super().__init__(cause.errno, cause.strerror)
        self.written = written


class Rotating(Protocol):
    """Decides about the rotation of a file."""

    def due(self, status: os.stat_result, more: int) -> bool: ...

    def backup(self, path: Path) -> Path: ...

    def rotated(self, path: Path) -> None: ...

    def failed(self, error: OSError) -> None: ...


class Appender:
    """Appends whole lines to the file that stands under the path.

    Each writing holds a lock of the file and looks whether it is still the one of that path. So no line comes into a
    file after it was rotated, and what a full disk or a killed process left of a line can be cut off.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        self._end = -1
        """Where the file ended when it was last seen to end in a whole line."""

    def append(self, lines: bytes, rotator: Rotating) -> None:
        """Append whole lines; ``OSError`` when it cannot be done, ``PartlyError`` when some of them came in."""
        for _ in range(_ATTEMPTS):
            if self._descriptor < 0:
                self.open()
            descriptor, rotated = self._descriptor, None
            if not lock(descriptor, self._is_current):
                self.close()
                continue
            try:
                if not self._is_current():
                    self._descriptor = self._end = -1
                else:
                    status = os.fstat(descriptor)
                    size = status.st_size if status.st_size == self._end else self._mended(status.st_size)
                    rotated = self._rotated(rotator) if rotator.due(status, len(lines)) else None
                    if rotated is None:
                        self._put(lines, size)
                        return
            finally:
                unlock(descriptor)
                if descriptor != self._descriptor:
                    os.close(descriptor)
            if rotated is not None:
                rotator.rotated(rotated)
        raise OSError(errno.EAGAIN, "others rotate it all the time")

    def open(self) -> None:
        """Open the file of the path, which is made, with its folder, if it is not there."""
        self.close()
        try:
            descriptor = os.open(self.path, _FLAGS, _MODE)
        except FileNotFoundError:
            self.path.parent.mkdir(0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path, _FLAGS, _MODE)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "no regular file")
        self._descriptor = descriptor

    def close(self) -> None:
        """Close it; the next ``append`` opens it again."""
        descriptor, self._descriptor, self._end = self._descriptor, -1, -1
        if descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _is_current(self) -> bool:
        if self._descriptor < 0:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), self.path.stat())
        except OSError:
            return False

    def _rotated(self, rotator: Rotating) -> Path | None:
        """Begin another file, and say where; the old one is left to ``append``, which holds its lock."""
        path = self.path.resolve()
        before = self._descriptor
        try:
            backup = rotator.backup(path)
            path.rename(backup)
            self._descriptor = self._end = -1
            try:
                self.open()
            except OSError:  # no room for another file: go on with this one; nobody else could make one either
                self._descriptor = before
                if not os.path.lexists(path):
                    backup.rename(path)
                raise
        except OSError as error:
            rotator.failed(error)
            return None
        return path

    def _put(self, lines: bytes, size: int) -> None:
        rest, done = memoryview(lines), 0
        try:
            while done < len(lines):
                done += os.write(self._descriptor, rest[done:])
        except OSError as error:
            whole = lines.rfind(b"\n", 0, done) + 1
            self._end = -1
            if whole < done:
                with contextlib.suppress(OSError):  # then the next writing finds it
                    os.ftruncate(self._descriptor, size + whole)
            raise PartlyError(error, whole) from error
        self._end = size + done

    def _mended(self, size: int) -> int:
        """The size of the file without what a killed process left of a line; what is not ours is ended instead."""
        if size == 0 or os.pread(self._descriptor, 1, size - 1) == b"\n":
            return size
        start, found = size, -1
        while found < 0 < start and size - start < _LONGEST:
            begin = max(0, start - _BLOCK)
            found = os.pread(self._descriptor, start - begin, begin).rfind(b"\n")
            start = begin if found < 0 else begin + found + 1
        torn = os.pread(self._descriptor, len(_OURS), start)
        if (found >= 0 or start == 0) and (_OURS.startswith(torn) or not torn.strip(b"\0")):
            os.ftruncate(self._descriptor, start)
            return start
        return size + os.write(self._descriptor, b"\n")
