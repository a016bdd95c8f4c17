"""``otel-trading bench``: what telemetry costs on this machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from otel_trading.bench.machine import machine
from otel_trading.bench.model import FULL, QUICK, Outcome, Row
from otel_trading.bench.report import show_machine, show_row, show_section
from otel_trading.bench.result import as_json
from otel_trading.bench.rows import ROWS
from otel_trading.bench.run import run
from otel_trading.stack.binaries import find_binary


@click.command()
@click.option(
    "--json", "target", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures to this file."
)
@click.option("--quick", is_flag=True, help="A tenth of the time, with less to rely on.")
@click.option("--only", metavar="SUBSTRING", default="", help="Only rows with this in their name.")
def bench(target: Path | None, *, quick: bool, only: str) -> None:
    """Measure what telemetry costs here, beside opentelemetry-sdk, prometheus_client and no telemetry.

    All contenders take turns in the same run. Warm figures are net of the empty loop; cold ones come after one megabyte
    of other memory was read. A goal that is missed is shown and fails nothing; the exit status is 1 if a row could not
    be measured.
    """
    chosen = [row for row in ROWS if only.casefold() in row.name.casefold()]
    if not chosen:
        names = "\n  ".join(row.name for row in ROWS)
        raise click.UsageError(f"no row has {only!r} in its name; there are:\n  {names}")
    if target is not None:
        target = target.absolute()
        if not target.parent.is_dir():
            raise click.UsageError(f"--json {target}: the folder does not exist; give a file in one that does")
    console = Console()
    show_machine(console, machine())
    outcomes = _shown(chosen, console, quick=quick)
    if target is not None:
        target.write_text(json.dumps(as_json(outcomes, "quick" if quick else "full"), indent=2) + "\n", "utf-8")
    sys.exit(any(outcome.failed for _, outcome in outcomes))


def _shown(rows: list[Row], console: Console, *, quick: bool) -> list[tuple[Row, Outcome]]:
    outcomes: list[tuple[Row, Outcome]] = []
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), MofNCompleteColumn(), TimeElapsedColumn())
    # drawn between rows only: a thread that redraws would be measured too
    with Progress(
        *columns, console=console, transient=True, auto_refresh=False, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task(rows[0].name, total=len(rows))
        progress.refresh()
        for row, outcome in run(rows, QUICK if quick else FULL, find_binary("collector")):
            if not outcomes or outcomes[-1][0].section is not row.section:
                show_section(console, row.section)
            show_row(console, row, outcome)
            outcomes.append((row, outcome))
            following = rows[len(outcomes)].name if len(outcomes) < len(rows) else "done"
            progress.update(task, completed=len(outcomes), description=following)
            progress.refresh()
    return outcomes
