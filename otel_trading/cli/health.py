"""``otel-trading health``: how a running bot is."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from otel_trading.cli.client import Client, NoAnswerError, RefusedByBotError, asks_a_bot

_PAGE = "/health/detailed"
_STYLES = {"healthy": "green", "degraded": "yellow", "down": "red"}
_STATUSES = {"healthy": 0, "degraded": 1, "down": 2}
_DOWN = 503
_LONGEST_STACK = 8


@click.command()
@asks_a_bot
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def health(*, bot: Client, as_json: bool) -> None:
    """Show how a running bot is: its venues, event loops, threads, disks, and what it depends on.

    The exit status is 0 when it is healthy, 1 when it is degraded, 2 when it is down, 3 when it does not answer.
    """
    found = _asked(bot)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        _show(found, Console())
    sys.exit(_STATUSES[found["status"]])


def _asked(bot: Client) -> dict[str, Any]:
    """What the bot says; one that is down answers with another status, and with all of it."""
    try:
        found = bot.decoded(_PAGE, bot.ask("GET", _PAGE, None, None, _DOWN))
    except RefusedByBotError as error:  # 1 and 2 say how a bot is
        raise NoAnswerError(error.message) from error
    if isinstance(found, dict) and found.get("status") in _STATUSES:
        return found
    raise NoAnswerError(f"{bot.url} answers with what is no health of a bot")


def _show(found: dict[str, Any], console: Console) -> None:
    status = str(found["status"])
    ready = Text("ready", style="green") if found.get("ready") else Text("not ready", style="red")
    title = Text.assemble((status, f"bold {_STYLES[status]}"), " · ", ready, f" · {found.get('timestamp', '')}")
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in ("component", "state", "since", "what is known"):
        table.add_column(column, overflow="fold")
    for group in ("services", "dependencies"):
        for name, component in dict(found.get(group) or {}).items():
            state = str(component.get("status"))
            said = "; ".join(component.get("reasons") or ()) or _in_short(component.get("details") or {})
            mark = " *" if component.get("critical") else ""
            table.add_row(
                Text(f"{name}{mark}"),
                Text(state, style=_STYLES.get(state, "")),
                Text(_clock(component.get("since")), style="dim"),
                Text(said, style="" if state != "healthy" else "dim"),
            )
    console.print(table)
    for reason in found.get("not_ready") or ():
        console.print(f"not ready: {reason}", style="yellow", highlight=False, markup=False)
    console.print("* the bot is down without it", style="dim", highlight=False)


def _in_short(details: dict[str, Any]) -> str:
    """The figures of a component that is well."""
    said = []
    for key, value in details.items():
        if isinstance(value, (bool, dict)) or value is None or key in {"interval", "timeout", "type"}:
            continue
        shown = ", ".join(map(str, value[:_LONGEST_STACK])) if isinstance(value, list) else f"{value}"
        if shown:
            said.append(f"{key} {shown}")
    requests_made = details.get("requests")
    if isinstance(requests_made, dict):
        said.append(f"p99 {requests_made.get('p99_ms')} ms, {requests_made.get('error_rate')} errors/s")
    ages = details.get("data_age")
    if isinstance(ages, dict) and ages:
        said.append(f"data {max(ages.values()):.1f} s old")
    return ", ".join(said)


def _clock(since: Any) -> str:  # noqa: ANN401 - what JSON has
    """The time of day of a moment."""
    return str(since)[11:19] if since else ""
