"""``otel-trading doctor``: does telemetry arrive, and if not, where is it lost."""

from __future__ import annotations

import json
import logging
import sys
import uuid
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from otel_trading.extras import MissingExtraError
from otel_trading.stack.diagnosis import Places, diagnose
from otel_trading.stack.endpoint import GRPC, HTTP, Endpoint
from otel_trading.stack.errors import StackError
from otel_trading.stack.native import Stack

if TYPE_CHECKING:
    from otel_trading.stack.diagnosis import Report


@click.command()
@click.option(
    "--endpoint",
    envvar="OTEL_EXPORTER_OTLP_ENDPOINT",
    show_envvar=True,
    help="Where the bot sends OTLP; by default the Collector of `otel-trading stack`.",
)
@click.option(
    "--protocol",
    type=click.Choice((HTTP, GRPC)),
    envvar="OTEL_EXPORTER_OTLP_PROTOCOL",
    show_envvar=True,
    default=HTTP,
    show_default=True,
)
@click.option("--prometheus", envvar="OTEL_TRADING_PROMETHEUS_URL", show_envvar=True, help="Prometheus' address.")
@click.option("--jaeger", envvar="OTEL_TRADING_JAEGER_URL", show_envvar=True, help="Jaeger's address.")
@click.option("--loki", envvar="OTEL_TRADING_LOKI_URL", show_envvar=True, help="Loki's address.")
@click.option("--grafana", envvar="OTEL_TRADING_GRAFANA_URL", show_envvar=True, help="Grafana's address, for links.")
@click.option("--timeout", default=20.0, show_default=True, help="Seconds to wait for the slowest backend.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(
    *,
    endpoint: str | None,
    protocol: str,
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
    # the exporters' own complaints would repeat, less clearly, what the report says
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
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
        target = Endpoint(endpoint or urls["otlp_grpc" if protocol == GRPC else "otlp_http"], protocol)
        with console.status(f"Sending through {target.url} and looking for it ..."):
            report = diagnose(target, places, run_id=uuid.uuid4().hex[:12], timeout=timeout)
    except (StackError, MissingExtraError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2))
    else:
        _show(report)
    sys.exit(0 if report.healthy else 1)


def _show(report: Report) -> None:
    console = Console(soft_wrap=True)
    console.print(f"OTLP {report.protocol} to {report.endpoint}, run {report.run_id}\n", highlight=False)
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
        console.print(f"\n[bold red]{problem.hop}[/]: {problem.what}", highlight=False)
        console.print(f"  → {problem.advice}", highlight=False)
