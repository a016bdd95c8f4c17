"""``otel-trading config``: every option, its value and where the value comes from."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from otel_trading.settings import Resolved, Settings, resolve
from otel_trading.settings.options import metadata, shown
from otel_trading.settings.sources import env_names
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


@config.command()
@_FILE
@click.option("--all", "everything", is_flag=True, help="Also options at their default.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def show(path: Path | None, *, everything: bool, as_json: bool) -> None:
    """Show the options, their values and where each comes from."""
    resolved = _resolved(path)
    if as_json:
        click.echo(json.dumps({name: _entry(resolved, name) for name in Settings.model_fields}, indent=2))
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
        table.add_row(name, shown(name, getattr(resolved.settings, name)), origin, style=style)
    console.print(table)
    if not everything:
        console.print("Options at their default are left out; --all shows them.", style="dim")
    _print_problems(resolved, console)


@config.command()
@_FILE
def check(path: Path | None) -> None:
    """Check the options; exits with 1 when one cannot be used."""
    resolved = _resolved(path)
    problems = _problems(resolved)
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        sys.exit(1)
    click.echo("All options can be used.")


def _resolved(path: Path | None) -> Resolved:
    return resolve({"config_file": path} if path else {})


def _problems(resolved: Resolved) -> list[str]:
    return [str(problem) for problem in (*resolved.problems, *unusable(os.environ), *timeout_hints(os.environ))]


def _print_problems(resolved: Resolved, console: Console) -> None:
    for problem in _problems(resolved):
        console.print(problem, style="yellow", highlight=False)


def _title(resolved: Resolved) -> str:
    return f"Profile {resolved.settings.profile}, file {resolved.file or 'none'}"


def _entry(resolved: Resolved, name: str) -> dict[str, str]:
    return {
        "value": shown(name, getattr(resolved.settings, name)),
        "from": resolved.origins[name],
        "variables": ", ".join(variable for variable, _ in env_names(name)),
        "allowed": metadata(name)["allowed"],
        "documentation": Settings.model_fields[name].description or "",
    }
