"""``otel-trading status``: what the telemetry of a running bot does."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
import requests
from rich.console import Console
from rich.table import Table
from rich.text import Text

from otel_trading.export import readable
from otel_trading.settings import resolve

_TIMEOUT = 5.0
_COLUMNS = ("signal", "sent", "waiting", "spooled", "recovered", "retried", "dropped")


@click.command()
@click.option("--url", help="The bot's ops server; else where the bot's own options say it is.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(*, url: str | None, as_json: bool) -> None:
    """Show what a running bot's telemetry has sent, what waits, and what was lost.

    The exit status is 0, or 1 when no bot answers there, when something was lost, or when nothing can be delivered.
    """
    settings = resolve({}).settings
    host = f"[{settings.ops_host}]" if ":" in settings.ops_host else settings.ops_host
    address = (url or f"http://{host}:{settings.ops_port}").rstrip("/")
    found = _asked(address, settings.ops_token)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        _show(found, Console())
    sys.exit(1 if found["dropped"] or found["unreachable"] else 0)


def _asked(address: str, token: str | None) -> dict[str, Any]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        answer = requests.get(f"{address}/status", headers=headers, timeout=_TIMEOUT)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
    except requests.HTTPError as error:
        raise click.ClickException(f"{address} answers {error.response.status_code}: {_reason(error)}") from error
    except (requests.RequestException, ValueError) as error:
        raise click.ClickException(f"no bot answers at {address}; is it running, and is --url right?") from error
    return found


def _reason(error: requests.HTTPError) -> str:
    try:
        return str(error.response.json()["error"])
    except (ValueError, KeyError, TypeError):
        return str(error.response.reason)


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
        console.print(line, style=style, highlight=False)


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
