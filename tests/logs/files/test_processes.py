"""Several processes write one log file, rotate it, and are killed."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from otel_trading.logs.files.backups import Backups
from otel_trading.logs.files.file import JsonFile
from otel_trading.logs.files.janitor import JANITOR
from otel_trading.logs.files.rotation import Rotation
from tests.forks import in_child
from tests.logs.files.numbered import breaks, line, lines, numbers, parts, read
from tests.logs.files.writing import KEEP

if TYPE_CHECKING:
    from typing import Self

ROOT = Path(__file__).parents[3]
WAIT = 120.0
FOREVER = 10**9


class Writing:
    """A process that writes numbered lines until it has written all, or is killed."""

    def __init__(self, path: Path, writer: str, first: int, end: int, *, size: int = 200_000, chunk: int = 50) -> None:
        arguments = [str(each) for each in (path, writer, first, end, size, chunk)]
        self.first = first
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.logs.files.writing", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        self._watchdog = threading.Timer(WAIT, self.process.kill)
        self._watchdog.start()

    def go(self) -> Self:
        """Let it write."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self

    def ended(self) -> tuple[int, int]:
        """Up to which number it has written, and how many lines it says are lost."""
        out, _ = self.process.communicate()
        self._watchdog.cancel()
        told = [each.split() for each in out[: out.rfind("\n") + 1].splitlines()]
        behind = [int(each[0]) for each in told if each[0] != "closed"]
        return max(behind, default=self.first), sum(int(each[1]) for each in told)

    def kill(self) -> tuple[int, int]:
        """End it at once."""
        self.process.send_signal(signal.SIGKILL)
        return self.ended()


def tidied(path: Path) -> None:
    """What the next start does with what killed processes left."""
    Backups(path, KEEP, 30.0, compress=True).tidy(time.time())
    assert all(part == path or part.suffix == ".gz" for part in parts(path))


def test_processes_append_and_rotate_at_once(tmp_path: Path) -> None:
    """Every line is there once, in its writer's order, whoever rotated."""
    path = tmp_path / "logs" / "bot.log"
    writers = {name: Writing(path, name, 0, 20_000) for name in "abcd"}
    for writer in writers.values():
        writer.go()
    assert {name: writer.ended() for name, writer in writers.items()} == dict.fromkeys("abcd", (20_000, 0))
    tidied(path)
    assert len(parts(path)) > 40
    for name in "abcd":
        assert breaks(numbers(path, name)) == []
        assert len(numbers(path, name)) == 20_000
    assert all(part.stat().st_size <= 200_000 for part in parts(path))


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 12))])
def test_killed_at_any_moment(tmp_path: Path, seed: int) -> None:
    """What was written before the last chunk is there, nothing is torn, and nothing is there twice."""
    chance = random.Random(seed)  # noqa: S311 - not a secret
    path = tmp_path / "bot.log"
    living = Writing(path, "living", 0, FOREVER, chunk=20).go()
    told: dict[str, int] = {}
    for turn in range(8):
        killed = [
            Writing(path, f"{turn}.{place}", 0, FOREVER, size=100_000, chunk=chance.choice((1, 100, 3_000))).go()
            for place in range(2)
        ]
        for place, writer in enumerate(killed):
            time.sleep(chance.uniform(0.0, 0.15))
            told[f"{turn}.{place}"], lost = writer.kill()
            assert lost == 0
    told["living"], lost = living.kill()
    assert lost == 0
    file = JsonFile(path, rotation=Rotation(keep=KEEP))  # mends what was torn
    file.close()
    assert JANITOR.wait(WAIT)
    tidied(path)
    found: dict[str, list[int]] = {}
    for fields in read(path):
        found.setdefault(fields["data"]["writer"], []).append(fields["data"]["number"])
    assert sum(told.values()) > 1_000
    for name, behind in told.items():
        assert breaks(found.get(name, [])) == [], name
        assert len(found.get(name, [])) >= behind, name


