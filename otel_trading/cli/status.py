"""``otel-trading status``: what the telemetry of a running bot does."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from otel_trading.cli.client import Client, NoAnswerError, asks_a_bot
from otel_trading.export import readable

_COLUMNS = ("signal", "sent", "waiting", "spooled", "recovered", "retried", "dropped")


@click.command()
@asks_a_bot
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(*, bot: Client, as_json: bool) -> None:
    """Show what a running bot's telemetry has sent, what waits, and what was lost.

    The exit status is 0, or 1 when something was lost or nothing can be delivered, 3 when no bot answers there.
    """
    found = _asked(bot)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        _show(found, Console())
    sys.exit(1 if found["dropped"] or found["unreachable"] else 0)


def _asked(bot: Client) -> dict[str, Any]:
    found = bot.get("/status")
    if not isinstance(found, dict) or "signals" not in found:
        raise NoAnswerError(f"no bot answers at {bot.url}; is --url right?")
    return found


def _show(found: dict[str, Any], console: Console) -> None:
    title = Text.assemble((found["service"], "bold"), f" · {found['profile']} · engine {found['engine']}")
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column in {"signal", "dropped"} else "right")
    for signal, account in found["signals"].items():
        lost = ", ".join(f"{count:,} {reason}" for reason, count in account["dropped"].items() if count)
        table.add_row(
            signal,
            *(f"{number:,}" for number in _figures(account)),
            Text(lost or "0", style="red" if lost else "green"),
        )
    console.print(table)
    for line, style in _lines(found):
        console.print(line, style=style, highlight=False, markup=False)


def _figures(account: dict[str, Any]) -> tuple[int, ...]:
    waiting = max(0, account["pending"] - account["spooled"])
    return account["sent"], waiting, account["spooled"], account["recovered"], account["retried"]


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    """What else there is to say, and how it looks."""
    lines: list[tuple[str, str]] = []
    for signal, account in found["signals"].items():
        to = ", ".join(found["targets"][signal]) or "nowhere"
        error = account["last_error"]
        lines.append((f"{signal} to {to}{': ' if error else ''}{error or ''}", "yellow" if error else "dim"))
    spool = found["spool"]
    if spool is not None:
        size = readable.value(spool["disk_bytes"] + spool["memory_bytes"], "By")
        where = spool["folder"] or "memory"
        oldest = f", the oldest for {readable.duration(spool['age'])}" if spool["age"] else ""
        lines.append((f"spool: {size} in {where}{oldest}", "dim"))
        if spool["trouble"]:
            lines.append((f"the disk cannot be used: {spool['trouble']}", "red"))
    lines += [(f"{url} accepts no connection", "red") for url in found["unreachable"]]
    lines += [(problem, "yellow") for problem in found["problems"]]
    return lines
