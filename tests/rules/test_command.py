"""The command ``otel-trading rules``, and the page that explains it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from click.testing import CliRunner

from otel_trading.cli.rules import rules
from otel_trading.provisioning import Group, Slo
from otel_trading.provisioning.rules.channels import VARIABLES
from otel_trading.provisioning.rules.kit import RULES
from otel_trading.provisioning.rules.promtool import play
from otel_trading.stack.alerting import SETTINGS
from otel_trading.stack.binaries import cache_directory, find_tool

if TYPE_CHECKING:
    from click.testing import Result

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"
MODULE = """
from otel_trading.provisioning import Group, Rule

RULES = [Group(name="mine", rules=(Rule(name="Mine", expr="x > 1", severity="info", summary="Mine."),))]
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(rules, list(arguments))


def module(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> str:
    (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    return name


def test_the_list_has_every_alert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those of a module."""
    shown = run("list", "--module", module(tmp_path, monkeypatch, "listed_rules", MODULE))
    assert shown.exit_code == 0
    for group in RULES:
        for rule in group.alerts:
            assert rule.name in shown.output
    assert re.search(r"^Mine +info +0s +mine", shown.output, re.MULTILINE)


def test_rendering_writes_the_kits_rules_and_the_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With tests beside them; what an earlier rendering left goes."""
    target = tmp_path / "rules"
    (target / "rules").mkdir(parents=True)
    (target / "rules" / "stale.yml").write_text("groups: []")
    done = run("render", str(target), "--module", module(tmp_path, monkeypatch, "rendered_rules", MODULE))
    assert done.exit_code == 0, done.output
    assert {file.name for file in (target / "rules").glob("*.yml")} >= {"mine.yml", "orders.yml"}
    assert not (target / "rules" / "stale.yml").exists()
    assert (target / "rules" / "tests" / "orders.test.yml").is_file()
    assert not (target / "grafana").exists()


def test_for_grafana_prometheus_gets_no_alert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One engine at a time."""
    done = run(
        "render", str(tmp_path / "r"), "--grafana", "--module", module(tmp_path, monkeypatch, "for_grafana", MODULE)
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "r" / "grafana" / "rules-mine.yaml").is_file()
    for file in (tmp_path / "r" / "rules").glob("*.yml"):
        assert all("record" in rule for rule in yaml.safe_load(file.read_text())["groups"][0]["rules"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "RULES=None is not allowed"),
        ("RULES = [1]", "RULES=.* is not allowed"),
        ("import nowhere_to_be_found", "cannot be imported"),
        (MODULE.replace('"Mine"', '"BotGone"'), "the names BotGone are the kit's"),
        (MODULE.replace('"info"', '"loud"'), "severity='loud' is not allowed"),
    ],
)
def test_a_module_that_cannot_be_used_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    """In one message, with a status that is not zero."""
    name = module(tmp_path, monkeypatch, f"wrong_rules_{abs(hash(said))}", text)
    done = run("list", "--module", name)
    assert done.exit_code == 1
    assert re.search(said, done.output)


def test_a_scale_has_to_be_above_zero(tmp_path: Path) -> None:
    """It is said with its value."""
    done = run("render", str(tmp_path / "r"), "--scale", "0")
    assert done.exit_code == 1
    assert "--scale=0.0 is not allowed; allowed is a number above 0" in done.output


def test_without_promtool_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And nothing is tested."""
    monkeypatch.setenv("OTEL_TRADING_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run("test")
    assert done.exit_code == 1
    assert "run: otel-trading stack build prometheus" in done.output


@pytest.mark.stack
@pytest.mark.usefixtures("backends")
def test_a_modules_cases_are_played(tmp_path: Path) -> None:
    """With the working folder on the path, and a status that tells."""
    (tmp_path / "mybot.py").write_text(MODULE.replace("x > 1", "vector(1)"))
    command = [sys.executable, "-c", "from otel_trading.cli import main; main()", "rules", "test", "--module", "mybot"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "mine: 0 cases FAILED" in done.stdout
    assert "without any data" in done.stdout


def examples() -> dict[str, object]:
    found: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), found)  # noqa: S102 - the page's own examples
    return found


@pytest.mark.stack
@pytest.mark.usefixtures("backends")
def test_the_examples_of_the_page_work() -> None:
    """The rule passes its case, and the service level makes the alerts that the page names."""
    promtool = find_tool("promtool", cache_directory())
    assert promtool is not None
    found = examples()
    groups = found["RULES"]
    assert isinstance(groups, list)
    assert all(isinstance(group, Group) for group in groups)
    assert [(played.passed, played.told) for played in play(groups, promtool)] == [(True, "")] * 2
    quotes = found["quotes"]
    assert isinstance(quotes, Slo)
    text = PAGE.read_text("utf-8")
    for rule in quotes.group().alerts:
        assert f"`{rule.name}`" in text


def test_the_page_has_every_variable() -> None:
    """And no other."""
    named = set(re.findall(r"`(ALERT_[A-Z_]+)`", PAGE.read_text("utf-8")))
    assert named == {*SETTINGS, *VARIABLES}
