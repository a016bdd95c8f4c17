"""The spool on disks that are full, read-only or gone."""

from __future__ import annotations

import random
import resource
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from otel_trading._native import Spool
from tests.disks import fill, mounted
from tests.export.spools import SECOND, drain, later, totals
from tests.forks import in_child

if TYPE_CHECKING:
    from pathlib import Path


def test_a_full_disk_costs_nothing_while_there_is_memory(tmp_path: Path) -> None:
    """What a full disk does not take waits in memory, in its line, and goes to disk when there is room."""
    with mounted(tmp_path / "disk", "size=1m") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(500_000))
        spool = Spool(disk / "spool", "bot", memory=4 << 20)
        numbers = [spool.append("logs", "important", 1, bytes([number]) * 100_000) for number in range(20)]
        durable = [spool.durable(number) for number in numbers]
        assert True in durable
        assert False in durable
        stats = spool.stats()
        assert "No space left on device" in (stats["trouble"] or "")
        assert stats["memory_bytes"] == durable.count(False) * 100_000
        assert totals(spool) == {"there": 20}
        # a full disk lets go of what is settled
        assert spool.settle(numbers[0])
        ballast.unlink()
        for number in numbers[1:12]:
            assert spool.settle(number)
        spool.maintain(later())
        stats = spool.stats()
        assert (stats["memory_bytes"], stats["trouble"]) == (0, None)
        assert [parcel.body[:1] for parcel in drain(spool)] == [bytes([number]) for number in range(12, 20)]
        spool.close()


def test_a_full_disk_and_a_full_memory_drop_the_oldest_low_ones_first(tmp_path: Path) -> None:
    """Every drop is counted, and the important ones stay as long as there are others."""
    with mounted(tmp_path / "disk", "size=64k") as disk:
        spool = Spool(disk, "bot", memory=1_000_000)
        for _ in range(8):
            spool.append("logs", "low", 3, bytes(100_000))
            spool.append("logs", "important", 2, bytes(100_000))
        assert totals(spool) == {"there": 22, "disk_unavailable": 18}
        assert spool.stats()["dropped"] == {("logs", "low", "disk_unavailable"): 18}
        spool.append("logs", "low", 3, bytes(100_000))
        spool.close()
        assert totals(spool) == {"there": 0, "disk_unavailable": 43}


def test_low_parcels_on_a_full_disk_go_before_important_ones(tmp_path: Path) -> None:
    """When others filled the disk and the memory is full, what is low on disk makes room."""
    with mounted(tmp_path / "disk", "size=1m") as disk:
        spool = Spool(disk / "spool", "bot", budget=1 << 20, memory=150_000)
        low = [spool.append("logs", "low", 1, bytes(60_000)) for _ in range(10)]
        assert all(spool.durable(number) for number in low)
        fill(disk / "ballast")
        important = [spool.append("logs", "important", 1, bytes(60_000)) for _ in range(6)]
        assert totals(spool)["there"] + totals(spool)["disk_unavailable"] == 16
        assert {lane for _, lane, _ in spool.stats()["dropped"]} == {"low"}
        assert [parcel.number for parcel in drain(spool) if parcel.lane == "important"] == important
        spool.close()


def test_a_disk_without_inodes_is_a_full_disk(tmp_path: Path) -> None:
    """There is room for one segment's file and for no other."""
    with mounted(tmp_path / "disk", "size=1m,nr_inodes=4") as disk:
        spool = Spool(disk, "bot")
        assert spool.durable(spool.append("logs", "low", 1, b"low"))
        waits = spool.append("logs", "important", 1, b"important")
        assert not spool.durable(waits)
        assert "No space left on device" in (spool.stats()["trouble"] or "")
        assert [parcel.body for parcel in drain(spool)] == [b"important", b"low"]


def test_a_read_only_disk_costs_nothing_while_there_is_memory(tmp_path: Path) -> None:
    """When it can be written again, what waits goes there."""
    with mounted(tmp_path / "disk", "size=1m") as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        spool = Spool(disk / "spool", "bot")
        assert "Read-only file system" in (spool.stats()["trouble"] or "")
        number = spool.append("logs", "important", 1, b"important")
        assert not spool.durable(number)
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        spool.maintain(later())
        assert spool.durable(number)
        spool.close()


