"""``otel-trading demo``: a bot on a simulated market under full telemetry, no exchange and no backend needed."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
from rich.console import Console

from otel_trading.extras import require
from otel_trading.stack.binaries import cache_directory

if TYPE_CHECKING:
    from otel_trading.demo.bot.strategy import VenueName
    from otel_trading.demo.runner import Run
    from otel_trading.demo.venue import Fault

_AFTER = re.compile(r"@(?P<number>\d+(?:\.\d+)?)(?P<unit>ms|s|m)$")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}


def _speed(_ctx: click.Context, _param: click.Parameter, value: str) -> float | None:
    if value == "max":
        return None
    try:
        speed = float(value)
    except ValueError:
        speed = math.nan
    if not (math.isfinite(speed) and speed > 0):
        raise click.BadParameter(f"{value!r} is not allowed; allowed are a number above 0 and max")
    return speed


def _seconds(_ctx: click.Context, _param: click.Parameter, value: float | None) -> float | None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise click.BadParameter(f"{value} is not allowed; allowed is a number above 0")
    return value


def _url(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise click.BadParameter(f"{value!r} is not allowed; allowed is a URL such as http://127.0.0.1:4318")
    return value


def _faults(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> list[tuple[Fault, float]]:
    return [_fault_at(value) for value in values]


def _fault_at(text: str) -> tuple[Fault, float]:
    from otel_trading.demo.venue import Fault, FaultError

    match = _AFTER.search(text)
    try:
        fault = Fault.parse(text[: match.start()] if match else text)
    except FaultError as error:
        raise click.BadParameter(f"{error}; @AFTER is the time into the run, such as @5s") from error
    return fault, float(match["number"]) * _SECONDS[match["unit"]] if match else 0.0


@click.group(invoke_without_command=True)
@click.option("--spot", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Spot recording (gzip).")
@click.option(
    "--perp", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Perpetual's recording (gzip)."
)
@click.option(
    "--speed",
    callback=_speed,
    metavar="N|max",
    default="1",
    show_default=True,
    help="Multiple of the market's own pace.",
)
@click.option("--seed", type=int, default=3, show_default=True, help="Of the generated market.")
@click.option("--seconds", type=float, callback=_seconds, help="End after this time.")
@click.option(
    "--fault",
    "faults",
    callback=_faults,
    metavar="SPEC[@AFTER]",
    multiple=True,
    help="Switch a fault on, e.g. silent:perp:10s@5s.",
)
@click.option("--summary-json", type=click.Path(dir_okay=False, path_type=Path), help="Write the summary here.")
@click.option(
    "--endpoint",
    callback=_url,
    metavar="URL",
    help="Where to send OTLP; by default OTEL_EXPORTER_OTLP_ENDPOINT or this host's Collector.",
)
@click.option("--ops-port", type=click.IntRange(0, 65_535), help="Port of /metrics; 0 takes any free one.")
@click.option("--service-name", default="basis-bot", show_default=True, help="The bot's name in all telemetry.")
@click.option("--quiet", is_flag=True, help="Show nothing but problems.")
@click.pass_context
def demo(ctx: click.Context, /, **options: Any) -> None:  # noqa: ANN401 - the options above
    """Trade the basis between spot and perpetual on two simulated venues, and watch it.

    Without recordings the market is generated. The run ends after --seconds, at the end of the recordings or with
    Ctrl-C, closes its position, delivers its telemetry and sums up; its exit status is 0. Faults: disconnect:VENUE,
    silent:VENUE[:FOR], malformed:VENUE[:FOR], slow_ack:VENUE:DELAY[:FOR], reject:VENUE:FRACTION[:FOR],
    clock_skew:VENUE:OFFSET[:FOR].
    """
    if ctx.invoked_subcommand is None:
        _run(**options)


@demo.command()
@click.argument("spec", required=False)
@click.option("--clear", is_flag=True, help="End all faults.")
def fault(spec: str | None, *, clear: bool) -> None:
    """Switch a fault on in the demo that is running, e.g. `otel-trading demo fault silent:perp:10s`."""
    from otel_trading.demo.running import NoDemoError, find
    from otel_trading.demo.venue import FaultError

    if (spec is None) == (not clear):
        raise click.UsageError("give either a fault, such as silent:perp:10s, or --clear")
    try:
        running = find(cache_directory())
        active = running.switch_on(spec) if spec else running.switch_off()
    except (FaultError, NoDemoError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"demo {running.pid}: " + (", ".join(active) or ("done" if spec else "no faults")))


def _run(
    *,
    spot: Path | None,
    perp: Path | None,
    speed: float | None,
    seed: int,
    seconds: float | None,
    faults: list[tuple[Fault, float]],
    summary_json: Path | None,
    endpoint: str | None,
    ops_port: int | None,
    service_name: str,
    quiet: bool,
) -> None:
    if (spot is None) != (perp is None):
        missing = "--perp" if perp is None else "--spot"
        raise click.UsageError(f"{missing} is missing; give both recordings, or neither for a generated market")
    _check_recording("--spot", spot, "spot")
    _check_recording("--perp", perp, "perp")
    if summary_json is not None and not summary_json.parent.is_dir():
        raise click.UsageError(
            f"--summary-json {summary_json}: the folder does not exist; give a file in one that does"
        )
    require("ccxt", extra="demo")
    import otel_trading as ot
    from otel_trading.demo.runner import Plan, Run
    from otel_trading.demo.summary import show
    from otel_trading.demo.venue import VenueProcessError
    from otel_trading.stack.native import Stack

    chosen: dict[str, Any] = {"endpoint": endpoint, "ops_port": ops_port}
    if "OTEL_TRADING_SPOOL_FOLDER" not in os.environ:
        chosen["spool_enabled"] = False  # nobody wants a demo's ticks from its next start
    telemetry = ot.configure(
        service_name=service_name,
        profile="staging",
        instrument=("aiohttp-client", "asyncio"),  # the reference bot tells what ccxt does itself
        banner=not quiet,
        **{name: value for name, value in chosen.items() if value is not None},
    )
    # what the bot says is shipped and shown in the table; printed as well it would tear it,
    # and so would asyncio's words on futures that ccxt fails for every watch call of a lost connection
    for name in ("basis_bot", "asyncio"):
        logging.getLogger(name).addHandler(logging.NullHandler())
    plan = Plan(spot=spot, perp=perp, speed=speed, seed=seed, seconds=seconds, faults=faults, cache=cache_directory())
    run = Run(plan, telemetry)
    console = Console(quiet=quiet)
    try:
        asyncio.run(_play(run, console))
    except (VenueProcessError, TimeoutError) as error:
        telemetry.shutdown()
        raise click.ClickException(str(error)) from error
    summary = run.finish()
    if summary_json is not None:
        summary_json.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    urls = Stack().urls
    show(console, summary, jaeger=urls["jaeger_ui"], grafana=urls["grafana"])


def _check_recording(option: str, path: Path | None, venue: VenueName) -> None:
    from otel_trading.demo.venue.recording import Recording, RecordingError

    if path is None:
        return
    try:
        Recording(path, venue).snapshot()
    except (RecordingError, OSError, EOFError, UnicodeError, zlib.error) as error:
        raise click.UsageError(
            f"{option} {path} is not a recording ({error}); allowed is a gzip file of lines with a time in nanoseconds "
            "and a JSON frame, one of them a depth snapshot"
        ) from error


async def _play(run: Run, console: Console) -> None:
    from otel_trading.demo.keys import pressed
    from otel_trading.demo.view import View

    with pressed(run) as keys:
        async with View(run, console, keys=keys).shown():
            await run.play()
