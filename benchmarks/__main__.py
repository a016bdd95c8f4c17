"""``make bench``: a table of costs and ratios, and how long ``configure()`` takes in a fresh process."""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
from importlib.metadata import version

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.contenders import operations
from benchmarks.timing import measure

START = """
import time
before = time.perf_counter()
import otel_trading as ot
imported = time.perf_counter()
ot.configure(endpoint={endpoint!r}, ops_port=0, banner=False, shutdown_timeout=0.2)
print(imported - before, time.perf_counter() - imported)
"""
ENDPOINTS = {"refused": "http://127.0.0.1:1", "black hole": "http://192.0.2.1:4318"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--repeats", type=int, default=40, help="repeats of 1.2 ms a row (40)")
    repeats = parser.parse_args().repeats
    console = Console()
    versions = ", ".join(
        f"{name} {version(name)}" for name in ("otel-trading", "opentelemetry-sdk", "prometheus-client")
    )
    console.print(f"Python {platform.python_version()} on {platform.machine()}, {versions}", highlight=False)
    table, close = operations()
    for operation, calls in track(list(table.items()), "measuring", console=console, transient=True):
        costs = measure(calls, repeats)
        sdk = costs["opentelemetry-sdk"].minimum
        shown = Table(title=operation, title_justify="left", box=None, pad_edge=False, header_style="bold")
        shown.add_column("", min_width=26)
        for heading in ("ns, minimum", "ns, median", "of opentelemetry-sdk"):
            shown.add_column(heading, justify="right")
        for name, cost in costs.items():
            shown.add_row(name, f"{cost.minimum:,.0f}", f"{cost.median:,.0f}", f"{cost.minimum / sdk:.2f}")
        console.print(shown, "")
    close()
    for name, endpoint in ENDPOINTS.items():
        times = [_start(endpoint) for _ in range(5)]
        imported, configured = (statistics.median(column) for column in zip(*times, strict=True))
        console.print(
            f"Collector {name}: import {imported * 1e3:.0f} ms, configure() {configured * 1e3:.0f} ms (median of 5)",
            highlight=False,
        )


def _start(endpoint: str) -> tuple[float, float]:
    command = [sys.executable, "-c", START.format(endpoint=endpoint)]
    words = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()  # noqa: S603 - ourselves
    return float(words[0]), float(words[1])


if __name__ == "__main__":
    main()
