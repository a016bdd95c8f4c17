"""``otel-trading emergency``: stopping a bot's trading, from any shell of its machine."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from otel_trading.risk.state import change, file_of, folder_of, made, read, services

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.risk.state import EmergencyState
    from otel_trading.settings import Settings

_STOPPED, _UNKNOWN = 2, 1


def _whose(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say whose stop it is."""
    for option in (
        click.option("--all", "everybody", is_flag=True, help="All services that have a state in the folder."),
        click.option("--folder", help="Folder of the states; else emergency_folder."),
        click.option("--service", help="The service; else the one of the options, or the only one in the folder."),
    ):
        command = option(command)
    return command


def _how(command: Callable[..., None]) -> Callable[..., None]:
    command = click.option("--yes", "-y", is_flag=True, help="Do not ask.")(command)
    return click.option("--reason", "-r", default="", help="Why, for people.")(command)


@click.group()
def emergency() -> None:
    """Stop all trading of a service, and resume it.

    Works on the machine of the bot and as its user, through a file: without HTTP, while the bot hangs, and while it
    does not run.
    """


@emergency.command()
@_whose
@_how
def stop(*, service: str | None, folder: str | None, everybody: bool, reason: str, yes: bool) -> None:
    """Stop trading: no order goes out until it is resumed, also after a restart."""
    place, found = _found(service, folder, everybody=everybody, making=True)
    if not yes and _at_a_terminal():
        click.confirm(f"Stop all trading of {', '.join(found)}?", abort=True)
    reason = reason or f"stopped by {_user()}"
    _changed(place, found, engaged=True, reason=reason)


@emergency.command()
@_whose
@_how
def resume(*, service: str | None, folder: str | None, everybody: bool, reason: str, yes: bool) -> None:
    """Let orders go out again."""
    place, found = _found(service, folder, everybody=everybody, making=False)
    _refuse_while_there()
    if not yes and _at_a_terminal():
        for each in found:
            click.echo(f"{each}: {_said(file_of(place, each))}")
        click.confirm(f"Let {', '.join(found)} trade again?", abort=True)
    reason = reason or f"resumed by {_user()}"
    _changed(place, found, engaged=False, reason=reason)


@emergency.command()
@_whose
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(*, service: str | None, folder: str | None, everybody: bool, as_json: bool) -> None:
    """Show whether trading is stopped, since when, by whom and why.

    The exit status is 0 while trading goes on, 2 when it is stopped, 1 when that is not known.
    """
    place, found = _found(service, folder, everybody=everybody or service is None, making=False)
    told: dict[str, object] = {}
    worst = 0
    for each in found:
        try:
            state = read(file_of(place, each))
        except (OSError, ValueError) as error:
            told[each], worst = {"engaged": None, "error": str(error)}, worst or _UNKNOWN
            continue
        told[each] = {"engaged": False} if state is None else asdict(state)
        if state is not None and state.engaged:
            worst = _STOPPED
    if as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        for each in found:
            click.echo(f"{each}: {_said(file_of(place, each))}")
    sys.exit(worst)


def _found(service: str | None, given: str | None, *, everybody: bool, making: bool) -> tuple[Path, list[str]]:
    """The folder, and the services that are meant."""
    settings = _settings()
    given = given or settings.emergency_folder
    try:
        place = made(given) if making else folder_of(given)
    except OSError as error:
        raise click.ClickException(f"the folder cannot be used: {error}") from error
    if place is None:
        raise click.ClickException("emergency_folder=none: the state is in the bot's memory; stop it over HTTP")
    named = service or settings.service_name or settings.resource_attributes.get("service.name")
    if named and not everybody:
        return place, [named]
    known = [name for name, _ in services(place)]
    if not known:
        raise click.ClickException(f"no bot has kept a state in {place}; say --service, or --folder")
    if len(known) > 1 and not everybody:
        raise click.ClickException(f"which one? say --service or --all; there are: {', '.join(known)}")
    return place, known


def _settings() -> Settings:
    from otel_trading.settings import resolve

    return resolve({}).settings


def _refuse_while_there() -> None:
    trigger = _settings().emergency_file
    if trigger is not None and os.path.lexists(Path(trigger).expanduser()):
        raise click.ClickException(f"{trigger} is there, which stops trading (emergency_file); remove it first")


def _changed(place: Path, found: list[str], *, engaged: bool, reason: str) -> None:
    failed = False
    for each in found:
        try:
            changed, state = change(file_of(place, each), engaged=engaged, reason=reason, by="cli")
        except OSError as error:
            click.echo(f"{each}: NOT {'stopped' if engaged else 'resumed'}: {error}", err=True)
            failed = True
            continue
        click.echo(f"{each}: {_told(state, changed=changed)}")
    sys.exit(1 if failed else 0)


def _told(state: EmergencyState, *, changed: bool) -> str:
    if changed:
        return str(state)
    return f"was {'stopped' if state.engaged else 'not stopped'} already{f': {state}' if state.engaged else ''}"


def _said(path: Path) -> str:
    try:
        state = read(path)
    except (OSError, ValueError) as error:
        return f"not known: {path}: {error}"
    return "not stopped" if state is None or (not state.engaged and not state.by) else str(state)


def _at_a_terminal() -> bool:
    return sys.stdin.isatty()


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "the command line"
