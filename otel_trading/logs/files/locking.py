"""One process at a time writes a file."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PAUSES = (0.000_05,) * 40 + (0.001,) * 50 + (0.01,) * 145
"""Seconds between two attempts, one and a half in total: others hold it for one write or one rename."""

_TRIES = 50


class BusyError(OSError):
    """Another process has held the lock all the time, such as one that was stopped at that moment."""

    def __init__(self) -> None:
        super().__init__(errno.EAGAIN, "another process holds it")


def lock(descriptor: int, wanted: Callable[[], bool]) -> bool:
    """Lock an open file, which ends with its process; ``BusyError`` when that takes too long.

    False as soon as it is not ``wanted`` any more. Where a file system knows no locks there is none, and a line may be
    torn when the disk is full.
    """
    for pause in _PAUSES:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wanted():
                return False
            time.sleep(pause)
        except OSError:
            return True
        else:
            return True
    raise BusyError


def try_lock(descriptor: int) -> bool:
    """Lock an open file unless somebody keeps it; whether it is ours for certain."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # a writer that has not seen yet that it was rotated; or somebody compresses it
            time.sleep(0.01)
        except OSError:
            return False
        else:
            return True
    return False


def unlock(descriptor: int) -> None:
    """Let others have it, forked children with a copy of the descriptor included."""
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
