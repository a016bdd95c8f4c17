"""``otel-trading config``: every option, its value and where the value comes from."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from otel_trading.alerts.channels.building import build
from otel_trading.cli.candidates import diff, wrong
from otel_trading.redaction import redact
from otel_trading.settings import Resolved, Settings, resolve
from otel_trading.settings.document import entry
from otel_trading.settings.options import shown
from otel_trading.settings.standard import timeout_hints, unusable

_FILE = click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path),
    help="Configuration file; else OTEL_TRADING_CONFIG or otel-trading.toml, .yaml, .json in the working folder.",
)


@click.group()
def config() -> None:
    """Options: what is in force, and what is wrong."""


config.add_command(diff)


@config.command()
@_FILE
@click.option("--all", "everything", is_flag=True, help="Also options at their default.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def show(path: Path | None, *, everything: bool, as_json: bool) -> None:
    """Show the options, their values and where each comes from."""
    resolved = _resolved(path)
    if as_json:
        click.echo(json.dumps({name: entry(resolved, name) for name in Settings.model_fields}, indent=2))
        return
    console = Console()
    table = Table(title=_title(resolved), title_justify="left", header_style="bold", box=None, pad_edge=False)
    for heading in ("option", "value", "from"):
        table.add_column(heading, overflow="fold")
    for name in Settings.model_fields:
        origin = resolved.origins[name]
        if origin == "default" and not everything:
            continue
        style = "dim" if origin == "default" else "cyan" if origin.startswith("environment") else ""
        table.add_row(name, escape(shown(name, getattr(resolved.settings, name))), origin, style=style)
    console.print(table)
    if not everything:
        console.print("Options at their default are left out; --all shows them.", style="dim")
    _print_problems(resolved, console)


@config.command()
@_FILE
@click.argument("named", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
def check(path: Path | None, named: Path | None) -> None:
    """Check the options; exits with 1 when one cannot be used.

    All that is wrong in the file is said, also where an argument or a variable is stronger.
    """
    resolved = _resolved(named or path)
    problems = _problems(resolved)
    if resolved.file is not None and resolved.content is not None:
        said = " ".join(problems)
        problems += [f"{resolved.file}: {each}" for each in wrong(resolved.file) if each.split(" ")[0] not in said]
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        sys.exit(1)
    click.echo("All options can be used.")


def _resolved(path: Path | None) -> Resolved:
    return resolve({"config_file": path} if path else {})


def _problems(resolved: Resolved) -> list[str]:
    _, channels = build(resolved.settings, "")
    found = (*resolved.problems, *unusable(os.environ), *timeout_hints(os.environ), *channels)
    return [redact(str(problem)) for problem in found]


def _print_problems(resolved: Resolved, console: Console) -> None:
    for problem in _problems(resolved):
        console.print(problem, style="yellow", highlight=False, markup=False)


def _title(resolved: Resolved) -> str:
    return f"Profile {resolved.settings.profile}, file {resolved.file or 'none'}"
