"""``otel-trading config diff``: what would change if another file took the place of the one in force."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from otel_trading.reloading.kit import options_changed
from otel_trading.settings import resolve
from otel_trading.settings.files import read
from otel_trading.settings.load import wrong_in
from otel_trading.settings.options import metadata


def wrong(path: Path) -> list[str]:
    """Everything that is wrong in a file."""
    try:
        content = read(path)
    except (OSError, ValueError) as error:
        return [f"it cannot be read: {getattr(error, 'strerror', None) or error}"]
    return wrong_in(path, content)


@click.command()
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--old", type=click.Path(path_type=Path), help="The file to compare with; else the one in force.")
def diff(new: Path, old: Path | None) -> None:
    """Show which options change with the file NEW, and which of them from the next start on.

    Exits with 0 when nothing changes, 1 when something does, 2 when NEW is not usable.
    """
    problems = wrong(new)
    for problem in problems:
        click.echo(f"{new}: {problem}", err=True)
    if problems:
        sys.exit(2)
    before = resolve({"config_file": old} if old else {})
    changes = options_changed(before.settings, resolve({"config_file": new}).settings)
    for change in changes:
        later = metadata(change.key.partition(".")[0])["restart"]
        click.echo(f"{change} (from the next start on)" if later else str(change))
    if changes:
        sys.exit(1)
    click.echo("Nothing changes.")
