"""``otel-trading doctor``: does telemetry arrive, and if not, where is it lost."""

from __future__ import annotations

import json
import sys
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from otel_trading import redaction
from otel_trading.configure import configure
from otel_trading.export.destination import with_scheme
from otel_trading.extras import MissingExtraError
from otel_trading.settings import resolve
from otel_trading.stack.diagnosis import Places, diagnose
from otel_trading.stack.endpoint import GRPC, HTTP, Endpoint, Problem
from otel_trading.stack.errors import StackError
from otel_trading.stack.native import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry._logs import Logger
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Tracer

    from otel_trading.settings import Settings
    from otel_trading.stack.diagnosis import Report


@click.command()
@click.option(
    "--endpoint",
    help="Where to send OTLP; else what the bot's own options say, else the Collector of `otel-trading stack`.",
)
@click.option("--protocol", type=click.Choice((HTTP, GRPC)), help="How; else what the bot's own options say.")
@click.option("--prometheus", envvar="OTEL_TRADING_PROMETHEUS_URL", show_envvar=True, help="Prometheus' address.")
@click.option("--jaeger", envvar="OTEL_TRADING_JAEGER_URL", show_envvar=True, help="Jaeger's address.")
@click.option("--loki", envvar="OTEL_TRADING_LOKI_URL", show_envvar=True, help="Loki's address.")
@click.option("--grafana", envvar="OTEL_TRADING_GRAFANA_URL", show_envvar=True, help="Grafana's address, for links.")
@click.option("--timeout", default=20.0, show_default=True, help="Seconds to wait for the slowest backend.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(
    *,
    endpoint: str | None,
    protocol: str | None,
    prometheus: str | None,
    jaeger: str | None,
    loki: str | None,
    grafana: str | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Send one trace, one histogram value and one log line, and find each in its backend.

    The exit status is 0 if all three were found. Otherwise it is 1, and the output names the hop that lost them and
    what to do.
    """
    given = {"endpoint": endpoint, "protocol": protocol}
    resolved = resolve({name: value for name, value in given.items() if value is not None})
    console = Console(stderr=True)
    try:
        urls = Stack().urls
        places = Places(
            prometheus=(prometheus or urls["prometheus"]).rstrip("/"),
            jaeger=(jaeger or urls["jaeger_ui"]).rstrip("/"),
            loki=(loki or urls["loki"]).rstrip("/"),
            grafana=(grafana or urls["grafana"]).rstrip("/"),
            collector_health=urls["collector_health"],
            collector_metrics=urls["collector_metrics"],
        )
        settings = resolved.settings
        of_the_stack = urls["otlp_grpc" if settings.protocol == GRPC else "otlp_http"]
        chosen = of_the_stack if resolved.origins["endpoint"] == "default" else settings.endpoint
        target = Endpoint(with_scheme(chosen, settings.protocol, insecure=settings.insecure), settings.protocol)
        with console.status(f"Sending through {target.url} and looking for it ..."):
            report = diagnose(
                target,
                places,
                connect=lambda: _telemetry(target),
                obstacle=_obstacle(settings),
                run_id=uuid.uuid4().hex[:12],
                timeout=timeout,
            )
    except (StackError, MissingExtraError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2))
    else:
        _show(report)
    sys.exit(0 if report.healthy else 1)


@contextmanager
def _telemetry(target: Endpoint) -> Iterator[tuple[Tracer, Meter, Logger]]:
    """What a bot reports with, under the bot's own options; everything is delivered at the end."""
    with configure(
        service_name="otel-trading-doctor",
        # one instance for all runs: the exemplar tells them apart, and series do not pile up
        resource_attributes={"service.instance.id": "doctor"},
        endpoint=target.url,
        protocol="grpc" if target.protocol == GRPC else "http/protobuf",
        traces_sampler="always_on",
        metrics_enabled=True,
        metric_interval=3600.0,
        instrument="none",
        spool_enabled=False,
        ops_enabled=False,
        banner=False,
    ) as telemetry:
        yield telemetry.tracer, telemetry.meter, telemetry.logger


def _obstacle(settings: Settings) -> Problem | None:
    """An option that keeps the bot from sending at all."""
    if settings.disabled:
        return Problem(
            "bot", "telemetry is turned off (disabled=true)", "unset OTEL_SDK_DISABLED, or disabled in the file"
        )
    off = [signal for signal in ("traces", "logs") if not getattr(settings, f"{signal}_enabled")]
    if off:
        return Problem("bot", f"{' and '.join(off)} are turned off", f"set OTEL_TRADING_{off[0].upper()}_ENABLED=true")
    return None


def _show(report: Report) -> None:
    console = Console(soft_wrap=True)
    console.print(f"OTLP {report.protocol} to {_shown(report.endpoint)}, run {report.run_id}\n", highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("signal", "backend", "result", "took"):
        table.add_column(title, justify="right" if title == "took" else "left", no_wrap=True)
    for finding in report.findings:
        table.add_row(
            finding.signal,
            finding.backend,
            "[green]✓ found[/]" if finding.found else "[red]✗ missing[/]",
            "" if finding.seconds is None else f"{finding.seconds:.2f} s",
        )
    console.print(table)
    for position, finding in enumerate(finding for finding in report.findings if finding.found):
        if position == 0:
            console.print()
        console.print(Text(f"{finding.signal}: {finding.link}", style="dim"))
    problems = list(dict.fromkeys(finding.problem for finding in report.findings if finding.problem))
    for problem in problems:
        console.print(f"\n[bold red]{problem.hop}[/]: {_shown(problem.what)}", highlight=False)
        console.print(f"  → {_shown(problem.advice)}", highlight=False)


def _shown(text: str) -> str:
    """A text as it may be printed: without secrets, and with brackets that mean nothing."""
    return escape(redaction.redact(text))
