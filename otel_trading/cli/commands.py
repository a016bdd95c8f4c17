"""The command group: each command is imported only when it is called, so ``--help`` stays quick."""

from __future__ import annotations

from importlib import import_module
from typing import cast

import click

from otel_trading import __version__

COMMANDS = {
    "alerts": "otel_trading.cli.alerts:alerts",
    "bench": "otel_trading.cli.bench:bench",
    "config": "otel_trading.cli.config:config",
    "demo": "otel_trading.cli.demo:demo",
    "doctor": "otel_trading.cli.doctor:doctor",
    "emergency": "otel_trading.cli.emergency:emergency",
    "flight": "otel_trading.cli.flight:flight",
    "grafana": "otel_trading.cli.grafana:grafana",
    "health": "otel_trading.cli.health:health",
    "ops": "otel_trading.cli.ops:ops",
    "recover": "otel_trading.cli.flight:recover",
    "rules": "otel_trading.cli.rules:rules",
    "status": "otel_trading.cli.status:status",
    "stack": "otel_trading.cli.stack:stack",
}


class LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        return cast("click.Command", getattr(import_module(module), name))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="otel-trading")
def cli() -> None:
    """OpenTelemetry for trading bots."""
