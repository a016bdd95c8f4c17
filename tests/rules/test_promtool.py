"""Promtool's judgement of every rule: syntax, and the stories that it plays against them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from otel_trading.provisioning import Case, Group, Rule
from otel_trading.provisioning.rules.kit import RULES
from otel_trading.provisioning.rules.promtool import play
from otel_trading.stack.binaries import cache_directory, find_tool
from otel_trading.stack.files import config_file

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("backends")]
TESTED = [group.name for group in RULES if any(not rule.loki for rule in group.alerts)]


@pytest.fixture(scope="module")
def promtool() -> Path:
    found = find_tool("promtool", cache_directory())
    assert found is not None
    return found


@pytest.mark.parametrize("name", TESTED)
def test_the_committed_rules_pass_their_committed_tests(promtool: Path, name: str) -> None:
    """Without data, quiet, firing, resolved: as the files of the repository have it."""
    folder = config_file("collector", "rules")
    for arguments in (("check", "rules", "--lint-fatal", f"{name}.yml"), ("test", "rules", f"tests/{name}.test.yml")):
        done = subprocess.run([promtool, *arguments], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "SUCCESS" in done.stdout + done.stderr


def test_a_rule_that_does_not_do_what_its_case_says_is_found(promtool: Path) -> None:
    """Another threshold, another severity, a summary that says something else: each fails."""
    case = Case(series={'queue{job="a"}': "0x9 20x20"}, labels={"job": "a"}, quiet=("1m",), fires="4m", value="20")
    good = Rule(name="QueueLong", expr="queue > 10", severity="warning", summary="{{ $value }} wait.", cases=(case,))
    wrong = {
        "threshold": Rule(
            name="QueueLong", expr="queue > 30", severity="warning", summary="{{ $value }} wait.", cases=(case,)
        ),
        "too-soon": Rule(
            name="QueueLong", expr="queue >= 0", severity="warning", summary="{{ $value }} wait.", cases=(case,)
        ),
        "says": Rule(
            name="QueueLong", expr="queue + 1 > 10", severity="warning", summary="{{ $value }} wait.", cases=(case,)
        ),
        "syntax": Rule(name="QueueLong", expr="queue >> 10", severity="warning", summary="It is long.", cases=(case,)),
    }
    groups = [Group(name="good", rules=(good,)), *(Group(name=name, rules=(rule,)) for name, rule in wrong.items())]
    assert {played.group: played.passed for played in play(groups, promtool)} == {
        "good": True,
        **dict.fromkeys(wrong, False),
    }
