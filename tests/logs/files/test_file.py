"""One log file and one process: whole lines, rotation, retention, and what others do to the file."""

from __future__ import annotations

import json
import os
import resource
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_trading.logs.files.file import JsonFile
from otel_trading.logs.files.janitor import JANITOR
from otel_trading.logs.files.rotation import Rotation
from otel_trading.logs.files.waiting import LEVELS, Waiting, counted
from otel_trading.logs.sinks import reopen_files
from tests.logs.files.numbered import content, line, lines, numbers, parts, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = 86_400.0
WAIT = 120.0


class Clock:
    """The time that a file is told."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def idle() -> None:
    """Wait for what is done in another thread."""
    assert JANITOR.wait(WAIT)


@contextmanager
def largest(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size: writing breaks off in the middle there."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@given(
    chunks=st.lists(st.integers(0, 12), min_size=1, max_size=10),
    size=st.integers(0, 10_000),
    rotated=st.integers(100, 5_000),
)
def test_whatever_is_written_breaks_off_in_whole_lines(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[int], size: int, rotated: int
) -> None:
    """At each boundary of chunks, and wherever a write breaks off; later the rest follows, in its order."""
    path = tmp_path_factory.mktemp("chunks") / "bot.log"
    time = Clock()
    file = JsonFile(path, rotation=Rotation(size=rotated, keep=1_000, compress=False), clock=time)
    first = 0
    with largest(size):
        for count in chunks:
            assert file.write(lines("a", first, first + count), {}) == {}
            first += count
            found = numbers(path)
            assert found == list(range(len(found)))
    time.now += 2
    file.flush()
    assert (file.problem, file.close()) == (None, {})
    idle()
    assert numbers(path) == list(range(first))


def test_a_file_is_rotated_before_it_becomes_too_large(tmp_path: Path) -> None:
    """Each file holds as many chunks as fit; the names follow the time; backups are compressed and private."""
    path = tmp_path / "logs" / "bot.log"
    file = JsonFile(path, rotation=Rotation(size=10_000, keep=100))
    for first in range(0, 1_000, 10):
        assert file.write(lines("a", first, first + 10), {}) == {}
    file.close()
    idle()
    *backups, last = parts(path)
    assert last == path
    assert len(backups) > 20
    assert all(5_000 < len(content(backup)) <= 10_000 for backup in backups)
    assert {backup.suffix for backup in backups} == {".gz"}
    assert {part.stat().st_mode & 0o777 for part in parts(path)} == {0o640}
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert numbers(path) == list(range(1_000))


def test_a_chunk_that_is_larger_than_a_file_is_not_split(tmp_path: Path) -> None:
    """It gets a file of its own."""
    path = tmp_path / "bot.log"
    file = JsonFile(path, rotation=Rotation(size=1_000, keep=100, compress=False))
    for first in (0, 100, 200):
        file.write(lines("a", first, first + 100), {})
    file.close()
    idle()
    assert [len(content(part).splitlines()) for part in parts(path)] == [100, 100, 100]


def test_backups_are_in_order_though_the_clock_was_set_back(tmp_path: Path, clock: Clock) -> None:
    """What is rotated later comes later by name, and is the newest when the oldest is removed."""
    path = tmp_path / "bot.log"
    file = JsonFile(path, rotation=Rotation(size=1_000, keep=3, compress=False, daily=False), now=clock)
    for first in range(0, 100, 10):
        file.write(lines("a", first, first + 10), {})
        clock.now -= 3_600
    file.close()
    idle()
    assert len(parts(path)) == 4
    assert numbers(path) == list(range(60, 100))


@pytest.mark.parametrize("time", ["20999999T999999.999999Z", "99991231T235959.999999Z"])
def test_a_file_with_a_name_that_no_time_follows_is_no_hindrance(tmp_path: Path, time: str) -> None:
    """Rotation goes on beside it."""
    path = tmp_path / "bot.log"
    path.with_name(f"{path.name}.{time}").write_bytes(lines("a", 0, 10))
    file = JsonFile(path, rotation=Rotation(size=1_000, keep=100, compress=False))
    for first in range(10, 50, 10):
        assert file.write(lines("a", first, first + 10), {}) == {}
    assert (file.problem, file.close()) == (None, {})
    idle()
    assert len(parts(path)) == 5
    assert sorted(numbers(path)) == list(range(50))


def test_a_new_day_is_a_new_file(tmp_path: Path, clock: Clock) -> None:
    """The first line after midnight, UTC, rotates; a day without lines makes no file; the clock may go back."""
    path = tmp_path / "bot.log"
    clock.now = clock.now // DAY * DAY + DAY - 10
    file = JsonFile(path, rotation=Rotation(keep=100), now=clock)
    file.write(line("a", 0), {})
    clock.now += 9.9
    file.write(line("a", 1), {})
    clock.now += 0.2
    file.flush()
    file.write(line("a", 2), {})
    clock.now -= 5
    file.write(line("a", 3), {})
    clock.now += 3 * DAY
    file.write(line("a", 4), {})
    file.close()
    idle()
    assert [
        [fields["data"]["number"] for fields in map(json.loads, content(part).splitlines())] for part in parts(path)
    ] == [
        [0, 1],
        [2, 3],
        [4],
    ]


def test_the_next_start_rotates_what_is_of_yesterday(tmp_path: Path) -> None:
    """Also when the bot did not run at midnight; without ``daily`` it does not."""
    path = tmp_path / "bot.log"
    path.write_bytes(line("a", 0))
    yesterday = time.time() - DAY
    os.utime(path, (yesterday, yesterday))
    JsonFile(path, rotation=Rotation(daily=False)).close()
    assert parts(path) == [path]
    JsonFile(path).close()
    idle()
    assert len(parts(path)) == 2
    assert path.read_bytes() == b""


def test_only_so_many_backups_are_kept_and_only_so_long(tmp_path: Path, clock: Clock) -> None:
    """The newest; what is not a backup of this file is not touched."""
    path = tmp_path / "bot.log"
    others = ["bot.log.1", "bot.log.20250115", "bot.log.bak", "other.log.20250115T142345.123456Z", "bot.log.gz"]
    for other in others:
        (tmp_path / other).write_text("not ours", "utf-8")
    file = JsonFile(path, rotation=Rotation(size=1_000, keep=3), now=clock, clock=clock)
    for number in range(10):
        file.write(lines("a", 100 * number, 100 * number + 100), {})
        clock.now += 1
    idle()
    backups = sorted(set(tmp_path.glob("bot.log.*Z*")))
    assert [len(content(backup).splitlines()) for backup in backups] == [100] * 3
    assert content(backups[-1]) == lines("a", 800, 900)
    clock.now += 31 * DAY
    file.flush()
    idle()
    assert list(tmp_path.glob("bot.log.2*Z*")) == []
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([*others, "bot.log"])
    file.close()


@pytest.mark.parametrize("way", ["renamed", "removed", "replaced", "the folder removed", "a link changed"])
def test_whoever_takes_the_file_away_the_next_line_is_at_its_place(tmp_path: Path, way: str) -> None:
    """Without a signal, and without losing a line."""
    folder = tmp_path / "logs"
    path = folder / "bot.log"
    if way == "a link changed":
        folder.mkdir()
        (folder / "first").touch()
        path.symlink_to("first")
    file = JsonFile(path)
    file.write(lines("a", 0, 10), {})
    elsewhere = tmp_path / "elsewhere"
    if way == "renamed":
        path.rename(elsewhere)
    elif way == "removed":
        path.unlink()
    elif way == "replaced":
        path.rename(elsewhere)
        path.touch(0o600)
    elif way == "the folder removed":
        folder.rename(elsewhere)
    else:
        path.unlink()
        path.symlink_to("second")
    file.write(lines("a", 10, 20), {})
    file.close()
    assert path.read_bytes() == lines("a", 10, 20)
    if way in {"renamed", "replaced"}:
        assert elsewhere.read_bytes() == lines("a", 0, 10)


def test_a_file_that_is_cut_goes_on_at_its_beginning(tmp_path: Path) -> None:
    """As ``copytruncate`` of logrotate does it."""
    path = tmp_path / "bot.log"
    file = JsonFile(path)
    file.write(lines("a", 0, 10), {})
    os.truncate(path, 0)
    file.write(lines("a", 10, 20), {})
    file.close()
    assert path.read_bytes() == lines("a", 10, 20)


def test_a_link_is_rotated_where_the_file_is(tmp_path: Path) -> None:
    """The link stays."""
    real, path = tmp_path / "disk" / "real.log", tmp_path / "bot.log"
    real.parent.mkdir()
    path.symlink_to(real)
    file = JsonFile(path, rotation=Rotation(size=1_000, keep=100))
    for first in range(0, 100, 10):
        file.write(lines("a", first, first + 10), {})
    file.close()
    idle()
    assert path.is_symlink()
    assert len(parts(real)) > 2
    assert numbers(real) == list(range(100))


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        (line("a", 1)[:-1], b""),
        (line("a", 1)[:5], b""),
        (bytes(5_000), b""),
        (line("a", 1)[:1] + b'"timestamp":"' + b"x" * 200_000, b""),
        (b"somebody's own text", b"somebody's own text\n"),
        (b'{"price":1}', b'{"price":1}\n'),
    ],
    ids=["a line without its end", "its beginning", "zeros", "a long line", "a foreign text", "foreign JSON"],
)
@pytest.mark.parametrize("before", [b"", line("a", 0)], ids=["alone", "behind a line"])
def test_what_a_killed_process_left_of_a_line_is_cut_off(
    tmp_path: Path, before: bytes, left: bytes, kept: bytes
) -> None:
    """Only if it is one of the kit's; what is not gets its end."""
    path = tmp_path / "bot.log"
    path.write_bytes(before + left)
    file = JsonFile(path)
    file.write(line("a", 2), {})
    file.close()
    assert path.read_bytes() == before + kept + line("a", 2)


