"""Notices that a file holds something else, however it was saved, and waits until it stands still.

Files are looked at rather than subscribed to: a look costs some microseconds, and sees what notifications of the kernel
miss or tell wrongly, such as links that are exchanged above the file (ConfigMaps of Kubernetes), network file systems,
mounts, and folders that are made later.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from otel_trading.settings import files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUIET = 0.2
"""Seconds that a file stands still before it is taken."""

PATIENCE = 1.0
"""Seconds that a file stands still which is empty, gone or not to be understood: it may be half of a save."""

_STEP = 0.05
_RACY_NS = 2_500_000_000
"""A change so soon after the last need not show: file systems stamp times as coarse as two seconds."""

_LONGEST_CHANGE = 10.0
_GONE = "there is no such file any more"

Signature = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a file holds; or why there is no ``content``."""

    path: Path | None
    content: bytes | None
    problem: str = ""


class FileWatch:
    """Looks at the file that ``find`` names at that time.

    ``known`` is what it is known to hold, ``None`` that there is none. ``usable`` says whether a content may be whole.
    """

    def __init__(
        self,
        find: Callable[[], Path | None],
        known: bytes | None,
        usable: Callable[[Path, bytes], bool],
        clock: Callable[[], float] = time.monotonic,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._find = find
        self._usable = usable
        self._clock = clock
        self._wall_ns = wall_ns
        self._told: bytes | str = _GONE if known is None else known
        self._signature: Signature | None = None
        self._since = self._restless_since = clock()
        self._seen = False
        self._fresh = True
        self._doubted: bytes | None = None
        self.settling = False
        """Whether a change is going on."""

    @property
    def restless(self) -> bool:
        """Whether it changes all the time, so that it cannot be taken."""
        return self.settling and self._clock() - self._restless_since > _LONGEST_CHANGE

    def pause(self, interval: float) -> float:
        """Seconds until the next look."""
        return min(_STEP, interval) if self.settling and not self.restless else interval

    def look(self, *, anyway: bool = False) -> Sighting | None:
        """What is new and stands still; ``anyway`` also what is known already."""
        path = self._find()
        signature = _signature(path)
        now = self._clock()
        if signature != self._signature:
            if not self.settling:
                self._restless_since = now
            self._signature, self._since, self._seen, self.settling = signature, now, False, True
        if self._seen and not self._fresh and not anyway:
            self.settling = False
            return None
        if now - self._since < QUIET:
            return None
        return self._take(path, signature, now, anyway=anyway)

    def _take(self, path: Path | None, signature: Signature, now: float, *, anyway: bool) -> Sighting | None:
        sighting = _read(path)
        if _signature(self._find()) != signature:
            return None  # it changed meanwhile
        found = sighting.problem if sighting.content is None else sighting.content
        if found != self._told and self._is_doubtful(sighting) and now - self._since < PATIENCE:
            return None
        self._seen, self.settling = True, False
        self._fresh = self._is_fresh(signature)
        if found == self._told and not anyway:
            return None
        self._told = found
        return sighting

    def _is_doubtful(self, sighting: Sighting) -> bool:
        content = sighting.content
        if content is None or sighting.path is None:
            return True
        if content == self._doubted:
            return True
        if content.strip() and self._usable(sighting.path, content):
            return False
        self._doubted = content
        return True

    def _is_fresh(self, signature: Signature) -> bool:
        """Whether it changed so lately that another change may look the same."""
        changed = max((each for each in signature[-2:] if isinstance(each, int)), default=0)
        return abs(self._wall_ns() - changed) < _RACY_NS


def _read(path: Path | None) -> Sighting:
    if path is None:
        return Sighting(path, None, _GONE)
    try:
        return Sighting(path, files.read(path))
    except FileNotFoundError:
        return Sighting(path, None, _GONE)
    except OSError as error:
        return Sighting(path, None, f"it cannot be read: {error.strerror or error}")
    except ValueError as error:
        return Sighting(path, None, str(error))


def _signature(path: Path | None) -> Signature:
    """What is different when the file is: of the file itself, whatever links lead to it."""
    if path is None:
        return (None,)
    try:
        found = os.stat(path)  # noqa: PTH116 - as cheap as it gets
    except OSError as error:
        return (str(path), error.errno)
    return (str(path), found.st_mode, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
