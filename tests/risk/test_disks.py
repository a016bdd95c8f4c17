"""The state on disks that are full, read-only, damaged or gone."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from otel_trading._native import change_latch, read_latch
from otel_trading.risk.emergency import Emergency
from otel_trading.risk.state import file_of, read, services
from tests.disks import mounted
from tests.forks import in_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WAIT = 30.0
SERVICE = "basis/bot ü"


def until(done: Callable[[], object]) -> bool:
    end = time.monotonic() + WAIT
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


@contextmanager
def begun(folder: Path) -> Iterator[Emergency]:
    emergency = Emergency()
    emergency.problems = emergency.apply(SERVICE, str(folder))  # type: ignore[attr-defined]
    emergency.begin()
    yield emergency
    assert emergency.close(WAIT)


def fill(disk: Path) -> None:
    """Take every byte there is."""
    for number in range(1_000):
        try:
            with (disk / f"ballast-{number}").open("wb", buffering=0) as ballast:
                while True:
                    ballast.write(bytes(4_096))
        except OSError:
            if os.statvfs(disk).f_bavail == 0:
                return
    raise AssertionError("the disk is not full")


def test_a_stop_is_written_on_a_full_disk(tmp_path: Path) -> None:
    """There is room for it where its file is: it outlives the process all the same."""
    with mounted(tmp_path / "disk", "size=256k") as disk:
        with begun(disk) as emergency:
            fill(disk)
            assert emergency.stop("full")
            assert emergency.saved(WAIT)
        with begun(disk) as emergency:
            assert emergency.engaged
            assert emergency.state.reason == "full"
            assert emergency.resume("a longer reason than the one before, " * 5)
            assert emergency.saved(WAIT)
            assert not read(file_of(disk, SERVICE)).engaged  # type: ignore[union-attr]


def test_a_bot_that_starts_on_a_full_disk_is_stopped_in_memory(tmp_path: Path) -> None:
    """It is said once, and what is so goes to the disk when there is room."""
    with mounted(tmp_path / "disk", "size=256k") as disk:
        fill(disk)
        with begun(disk) as emergency:
            assert "No space left on device" in emergency.problems[0]  # type: ignore[attr-defined]
            assert emergency.stop("full")
            assert emergency.engaged
            assert not emergency.saved(0.01)
            for ballast in disk.glob("ballast-*"):
                ballast.unlink()
            assert emergency.saved(WAIT)
        assert read(file_of(disk, SERVICE)).reason == "full"  # type: ignore[union-attr]


def test_a_disk_that_cannot_be_written_to(tmp_path: Path) -> None:
    """What was stopped before is; what is stopped now ends with the process, which is said at its start."""
    with mounted(tmp_path / "disk", "size=256k") as disk:
        with begun(disk) as emergency:
            assert emergency.problems == []  # type: ignore[attr-defined]
            assert emergency.stop("before")
            assert emergency.saved(WAIT)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with begun(disk) as emergency:
            assert emergency.engaged
            assert "Read-only file system" in emergency.problems[0]  # type: ignore[attr-defined]
            assert emergency.resume()
            assert not emergency.state.engaged
            assert emergency.stop("again")
            with pytest.raises(OSError, match="Read-only"):
                change_latch(file_of(disk, SERVICE), False, "", "cli")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """Memory is enough for this process and its children."""
    (tmp_path / "file").write_text("")
    with begun(tmp_path / "file" / "folder") as emergency:
        assert len(emergency.problems) == 1  # type: ignore[attr-defined]
        assert "OTEL_TRADING_EMERGENCY_FOLDER" in emergency.problems[0]  # type: ignore[attr-defined]
        assert emergency.stop("x")
        assert in_child(lambda: emergency.engaged)


@pytest.mark.parametrize("how", ["truncated", "unlinked", "replaced", "half", "folder"])
def test_whatever_is_done_to_the_file_the_bot_lives_and_stays_stopped(tmp_path: Path, how: str) -> None:
    """The file is no memory of the bot's: cutting it off costs nothing, and it is written anew."""
    path = file_of(tmp_path, SERVICE)
    with begun(tmp_path) as emergency:
        assert emergency.stop("for good")
        assert emergency.saved(WAIT)
        whole = path.read_bytes()
        if how == "truncated":
            os.truncate(path, 0)
        elif how == "half":
            os.truncate(path, len(whole) // 2)
        elif how == "unlinked":
            path.unlink()
        elif how == "folder":
            assert until(lambda: _is_made_a_folder(path))
        else:
            other = tmp_path / "other"
            other.write_bytes(os.urandom(9_000))
            other.replace(path)
        for _ in range(1_000):
            assert emergency.engaged
        if how == "folder":
            assert until(lambda: emergency.trouble)
            path.rmdir()
        assert until(lambda: _engaged(path))
        assert emergency.state.reason == "for good"


def _is_made_a_folder(path: Path) -> bool:
    """Whether it was quicker than who writes the file anew."""
    path.unlink(missing_ok=True)
    with suppress(FileExistsError):
        path.mkdir()
    return path.is_dir()


def _engaged(path: Path) -> bool:
    try:
        found = read_latch(path)
    except (OSError, ValueError):
        return False
    return found is not None and found[0]


@pytest.mark.parametrize("damage", [b"", b"\x00" * 4_096, b"otel-trading emergency stop 1\nengaged: no\n"])
def test_a_state_that_nobody_can_read_is_a_stop(tmp_path: Path, damage: bytes) -> None:
    """Whoever cannot know whether it was stopped does not trade; it says so, and can be resumed."""
    file_of(tmp_path, SERVICE).write_bytes(damage)
    with begun(tmp_path) as emergency:
        assert emergency.engaged
        assert emergency.state.by == "damage"
        assert "is damaged" in emergency.state.reason
        assert emergency.resume("looked at")
        assert emergency.saved(WAIT)
    with begun(tmp_path) as emergency:
        assert not emergency.engaged


def test_a_state_of_a_later_version_is_understood(tmp_path: Path) -> None:
    """What it adds is passed over."""
    path = file_of(tmp_path, SERVICE)
    change_latch(path, True, "x", "cli")
    path.write_text(path.read_text().replace("stop 1\n", "stop 2\nscope: all\n"))
    with begun(tmp_path) as emergency:
        assert emergency.engaged
        assert emergency.state.reason == "x"


def test_services_are_told_apart_by_their_files(tmp_path: Path) -> None:
    """Whatever they are called."""
    names = [SERVICE, "..", "a" * 300, "b"]
    for name in names:
        path = file_of(tmp_path, name)
        assert path.parent == tmp_path
        change_latch(path, True, name[:10], "cli")
    found = [name for name, _ in services(tmp_path)]
    assert len(found) == len(names)
    assert {SERVICE, "..", "b"} < set(found)


def test_what_is_in_the_way_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """And that it is over, too."""
    folder = tmp_path / "state"
    with begun(folder) as emergency:
        emergency.stop("x")
        assert emergency.saved(WAIT)
        path = file_of(folder, SERVICE)
        assert until(lambda: _is_made_a_folder(path))
        assert until(lambda: emergency.trouble)
        for _ in range(3):
            emergency.look()
        path.rmdir()
        assert until(lambda: emergency.trouble is None)
        emergency.look()
    said = [message for message in caplog.messages if "the state is kept" in message]
    assert len(said) == 2
    assert "again" in said[1]
