"""The run-through of the documentation, line by line."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from otel_trading.cli.commands import cli
from otel_trading.provisioning.ids import panel_id

if TYPE_CHECKING:
    from tests.provisioning.standin import Standin

PAGE = (Path(__file__).parents[2] / "docs" / "grafana-round-trip.md").read_text("utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def squeezed(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def told(line: str) -> str:
    for name in [name for name in sys.modules if name.startswith("mybot")]:
        del sys.modules[name]
    result = CliRunner().invoke(cli, shlex.split(line)[1:], env={"COLUMNS": "120"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.output


@pytest.mark.parametrize("grafana", ["9.5.21", "12.1.0"], indirect=True)
def test_the_run_through_goes_as_it_says(grafana: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    module = Path("mybot/dashboards.py")
    module.parent.mkdir()
    module.write_text(blocks("python")[0], "utf-8")

    def titled(title: str) -> None:
        def edit(board: dict[str, Any]) -> None:
            next(panel for panel in board["panels"] if panel["id"] == panel_id("edge"))["title"] = title

        grafana.saves("my-strategy", edit)

    consoles = blocks("console")
    for number, console in enumerate(consoles):
        if number == 1:
            titled("Edge, before fees")
        if number == 3:
            assert Path("grafana/overrides/my-strategy.json").read_text("utf-8") == blocks("json")[0]
            text = module.read_text("utf-8").replace('timeseries("Edge"', 'timeseries("Net edge", slug="edge"')
            module.write_text(text.replace('slug="edge", "bot_edge_bps"', '"bot_edge_bps", slug="edge"'), "utf-8")
            titled("Edge (gross)")
        for part in console.removeprefix("$ ").split("\n$ "):
            line, _, expected = part.partition("\n")
            assert squeezed(told(line)) == squeezed(expected), line
    assert len(consoles) == 5
