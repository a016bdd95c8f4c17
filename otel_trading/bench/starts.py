"""Rows on what telemetry takes once: time to start, and memory, in fresh processes that take turns."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from otel_trading.bench import fresh
from otel_trading.bench.contenders import NotThereError
from otel_trading.bench.model import Column, Goal, Outcome, Row, Section

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_trading.bench.model import Bench

STARTS = Section(
    "Starting, in milliseconds in a fresh process",
    (Column("minimum_ms", "minimum"), Column("median_ms", "median"), Column("modules", "modules")),
)
MEMORY = Section(
    "Resident memory of a bot with one thread, in MB",
    (Column("minimum_mb", "minimum", 1), Column("median_mb", "median", 1), Column("threads", "threads")),
    "above the interpreter with the OpenTelemetry API imported",
)

_START = """
import json, sys, time
ENDPOINT = sys.argv[1]
before, modules = time.perf_counter(), len(sys.modules)
{code}
print(json.dumps({{"ms": (time.perf_counter() - before) * 1e3, "modules": len(sys.modules) - modules}}), flush=True)
{end}
"""
_MEMORY = """
import gc, json, os, sys
from opentelemetry import _logs, metrics, trace

def resident():
    gc.collect()
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

ENDPOINT = sys.argv[1]
before = resident()
{code}
print(json.dumps({{"mb": resident() - before, "threads": len(os.listdir("/proc/self/task")) - 1}}), flush=True)
{end}
"""
_END = "import os; os._exit(0)"
"""What has been started is not waited for."""


def start(name: str, codes: Mapping[str, str], *, goals: tuple[Goal, ...] = ()) -> Row:
    """A row on the time that each code takes in a fresh interpreter; the codes are those of ``programs``."""
    return Row(name, STARTS, _Fresh(dict(codes), _START, "ms", "modules"), goals)


def memory(name: str, codes: Mapping[str, str], *, goals: tuple[Goal, ...] = ()) -> Row:
    """A row on the memory that is resident after each code, in a fresh interpreter."""
    return Row(name, MEMORY, _Fresh(dict(codes), _MEMORY, "mb", "threads"), goals)


@dataclass(frozen=True, slots=True)
class _Fresh:
    codes: dict[str, str]
    frame: str
    unit: str
    also: str

    def __call__(self, bench: Bench) -> Outcome:
        outcome = Outcome()
        taken: dict[str, list[dict[str, float]]] = {who: [] for who in self.codes}
        for _ in range(bench.effort.processes):
            for who, code in self.codes.items():
                if who in outcome.left_out or who in outcome.failed:
                    continue
                try:
                    taken[who].append(fresh.run(self.frame.format(code=code, end=_END), bench.endpoint))
                except NotThereError as error:
                    outcome.left_out[who] = str(error)
                except RuntimeError as error:
                    outcome.failed[who] = str(error)
        for who, runs in taken.items():
            if runs and who not in outcome.failed:
                values = [run[self.unit] for run in runs]
                outcome.figures[who] = {
                    f"minimum_{self.unit}": min(values),
                    f"median_{self.unit}": statistics.median(values),
                    self.also: runs[-1][self.also],
                }
        return outcome