def test_what_is_rotated_ends_in_a_whole_line(tmp_path: Path) -> None:
    """Also when it is rotated right after a process was killed while it wrote."""
    path = tmp_path / "bot.log"
    path.write_bytes(lines("a", 0, 10) + line("a", 10)[:-5])
    file = JsonFile(path, rotation=Rotation(size=1_000))
    file.write(line("a", 11), {})
    file.close()
    idle()
    assert len(parts(path)) == 2
    assert numbers(path) == [*range(10), 11]


def test_reopening_tries_at_once_what_could_not_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One message when it begins, one when it is over; nothing is lost."""
    path = tmp_path / "bot.log"
    path.mkdir()
    file = JsonFile(path)
    assert f"log_file={path} cannot be written: Is a directory" in str(file.problem)
    for number in range(100):
        assert file.write(line("a", number), {}) == {}
    path.rmdir()
    assert reopen_files()
    file.write(line("a", 100), {})
    assert (file.problem, file.close()) == (None, {})
    assert numbers(path) == list(range(101))
    assert [message.removeprefix(f"otel-trading: log_file={path}") for message in caplog.messages] == [
        " cannot be written: Is a directory; lines wait in memory, at most 8 MiB, the severest longest",
        ": is written again",
    ]


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path, kind: str) -> None:
    """A pipe that nobody reads would hold up all."""
    path = tmp_path / "bot.log"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(os.devnull)
    file = JsonFile(path)
    assert "no regular file" in str(file.problem)
    assert file.write(line("a", 0, "ERROR"), {}) == {}
    assert file.close() == {"ERROR": 1}


def test_when_memory_is_full_the_least_severe_lines_go_first(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each that goes is counted, in the answer and in one message."""
    path = tmp_path / "bot.log"
    path.mkdir()
    clock = Clock()
    file = JsonFile(path, memory=220_000, clock=clock)
    lost: dict[str, int] = {}
    for number in range(2_000):
        for level, count in file.write(line("a", number), {}).items():
            lost[level] = lost.get(level, 0) + count
    assert set(lost) <= {"DEBUG", "INFO", "WARNING"}
    assert lost["DEBUG"] > 400
    assert sum("lines are lost" in message for message in caplog.messages) == 1
    path.rmdir()
    clock.now += 2
    file.flush()
    assert file.close() == {}
    found = read(path)
    assert len(found) + sum(lost.values()) == 2_000
    assert [fields["data"]["number"] for fields in found if fields["level"] == "ERROR"] == list(range(3, 2_000, 4))
    assert sum("lines are lost" in message for message in caplog.messages) == 2
    assert len(caplog.messages) == 3


