"""Disk space and memory."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otel_trading.forks import whole_imports
from otel_trading.health.model import Component, Condition
from otel_trading.runtime.cgroup import container_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from otel_trading.health.conditions import Conditions, Limits
    from otel_trading.health.model import State

MEGABYTE = 1024 * 1024
_SHARE = 0.1
"""A small file system is low only below this share of its size, whatever the limit."""
_FULL = 16 * MEGABYTE
"""Free bytes below which a file system is as good as full."""
_STATM = Path("/proc/self/statm")
_DESCRIPTORS = Path("/proc/self/fd")


@dataclass(frozen=True, slots=True)
class Space:
    """A file system: where it is mounted, bytes that are free for the bot, and all of them."""

    mount: str
    free: int
    total: int


def spaces(paths: Iterable[str]) -> list[Space]:
    """The file systems of these paths, each once; blocks, and leaves those out that may never answer."""
    with whole_imports():
        import psutil

        from otel_trading.runtime.disk import is_remote, mount_of
    mounts: Any = psutil.disk_partitions(all=True)
    found: dict[str, Space] = {}
    for path in paths:
        wanted = os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111 - resolving would ask the disk
        mount = mount_of(wanted, mounts)
        if mount is None or mount.mountpoint in found or is_remote(mount.fstype):
            continue
        try:
            figures = os.statvfs(_existing(wanted))
        except OSError:
            continue
        free, total = figures.f_bavail * figures.f_frsize, figures.f_blocks * figures.f_frsize
        if total:
            found[mount.mountpoint] = Space(mount.mountpoint, free, total)
    return list(found.values())


class Disks:
    """Judges file systems; somebody else measures them."""

    def __init__(self, conditions: Conditions, wall_ns: Callable[[], int]) -> None:
        self._conditions = conditions
        self._wall_ns = wall_ns
        self._spaces: list[Space] = []
        self.components: tuple[Component, ...] = ()

    def use(self, measured: list[Space]) -> None:
        """Take in what was measured."""
        self._spaces = measured

    def look(self, now: float, limits: Limits) -> None:
        """Compare what was measured last with the limits."""
        self._conditions.keep("LowDiskSpace", {space.mount for space in self._spaces})
        self.components = tuple(self._component(space, now, limits) for space in self._spaces)

    def _component(self, space: Space, now: float, limits: Limits) -> Component:
        limit = min(limits.disk_free, _SHARE * space.total)
        left, allowed = space.free / MEGABYTE, limit / MEGABYTE
        said = f"{left:,.0f} MB are left on {space.mount}, the limit is {allowed:,.0f} MB"
        low = self._conditions.judge(
            Condition("LowDiskSpace", space.mount, round(left, 1), round(allowed, 1), said),
            now,
            bad=space.free < limit,
            good=space.free >= limit / limits.recovered_at,
            after=limits.holds,
            recovers=limits.recovers,
        )
        state: State = "healthy" if low is None else "down" if space.free < min(_FULL, limit) else "degraded"
        details = {
            "free_mb": round(left, 1),
            "total_mb": round(space.total / MEGABYTE, 1),
            "used_share": round(1 - space.free / space.total, 4),
        }
        reasons = () if low is None else (low.text,)
        return Component(
            *(f"disk {space.mount}", state, False, reasons, details), checked_ns=self._wall_ns(), kind="disk"
        )


class Process:
    """What the bot's process takes."""

    def __init__(self, clock: Callable[[], float], wall_ns: Callable[[], int]) -> None:
        self._clock = clock
        self._wall_ns = wall_ns
        self._began = clock()
        self._cpu = (clock(), time.process_time())
        self.metrics: Mapping[str, object] = {}
        self.components: tuple[Component, ...] = ()

    def look(self, limit: float, container_limit: float) -> None:
        """Measure now; ``limit`` is bytes of resident memory, ``container_limit`` a share of the container's."""
        now, used = self._clock(), time.process_time()
        (then, before), self._cpu = self._cpu, (now, used)
        resident = _resident()
        metrics: dict[str, object] = {
            "uptime_seconds": round(now - self._began, 1),
            "cpu_percent": round(100 * (used - before) / (now - then), 1) if now > then else 0.0,
            "threads": threading.active_count(),
        }
        details: dict[str, object] = {}
        reasons = []
        if resident:
            metrics["memory_rss_mb"] = details["rss_mb"] = round(resident / MEGABYTE, 1)
            if limit and resident > limit:
                reasons.append(f"{resident / MEGABYTE:,.0f} MB are in use, the limit is {limit / MEGABYTE:,.0f} MB")
        if hasattr(os, "getloadavg"):
            metrics["load_average"] = round(os.getloadavg()[0], 2)
        try:
            metrics["open_files"] = len(os.listdir(_DESCRIPTORS))  # noqa: PTH208 - only counted
            container = container_memory()
        except (OSError, ValueError):
            container = None
        if container is not None:
            share = container.working_set / container.limit
            details |= {"container_limit_mb": round(container.limit / MEGABYTE, 1), "container_share": round(share, 4)}
            if container_limit and share > container_limit:
                reasons.append(f"{share:.0%} of the container's memory are in use")
        self.metrics = metrics
        state: State = "degraded" if reasons else "healthy"
        self.components = (
            Component("memory", state, False, tuple(reasons), details, checked_ns=self._wall_ns(), kind="memory"),
        )


def _resident() -> int:
    try:
        return int(_STATM.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _existing(place: str) -> str:
    """The path, or the nearest folder above it that is there."""
    while not os.path.exists(place):  # noqa: PTH110 - as above
        above = os.path.dirname(place)  # noqa: PTH120 - as above
        if above == place:
            break
        place = above
    return place
