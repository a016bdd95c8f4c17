"""What came of each thing that a command looked at, for people."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from otel_trading.provisioning.grafana.outcome import BAD, State
from otel_trading.provisioning.grafana.rendering import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_trading.provisioning.grafana.outcome import Outcome
    from otel_trading.provisioning.grafana.sources import Code

WIDE = 1000
"""Characters of a value that somebody has to compare with another one."""
_STYLES = {
    State.SAME: "dim",
    State.CREATED: "green",
    State.CHANGED: "yellow",
    State.EDITED: "yellow",
    State.REMOVED: "yellow",
    State.STORED: "yellow",
    State.MISSING: "magenta",
    State.CONFLICT: "bold red",
    State.REFUSED: "red",
}


def names_of(code: Code) -> dict[str, str]:
    """What people call the panels, by their numbers: by their slug, else by their title."""
    titles = {
        number: str(panel["title"])
        for board in code.boards
        for number, panel in board.tree["panels"].items()
        if panel.get("title")
    }
    return titles | {str(number): slug for board in code.boards for number, slug in board.slugs.items()}


def tell(found: Sequence[Outcome], names: dict[str, str], *, leave: bool = True) -> None:
    """Print what became of each; where something went wrong, end with 1."""
    console = Console()
    for each in found:
        line = Text.assemble((f"{each.state:<16}", _STYLES[each.state]), each.subject)
        console.print(line, soft_wrap=True)
        for detail in each.details:
            console.print(Text(f"{'':16}{field(tuple(detail.split(' > ')), names)}", "dim"), soft_wrap=True)
        if each.conflicts:
            rows = [
                (field(one.path, names), *(shown(side, WIDE) for side in (one.base, one.ours, one.theirs)))
                for one in each.conflicts
            ]
            table(f"{each.subject}: both sides changed", ("field", "before", "code", "Grafana"), rows)
    if any(each.state is State.CONFLICT for each in found):
        console.print(
            "Change one of the two sides, or choose: --prefer code, --prefer grafana.", style="bold", soft_wrap=True
        )
    if leave and any(each.state in BAD for each in found):
        sys.exit(1)


def field(path: tuple[str, ...], names: dict[str, str]) -> str:
    """Where something is, with the names that people have for it."""
    return " > ".join(names.get(part, part) for part in path)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
    """Print a table."""
    shown_table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown_table.add_column(column, overflow="fold")
    for row in rows:
        shown_table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    Console().print(shown_table)
