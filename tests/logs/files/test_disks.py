"""Log files on disks that are full, read-only, out of files or gone."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from otel_trading.logs.files.file import JsonFile
from otel_trading.logs.files.janitor import JANITOR
from otel_trading.logs.files.rotation import Rotation
from tests.disks import fill, mounted
from tests.forks import in_child
from tests.logs.files.numbered import line, lines, numbers, parts
from tests.logs.files.test_file import Clock
from tests.logs.files.test_processes import Writing

if TYPE_CHECKING:
    from collections.abc import Mapping

WAIT = 120.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_full_disk_takes_whole_lines_and_the_rest_later(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """No line is torn while it is full, none is lost, and the order stays."""
    with mounted(tmp_path / "disk", "size=256k") as disk:
        (disk / "ballast").write_bytes(bytes(150_000))
        path = disk / "bot.log"
        file = JsonFile(path, clock=clock)
        for first in range(0, 1_000, 10):
            assert file.write(lines("a", first, first + 10), {}) == {}
            clock.now += 0.3
        assert "No space left on device" in str(file.problem)
        kept = numbers(path)
        assert kept == list(range(len(kept)))
        assert 0 < len(kept) < 1_000
        (disk / "ballast").unlink()
        os.truncate(path, 0)
        clock.now += 2
        file.flush()
        assert (file.problem, file.close()) == (None, {})
        assert [*kept, *numbers(path)] == list(range(1_000))
    assert len(caplog.messages) == 2


def test_on_a_full_disk_several_processes_tear_nothing(tmp_path: Path) -> None:
    """Each writes what there is room for; the rest is counted when they end."""
    with mounted(tmp_path / "disk", "size=1m") as disk:
        path = disk / "bot.log"
        writers = {name: Writing(path, name, 0, 3_000, size=10**9, chunk=7).go() for name in "abc"}
        ends = {name: writer.ended() for name, writer in writers.items()}  # one that finds no room may take back a part
        for name, (behind, lost) in ends.items():
            found = numbers(path, name)
            assert behind == 3_000
            assert found == sorted(set(found))
            assert len(found) + lost == 3_000
        assert os.statvfs(disk).f_bavail == 0


def test_a_disk_out_of_files_goes_on_with_the_one_it_has(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not rotated then, which is said once; later it is."""
    with mounted(tmp_path / "disk", "size=4m,nr_inodes=12") as disk:
        path = disk / "bot.log"
        file = JsonFile(path, rotation=Rotation(size=10_000, keep=100, compress=False), clock=clock)
        ballast = []
        for number in range(20):
            try:
                (disk / f"{number}").touch()
                ballast.append(disk / f"{number}")
            except OSError:
                break
        for first in range(0, 200, 10):
            assert file.write(lines("a", first, first + 10), {}) == {}
        assert file.problem is None
        assert parts(path) == [path]
        assert ["cannot be rotated: No space left on device" in message for message in caplog.messages] == [True]
        for each in ballast:
            each.unlink()
        clock.now += 61
        file.write(lines("a", 200, 210), {})
        assert file.close() == {}
        assert JANITOR.wait(WAIT)
        assert len(parts(path)) == 2
        assert numbers(path) == list(range(210))


def test_no_room_to_compress_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    """It is compressed with the next rotation for which there is room."""
    with mounted(tmp_path / "disk", "size=512k") as disk:
        path = disk / "bot.log"
        file = JsonFile(path, rotation=Rotation(size=100_000, keep=100))
        file.write(lines("a", 0, 500), {})
        fill(disk / "ballast")
        for first in range(500, 600, 10):
            file.write(lines("a", first, first + 10), {})
        assert JANITOR.wait(WAIT)
        assert len(parts(path)) > 1
        assert not [part for part in parts(path) if part.suffix == ".gz"]
        (disk / "ballast").unlink()
        file.reopen()
        for first in range(600, 1_200, 10):
            file.write(lines("a", first, first + 10), {})
        assert file.close() == {}
        assert JANITOR.wait(WAIT)
        assert {part.suffix for part in parts(path) if part != path} == {".gz"}
        assert numbers(path) == list(range(1_200))


def test_a_read_only_disk_is_one_message(tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Both when the bot starts and when it becomes so; the bot runs on, and so does the log."""
    with mounted(tmp_path / "disk", "size=1m") as disk:
        path = disk / "logs" / "bot.log"
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        file = JsonFile(path, clock=clock)
        assert "Read-only file system" in str(file.problem)
        file.write(line("a", 0), {})
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        clock.now += 2
        file.write(line("a", 1), {})
        assert file.problem is None
        file.close()
        assert numbers(path) == [0, 1]
    assert len(caplog.messages) == 2


def test_a_folder_that_may_not_be_written_is_one_message(caplog: pytest.LogCaptureFixture) -> None:
    """The bot runs on; what it logs is counted when it ends."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)

    def written() -> tuple[str | None, Mapping[str, int], Mapping[str, int], int]:
        if os.getuid() == 0:
            os.setgroups([])
            os.setuid(65_534)  # root may write everywhere
        file = JsonFile(folder / "logs" / "bot.log")
        return file.problem, file.write(line("a", 0, "INFO"), {}), file.close(), len(caplog.messages)

    problem, *counted = in_child(written)
    folder.rmdir()
    assert problem == f"log_file={folder}/logs/bot.log cannot be written: Permission denied"
    assert counted == [{}, {"INFO": 1}, 2]


def test_a_full_disk_costs_the_writer_no_time(tmp_path: Path) -> None:
    """It is asked once a second, not at each chunk."""
    with mounted(tmp_path / "disk", "size=64k") as disk:
        fill(disk / "ballast")
        clock = Clock()
        file = JsonFile(disk / "bot.log", clock=clock)
        file.write(line("a", 0), {})
        calls = 0
        attempt = file._try

        def counted(lines: bytes) -> None:
            nonlocal calls
            calls += 1
            attempt(lines)

        file._try = counted  # type: ignore[method-assign]
        for number in range(1_000):
            file.write(line("a", number), {})
            clock.now += 0.01
        assert calls <= 11
