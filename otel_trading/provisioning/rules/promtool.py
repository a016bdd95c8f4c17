"""Playing the cases of rules with promtool."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from otel_trading.provisioning.rules import rendering

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_trading.provisioning.rules.model import Group


@dataclass(frozen=True, slots=True)
class Played:
    """What became of the cases of a group; ``told`` is what promtool says of those that failed."""

    group: str
    cases: int
    passed: bool
    told: str


def play(groups: Iterable[Group], promtool: Path) -> list[Played]:
    """Check the groups' syntax and play their cases."""
    groups = tuple(groups)
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tests").mkdir()
        for file, text in rendering.for_prometheus(groups).items():
            (folder / file).write_text(text, "utf-8")
        for file, text in rendering.tests(groups).items():
            (folder / "tests" / file).write_text(text, "utf-8")
        return [_played(group, folder, promtool) for group in groups if any(not rule.loki for rule in group.alerts)]


def _played(group: Group, folder: Path, promtool: Path) -> Played:
    cases = sum(len(rule.cases) for rule in group.alerts if not rule.loki)
    for arguments in (("check", "rules", f"{group.name}.yml"), ("test", "rules", f"tests/{group.name}.test.yml")):
        done = subprocess.run(  # noqa: S603 - a program that the caller found
            [promtool, *arguments], cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            return Played(group.name, cases, False, (done.stdout + done.stderr).strip())
    return Played(group.name, cases, True, "")
