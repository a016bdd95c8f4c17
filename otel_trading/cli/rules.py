"""``otel-trading rules``: the alert rules of the kit and of the bot, as a list, as files, and put to the test."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from otel_trading.provisioning.rules import grafana, rendering
from otel_trading.provisioning.rules.kit import RULES
from otel_trading.provisioning.rules.own import groups_of
from otel_trading.provisioning.rules.prometheus import RUNBOOKS
from otel_trading.provisioning.rules.promtool import play
from otel_trading.stack.binaries import cache_directory, find_tool

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.provisioning.rules.model import Group

_PLAIN_WIDTH = 180
_STYLES = {"critical": "bold red", "warning": "yellow", "info": "cyan"}

_own_module: Callable[[Callable[..., None]], Callable[..., None]] = click.option(
    "--module", metavar="MODULE", help="A module of yours with RULES, such as mybot.dashboards."
)


def _groups(module: str | None) -> tuple[Group, ...]:
    try:
        return groups_of(module) if module else ()
    except ValueError as error:
        raise click.ClickException(str(error)) from error


@click.group()
def rules() -> None:
    """Alert rules: list them, write them as files, test them."""


@rules.command("list")
@_own_module
def list_(module: str | None) -> None:
    """Show every alert: how grave it is, how long it must hold, and what it says."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    groups = (*RULES, *_groups(module))
    table.add_column("alert", no_wrap=True)
    table.add_column("severity", no_wrap=True)
    table.add_column("for", no_wrap=True)
    table.add_column("group", no_wrap=True)
    table.add_column("says")
    for group in groups:
        for rule in group.alerts:
            name = f"{group.name} (Loki)" if rule.loki else group.name
            style = _STYLES.get(rule.severity, "dim")
            table.add_row(rule.name, f"[{style}]{rule.severity}[/]", rule.for_, name, rule.description or rule.summary)
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH)
    console.print(table)
    console.print(f"{sum(len(group.alerts) for group in groups)} alerts", style="dim")


@rules.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@_own_module
@click.option("--grafana", "for_grafana", is_flag=True, help="Grafana alerts: Prometheus gets recordings alone.")
@click.option(
    "--scale", type=float, default=1.0, show_default=True, help="Multiply every window, to see rules fire soon."
)
@click.option("--runbooks", default=RUNBOOKS, show_default=True, metavar="URL", help="Where the runbooks' pages are.")
def render(folder: Path, *, module: str | None, for_grafana: bool, scale: float, runbooks: str) -> None:
    """Write the kit's rules, and those of --module, into FOLDER: rules/, rules/tests/, and with --grafana grafana/.

    With ALERT_RULES=FOLDER (and ALERT_ENGINE=grafana) `otel-trading stack up` uses them.
    """
    groups = (*RULES, *_groups(module))
    try:
        written = {
            f"rules/{name}": text
            for name, text in rendering.for_prometheus(
                groups, alerts=not for_grafana, scale=scale, runbooks=runbooks
            ).items()
        }
    except ValueError as error:
        raise click.ClickException(f"--{error}") from error
    if for_grafana:
        written |= {f"grafana/{name}": text for name, text in grafana.files(groups, runbooks=runbooks).items()}
    elif scale == 1:
        written |= {f"rules/tests/{name}": text for name, text in rendering.tests(groups).items()}
    for stale in (*folder.glob("rules/*.yml"), *folder.glob("rules/tests/*.test.yml"), *folder.glob("grafana/*.yaml")):
        stale.unlink()
    for name, text in written.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    click.echo(f"{len(written)} files in {folder}")


@rules.command()
@_own_module
def test(module: str | None) -> None:
    """Play the cases of all rules, or of --module, with promtool; the exit status is 1 when one fails."""
    groups = _groups(module) or RULES
    promtool = find_tool("promtool", cache_directory())
    if promtool is None:
        raise click.ClickException(
            "promtool is neither built nor on the PATH; run: otel-trading stack build prometheus"
        )
    failed = False
    for played in play(groups, promtool):
        failed |= not played.passed
        click.echo(f"{played.group}: {played.cases} cases {'passed' if played.passed else 'FAILED'}")
        if played.told:
            click.echo(played.told)
    sys.exit(failed)
