"""``otel-trading stack``: the backends on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from otel_trading.stack.binaries import cache_directory
from otel_trading.stack.build import build as build_binaries
from otel_trading.stack.components import BACKENDS, COMPONENTS
from otel_trading.stack.compose import ComposeStack, why_no_engine
from otel_trading.stack.errors import StackError
from otel_trading.stack.native import Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import TaskID

    from otel_trading.stack.native import ComponentStatus
    from otel_trading.stack.progress import Progress as StackProgress

PLAIN_SECONDS = 5.0
STATE_COLOURS = {"ready": "green", "starting": "yellow", "stopped": "red", "skipped": "dim"}


class _LiveProgress:
    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def begin(self, component: str, doing: str) -> None:
        self._tasks[component] = self._bars.add_task(component, total=None, doing=doing)

    def advance(self, component: str, doing: str, done: int, total: int | None) -> None:
        count = f"{doing} {done}" if total is None else f"{doing} {done}/{total}"
        self._bars.update(self._tasks[component], completed=done, total=total, doing=count)

    def finish(self, component: str, result: str) -> None:
        self._bars.update(self._tasks[component], completed=1, total=1, doing=f"[green]{result}[/]")
        self._bars.stop_task(self._tasks[component])


class _PlainProgress:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._began: dict[str, float] = {}
        self._told = 0.0

    def begin(self, component: str, doing: str) -> None:
        self._began[component] = self._told = time.monotonic()
        self._console.print(f"{component}: {doing}")

    def advance(self, component: str, doing: str, done: int, total: int | None) -> None:
        if time.monotonic() - self._told >= PLAIN_SECONDS:
            self._told = time.monotonic()
            self._console.print(f"{component}: {doing} {done}{'' if total is None else f'/{total}'}")

    def finish(self, component: str, result: str) -> None:
        self._console.print(f"{component}: {result} ({time.monotonic() - self._began[component]:.1f} s)")


@contextmanager
def _shown(console: Console) -> Iterator[StackProgress]:
    if not console.is_terminal:
        yield _PlainProgress(console)
        return
    columns = (
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description:<13}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[doing]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bars:
        yield _LiveProgress(bars)


@contextmanager
def _errors_as_messages() -> Iterator[None]:
    try:
        yield
    except StackError as error:
        raise click.ClickException(str(error)) from error


def _where(command: Callable[..., object]) -> Callable[..., object]:
    for option in (
        click.option("--native", "where", flag_value="native", help="Use native processes."),
        click.option("--compose", "where", flag_value="compose", help="Use docker compose."),
    ):
        command = option(command)
    return command


def _uses_compose(where: str | None, stack: Stack) -> bool:
    if where == "compose" and (reason := why_no_engine()):
        raise StackError(f"no Docker engine: {reason}. Use --native")
    if where is not None:
        return where == "compose"
    return not stack.is_running() and not why_no_engine()


@click.group()
def stack() -> None:
    """Collector, Prometheus, Alertmanager, Jaeger, Loki and Grafana on this machine.

    In containers where a Docker engine answers, else as native processes from the same files. Everything listens on
    loopback; every port has a variable (OTLP_HTTP_PORT, PROM_PORT, ...).
    """


@stack.command()
@_where
def up(where: str | None) -> None:
    """Start everything and wait until it is ready."""
    console = Console(stderr=True)
    with _errors_as_messages():
        native = Stack()
        if _uses_compose(where, native):
            sys.exit(ComposeStack().up())
        with _shown(console) as progress:
            native.progress = progress
            native.up()
        _show(native)
        if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
            click.echo(f"\nSend to {native.urls['otlp_http']} (HTTP) or {native.urls['otlp_grpc']} (gRPC).", err=True)
        click.echo("Check the whole path: otel-trading doctor", err=True)


@stack.command()
@click.argument("components", nargs=-1, type=click.Choice(BACKENDS))
def build(components: tuple[str, ...]) -> None:
    """Build the native binaries that are missing, once (about 13 minutes on two cores for all of them)."""
    with _errors_as_messages(), _shown(Console(stderr=True)) as progress:
        build_binaries(components or BACKENDS, progress=progress)
    click.echo(f"All there: {cache_directory() / 'bin'}, or the PATH.")


@stack.command()
@_where
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(where: str | None, *, as_json: bool) -> None:
    """Show what runs where; the exit status is 1 if something is down."""
    with _errors_as_messages():
        native = Stack()
        if _uses_compose(where, native):
            sys.exit(ComposeStack().status())
        if as_json:
            click.echo(json.dumps([asdict(component) for component in native.status()], indent=2))
        else:
            _show(native)
        sys.exit(any(component.state in {"stopped", "starting"} for component in native.status()))


@stack.command()
@click.argument("components", nargs=-1, type=click.Choice(tuple(COMPONENTS)))
@_where
@click.option("-f", "--follow", is_flag=True, help="Keep printing what is added.")
@click.option("-n", "--lines", default=50, show_default=True, help="How many of the last lines of each.")
def logs(components: tuple[str, ...], where: str | None, *, follow: bool, lines: int) -> None:
    """Show the output of all components, or of some."""
    with _errors_as_messages():
        native = Stack()
        if _uses_compose(where, native):
            sys.exit(ComposeStack().logs(components, follow=follow))
        files = [str(file) for name in components or COMPONENTS if (file := native.log_file(name)).exists()]
        if not files:
            raise StackError(f"nothing has been started here: there are no logs in {native.data_dir / 'logs'}")
        command = ["tail", f"--lines={lines}", *(["--follow=name", "--retry"] if follow else []), *files]
        try:
            sys.exit(subprocess.run(command, check=False).returncode)  # noqa: S603 - tail over our own files
        except KeyboardInterrupt:
            sys.exit(0)


@stack.command()
@_where
@click.option("--volumes", is_flag=True, help="Also delete what the backends have stored.")
def down(where: str | None, *, volumes: bool) -> None:
    """End what `up` has started."""
    console = Console(stderr=True)
    with _errors_as_messages():
        native = Stack()
        if _uses_compose(where, native):
            sys.exit(ComposeStack().down(volumes=volumes))
        was_running = native.is_running()
        with _shown(console) as progress:
            native.progress = progress
            native.down(volumes=volumes)
        click.echo("Everything is down." if was_running else "Nothing was running.", err=True)


def _show(native: Stack) -> None:
    components = native.status()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("component", "state", "pid", "up", "where", "what"):
        # where a terminal is narrow, the addresses are what people came for
        width = max(len(component.link) for component in components) if title == "where" else None
        justify = "right" if title in {"pid", "up"} else "left"
        table.add_column(title, justify=justify, no_wrap=title != "what", min_width=width)  # type: ignore[arg-type]
    for component in components:
        table.add_row(
            component.name,
            f"[{STATE_COLOURS[component.state]}]{component.state}[/]",
            str(component.pid or ""),
            _duration(component),
            "" if component.detail else component.link,
            component.offers,
        )
    console = Console()
    console.print(table)
    for component in components:
        if component.detail:
            console.print(f"[dim]{component.name}: {component.detail}[/]", highlight=False)


def _duration(component: ComponentStatus) -> str:
    if component.running_seconds is None:
        return ""
    minutes, seconds = divmod(int(component.running_seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{seconds:02}s" if minutes else f"{seconds}s"
