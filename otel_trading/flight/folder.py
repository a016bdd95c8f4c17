"""Where recordings are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from otel_trading import _native, folders

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHARED = Path("/dev/shm")  # noqa: S108 - a folder of one's own in it, see ``prepared``
_MOUNTS = Path("/proc/self/mounts")


@dataclass(frozen=True, slots=True)
class Listed:
    """A recording of the folder; nothing is known of its process when its header cannot be read."""

    path: Path
    size: int
    changed: float
    in_use: bool
    state: str | None
    pid: int = 0
    service: str = ""
    started_ns: int = 0


def default_folder(variables: Mapping[str, str] = os.environ) -> Path:
    """The folder when none is given: in memory where that can be had, else where programs keep their state.

    >>> default_folder().is_absolute()
    True
    """
    if _in_memory(_SHARED):
        return _SHARED / f"otel-trading-{os.getuid()}"
    return folders.state_folder("flight", variables)


def _in_memory(folder: Path) -> bool:
    try:
        mounts = [line.split() for line in _MOUNTS.read_text("utf-8", "replace").splitlines()]
    except OSError:
        return False
    return any(mount[1:3] == [str(folder), "tmpfs"] for mount in mounts) and os.access(folder, os.W_OK | os.X_OK)


def prepared(given: str | Path | None) -> Path:
    """The folder, made if it is not there; ``OSError`` when it is not for this user alone to write to."""
    return folders.prepared(Path(given) if given else default_folder(), given=bool(given))


def recordings(folder: Path) -> list[Listed]:
    """The recordings of a folder, oldest change first; none when it cannot be read."""
    try:
        found = _native.list_flights(folder)
    except OSError:
        return []
    return [_listed(*each) for each in found]


def _listed(
    path: str | Path, size: int, changed: float, in_use: bool, header: tuple[int, str, int, str] | None
) -> Listed:
    if header is None:
        return Listed(Path(path), size, changed, in_use, None)
    pid, service, started_ns, state = header
    return Listed(Path(path), size, changed, in_use, state, pid, service, started_ns)
