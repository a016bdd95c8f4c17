"""Where recordings are."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from otel_trading.flight import folder as place


def test_the_usual_folder_is_in_memory_where_it_can_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is one for each user."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"tmpfs {tmp_path} tmpfs rw 0 0\n", "utf-8")
    monkeypatch.setattr(place, "_SHARED", tmp_path)
    monkeypatch.setattr(place, "_MOUNTS", mounts)
    assert place.default_folder({}) == tmp_path / f"otel-trading-{os.getuid()}"


def test_the_usual_folder_is_that_of_programs_state_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``XDG_STATE_HOME`` says where that is."""
    monkeypatch.setattr(place, "_MOUNTS", tmp_path / "none")
    assert place.default_folder({}) == Path.home() / ".local/state/otel-trading/flight"
    assert place.default_folder({"XDG_STATE_HOME": "/state"}) == Path("/state/otel-trading/flight")


def test_the_folder_is_made_for_this_user_alone(tmp_path: Path) -> None:
    """Others neither read nor write what the bot does."""
    made = place.prepared(tmp_path / "new" / "flight")
    assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_a_usual_folder_of_somebody_elses_making_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Anybody may make folders beside it."""
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    monkeypatch.setattr(place, "default_folder", lambda: open_to_all)
    with pytest.raises(PermissionError):
        place.prepared(None)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "new", target_is_directory=True)
    (tmp_path / "new").mkdir()
    monkeypatch.setattr(place, "default_folder", lambda: link)
    with pytest.raises(NotADirectoryError):
        place.prepared(None)
