from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from otel_trading.cli.commands import cli
from tests.provisioning.samples import at
from tests.provisioning.standin.server import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.provisioning.standin import Standin

MODULE = """
from tests.provisioning.samples import Dashboard

DASHBOARDS = [Dashboard()]
"""


@pytest.fixture(autouse=True)
def _module(grafana: Standin, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    write(MODULE)
    yield
    sys.modules.pop("mybot.dashboards", None)
    sys.modules.pop("mybot", None)


def write(text: str) -> None:
    Path("mybot").mkdir(exist_ok=True)
    Path("mybot/__init__.py").touch()
    Path("mybot/dashboards.py").write_text(text, "utf-8")
    for name in ("mybot.dashboards", "mybot"):
        sys.modules.pop(name, None)
    for cached in Path("mybot").glob("__pycache__/*"):
        cached.unlink()


def run(*arguments: str, module: str = "mybot.dashboards") -> Result:
    sys.modules.pop("mybot.dashboards", None)
    command, *rest = arguments
    result = CliRunner().invoke(cli, ["grafana", command, "--module", module, *rest], env={"COLUMNS": "200"})
    assert TOKEN not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def edit(board: dict[str, Any]) -> None:
    at(board, "latency")["title"] = "Mine"


def test_a_run_through(grafana: Standin) -> None:
    assert run("check").exit_code == 1
    assert "dashboards/bot.json" in run("render").output
    assert run("check").exit_code == 0
    assert "created" in run("push").output
    assert run("diff").exit_code == 0
    grafana.saves("bot", edit)
    compared = run("diff")
    assert compared.exit_code == 1
    for word in ("panels > latency > title", '"Latency"', '"Mine"', "Grafana"):
        assert word in compared.output
    refused = run("push")
    assert refused.exit_code == 1
    assert "pull first" in refused.output
    pulled = run("pull")
    assert pulled.exit_code == 0
    assert "edited" in pulled.output
    assert run("check").exit_code == 0
    assert at(json.loads(Path("grafana/dashboards/bot.json").read_text("utf-8")), "latency")["title"] == "Mine"
    assert json.loads(Path("grafana/overrides/bot.json").read_text("utf-8"))["changes"] == {
        "panels": {"latency": {"title": "Mine"}}
    }
    assert run("push").exit_code == 0
    assert run("diff").exit_code == 0


def test_a_conflict_is_listed_and_can_be_decided(grafana: Standin) -> None:
    run("push")
    grafana.saves("bot", edit)
    write(MODULE + "DASHBOARDS[0].at('latency')['title'] = 'From code'\n")
    result = run("pull")
    assert result.exit_code == 1
    for word in ("conflict", "panels > latency > title", '"Latency"', '"From code"', '"Mine"', "--prefer"):
        assert word in result.output
    assert run("pull", "--prefer", "grafana").exit_code == 0
    assert run("pull").exit_code == 0


def test_orphans_are_found_and_pruned(grafana: Standin) -> None:
    run("push")
    grafana.saves("bot", edit)
    run("pull")
    write(MODULE + "DASHBOARDS[0].board['panels'].remove(DASHBOARDS[0].at('latency'))\n")
    result = run("check")
    assert result.exit_code == 1
    assert "orphaned" in result.output
    assert "overrides/bot.json" in run("render", "--prune").output
    assert run("check").exit_code == 0
    assert not Path("grafana/overrides/bot.json").exists()


def test_edits_of_a_dashboard_that_the_code_no_longer_has_are_orphans() -> None:
    run("render")
    file = Path("grafana/overrides/gone.json")
    file.parent.mkdir()
    file.write_text('{"changes": {"title": "x"}, "instead of": {"title": "y"}}', "utf-8")
    assert "no such dashboard" in run("check").output
    run("render", "--prune")
    assert not file.exists()


def test_a_dry_run_writes_nothing() -> None:
    assert "created" in run("render", "--dry-run").output
    assert not Path("grafana").exists()


def test_a_folder_of_ones_own() -> None:
    run("render", "--folder", "ops/grafana")
    assert Path("ops/grafana/dashboards/bot.json").is_file()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has neither DASHBOARDS nor RULES"),
        ("DASHBOARDS = 5", "DASHBOARDS of mybot.dashboards is int; allowed is a sequence"),
        ("DASHBOARDS = [5]", "5 of DASHBOARDS is no dashboard"),
        ("1 / 0", "fails when it is imported: ZeroDivisionError"),
        ("import nothing_of_that_name", "No module named 'nothing_of_that_name'"),
        (MODULE + "DASHBOARDS *= 2", "two dashboards have the same uid: bot"),
    ],
)
def test_what_is_wrong_with_a_module_is_said(text: str, words: str) -> None:
    write(text)
    result = run("render")
    assert result.exit_code == 1
    assert words in result.output


def test_a_module_that_is_not_there_is_named() -> None:
    assert "--module mybot.other cannot be imported" in run("render", module="mybot.other").output


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"GRAFANA_TOKEN": ""}, "Set GRAFANA_TOKEN"),
        ({"GRAFANA_TOKEN": "another"}, "does not know the token (401): Invalid API key"),
        ({"GRAFANA_URL": ""}, "Set GRAFANA_URL"),
    ],
)
def test_what_opens_grafana_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], words: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    result = run("push")
    assert result.exit_code == 1
    assert words in result.output


def test_a_token_that_may_only_read_is_told_what_it_lacks(grafana: Standin) -> None:
    grafana.role = "Viewer"
    result = run("push")
    assert result.exit_code == 1
    assert "the token may not POST /api/folders (403)" in result.output


def test_rules_and_contacts_are_left_alone_until_they_are_asked_for(grafana: Standin) -> None:
    run("push")
    assert not any("provisioning" in request for request in grafana.requests)
    assert run("pull", "--what", "contacts").exit_code == 0
    run("pull")
    assert any("contact-points" in request for request in grafana.requests)