@given(st.lists(st.tuples(st.sampled_from(LEVELS), st.integers(0, 200)), max_size=60), st.integers(100, 3_000))
def test_what_waits_is_bounded_and_in_its_order(made: list[tuple[str, int]], limit: int) -> None:
    """A line goes only when no less severe one is left; those that are kept stay in their order."""
    waiting = Waiting(limit)
    all_of_them = [
        b'{"level":"%s","n":%d,"m":"%s"}\n' % (level.encode(), n, b"x" * size) for n, (level, size) in enumerate(made)
    ]
    lost = counted(b"")
    for each in all_of_them:
        lost += waiting.add(each)
        assert waiting.size <= limit
    kept = waiting.take().splitlines(keepends=True)
    assert [each for each in all_of_them if each in set(kept)] == kept
    assert lost + counted(b"".join(kept)) == counted(b"".join(all_of_them))


def test_a_million_lines_with_rotation(tmp_path: Path) -> None:
    """At full speed: each is there once, in its order, and valid."""
    path = tmp_path / "bot.log"
    file = JsonFile(path, rotation=Rotation(size=20_000_000, keep=100))
    for first in range(0, 1_000_000, 1_000):
        assert file.write(lines("a", first, first + 1_000), {}) == {}
    assert file.close() == {}
    idle()
    assert len(parts(path)) > 10
    assert numbers(path) == list(range(1_000_000))