def test_a_compression_that_was_killed_is_done_again(tmp_path: Path) -> None:
    """What is half done is removed; what was done but for removing the original is only that."""
    path = tmp_path / "bot.log"
    stamps = [f"20250115T14234{number}.123456Z" for number in range(5)]
    for number, stamp in enumerate(stamps[:3]):
        (tmp_path / f"bot.log.{stamp}").write_bytes(lines("a", 10 * number, 10 * number + 10))
    backups = Backups(path, 10, 100_000.0, compress=True)
    backups.tidy(time.time())
    whole = tmp_path / f"bot.log.{stamps[1]}.gz"
    (tmp_path / f"bot.log.{stamps[1]}").write_bytes(lines("a", 10, 20))
    (tmp_path / f"bot.log.{stamps[2]}").write_bytes(lines("a", 20, 30))
    (tmp_path / f"bot.log.{stamps[2]}.gz").unlink()
    (tmp_path / f"bot.log.{stamps[2]}.gz.part").write_bytes(whole.read_bytes()[:20])
    (tmp_path / f"bot.log.{stamps[4]}.gz.part").write_bytes(b"nobody's")
    backups.tidy(time.time())
    assert [part.name for part in parts(path)] == [f"bot.log.{stamp}.gz" for stamp in stamps[:3]]
    assert numbers(path) == list(range(30))


def test_one_process_compresses_and_nobody_the_file_that_is_written(tmp_path: Path) -> None:
    """A backup that another process has locked is left to it."""
    path = tmp_path / "bot.log"
    backup = tmp_path / "bot.log.20250115T142345.123456Z"
    backup.write_bytes(lines("a", 0, 10))
    backups = Backups(path, 10, 100_000.0, compress=True)
    with backup.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        backups.tidy(time.time())
        assert backup.exists()
    os.link(backup, path)
    backups.tidy(time.time())
    assert backup.exists()
    path.unlink()
    backups.tidy(time.time())
    assert [part.name for part in parts(path)] == [f"{backup.name}.gz"]


def test_midnight_is_one_rotation(tmp_path: Path) -> None:
    """Whoever writes the first line of a day rotates, nobody else."""
    path = tmp_path / "bot.log"
    path.write_bytes(lines("before", 0, 10))
    writers = {name: Writing(path, name, 0, 2_000, size=10**9, chunk=10) for name in "abc"}
    tidied(path)
    assert parts(path) == [path]
    yesterday = time.time() - 86_400
    os.utime(path, (yesterday, yesterday))
    for writer in writers.values():
        writer.go()
    assert {writer.ended() for writer in writers.values()} == {(2_000, 0)}
    tidied(path)
    assert len(parts(path)) == 2
    assert {name: len(numbers(path, name)) for name in ("before", *"abc")} == {
        "before": 10,
        **dict.fromkeys("abc", 2_000),
    }


def test_a_stopped_process_holds_nobody_up(tmp_path: Path) -> None:
    """While it has the lock, lines wait in memory; then they are written in their order."""
    path = tmp_path / "bot.log"
    now = [0.0]
    file = JsonFile(path, clock=lambda: now[0])
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        began = time.monotonic()
        for number in range(50):
            assert file.write(line("a", number), {}) == {}
        assert time.monotonic() - began < 30
        assert "another process holds it" in str(file.problem)
    now[0] += 6
    file.write(line("a", 50), {})
    assert (file.problem, file.close()) == (None, {})
    assert numbers(path) == list(range(51))


def test_forked_children_write_the_same_file(tmp_path: Path) -> None:
    """Parent and child go on, each with a lock of its own; what waits in the parent is the parent's."""
    path = tmp_path / "bot.log"
    now = [0.0]
    file = JsonFile(path, rotation=Rotation(size=20_000, keep=KEEP), clock=lambda: now[0])
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        file.write(lines("a", 0, 10), {})
    now[0] += 6

    def child() -> int:
        for number in range(1_000):
            file.write(line("child", number), {})
        file.close()
        assert JANITOR.wait(WAIT)
        return len(numbers(path, "child"))

    assert in_child(child) == 1_000
    file.write(lines("a", 10, 20), {})
    file.close()
    assert JANITOR.wait(WAIT)
    assert numbers(path) == list(range(20))
    assert numbers(path, "child") == list(range(1_000))
