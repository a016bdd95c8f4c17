"""Rows on spooling: requests written to disk until they are confirmed, beside SQLite."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from otel_trading import _native
from otel_trading.bench.contenders import OURS
from otel_trading.bench.model import Column, Figures, Goal, Outcome, Row, Section

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.bench.model import Bench

SPOOLING = Section(
    "Requests kept on disk until they are confirmed, in microseconds a request",
    (Column("cpu_us", "CPU", 1), Column("wall_us", "wall", 1), Column("per_s", "spans/s")),
    "appended and settled at once, in the folder for temporary files; spans/s: by the CPU of the one thread",
)

_SPAN_BYTES = 146
_AT_ONCE = 16
"""Requests that are timed together."""


def spooling(name: str, *, spans: int, goals: tuple[Goal, ...]) -> Row:
    """A row of requests of so many spans."""
    return Row(name, SPOOLING, lambda bench: _spooled(bench, spans), goals)


def _spooled(bench: Bench, spans: int) -> Outcome:
    outcome = Outcome()
    body = os.urandom(spans * _SPAN_BYTES)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        contenders = {
            OURS: _spool(folder, stack),
            "SQLite, WAL, synchronous=OFF": _sqlite(folder, "OFF", stack),
            "SQLite, WAL, synchronous=NORMAL": _sqlite(folder, "NORMAL", stack),
        }
        for _ in range(bench.effort.repeats):
            for who, cycle in contenders.items():
                figures = _once(cycle, body)
                best = outcome.figures.setdefault(who, figures)
                outcome.figures[who] = {name: min(value, best[name]) for name, value in figures.items()}
    for figures in outcome.figures.values():
        figures["per_s"] = spans / figures["cpu_us"] * 1e6
    return outcome


def _once(cycle: Callable[[bytes], object], body: bytes) -> Figures:
    wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
    for _ in range(_AT_ONCE):
        cycle(body)
    cpu, wall = time.thread_time_ns() - cpu, time.perf_counter_ns() - wall
    return {"cpu_us": cpu / _AT_ONCE / 1e3, "wall_us": wall / _AT_ONCE / 1e3}


def _spool(folder: Path, stack: ExitStack) -> Callable[[bytes], object]:
    spool = _native.Spool(folder / "spool", "bench")
    stack.callback(spool.close)

    def cycle(body: bytes) -> None:
        spool.settle(spool.append("traces", "important", 1, body, hold=True))

    return cycle


def _sqlite(folder: Path, synchronous: str, stack: ExitStack) -> Callable[[bytes], object]:
    database = sqlite3.connect(folder / f"{synchronous}.sqlite", isolation_level=None)
    stack.enter_context(contextlib.closing(database))
    database.execute("PRAGMA journal_mode=WAL")
    database.execute(f"PRAGMA synchronous={synchronous}")
    database.execute("CREATE TABLE parcel (number INTEGER PRIMARY KEY, lane INTEGER, made_ns INTEGER, body BLOB)")

    def cycle(body: bytes) -> None:
        row = (0, time.time_ns(), body)
        number = database.execute("INSERT INTO parcel (lane, made_ns, body) VALUES (?, ?, ?)", row).lastrowid
        database.execute("DELETE FROM parcel WHERE number = ?", (number,))

    return cycle
