"""``otel-trading emergency``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from otel_trading.cli.emergency import emergency
from otel_trading.risk.state import change, file_of, read

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from otel_trading.risk.state import EmergencyState


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OTEL_TRADING_EMERGENCY_FOLDER", str(tmp_path / "state"))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(emergency, arguments)


def state(folder: Path, service: str) -> EmergencyState:
    found = read(file_of(folder / "state", service))
    assert found is not None
    return found


def test_stop_status_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service is the one of the options; the exit status of ``status`` says how it is."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "basis-bot")
    stopped = run("stop", "--reason", "volatility")
    assert (stopped.exit_code, stopped.output[:24]) == (0, "basis-bot: stopped since")
    assert (state(tmp_path, "basis-bot").reason, state(tmp_path, "basis-bot").by) == ("volatility", "cli")
    again = run("stop", "--reason", "more")
    assert again.exit_code == 0
    assert "was stopped already: stopped since" in again.output
    assert "volatility" in again.output
    shown = run("status")
    assert (shown.exit_code, "volatility" in shown.output) == (2, True)
    assert json.loads(run("status", "--json").stdout)["basis-bot"]["reason"] == "volatility"
    resumed = run("resume", "--reason", "calm")
    assert (resumed.exit_code, "resumed since" in resumed.output) == (0, True)
    assert run("status").exit_code == 0
    assert "was not stopped already" in run("resume").output


def test_which_service_is_meant(tmp_path: Path) -> None:
    """The only one there is; of several it has to be said, or all of them."""
    none = run("stop")
    assert none.exit_code == 1
    assert "say --service" in none.output
    assert run("stop", "--service", "one").exit_code == 0
    assert run("resume").exit_code == 0
    assert run("stop", "--service", "two").exit_code == 0
    unclear = run("stop")
    assert unclear.exit_code == 1
    assert "one, two" in unclear.output
    assert run("stop", "--all", "--reason", "all of them").exit_code == 0
    assert [state(tmp_path, name).engaged for name in ("one", "two")] == [True, True]
    assert run("status").output.count("stopped since") == 2


def test_at_a_terminal_it_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it is told not to."""
    monkeypatch.setattr("otel_trading.cli.emergency._at_a_terminal", lambda: True)
    runner = CliRunner()
    refused = runner.invoke(emergency, ["stop", "--service", "bot"], input="n\n")
    assert refused.exit_code == 1
    assert "Stop all trading of bot?" in refused.output
    assert read(file_of(tmp_path / "state", "bot")) is None
    assert runner.invoke(emergency, ["stop", "--service", "bot"], input="y\n").exit_code == 0
    asked = runner.invoke(emergency, ["resume"], input="n\n")
    assert "bot: stopped since" in asked.output
    assert state(tmp_path, "bot").engaged
    assert runner.invoke(emergency, ["resume", "--yes"]).exit_code == 0
    assert not state(tmp_path, "bot").engaged


def test_what_cannot_be_done_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be used, a state that cannot be written or read, and one that is in memory."""
    assert run("stop", "--service", "bot", "--folder", "none").exit_code == 1
    (tmp_path / "file").write_text("")
    assert "cannot be used" in run("stop", "--service", "bot", "--folder", str(tmp_path / "file" / "x")).output
    place = tmp_path / "state"
    change_into_folder = file_of(place, "bot")
    change_into_folder.mkdir(parents=True)
    failed = run("stop", "--service", "bot")
    assert failed.exit_code == 1
    assert "bot: NOT stopped" in failed.output
    change_into_folder.rmdir()
    change_into_folder.write_text("rubbish")
    unknown = run("status")
    assert (unknown.exit_code, "not known" in unknown.output) == (1, True)
    assert json.loads(run("status", "--json").stdout)["bot"]["engaged"] is None
    assert run("stop", "--service", "bot").exit_code == 0
    assert state(tmp_path, "bot").engaged


def test_a_file_that_stops_is_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would stop again at once."""
    monkeypatch.setenv("OTEL_TRADING_EMERGENCY_FILE", str(tmp_path / "STOP"))
    (tmp_path / "STOP").touch()
    (tmp_path / "state").mkdir()
    change(file_of(tmp_path / "state", "bot"), engaged=True, reason="x", by="file")
    refused = run("resume")
    assert refused.exit_code == 1
    assert "remove it first" in refused.output
    (tmp_path / "STOP").unlink()
    assert run("resume").exit_code == 0
