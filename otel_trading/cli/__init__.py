"""The command line: ``otel-trading …``."""

from __future__ import annotations

import sys

from otel_trading.extras import MissingExtraError, require


def main() -> None:
    """Run the command line; a missing extra ends it with the command that installs it."""
    try:
        require("click", extra="cli")
        require("rich", extra="cli")
        from otel_trading.cli.commands import cli

        cli()
    except MissingExtraError as error:
        sys.exit(f"otel-trading: {error}")
