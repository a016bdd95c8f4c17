"""``otel-trading bench`` as its user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from otel_trading.bench.contenders import NONE, OURS, PROMETHEUS, SDK
from otel_trading.bench.model import Column, Goal, Outcome, Row, Section
from otel_trading.cli import bench as command
from otel_trading.cli import commands

if TYPE_CHECKING:
    from pathlib import Path

SECTION = Section("A section", (Column("minimum_ns", "minimum", 1), Column("cold_ns", "cold")), "what it means")
SCHEMA: dict[str, Any] = {
    "schema": int,
    "effort": str,
    "machine": {
        "cpu": str,
        "cores": int,
        "load": float,
        "kernel": str,
        "clocksource": str,
        "python": str,
        "python_build": str,
        "packages": {
            "otel-trading": str,
            "opentelemetry-api": str,
            "opentelemetry-sdk": str,
            "prometheus-client": str,
        },
    },
    "rows": [
        {
            "name": str,
            "section": str,
            "figures": dict,
            "goals": [{"figure": str, "value": float, "limit": (int, float), "at_least": bool, "met": bool}],
            "left_out": dict,
            "failed": dict,
        }
    ],
}


def conform(value: Any, schema: Any, where: str = "$") -> None:
    """Fail where a value has not the shape of a schema."""
    if isinstance(schema, dict):
        assert value.keys() == schema.keys(), where
        for key, part in schema.items():
            conform(value[key], part, f"{where}.{key}")
    elif isinstance(schema, list):
        for number, part in enumerate(value):
            conform(part, schema[0], f"{where}[{number}]")
    else:
        assert isinstance(value, schema), where


def row(outcome: Outcome, *goals: Goal, name: str = "a row") -> Row:
    return Row(name, SECTION, lambda _: outcome, goals)


def run_rows(monkeypatch: pytest.MonkeyPatch, rows: list[Row], *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr(command, "ROWS", tuple(rows))
    result = CliRunner(env={"COLUMNS": "120"}).invoke(commands.cli, ["bench", *arguments])
    return result.exit_code, result.output


def test_a_missed_goal_is_shown_and_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table marks each goal as met, missed or not judged; the exit status stays 0."""
    outcome = Outcome({OURS: {"minimum_ns": 14.04, "cold_ns": 80.0}, SDK: {"minimum_ns": 4_811.26}})
    goals = (Goal("minimum_ns", 12), Goal("cold_ns", 150), Goal("cold_ns", 1, beside=NONE))
    code, output = run_rows(monkeypatch, [row(outcome, *goals)])
    assert code == 0
    assert "goals:  minimum ≤ 12 ✗  cold ≤ 150 ✓  cold ≤ 1 x no telemetry ?" in output
    lines = [line.split() for line in output.splitlines()]
    assert ["otel_trading", "14.0", "80"] in lines
    assert ["opentelemetry-sdk", "4,811.3", "-"] in lines
    assert "what it means" in output


def test_a_row_that_cannot_be_measured_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are shown, the reason is named, the exit status is 1."""
    rows = [
        row(Outcome(failed={OURS: "it [broke]"})),
        row(Outcome({OURS: {"minimum_ns": 3.25}}, {SDK: "is not installed"}), name="another"),
    ]
    code, output = run_rows(monkeypatch, rows)
    assert code == 1
    assert "otel_trading failed: it [broke]" in output
    assert "opentelemetry-sdk left out: is not installed" in output
    assert "3.2" in output


def test_only_picks_rows_by_any_part_of_their_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Case does not matter; without a match the names are listed and nothing runs."""
    rows = [row(Outcome(), name="counter.add(1)"), row(Outcome(), name="gauge.set(x)")]
    code, output = run_rows(monkeypatch, rows, "--only", "COUNTER")
    assert code == 0
    assert "counter.add(1)" in output
    assert "gauge.set(x)" not in output
    code, output = run_rows(monkeypatch, rows, "--only", "histogram")
    assert code == 2
    assert "counter.add(1)\n  gauge.set(x)" in output


def test_json_needs_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file that cannot be written is said before anything is measured."""
    code, output = run_rows(monkeypatch, [row(Outcome())], "--json", str(tmp_path / "absent" / "bench.json"))
    assert code == 2
    assert "the folder does not exist" in output
    assert "a row" not in output


def test_json_holds_every_figure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Machine, figures, goals, and who was left out or failed, in the documented shape; relative paths hold."""
    monkeypatch.chdir(tmp_path)
    outcome = Outcome({OURS: {"minimum_ns": 7.2, "cold_ns": 80.0}}, {SDK: "is not installed"})
    code, _ = run_rows(monkeypatch, [row(outcome, Goal("minimum_ns", 12))], "--quick", "--json", "bench.json")
    assert code == 0
    written = json.loads((tmp_path / "bench.json").read_text("utf-8"))
    conform(written, SCHEMA)
    assert (written["schema"], written["effort"]) == (1, "quick")
    assert written["rows"] == [
        {
            "name": "a row",
            "section": "A section",
            "figures": {OURS: {"minimum_ns": 7.2, "cold_ns": 80.0}},
            "goals": [{"figure": "minimum_ns", "value": 7.2, "limit": 12, "at_least": False, "met": True}],
            "left_out": {SDK: "is not installed"},
            "failed": {},
        }
    ]


@pytest.mark.parametrize(
    ("only", "others"),
    [
        ("counter.add(1, attributes)", {SDK, PROMETHEUS}),
        ("two threads", {SDK, PROMETHEUS}),
        ("a tick", {SDK, PROMETHEUS}),
        ("start_", {SDK, NONE}),
        ("8 spans", {SDK, NONE}),
        ("spans encoded", {SDK}),
    ],
)
def test_a_quick_run_of_some_rows(only: str, others: set[str], tmp_path: Path) -> None:
    """The command measures the contenders that are there, in a process of its own, and writes what it shows."""
    target = tmp_path / "bench.json"
    finished = subprocess.run(
        [
            sys.executable,
            "-c",
            "from otel_trading.cli import main; main()",
            *("bench", "--quick", "--only", only, "--json", str(target)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    written = json.loads(target.read_text("utf-8"))
    conform(written, SCHEMA)
    for measured in written["rows"]:
        assert {OURS, *others} <= measured["figures"].keys()
        assert measured["failed"] == {}
        assert measured["name"] in finished.stdout
