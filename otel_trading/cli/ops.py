"""``otel-trading ops``: the ops servers of this user's bots."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.table import Table

from otel_trading.cli.client import Client, NoAnswerError, RefusedByBotError, asks_a_bot, client
from otel_trading.ops import notes


@click.group()
def ops() -> None:
    """The ops servers of running bots: where they are, and what opens them."""


@ops.command("list")
def list_() -> None:
    """List the bots of this user that have an ops server, and whether each answers."""
    found = notes.found()
    if not found:
        click.echo("no bot of this user has an ops server")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("service", "url", "pid", "state"):
        table.add_column(title, overflow="fold")
    for note in found:
        table.add_row(note.service, note.url, str(note.pid), _state(client(note.url)))
    Console(soft_wrap=True).print(table)


@ops.command()
@asks_a_bot
def token(bot: Client) -> None:
    """Print the token that opens a bot's ops server, to be typed into its page."""
    if bot.token is None:
        raise NoAnswerError(f"no token is known for {bot.url}; set OTEL_TRADING_OPS_TOKEN for the bot and here")
    click.echo(bot.token)


@ops.command()
@click.argument("path")
@asks_a_bot
def get(bot: Client, path: str) -> None:
    """Print what a page of a bot's ops server says, such as /health/detailed or /openapi.json."""
    path = urlsplit(path if path.startswith("/") else f"/{path}")._replace(scheme="", netloc="").geturl()
    answer = bot.ask("GET", path, None, {"Accept": "*/*"})
    text = answer.data.decode(errors="replace")
    if answer.headers.get("Content-Type", "").startswith("application/json"):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    click.echo(text.rstrip("\n"))


def _state(asked: Client) -> str:
    try:
        return str(asked.get("/health")["status"])
    except (NoAnswerError, RefusedByBotError, KeyError, TypeError):
        return "does not answer"
