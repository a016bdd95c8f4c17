"""Space on the file systems that the bot writes to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from opentelemetry.metrics import Observation

from otel_trading.runtime.readings import Observations, Psutil, Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from otel_trading.runtime.thresholds import Thresholds
    from otel_trading.runtime.troubles import Troubles

_USAGE, _UTILIZATION = "system.filesystem.usage", "system.filesystem.utilization"

ROWS = (
    Row(_USAGE, "up_down_counter", "By", "Space of a file system, by state."),
    Row(_UTILIZATION, "gauge", "1", "Used share of the space of a file system."),
)

_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "autofs"})


class RemoteFileSystemError(OSError):
    """The path is on a network file system: asking it for its space may never return."""


class DiskSampler:
    """Reads the space of file systems; a path that cannot be read costs only itself."""

    def __init__(self, psutil: Psutil, paths: Sequence[str], thresholds: Thresholds, troubles: Troubles) -> None:
        self._psutil = psutil
        self._paths = tuple(os.path.abspath(path) for path in paths)  # noqa: PTH100 - resolving would ask the disk
        self._thresholds = thresholds
        self._troubles = troubles

    def space(self) -> dict[str, Observations]:
        """Used, free and reserved bytes, and the used share of what is not reserved; once for each file system."""
        readings: dict[str, Observations] = {_USAGE: (), _UTILIZATION: ()}
        mounts = self._psutil.disk_partitions(all=True)
        seen = set()
        for path in self._paths:
            mount = mount_of(path, mounts)
            if mount is None or mount.mountpoint in seen:
                continue
            seen.add(mount.mountpoint)
            try:
                usage, utilization = self._measure(mount, path)
            except OSError as error:
                self._troubles.note(f"disk {path}", error)
                continue
            readings[_USAGE] += usage
            readings[_UTILIZATION] += utilization
        return readings

    def _measure(self, mount: Any, path: str) -> tuple[Observations, Observations]:  # noqa: ANN401 - psutil's
        if is_remote(mount.fstype):
            raise RemoteFileSystemError(f"{path} is on {mount.fstype}, which may not answer")
        space = self._psutil.disk_usage(path)
        where = {"system.device": mount.device, "system.filesystem.mountpoint": mount.mountpoint}
        states = {"used": space.used, "free": space.free, "reserved": max(0, space.total - space.used - space.free)}
        usage = tuple(
            Observation(count, {**where, "system.filesystem.state": state}) for state, count in states.items()
        )
        utilization = space.used / ((space.used + space.free) or 1)
        self._thresholds.check("disk", utilization, mount.mountpoint)
        return usage, (Observation(utilization, where),)


def is_remote(kind: str) -> bool:
    """Whether a file system of this type may never answer.

    >>> is_remote("nfs4"), is_remote("ext4")
    (True, False)
    """
    return kind in _REMOTE or kind.startswith("fuse.")


def mount_of(path: str, mounts: Iterable[Any]) -> Any:  # noqa: ANN401 - psutil's
    """The mount that a path is on: the deepest above it, of several at one place the last.

    >>> from types import SimpleNamespace
    >>> mounts = [SimpleNamespace(mountpoint=place) for place in ("/", "/data", "/data/journal")]
    >>> mount_of("/data/journals/today", mounts).mountpoint
    '/data'
    """
    best = None
    for mount in mounts:
        place = mount.mountpoint.rstrip("/")
        if f"{path}/".startswith(f"{place}/") and (best is None or len(mount.mountpoint) >= len(best.mountpoint)):
            best = mount
    return best
