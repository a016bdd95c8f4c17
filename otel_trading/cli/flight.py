"""``otel-trading flight`` and ``otel-trading recover``: what recordings hold, and delivering it."""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from otel_trading import _native
from otel_trading.export import readable
from otel_trading.export.delivery import Outcome, Receiver
from otel_trading.export.destination import SIGNALS, Destination, Signal, destination
from otel_trading.export.transport import OtlpSender
from otel_trading.export.transport.sender import place_of, without_user
from otel_trading.flight.folder import Listed, default_folder, prepared, recordings
from otel_trading.flight.process import process
from otel_trading.flight.recovery import ITEMS
from otel_trading.flight.recovery import recover as recovered
from otel_trading.flight.timeline import timeline
from otel_trading.settings import resolve

if TYPE_CHECKING:
    from otel_trading.flight.recovery import Deliver

_EVERYBODY = "all"
_PAUSE = 0.5
_FOLDER = click.option(
    "--folder", type=click.Path(path_type=Path), help="Folder of the recordings; else flight_folder."
)


@click.group()
def flight() -> None:
    """Recordings of bots: what they did last, also when they were killed."""


@flight.command("list")
@_FOLDER
def list_(folder: Path | None) -> None:
    """List the recordings, the newest last."""
    place = _place(folder)
    found = recordings(place)
    if not found:
        click.echo(f"no recordings in {place}")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("file", "service", "pid", "began", "size", "state"):
        table.add_column(title, overflow="fold", justify="right" if title in {"pid", "size"} else "left")
    for each in found:
        began = datetime.fromtimestamp(each.started_ns / 1e9).astimezone().isoformat(" ", "seconds")
        known = (each.service, str(each.pid), began) if each.state else ("?", "", "")
        table.add_row(each.path.name, *known, readable.value(each.size, "By"), _state(each))
    Console(soft_wrap=not sys.stdout.isatty()).print(table)
    click.echo(f"in {place}")


@flight.command()
@click.argument("recording", default="latest")
@click.option("--seconds", default=10.0, show_default=True, help="How much of the end the timeline shows.")
@click.option("--all", "everything", is_flag=True, help="Everything that was recorded.")
@_FOLDER
def show(recording: str, *, seconds: float, everything: bool, folder: Path | None) -> None:
    """Show what a bot did last: of a dead one, or of a living one at this moment.

    RECORDING is a file, its name in the folder, or latest.
    """
    path = _file(recording, _place(folder))
    try:
        read = process(path)
    except ValueError as error:
        raise click.ClickException(f"{path}: {error}") from error
    console = Console(soft_wrap=True, highlight=False)
    for file in read.files:
        console.print(Text(str(file), "dim"))
    for line in timeline(read, seconds=seconds, everything=everything):
        console.print(Text.assemble(*line))


@flight.command()
@_FOLDER
def snapshot(folder: Path | None) -> None:
    """Copy the recordings of living bots, to be looked at later; prints the files."""
    place = _place(folder)
    living = [each for each in recordings(place) if each.in_use and each.state == "unfinished"]
    if not living:
        raise click.ClickException(f"nobody records into {place}")
    for each in living:
        click.echo(_copied(each.path))


@click.command()
@_FOLDER
@click.option("--endpoint", help="Where to send OTLP; else what the bot's own options say.")
@click.option("--service", default=_EVERYBODY, show_default=True, help="Whose recordings; all for those of every bot.")
@click.option("--timeout", default=10.0, show_default=True, help="Seconds to try to reach the receiver.")
def recover(folder: Path | None, *, endpoint: str | None, service: str, timeout: float) -> None:
    """Deliver what killed bots recorded and did not deliver.

    The exit status is 1 when something could not be delivered; it stays in its file then.
    """
    resolved = resolve({} if endpoint is None else {"endpoint": endpoint})
    chosen = {signal: destination(resolved, signal) for signal in SIGNALS}
    senders: dict[Signal, OtlpSender] = {signal: _sender(signal, chosen[signal]) for signal in SIGNALS}
    place = _place(folder)
    urls = ", ".join(dict.fromkeys(without_user(each.url) for each in chosen.values()))
    items: Counter[Signal] = Counter()
    files = failed = 0
    with Console(stderr=True).status(f"Delivering recordings of {place} to {urls} ..."):
        deadline = time.monotonic() + timeout
        deliver: Deliver = {signal: partial(_delivered, sender, deadline) for signal, sender in senders.items()}
        for found in recovered(place, None if service == _EVERYBODY else service, deliver):
            click.echo(str(found))
            items[found.signal] += found.items
            files += found.failed is None
            failed += found.failed is not None and bool(found.pid)
    for sender in senders.values():
        sender.close()
    told = [f"{items[signal]} {ITEMS[signal]}" for signal in SIGNALS if items[signal] or signal == "traces"]
    line = f"{' and '.join(told)} of {files} recordings delivered to {senders['traces'].target}"
    click.echo(line + (f", {failed} failed" * bool(failed)))
    sys.exit(1 if failed else 0)


def _sender(signal: Signal, chosen: Destination) -> OtlpSender:
    return OtlpSender(signal, chosen, Receiver(place_of(chosen.url)))


def _delivered(sender: OtlpSender, deadline: float, request: bytes, _: int) -> str | None:
    while True:
        delivery = sender.send(request)
        if delivery.outcome is Outcome.SENT:
            return f"{delivery.rejected} are refused: {delivery.reason}" if delivery.rejected else None
        if delivery.outcome is Outcome.REFUSED or time.monotonic() >= deadline:
            return delivery.reason or "no answer"
        time.sleep(_PAUSE)


def _place(folder: Path | None) -> Path:
    given = folder or resolve({}).settings.flight_folder
    return Path(given).expanduser().absolute() if given else default_folder()


def _state(listed: Listed) -> str:
    if listed.state is None:
        return "not readable"
    if listed.in_use:
        return "recording" if listed.state == "unfinished" else "in use"
    return "to recover" if listed.state == "unfinished" else listed.state


def _file(given: str, folder: Path) -> Path:
    if given != "latest":
        return next((path for path in (Path(given), folder / given) if path.is_file()), Path(given))
    readable_ones = [each for each in recordings(folder) if each.state is not None]
    if not readable_ones:
        raise click.ClickException(f"no recordings in {folder}")
    return max(readable_ones, key=lambda each: each.started_ns).path


def _copied(path: Path) -> Path:
    """A copy that nobody recovers: what is in it is still the living bot's to deliver."""
    folder = prepared(path.parent)
    copy = folder / f"{path.stem}-{time.time_ns()}.flight"
    unfinished = copy.with_suffix(".copy")
    shutil.copyfile(path, unfinished)
    unfinished.chmod(0o600)
    claim = _native.Claim.take(unfinished)
    if claim is None:
        raise click.ClickException(f"{unfinished} is in use")
    claim.recovered()
    return unfinished.rename(copy)
