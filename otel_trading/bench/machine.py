"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("otel-trading", "opentelemetry-api", "opentelemetry-sdk", "prometheus-client")
_SYSTEM = Path("/")


def machine(root: Path = _SYSTEM) -> dict[str, object]:
    """Processor, operating system, clock, interpreter and the versions compared.

    >>> sorted(machine())
    ['clocksource', 'cores', 'cpu', 'kernel', 'load', 'packages', 'python', 'python_build']
    """
    clock = root / "sys/devices/system/clocksource/clocksource0/current_clocksource"
    return {
        "cpu": _cpu(root / "proc/cpuinfo"),
        "cores": os.cpu_count() or 1,
        "load": round(os.getloadavg()[0], 2),
        "kernel": f"{platform.system()} {platform.release()}",
        "clocksource": _read(clock).strip() or "unknown",
        "python": platform.python_version(),
        "python_build": f"{sys.implementation.name}, {platform.python_compiler()}, {platform.machine()}",
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def _cpu(path: Path) -> str:
    for line in _read(path).splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
