"""A file's changes are noticed, however it is saved."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest

from otel_trading.reloading import watch
from otel_trading.reloading.kit import usable
from otel_trading.reloading.watch import PATIENCE, QUIET, FileWatch, Sighting
from tests.forks import in_child

OLD, NEW = b"a = 1\n", b"a = 2\n"


class Looking:
    """A watch with a clock of its own: ``after`` looks as often as the kit would."""

    def __init__(self, path: Path, known: bytes | None = OLD) -> None:
        self.now = 100.0
        self.watch = FileWatch(lambda: path, known, usable, clock=lambda: self.now)
        self.after(1.0)

    def after(self, seconds: float) -> list[Sighting]:
        """What is sighted in so many seconds, and one more look."""
        end, found = self.now + seconds, []
        while True:
            sighting = self.watch.look()
            if sighting is not None:
                found.append(sighting)
            if self.now >= end:
                return found
            self.now = min(end, self.now + self.watch.pause(0.5))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "bot.toml"
    made.write_bytes(OLD)
    return made


def test_a_file_that_stays_is_not_told_of(path: Path) -> None:
    """Nor when it is touched, or written with what it holds."""
    looking = Looking(path)
    os.utime(path)
    assert looking.after(3) == []
    path.write_bytes(OLD)
    assert looking.after(3) == []


def test_every_way_of_saving_is_noticed_once(path: Path) -> None:
    """Writing into the file, putting another in its place, removing it first."""
    looking = Looking(path)

    def overwrite() -> None:
        path.write_bytes(NEW)

    def rename() -> None:
        beside = path.with_suffix(".swp")
        beside.write_bytes(OLD)
        beside.replace(path)

    def anew() -> None:
        path.unlink()
        path.write_bytes(NEW)

    for save, content in ((overwrite, NEW), (rename, OLD), (anew, NEW)):
        save()
        assert [each.content for each in looking.after(2)] == [content]


def test_a_change_to_the_same_size_and_time_is_noticed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File systems stamp times coarsely: what was written a moment ago is read again."""
    now = time.time_ns()
    monkeypatch.setattr(watch, "_signature", lambda path: (str(path), now, now))
    looking = Looking(path)
    path.write_bytes(NEW)
    assert [each.content for each in looking.after(1)] == [NEW]


def test_links_that_are_exchanged_above_it_are_noticed(tmp_path: Path) -> None:
    """As Kubernetes updates a ConfigMap: ``bot.toml -> ..data/bot.toml``, ``..data -> ..2026_2``."""
    for name, content in (("..2026_1", OLD), ("..2026_2", NEW)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "bot.toml").write_bytes(content)
    (tmp_path / "..data").symlink_to("..2026_1")
    (tmp_path / "bot.toml").symlink_to("..data/bot.toml")
    looking = Looking(tmp_path / "bot.toml")
    (tmp_path / "..data_tmp").symlink_to("..2026_2")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    assert [each.content for each in looking.after(1)] == [NEW]


def test_half_of_a_save_is_not_taken(path: Path) -> None:
    """While it is written nothing is, however long that takes; then the whole is, once."""
    looking = Looking(path)
    whole = b"[risk]\nmax_exposure = 7.5\nmin_spread_bps = 2\n"
    for end in range(0, len(whole), 4):
        path.write_bytes(whole[:end])
        assert looking.after(QUIET / 2) == []
    path.write_bytes(whole)
    assert [each.content for each in looking.after(2)] == [whole]


def test_an_empty_or_cut_file_is_waited_for(path: Path) -> None:
    """An editor that has truncated it has time to write; what stays so is told of."""
    looking = Looking(path)
    for part in (b"", b"a = "):
        path.write_bytes(part)
        assert looking.after(PATIENCE * 0.8) == []
        path.write_bytes(NEW)
        found = looking.after(1)
        assert [each.content for each in found] in ([NEW], [])
    path.write_bytes(b"")
    assert [each.content for each in looking.after(PATIENCE + 0.5)] == [b""]


def test_a_file_that_goes_and_comes_is_told_of_once_each(path: Path) -> None:
    """Not while it is only replaced."""
    looking = Looking(path)
    path.unlink()
    assert looking.after(PATIENCE * 0.8) == []
    path.write_bytes(OLD)
    assert looking.after(2) == []
    path.unlink()
    gone = looking.after(5)
    assert [(each.content, each.problem) for each in gone] == [(None, "there is no such file any more")]
    path.write_bytes(OLD)
    assert [each.content for each in looking.after(2)] == [OLD]


def test_a_folder_that_comes_later_is_no_matter(tmp_path: Path) -> None:
    """Nor that it goes, with all that is in it."""
    path = tmp_path / "later" / "bot.toml"
    looking = Looking(path, None)
    assert looking.after(3) == []
    path.parent.mkdir()
    path.write_bytes(NEW)
    assert [each.content for each in looking.after(1)] == [NEW]
    path.unlink()
    path.parent.rmdir()
    assert [each.content for each in looking.after(2)] == [None]


def test_what_is_no_file_or_too_large_is_said(path: Path) -> None:
    """A folder, a pipe that nobody writes, more than a configuration can be."""
    looking = Looking(path)
    path.write_bytes(b"#" * ((1 << 20) + 1))
    assert "larger than 1048576 bytes" in looking.after(2)[0].problem
    path.unlink()
    os.mkfifo(path)
    assert looking.after(2)[0].problem == "it is no file"
    path.unlink()
    path.mkdir()
    assert looking.after(2)[0].content is None


def test_a_file_that_may_not_be_read_is_said_and_taken_once_it_may() -> None:
    """Rights are looked at, too."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    path = folder / "bot.toml"
    path.write_bytes(OLD)

    def child() -> list[Sighting]:
        os.chown(path, 65_534, 65_534)
        os.setuid(65_534)
        looking = Looking(path)
        path.chmod(0)
        found = looking.after(2)
        path.chmod(0o600)
        return [*found, *looking.after(2)]

    try:
        if os.getuid() != 0:
            pytest.skip("only root can become somebody else")
        refused, taken = in_child(child)
    finally:
        shutil.rmtree(folder)
    assert refused.problem == "it cannot be read: Permission denied"
    assert taken.content == OLD


def test_a_file_that_never_stands_still_is_not_looked_at_all_the_time(path: Path) -> None:
    """It is restless then, until it rests."""
    looking = Looking(path)
    for number in range(150):
        path.write_bytes(b"a = %d\n" % (100 + number))
        assert looking.after(0.1) == []
    assert looking.watch.restless
    assert looking.watch.pause(0.5) == 0.5
    assert [each.content for each in looking.after(2)] == [b"a = 249\n"]
    assert not looking.watch.restless


def test_what_is_asked_for_is_told_anyway(path: Path) -> None:
    """Changed or not."""
    looking = Looking(path)
    sighting = looking.watch.look(anyway=True)
    assert sighting is not None
    assert sighting.content == OLD
