from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

import otel_trading
from otel_trading.cli import commands, main
from otel_trading.extras import MissingExtraError

if TYPE_CHECKING:
    from pathlib import Path


def test_show_says_where_each_value_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values from environment, file and profile are shown with their origin; secrets are hidden."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "otel-trading.toml").write_text('ops_token = "t0ps3cret"\n', "utf-8")
    runner = CliRunner(env={"OTEL_SERVICE_NAME": "maker"})
    shown = runner.invoke(commands.cli, ["config", "show"])
    assert shown.exit_code == 0
    assert "environment OTEL_SERVICE_NAME" in shown.output
    assert "file otel-trading.toml" in shown.output
    assert "profile production" in shown.output
    assert "t0ps3cret" not in shown.output
    entries = json.loads(runner.invoke(commands.cli, ["config", "show", "--json"]).output)
    assert entries["service_name"]["value"] == "maker"
    assert entries["service_name"]["from"] == "environment OTEL_SERVICE_NAME"
    assert entries["span_delay"]["from"] == "default"


def test_check_exits_with_one_when_something_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit status tells, the message names the setting."""
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(commands.cli, ["config", "check"]).exit_code == 0
    bad = CliRunner(env={"OTEL_BSP_SCHEDULE_DELAY": "abc"}).invoke(commands.cli, ["config", "check"])
    assert bad.exit_code == 1
    assert "OTEL_BSP_SCHEDULE_DELAY='abc'" in bad.output


def test_check_says_all_that_is_wrong_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what a variable hides."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "new.toml"
    path.write_text('log_level = "LOUD"\nspan_delay = -1\nops_prot = 1\n', "utf-8")
    checked = CliRunner(env={"OTEL_TRADING_SPAN_DELAY": "3"}).invoke(commands.cli, ["config", "check", str(path)])
    assert checked.exit_code == 1
    assert [each in checked.output for each in ("log_level='LOUD'", "span_delay=-1", "ops_prot")] == [True] * 3
    assert checked.output.count("log_level") == 1


def test_diff_says_what_would_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And when; secrets are hidden."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "otel-trading.toml").write_text('log_level = "INFO"\n', "utf-8")
    path = tmp_path / "new.toml"
    path.write_text('log_level = "DEBUG"\nengine = "sdk"\nops_token = "t0ps3cret"\n', "utf-8")
    shown = CliRunner().invoke(commands.cli, ["config", "diff", str(path)])
    assert shown.output.splitlines() == [
        "engine: native → sdk (from the next start on)",
        "log_level: INFO → DEBUG",
        "ops_token: unset → ****",
    ]
    assert shown.exit_code == 1
    assert CliRunner().invoke(commands.cli, ["config", "diff", "otel-trading.toml"]).output == "Nothing changes.\n"
    path.write_text("log_level = ", "utf-8")
    assert CliRunner().invoke(commands.cli, ["config", "diff", str(path)]).exit_code == 2
    assert CliRunner().invoke(commands.cli, ["config", "diff", "nowhere.toml"]).exit_code == 2


def test_missing_extra_ends_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without click the command line says how to get it."""

    def missing(module: str, *, extra: str) -> None:
        raise MissingExtraError(f"{module} is not installed; run: pip install 'otel-trading[{extra}]'")

    monkeypatch.setattr("otel_trading.cli.require", missing)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == "otel-trading: click is not installed; run: pip install 'otel-trading[cli]'"
    assert capsys.readouterr().out == ""


def test_every_command_has_help() -> None:
    """Each command can be loaded and explains itself."""
    for name in commands.COMMANDS:
        shown = CliRunner().invoke(commands.cli, [name, "--help"])
        assert shown.exit_code == 0, name
        assert "Usage:" in shown.output


def test_public_names_are_the_documented_ones() -> None:
    """What the package exports is exactly this."""
    made = ["EmergencyState", "EmergencyStopError", "Status", "StructlogProcessor", "Telemetry", "Timer", "TimerStats"]
    assert otel_trading.__all__ == [
        *made,
        "__version__",
        "add_loguru_sink",
        "configure",
        "health",
        "ms",
        "redact",
        "us",
    ]
    assert all(getattr(otel_trading, name) for name in otel_trading.__all__)
