"""Faults, ours and plain opentelemetry-sdk under the same load: ``python -m tests.export.compared [--seconds 12]``.

Each bot makes 500 spans, 100 log records and 2,000 metric calls a second. When it has ended, the receiver is well again
and the bot is started once more for a moment: what has not arrived by then is lost.
"""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.export.receiver import Receiver

_AGAIN = 10_000_000
"""From this number on names are the second start's."""
_LONGEST = 200.0


@dataclass(frozen=True)
class Fault:
    """What goes wrong: with the receiver from some share of the run to another, and with the bot at its end."""

    name: str
    mode: str | int
    until: float = 2.0
    kill: str | None = None


FAULTS = (
    Fault("nothing", "healthy"),
    Fault("no listener", "refuse"),
    Fault("no listener, back after half the run", "refuse", until=0.5),
    Fault("accepts, never answers", "hang"),
    Fault("black hole", "black hole"),
    Fault("503", 503),
    Fault("503, well after half the run", 503, until=0.5),
    Fault("429", 429),
    Fault("302", 302),
    Fault("400", 400),
    Fault("closes without an answer", "swallow", until=0.5),
    Fault("closes amid its answer", "cut", until=0.5),
    Fault("SIGTERM", "healthy", kill="TERM"),
    Fault("SIGKILL", "healthy", kill="KILL"),
    Fault("SIGKILL while nobody listens", "refuse", kill="KILL"),
)


@dataclass
class Result:
    """What became of one run."""

    lost_spans: float
    lost_logs: float
    lost_counts: float
    end_s: float
    p999_ms: float
    mb: float


def run(which: str, fault: Fault, seconds: float) -> Result:
    """One bot under one fault."""
    with Receiver() as receiver, tempfile.TemporaryDirectory() as folder:
        receiver.mode = fault.mode
        command = [sys.executable, "-m", "tests.export.compared_bot", which, receiver.url, folder]
        # who is killed trades on until then
        lasting = seconds * (1 if fault.kill is None else 10)
        with subprocess.Popen(
            [*command, str(lasting), "0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as bot:
            if fault.until < 1:
                time.sleep(seconds * fault.until)
                receiver.mode = "healthy"
            if fault.kill is not None:
                time.sleep(seconds)
                bot.send_signal({"TERM": signal.SIGTERM, "KILL": signal.SIGKILL}[fault.kill])
            started = time.perf_counter()
            bot.wait(_LONGEST)
            killed = {"end_s": time.perf_counter() - started, "p999_ms": math.nan, "mb": math.nan}
        told = Path(folder) / "told-0.json"
        made = json.loads((told if told.exists() else Path(folder) / "made-0.json").read_text())
        made = {**killed, **made}
        receiver.mode = "healthy"
        subprocess.run([*command, "3", str(_AGAIN)], capture_output=True, timeout=_LONGEST, check=True)
        arrived = _counted(receiver)
    return Result(
        lost_spans=_percent(made["spans"], len(arrived["traces"])),
        lost_logs=_percent(made["logs"], len(arrived["logs"])),
        lost_counts=_percent(made["adds"], arrived["made"]),
        end_s=made["end_s"],
        p999_ms=made["p999_ms"],
        mb=made["mb"],
    )


def _percent(made: int, arrived: int) -> float:
    return max(0.0, 100.0 * (made - arrived) / made)


def _counted(receiver: Receiver) -> dict[str, Any]:
    """The first start's spans and log records, and the highest total of its counter."""
    found: dict[str, Any] = {
        kind: {name for name in receiver.counted(kind) if name.isdigit() and int(name) < _AGAIN}
        for kind in ("traces", "logs")
    }
    made = [metric for metric in receiver.items("metrics") if metric.name == "bot.made"]
    points = [point for metric in made for point in metric.sum.data_points]
    first = [point for point in points if any(a.key == "start" and a.value.int_value == 0 for a in point.attributes)]
    found["made"] = max((point.as_int for point in first), default=0)
    return found


@click.command()
@click.option("--seconds", default=12.0, show_default=True, help="How long each bot trades.")
@click.option("--only", default="", help="Faults whose name holds this.")
@click.option("--markdown", is_flag=True, help="Print the table for a page.")
def main(*, seconds: float, only: str, markdown: bool) -> None:
    """Compare."""
    chosen = [fault for fault in FAULTS if only in fault.name]
    columns = ("fault", "", "lost spans %", "lost logs %", "lost counts %", "end s", "lag p99.9 ms", "grown MB")
    rows: list[tuple[str, ...]] = []
    with Progress(console=Console(stderr=True)) as progress:
        work = progress.add_task("", total=2 * len(chosen))
        for fault in chosen:
            for which in ("sdk", "ours"):
                progress.update(work, description=f"{fault.name}, {which}")
                result = run(which, fault, seconds)
                figures = (
                    result.lost_spans,
                    result.lost_logs,
                    result.lost_counts,
                    result.end_s,
                    result.p999_ms,
                    result.mb,
                )
                rows.append(
                    (fault.name, which, *("-" if math.isnan(figure) else f"{figure:.1f}" for figure in figures))
                )
                progress.advance(work)
    _print(columns, rows, markdown=markdown)


def _shown(figure: float) -> str:
    return "-" if math.isnan(figure) else f"{figure:.1f}"


def _print(columns: tuple[str, ...], rows: list[tuple[str, ...]], *, markdown: bool) -> None:
    if markdown:
        for row in (columns, tuple("---" for _ in columns), *rows):
            click.echo(f"| {' | '.join(row)} |")
        return
    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
