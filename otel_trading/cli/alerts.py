"""``otel-trading alerts``: what fires, whom not to wake, which rules there are, and whether anybody would hear."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
from rich.console import Console
from rich.table import Table

from otel_trading.alerts.channels import Channel, ChannelError
from otel_trading.alerts.channels.building import build
from otel_trading.alerts.model import AlertLevel, AlertPayload, Notification
from otel_trading.alerts.rendering import render
from otel_trading.alerts.routing import Routing
from otel_trading.alerts.rules import RULES
from otel_trading.alerts.rules.configured import configured, routes, seconds, unknown_channels, unknown_rules
from otel_trading.alerts.shown import of_rule
from otel_trading.alerts.tracks import lasting
from otel_trading.cli.client import Client, asks_a_bot
from otel_trading.redaction import redact
from otel_trading.resource import service_name
from otel_trading.settings import resolve

_STYLES = {"CRITICAL": "bold red", "ERROR": "red", "WARNING": "yellow", "INFO": "dim"}

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def alerts() -> None:
    """Alerts of a running bot, their rules and their channels."""


@alerts.command("list")
@asks_a_bot
@_as_json
def list_(*, bot: Client, as_json: bool) -> None:
    """Show what fires, what was told last, and what is silent.

    The exit status is 1 when something fires that is an error or worse, 3 when no bot answers.
    """
    found = bot.get("/alerts")
    found["silences"] = bot.get("/alerts/silences")["silences"]
    if as_json:
        _print_json(found)
    else:
        console = Console()
        _show(console, "fires now", found["active"])
        _show(console, "last", found["recent"][:20])
        for silence in found["silences"]:
            console.print(_silence(silence), style="dim", highlight=False, markup=False)
    sys.exit(any(AlertLevel(alert["level"]).rank >= AlertLevel.ERROR.rank for alert in found["active"]))


@alerts.command()
@click.argument("rule")
@click.argument("subject", default="")
@click.option("--for", "duration", default="1h", show_default=True, help="For how long: 90s, 15min, 1h.")
@click.option("--reason", default="", help="For those who wonder.")
@click.option("--end", is_flag=True, help="End the silence with this id instead.")
@asks_a_bot
@_as_json
def silence(rule: str, subject: str, *, duration: str, reason: str, end: bool, bot: Client, as_json: bool) -> None:
    """Tell nobody of a rule's alerts for a while; RULE and SUBJECT may have * and ?."""
    if end:
        found = bot.delete(f"/alerts/silences/{rule}")
        _print_json(found) if as_json else click.echo(f"{rule} is over")
        return
    try:
        lasts = seconds(duration)
    except ValueError as error:
        raise click.BadParameter(f"{duration!r} is not allowed; allowed are times such as 90s, 15min or 1h") from error
    body = {"rule": rule, "subject": subject, "for": lasts, "reason": reason}
    found = bot.post("/alerts/silences", body)
    _print_json(found) if as_json else click.echo(_silence(found["silence"]))


@alerts.command()
@click.argument("names", nargs=-1)
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path),
    help="Configuration file; else OTEL_TRADING_CONFIG or otel-trading.toml, .yaml, .json in the working folder.",
)
@click.option("--level", type=click.Choice(list(AlertLevel), case_sensitive=False), default="INFO", show_default=True)
def test(names: tuple[str, ...], path: Path | None, level: str) -> None:
    """Send a test to the channels NAMES, or to all; exits with 1 when one does not work.

    The channels are those of the configuration, and it is this command that sends: no bot has to run.
    """
    settings = resolve({"config_file": path} if path else {}).settings
    channels, problems = build(settings, service_name(settings))
    for problem in problems:
        click.echo(redact(problem), err=True)
    unknown = [name for name in names if name not in {channel.name for channel in channels}]
    for name in unknown:
        click.echo(f"{name}: there is no such channel", err=True)
    chosen = [channel for channel in channels if not names or channel.name in names]
    if not chosen:
        click.echo("no channel is configured: alerts are told by the log alone")
    worked = asyncio.run(_tested(chosen, AlertLevel(level.upper())))
    if problems or unknown or not all(worked):
        sys.exit(1)


@alerts.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rules(*, as_json: bool) -> None:
    """Show the rules as they are configured here, and what of that cannot be used."""
    settings = resolve({}).settings
    channels, problems = build(settings, service_name(settings))
    routing = Routing()
    routing.kinds = {channel.name: channel.kind for channel in channels}
    routing.routes, wrong = routes(settings.alerts_routes, routing.kinds)
    found = []
    for declared in RULES.values():
        rule, more = configured(declared, settings.alerts_rules.get(declared.name, {}))
        found.append(rule)
        wrong += more
    problems += [
        *map(str, wrong),
        *unknown_rules(settings.alerts_rules, RULES),
        *unknown_channels(found, routing.kinds),
    ]
    if as_json:
        _print_json({"rules": [of_rule(rule) for rule in found], "problems": problems})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("rule", "level", "threshold", "for", "escalates after", "goes to"):
        table.add_column(column)
    for rule in found:
        steps = ", ".join(lasting(step.after) for step in rule.steps) or "-"
        threshold = "-" if rule.threshold is None else f"{rule.threshold:g}"
        to = ", ".join(routing.channels(rule.name, rule.level, rule.channels))
        row = (rule.level.value, threshold, lasting(rule.for_) if rule.for_ else "-", steps, to)
        table.add_row(rule.name, *(row if rule.awake else ("off", threshold, "", "", "")))
    console = Console()
    console.print(table)
    for problem in problems:
        console.print(problem, style="yellow", highlight=False, markup=False)


async def _tested(channels: list[Channel], level: AlertLevel) -> list[bool]:
    return await asyncio.gather(*(_told(channel, level) for channel in channels))


async def _told(channel: Channel, level: AlertLevel) -> bool:
    alert = AlertPayload(
        level,
        "this is a test",
        "Whoever reads this is told when something happens.",
        timestamp=datetime.now(UTC),
        fields={"host": socket.gethostname(), "channel": channel.name},
        rule="test",
    )
    message = render(Notification(alert, (channel.name,), "test", id=uuid4().hex), channel.service)
    try:
        async with asyncio.timeout(channel.patience):
            await channel.deliver(message)
    except (ChannelError, TimeoutError) as error:
        click.echo(f"{channel.name} ({channel.kind}): {channel.cleaned(error) or 'no answer: timed out'}", err=True)
        return False
    click.echo(f"{channel.name} ({channel.kind}): told")
    return True


def _show(console: Console, title: str, alerts: list[dict[str, Any]]) -> None:
    console.print(f"{title}: {'' if alerts else 'nothing'}", style="bold")
    for alert in alerts:
        state = "over" if alert["state"] == "resolved" else alert["level"]
        line = f"{alert['timestamp'][:19]} {state:<8} {alert['title']}"
        console.print(line, style=_STYLES.get(state, "green"), highlight=False, markup=False)
        if alert["message"]:
            console.print(f"{'':<29}{alert['message']}", style="dim", highlight=False, markup=False)


def _silence(silence: dict[str, Any]) -> str:
    until = silence.get("until_ns")
    left = "" if until is None else f" until {_moment(until)}"
    what = " ".join(part for part in (silence["rule"], silence["subject"]) if part != "*") or "everything"
    return f"{silence['id']}: silent is {what}{left} {silence.get('reason', '')}".rstrip()


def _moment(time_ns: float) -> str:
    return f"{datetime.fromtimestamp(time_ns / 1e9, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _print_json(found: object) -> None:
    click.echo(json.dumps(found, indent=2))
