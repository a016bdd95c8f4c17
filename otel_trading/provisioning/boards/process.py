"""Process and machine."""

from __future__ import annotations

from otel_trading.provisioning.boards import shared, terms
from otel_trading.provisioning.boards.asked import (
    highest,
    legend,
    per_minute,
    query,
    rate,
    total,
)
from otel_trading.provisioning.boards.terms import NEVER_BELOW_ZERO
from otel_trading.provisioning.colours import BAD, WARNING
from otel_trading.provisioning.links import to_runbook
from otel_trading.provisioning.model import Query, Row, Threshold
from otel_trading.provisioning.panels import timeseries

_RESOURCE, _DISK = "trading.runtime.resource", "system.filesystem.mountpoint"
_FULL = (Threshold(0.8, WARNING), Threshold(0.9, BAD))


PROCESS = Row(
    "Process and machine",
    (
        timeseries(
            "CPU",
            Query(total("process.cpu.utilization", "job"), "process {{job}}"),
            Query(
                total("system.cpu.utilization", cpu_mode="user|system|nice|steal|interrupt|softirq"),
                "machine",
            ),
            slug="cpu",
            description="CPU time, as a share of the CPUs that the bot may use, and of the machine's.",
            unit="percentunit",
            defaults=NEVER_BELOW_ZERO,
            links=[to_runbook("ResourceThresholdExceeded")],
        ),
        timeseries(
            "Memory",
            Query(total("process.memory.usage", "job"), "process {{job}}"),
            Query(highest("system.memory.linux.available"), "machine, available"),
            Query(highest("container.memory.working_set"), "container"),
            Query(highest("container.memory.available"), "container, left"),
            slug="memory",
            description="Physical memory of the bots, and what the machine and its container have left.",
            unit="By",
            defaults=NEVER_BELOW_ZERO,
            links=[to_runbook("ResourceThresholdExceeded")],
        ),
        timeseries(
            "Disks",
            Query(highest("system.filesystem.utilization", _DISK), legend(_DISK)),
            slug="disk",
            description="Used share of the space of each file system.",
            unit="percentunit",
            defaults=terms.SHARE,
            thresholds=_FULL,
            links=[to_runbook("DiskSpaceLow")],
        ),
        timeseries(
            "Descriptors and sockets",
            Query(total("process.open_file_descriptor.count", "job"), "descriptors {{job}}"),
            Query(total("process.socket.count", "job"), "sockets {{job}}"),
            Query(total("process.open_file.count", "job"), "files {{job}}"),
            slug="descriptors",
            description="Open file descriptors of the bots, and the sockets and files among them.",
            defaults=NEVER_BELOW_ZERO,
            links=[to_runbook("ResourceThresholdExceeded")],
        ),
        timeseries(
            "Threads",
            Query(total("process.thread.count", "job"), "{{job}}"),
            description="Threads of the bots' processes.",
            unit="{thread}",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Context switches",
            query(rate, "process.context_switches", "process.context_switch.type"),
            description="How often the bots had to make room for others (involuntary), or waited (voluntary).",
            unit="cps",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Load",
            Query(highest("system.cpu.load_average.1m"), "1 minute"),
            Query(highest("system.cpu.load_average.5m"), "5 minutes"),
            slug="load",
            description="Threads that run or want to run, on average.",
            unit="{thread}",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Network",
            query(rate, "system.network.io", "network.interface.name", "network.io.direction"),
            description="Bytes of the machine, a second, by interface and direction.",
            unit="By/s",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Connections of the machine",
            query(highest, "system.network.connection.count", "network.transport"),
            slug="sockets",
            description="Sockets in use on the machine.",
            unit="{connection}",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Above their threshold",
            query(highest, "trading.runtime.threshold.exceeded", _RESOURCE, "trading.runtime.subject"),
            slug="thresholds-exceeded",
            description="1 where a resource is above the bot's own threshold.",
            defaults=terms.SHARE,
            links=[to_runbook("ResourceThresholdExceeded")],
        ),
        shared.seldom(
            *("Thresholds crossed", "threshold-crossings", "Thresholds exceeded and recovered from, a minute."),
            query(
                per_minute,
                "trading.runtime.threshold.crossings",
                _RESOURCE,
                "trading.runtime.threshold.direction",
            ),
        ),
        shared.seldom(
            *("Errors of runtime telemetry", "runtime-errors", "What could not be read, a minute."),
            query(per_minute, "trading.runtime.errors", "trading.runtime.component", "error.type"),
        ),
    ),
)
