"""``otel-trading alerts test``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.testing import CliRunner

from otel_trading.cli.commands import cli
from tests.alerts.channels.services import SLACK_PATH

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.alerts.channels.services import Service


def test_says_which_channels_work(serve: Callable[[str], Service], tmp_path: Path) -> None:
    """A line each, no secret in it; the exit status is 1 when one does not."""
    server = serve("slack")
    path = tmp_path / "bot.toml"
    path.write_text(
        f'[alerts.channels.desk]\ntype = "slack"\nwebhook_url = "{server.url + SLACK_PATH}"\n'
        '[alerts.channels.bad]\ntype = "slack"\n'
        f'[alerts.channels.old]\ntype = "slack"\nwebhook_url = "{server.url}/services/T/B/sEcReT"\n',
        "utf-8",
    )
    good = CliRunner().invoke(cli, ["alerts", "test", "desk", "--file", str(path)])
    assert "desk (slack): told" in good.output
    assert server.taken[0]["text"] == "🧪 *INFO, test: this is a test*"
    server.faults += [(404, {}, "no_service")] * 2
    both = CliRunner().invoke(cli, ["alerts", "test", "--file", str(path)])
    assert both.exit_code == 1
    assert "old (slack): 404 no_service" in both.output
    assert "alerts_channels bad is left out" in both.output
    assert "sEcReT" not in both.output
    none = CliRunner().invoke(cli, ["alerts", "test", "nobody", "--file", str(path)])
    assert none.exit_code == 1
    assert "nobody: there is no such channel" in none.output