def test_the_dead_ones_on_a_read_only_disk_are_left_to_others(tmp_path: Path) -> None:
    """They cannot be claimed there, which is trouble and no error."""
    with mounted(tmp_path / "disk", "size=1m") as disk:
        first = Spool(disk, "bot")
        first.append("logs", "important", 1, b"important")
        first.close()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        spool = Spool(disk, "bot")
        assert spool.adopt() == []
        assert "Read-only file system" in (spool.stats()["trouble"] or "")


def test_a_file_that_may_not_grow_is_a_full_disk(tmp_path: Path) -> None:
    """The process's limit of file sizes is met in the middle of a parcel, of which nothing stays."""

    def limited() -> tuple[list[bool], str | None, int]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        spool = Spool(tmp_path, "bot")
        numbers = [spool.append("logs", "important", 1, bytes([number]) * 4_000) for number in range(4)]
        spool.maintain(later())
        return [spool.durable(number) for number in numbers], spool.stats()["trouble"], spool.stats()["memory_bytes"]

    durable, trouble, memory = in_child(limited)
    assert durable == [True, True, False, False]
    assert trouble is not None
    assert "File too large" in trouble
    assert memory == 8_000
    spool = Spool(tmp_path, "bot")
    (adopted,) = spool.adopt()
    assert (adopted.records, adopted.damage) == (2, [])


def test_a_folder_that_cannot_be_made_is_trouble_and_no_error(tmp_path: Path) -> None:
    """It is made when what is in the way is gone."""
    place = tmp_path / "file"
    place.write_text("in the way", "utf-8")
    spool = Spool(place / "spool", "bot")
    assert str(place) in (spool.stats()["trouble"] or "")
    number = spool.append("metrics", "low", 7, b"points")
    place.unlink()
    spool.maintain(later())
    assert spool.durable(number)


def test_a_folder_that_vanishes_is_made_anew(tmp_path: Path) -> None:
    """What was in its files is written again."""
    spool = Spool(tmp_path / "spool", "bot")
    numbers = [spool.append("metrics", "low", 1, bytes([number])) for number in range(3)]
    shutil.rmtree(tmp_path / "spool")
    spool.maintain()
    numbers.append(spool.append("metrics", "low", 1, bytes([3])))
    assert all(spool.durable(number) for number in numbers)
    spool.close()
    (adopted,) = Spool(tmp_path / "spool", "bot").adopt()
    assert adopted.records == 4


@pytest.mark.parametrize("seed", range(5))
def test_whatever_happens_on_a_small_disk_everything_is_counted(tmp_path: Path, seed: int) -> None:
    """Appended is settled, dropped or there, at each step; in the end all that is there comes out whole."""
    chooser = random.Random(seed)  # noqa: S311 - the same each time
    with mounted(tmp_path / "disk", "size=700k") as disk:
        spool = Spool(disk / "spool", "bot", budget=1 << 20, memory=300_000)
        bodies: dict[int, bytes] = {}
        in_hand: list[int] = []
        settled, now = 0, later()
        for step in range(400):
            choice = chooser.randrange(12)
            if choice < 6:
                hold = chooser.random() < 0.3
                lane, body = chooser.choice(("low", "important")), bytes([step % 256]) * chooser.randrange(60_000)
                number = spool.append("logs", "low" if lane == "low" else "important", 1, body, hold=hold)
                bodies[number] = body
                in_hand += [number] * hold
            elif choice == 6 and (parcel := spool.next("logs")) is not None:
                assert parcel.body == bodies[parcel.number]
                in_hand.append(parcel.number)
            elif choice == 7 and in_hand:
                assert spool.settle(in_hand.pop())
                settled += 1
            elif choice == 8 and in_hand:
                spool.release(in_hand.pop(0))
            elif choice == 9:
                (disk / "ballast").unlink(missing_ok=True)
            elif choice == 10 and not (disk / "ballast").exists():
                fill(disk / "ballast")
            else:
                now += 2 * SECOND
                spool.maintain(now)
            assert sum(totals(spool).values()) + settled == len(bodies)
            assert spool.stats()["memory_bytes"] <= 300_000
        for number in in_hand:
            spool.release(number)
        there = totals(spool)["there"]
        found = drain(spool)
        assert all(parcel.body == bodies[parcel.number] for parcel in found)
        assert len({parcel.number for parcel in found}) == len(found) == there
        spool.close()
        assert list((disk / "spool").iterdir()) == []
