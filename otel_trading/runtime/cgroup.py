"""The memory limit of the container, from cgroups version 1 or 2."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

_ROOT = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")
_UNLIMITED = 1 << 60
"""What the kernel shows for no limit in version 1 is a little below 2**63."""


class ContainerMemory(NamedTuple):
    """Bytes: in use, in use and not readily given back, and allowed."""

    usage: int
    working_set: int
    limit: int


class _Files(NamedTuple):
    """How a version of cgroups calls things."""

    usage: str
    limit: str
    inactive: str


_VERSION_1 = _Files("memory.usage_in_bytes", "memory.limit_in_bytes", "total_inactive_file")
_VERSION_2 = _Files("memory.current", "memory.max", "inactive_file")


def container_memory(root: Path = _ROOT, membership: Path = _MEMBERSHIP) -> ContainerMemory | None:
    """The tightest limit above this process, and what counts against it; ``None`` where nothing is limited."""
    place = _place(root, membership)
    if place is None:
        return None
    top, folder, files = place
    limited = [(limit, each) for each in _upwards(folder, top) if (limit := _limit(each / files.limit)) is not None]
    if not limited:
        return None
    limit, tightest = min(limited)
    usage = int((tightest / files.usage).read_text("ascii"))
    return ContainerMemory(usage, max(0, usage - _inactive(tightest, files)), limit)


def _place(root: Path, membership: Path) -> tuple[Path, Path, _Files] | None:
    """Top of the hierarchy that has the memory controller, the process's folder in it, and its files' names."""
    try:
        lines = [line.split(":", 2) for line in membership.read_text("utf-8").splitlines()]
    except OSError:
        return None
    for _, controllers, path in lines:
        if "memory" in controllers.split(","):
            return root / "memory", _folder(root / "memory", path), _VERSION_1
    for number, controllers, path in lines:
        if number == "0" and not controllers:
            return root, _folder(root, path), _VERSION_2
    return None


def _folder(top: Path, path: str) -> Path:
    """Where the path leads; in a container it is often the host's, and what is mounted is the container's own."""
    folder = top / path.lstrip("/")
    return folder if folder.is_dir() else top


def _upwards(folder: Path, top: Path) -> list[Path]:
    return [folder, *(parent for parent in folder.parents if parent.is_relative_to(top))]


def _limit(file: Path) -> int | None:
    try:
        text = file.read_text("ascii").strip()
    except OSError:  # the top of version 2 has none
        return None
    return None if text == "max" or int(text) >= _UNLIMITED else int(text)


def _inactive(folder: Path, files: _Files) -> int:
    for line in (folder / "memory.stat").read_text("ascii").splitlines():
        name, _, value = line.partition(" ")
        if name == files.inactive:
            return int(value)
    return 0
