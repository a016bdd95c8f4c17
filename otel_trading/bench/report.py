"""The tables in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from otel_trading.bench.contenders import OURS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from otel_trading.bench.model import Outcome, Row, Section

_NAME_WIDTH, _FIGURE_WIDTH = 27, 8


def show_machine(console: Console, machine: Mapping[str, object]) -> None:
    """Two lines on what is measured with."""
    packages = machine["packages"]
    versions = [f"{name} {number}" for name, number in packages.items() if number] if isinstance(packages, dict) else []
    console.print(f"Python {machine['python']} ({machine['python_build']}), {', '.join(versions)}", highlight=False)
    console.print(
        f"{machine['cpu']}, {machine['cores']} cores, load {machine['load']}, {machine['kernel']},"
        f" clock {machine['clocksource']}",
        highlight=False,
    )


def show_section(console: Console, section: Section) -> None:
    """The heading of the rows that follow."""
    console.print()
    console.print(Text(section.title, style="bold underline"))
    if section.note:
        console.print(Text(section.note, style="dim"))


def show_row(console: Console, row: Row, outcome: Outcome) -> None:
    """One row: its goals, and a line of figures for each contender."""
    console.print()
    console.print(Text(row.name, style="bold"))
    if row.goals:
        console.print(_goals(row, outcome))
    if outcome.figures:
        console.print(_figures(row.section, outcome))
    for who, reason in outcome.left_out.items():
        console.print(Text(f"{who} left out: {reason}", style="dim"))
    for who, reason in outcome.failed.items():
        console.print(Text(f"{who} failed: {reason}", style="bold red"))


def _figures(section: Section, outcome: Outcome) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("", width=_NAME_WIDTH, no_wrap=True)
    for column in section.columns:
        table.add_column(column.heading, justify="right", min_width=_FIGURE_WIDTH, no_wrap=True)
    for who, figures in outcome.figures.items():
        shown = (figures.get(column.figure) for column in section.columns)
        cells = (
            "-" if value is None else f"{value:,.{column.digits}f}"
            for value, column in zip(shown, section.columns, strict=True)
        )
        table.add_row(Text(who), *cells, style="bold" if who == OURS else "")
    return table


def _goals(row: Row, outcome: Outcome) -> Text:
    text = Text("goals:", style="dim")
    headings = {column.figure: column.heading for column in row.section.columns}
    for goal in row.goals:
        verdict = goal.judge(outcome.figures)
        sign = "≥" if goal.at_least else "≤"
        limit = f"{goal.limit:g} x {goal.beside}" if goal.beside else f"{goal.limit:,g}"
        text.append(f"  {headings[goal.figure]} {sign} {limit} ")
        text.append(*("?", "") if verdict is None else ("✓", "not dim green") if verdict.met else ("✗", "not dim red"))
    return text
