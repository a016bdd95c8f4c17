"""What runtime telemetry measures, how often, and from which values on it warns."""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeOptions:
    """The switches, intervals (seconds) and thresholds of runtime telemetry; a threshold of ``None`` is off.

    >>> RuntimeOptions(memory_threshold=None).descriptor_threshold
    500
    """

    gc: bool = True
    """Pauses of the garbage collector."""
    event_loops: bool = True
    """Lag and stalls of asyncio and uvloop loops."""
    process: bool = True
    """The bot's own CPU, memory, threads and descriptors."""
    system: bool = True
    """The machine's, or container's, CPU, memory, disks, network and load."""

    interval: float = 5.0
    """Between two samples of process and system."""
    disk_interval: float = 30.0
    """Between two samples of the disks."""
    disk_paths: tuple[str, ...] = ("/", ".")
    """Paths whose file systems are measured; network file systems are refused, for they may not answer."""
    heartbeat: float = 0.1
    """Between two measurements of an event loop's lag."""

    stall_threshold: float = 1.0
    """Seconds without an answer after which an event loop is stalled."""
    slow_threshold: float = 1.0
    """Seconds from which on an operation is slow, unless ``watch_slow`` says otherwise."""
    memory_threshold: float | None = 1024 * MEGABYTE
    """Bytes of resident memory."""
    descriptor_threshold: float | None = 500
    """Open file descriptors."""
    cpu_threshold: float | None = 0.9
    """CPU seconds a second, over a minute: 1 is one core, which is all that one thread of Python can use."""
    disk_threshold: float | None = 0.9
    """Used share of a file system."""
    container_memory_threshold: float | None = 0.9
    """Used share of the container's memory limit."""

    def limits(self) -> dict[str, float | None]:
        """The thresholds by the name of their resource."""
        return {
            "process.memory": self.memory_threshold,
            "process.file_descriptors": self.descriptor_threshold,
            "process.cpu": self.cpu_threshold,
            "disk": self.disk_threshold,
            "container.memory": self.container_memory_threshold,
        }
