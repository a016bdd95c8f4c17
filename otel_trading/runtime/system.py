"""The machine: CPU, memory, load, network, and the container's memory limit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opentelemetry.metrics import Observation

from otel_trading.runtime.cgroup import container_memory
from otel_trading.runtime.readings import Observations, Psutil, Row, by, one

if TYPE_CHECKING:
    from otel_trading.runtime.cgroup import ContainerMemory
    from otel_trading.runtime.thresholds import Thresholds

ROWS = (
    Row("system.cpu.utilization", "gauge", "1", "Share of the CPUs' time, by mode."),
    Row("system.memory.usage", "up_down_counter", "By", "Memory of the machine, by state."),
    Row("system.memory.utilization", "gauge", "1", "Share of the machine's memory, by state."),
    Row("system.memory.limit", "up_down_counter", "By", "Memory of the machine."),
    Row("system.memory.linux.available", "up_down_counter", "By", "Memory that programs can still get."),
    Row("container.memory.usage", "up_down_counter", "By", "Memory that counts against the container's limit."),
    Row("container.memory.working_set", "up_down_counter", "By", "The part of it that is not readily given back."),
    Row("container.memory.available", "up_down_counter", "By", "What the container's limit leaves."),
    Row("system.network.connection.count", "up_down_counter", "{connection}", "Sockets in use, by transport."),
    Row("system.network.io", "counter", "By", "Bytes transferred, by interface and direction."),
    Row("system.cpu.load_average.1m", "gauge", "{thread}", "Average load of the last minute."),
    Row("system.cpu.load_average.5m", "gauge", "{thread}", "Average load of the last 5 minutes."),
    Row("system.cpu.load_average.15m", "gauge", "{thread}", "Average load of the last 15 minutes."),
)

_SOCKET_STATISTICS = (Path("/proc/self/net/sockstat"), Path("/proc/self/net/sockstat6"))
_TRANSPORTS = {"TCP": "tcp", "TCP6": "tcp", "UDP": "udp", "UDP6": "udp"}
_INSIDE_ONLY = ("lo", "veth", "docker", "br-", "virbr", "cni", "cali", "flannel", "ifb", "dummy")
"""Interfaces whose traffic stays in the machine, or is counted on another one too."""


class SystemSampler:
    """Reads the machine's resources through psutil, and the container's from its cgroup."""

    def __init__(self, psutil: Psutil, thresholds: Thresholds) -> None:
        self._psutil = psutil
        self._thresholds = thresholds
        self._cpu_before: dict[str, float] | None = None

    def cpu(self) -> dict[str, Observations]:
        """Shares of all CPUs' time since the last call; the first call has nothing to compare with."""
        now = cpu_modes(self._psutil.cpu_times())
        before, self._cpu_before = self._cpu_before, now
        if before is None:
            return {}
        spent = {mode: max(0.0, seconds - before[mode]) for mode, seconds in now.items()}
        total = sum(spent.values())
        if total == 0:
            return {}
        return {"system.cpu.utilization": by("cpu.mode", {mode: each / total for mode, each in spent.items()})}

    def memory(self) -> dict[str, Observations]:
        """Memory by state; the states add up to all there is."""
        memory = self._psutil.virtual_memory()
        states = {name: getattr(memory, name, 0) for name in ("free", "buffers", "cached")}
        states["used"] = max(0, memory.total - sum(states.values()))
        shares = {state: count / memory.total for state, count in states.items()}
        return {
            "system.memory.usage": by("system.memory.state", states),
            "system.memory.utilization": by("system.memory.state", shares),
            "system.memory.limit": one(memory.total),
            "system.memory.linux.available": one(memory.available),
        }

    def container(self, memory: ContainerMemory | None = None) -> dict[str, Observations]:
        """Memory of the container, where it has a limit."""
        memory = memory or container_memory()
        if memory is None:
            return {}
        self._thresholds.check("container.memory", memory.working_set / memory.limit)
        return {
            "container.memory.usage": one(memory.usage),
            "container.memory.working_set": one(memory.working_set),
            "container.memory.available": one(max(0, memory.limit - memory.working_set)),
        }

    def network(self) -> dict[str, Observations]:
        """Bytes by interface and direction."""
        observations = []
        for name, counters in self._psutil.net_io_counters(pernic=True, nowrap=False).items():
            if not name.startswith(_INSIDE_ONLY):
                interface = {"network.interface.name": name}
                observations += [
                    Observation(counters.bytes_recv, {**interface, "network.io.direction": "receive"}),
                    Observation(counters.bytes_sent, {**interface, "network.io.direction": "transmit"}),
                ]
        return {"system.network.io": tuple(observations)}

    def connections(self) -> dict[str, Observations]:
        """Sockets in use, as the kernel counts them: a list of all would cost more the more there are."""
        texts = [file.read_text("ascii") for file in _SOCKET_STATISTICS if file.exists()]
        return {"system.network.connection.count": by("network.transport", sockets_in_use(*texts))} if texts else {}

    def load(self) -> dict[str, Observations]:
        """Load averages of 1, 5 and 15 minutes."""
        averages = zip(("1m", "5m", "15m"), os.getloadavg(), strict=True)
        return {f"system.cpu.load_average.{span}": one(average) for span, average in averages}


def cpu_modes(times: Any) -> dict[str, float]:  # noqa: ANN401 - psutil's, its fields depend on the platform
    """Seconds by the conventions' modes; a guest's time is the host's user time too, and is counted once.

    >>> from types import SimpleNamespace
    >>> times = SimpleNamespace(user=5.0, system=2.0, idle=9.0, irq=0.5, softirq=0.25, guest=5.0)
    >>> {mode: seconds for mode, seconds in cpu_modes(times).items() if seconds}
    {'user': 5.0, 'system': 2.0, 'idle': 9.0, 'interrupt': 0.75}
    """
    modes = {mode: getattr(times, mode, 0.0) for mode in ("user", "system", "nice", "idle", "iowait", "steal")}
    return {**modes, "interrupt": getattr(times, "irq", 0.0) + getattr(times, "softirq", 0.0)}


def sockets_in_use(*statistics: str) -> dict[str, int]:
    r"""Sockets by transport, of the kernel's statistics for both versions of IP.

    >>> sockets_in_use("sockets: used 15\nTCP: inuse 3 orphan 0 tw 7\nUDP: inuse 1 mem 0", "TCP6: inuse 2")
    {'tcp': 5, 'udp': 1}
    """
    counts = {"tcp": 0, "udp": 0}
    for line in "\n".join(statistics).splitlines():
        protocol, _, numbers = line.partition(":")
        if protocol in _TRANSPORTS:
            fields = numbers.split()
            counts[_TRANSPORTS[protocol]] += int(fields[fields.index("inuse") + 1])
    return counts
