"""The spool: nothing that it took is lost or counted twice, whatever becomes of processes and disks."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

import pytest

from otel_trading._native import Spool
from tests.export.spool_until_killed import body
from tests.export.spools import SECOND, drain, later, totals
from tests.forks import in_child

if TYPE_CHECKING:
    from pathlib import Path

KILLS = int(os.environ.get("SPOOL_KILLS", "30"))
IN_A_ROW = 3
LONGEST = 0.08


def start(folder: Path, sync: str = "none") -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.export.spool_until_killed", str(folder), sync], stdout=subprocess.PIPE
    )


def kill(process: subprocess.Popen[bytes]) -> list[str]:
    """Kill a process, and give the lines that it said since the last one read."""
    assert process.stdout is not None
    process.send_signal(signal.SIGKILL)
    lines = process.stdout.read().decode().splitlines()
    assert process.wait(60) == -signal.SIGKILL
    process.stdout.close()
    return lines


@pytest.mark.parametrize("sync", ["none", "always"])
def test_nothing_that_append_returned_for_is_lost_when_the_process_is_killed(tmp_path: Path, sync: str) -> None:
    """Each process adopts what those before it left; what was not settled in the end is there, once."""
    chooser = random.Random(f"moments {sync}")  # noqa: S311 - the same moments each time
    rows = max(1, KILLS // IN_A_ROW // 2)
    moments = [[chooser.uniform(0, LONGEST) for _ in range(IN_A_ROW)] for _ in range(rows)]
    with ThreadPoolExecutor(2) as pool:
        kept = list(pool.map(lambda row: _kill_in_a_row(tmp_path / str(row[0]), row[1], sync), enumerate(moments)))
    assert sum(kept) > rows


def _kill_in_a_row(folder: Path, moments: list[float], sync: str) -> int:
    said: dict[str, set[str]] = {"appended": set(), "settling": set(), "settled": set()}
    for moment in moments:
        process = start(folder, sync)
        assert process.stdout is not None
        while process.stdout.readline() != b"ready\n":
            assert process.poll() is None
        time.sleep(moment)
        for line in kill(process):
            what, key = line.split()
            said[what].add(key)
    spool = Spool(folder, "killed")
    # what was being written has not been promised
    cut = [damage for adopted in spool.adopt() for damage in adopted.damage]
    assert all("ends before its end" in damage or "bytes are of no record" in damage for damage in cut)
    assert len(cut) <= 2 * len(moments)
    found = drain(spool)
    keys = [parcel.body.partition(b" ")[0].decode() for parcel in found]
    assert len(set(keys)) == len(keys)
    assert all(parcel.body == body(key) and parcel.adopted for parcel, key in zip(found, keys, strict=True))
    assert said["appended"] - said["settling"] <= set(keys)
    assert not said["settled"] & set(keys)
    spool.close()
    assert list(folder.iterdir()) == []
    return len(keys)


def test_a_forked_child_has_a_spool_of_its_own(tmp_path: Path) -> None:
    """Neither what it appends nor what it does to its parent's numbers nor its end touches the parent's files."""
    spool = Spool(tmp_path, "bot")
    number = spool.append("logs", "important", 1, b"parent's")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.log")}

    def work() -> Any:
        inherited = (totals(spool), spool.settle(number), spool.next("logs"), spool.adopt())
        own = spool.append("logs", "important", 1, b"child's")
        spool.release(number)
        spool.maintain()
        return inherited, spool.durable(own), len(list(tmp_path.iterdir()))

    assert in_child(work) == (({"there": 0}, False, None, []), True, 2)
    assert {path: path.read_bytes() for path in before} == before
    assert spool.durable(number)
    (adopted,) = spool.adopt()
    assert adopted.records == 1
    parcels = drain(spool)
    assert [(parcel.body, parcel.adopted) for parcel in parcels] == [(b"parent's", False), (b"child's", True)]
    spool.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", ["abandon", "close", "nothing"])
def test_a_child_that_ends_leaves_its_parents_files(tmp_path: Path, how: str) -> None:
    """However it takes its leave; a spool in which nothing waits would remove its files."""
    spool = Spool(tmp_path, "bot")
    (home,) = tmp_path.iterdir()

    def work() -> bool:
        if how != "nothing":
            getattr(spool, how)()
        return home.exists()

    assert in_child(work)
    number = spool.append("logs", "important", 1, b"parent's")
    assert spool.durable(number)
    assert list(tmp_path.iterdir()) == [home]


def test_a_child_does_not_keep_its_dead_parents_claim(tmp_path: Path) -> None:
    """What a killed process left can be adopted while its children live."""
    code = """
import os, signal, sys, time
from otel_trading._native import Spool
spool = Spool(sys.argv[1], "bot")
spool.append("logs", "important", 1, b"parent's")
if os.fork() == 0:
    print("child", flush=True)
    sys.stdin.read()
    os._exit(0)
time.sleep(600)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    assert parent.stdout.readline() == "child\n"
    spool = Spool(tmp_path, "bot")
    assert spool.adopt() == []
    parent.kill()
    parent.wait(60)
    (adopted,) = spool.adopt()
    assert (adopted.pid, adopted.records) == (parent.pid, 1)
    parent.stdin.close()
    assert parent.stdout.read() == ""
    parent.stdout.close()


def test_processes_in_one_folder_have_files_of_their_own(tmp_path: Path) -> None:
    """While they live, nobody adopts anybody's; afterwards all of it is adopted once."""
    processes = [start(tmp_path) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert process.stdout.readline().startswith(b"appended")
    spool = Spool(tmp_path, "killed")
    assert spool.adopt() == []
    names = {path.name.split("-")[1] for path in tmp_path.iterdir()}
    assert names == {str(pid) for pid in (os.getpid(), *(process.pid for process in processes))}
    for process in processes:
        kill(process)
    assert {adopted.pid for adopted in spool.adopt()} == {process.pid for process in processes}
    assert {parcel.body.split(b".")[0].decode() for parcel in drain(spool)} <= names
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_another_services_parcels_stay(tmp_path: Path) -> None:
    """Also when the file names of the two are the same."""
    first = Spool(tmp_path, "prices/eu")
    first.append("logs", "important", 1, b"eu")
    first.close()
    assert Spool(tmp_path, "prices eu").adopt() == []
    (adopted,) = Spool(tmp_path, "prices/eu").adopt()
    assert (adopted.service, adopted.items, adopted.lost, adopted.skipped) == ("prices/eu", 1, 0, 0)


def test_threads_share_a_spool(tmp_path: Path) -> None:
    """Each parcel is handed out to one of them, and all is counted."""
    spool = Spool(tmp_path, "bot", budget=2 << 20)
    sent: list[int] = []

    def work(thread: int) -> None:
        chooser = random.Random(thread)  # noqa: S311 - the same each time
        for number in range(300):
            lane = chooser.choice(("low", "important"))
            spool.append(
                "logs", "low" if lane == "low" else "important", 1, bytes([thread]) * chooser.randrange(20_000)
            )
            if number % 3 == 0 and (parcel := spool.next("logs")) is not None:
                assert parcel.body == bytes([parcel.body[0]]) * len(parcel.body) if parcel.body else True
                if chooser.random() < 0.5:
                    assert spool.settle(parcel.number)
                    sent.append(parcel.number)
                else:
                    spool.release(parcel.number)
            if number % 50 == 0:
                spool.maintain()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(set(sent)) == len(sent)
    found = totals(spool)
    assert found["spool_full"] > 0
    assert sum(found.values()) + len(sent) == 1_200
    assert len(drain(spool)) == found["there"]
    assert spool.stats()["trouble"] is None


def test_what_is_too_old_is_dropped_by_its_time(tmp_path: Path) -> None:
    """The age counts from when it was made, whoever adopts it."""
    now = time.time_ns()
    first = Spool(tmp_path, "bot")
    first.append("traces", "important", 5, b"old", made_ns=now - 100 * SECOND)
    first.append("traces", "important", 1, b"new", made_ns=now)
    first.close()
    spool = Spool(tmp_path, "bot", max_age=60.0)
    spool.adopt()
    depth = spool.stats()["depths"]["traces", "important"]
    assert depth["oldest_ns"] == now - 100 * SECOND
    assert depth["adopted_items"] == 6
    spool.maintain(now)
    assert spool.stats()["dropped"] == {("traces", "important", "expired"): 5}
    assert [parcel.made_ns for parcel in drain(spool)] == [now]


def test_a_spool_without_a_folder_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It touches no file, has no trouble, and forgets all at its end."""
    monkeypatch.chdir(tmp_path)
    spool = Spool(None, "bot", memory=1_000)
    numbers = [spool.append("logs", "low", 1, bytes(400)) for _ in range(3)]
    spool.maintain(later())
    assert (spool.adopt(), spool.trouble, spool.durable(numbers[2])) == ([], None, False)
    assert totals(spool) == {"there": 2, "disk_unavailable": 1}
    assert in_child(lambda: (spool.append("logs", "low", 1, b""), totals(spool)))[1] == {"there": 1}
    assert [parcel.number for parcel in drain(spool)] == numbers[1:]
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_who_stands_behind_another_one_in_line(tmp_path: Path) -> None:
    """Important ones stand before low ones, each lane by age; nobody is handed out twice."""
    spool = Spool(tmp_path, "bot")
    lanes: list[Literal["important", "low"]] = ["low", "important", "low", "important"]
    for age, lane in enumerate(lanes):
        spool.append("logs", lane, 1, b"", made_ns=age + 1)
    assert (spool.oldest("logs"), spool.oldest("traces")) == (1, None)
    seen: list[int] = []
    while (parcel := spool.next("logs", after=seen[-1] if seen else None)) is not None:
        seen.append(parcel.number)
        spool.release(parcel.number)
    assert seen == [2, 4, 1, 3]
    first = spool.next("logs")
    assert first is not None
    assert first.number == 2
    behind = spool.next("logs", after=2)
    assert behind is not None
    assert behind.number == 4


def test_an_id_is_the_same_wherever_its_parcel_is(tmp_path: Path) -> None:
    """In memory, on disk, and after it was adopted."""
    place = tmp_path / "spool"
    place.write_text("in the way", "utf-8")
    spool = Spool(place, "bot")
    spool.append("traces", "low", 1, b"span", hold=True)
    assert spool.next("traces") is None
    spool.release(1)
    seen = []

    def look() -> None:
        parcel = spool.next("traces")
        assert parcel is not None
        assert (parcel.signal, parcel.lane, parcel.items, parcel.body) == ("traces", "low", 1, b"span")
        seen.append((parcel.id, parcel.adopted))
        spool.release(parcel.number)

    look()
    place.unlink()
    spool.maintain(later())
    look()
    spool.close()
    spool = Spool(place, "bot")
    spool.append("traces", "low", 1, b"another")
    spool.adopt()
    (first,) = [parcel for parcel in drain(spool) if parcel.adopted]
    assert {(name, False) for name, _ in seen} == set(seen)
    assert {name for name, _ in seen} == {first.id}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("spans", "low", 1, b""), 'signal "spans"; it is traces or metrics or logs'),
        (("logs", "high", 1, b""), 'lane "high"; it is important or low'),
        (("logs", "low", 1, bytes((64 << 20) + 1)), "67108865 bytes"),
    ],
    ids=["signal", "lane", "size"],
)
def test_wrong_parcels_are_named(tmp_path: Path, arguments: Any, message: str) -> None:
    """One message says what is wrong and what is allowed."""
    spool = Spool(tmp_path, "bot")
    with pytest.raises(ValueError, match=message):
        spool.append(*arguments)
    assert totals(spool) == {"there": 0}


@pytest.mark.parametrize("options", [{"sync": "sometimes"}, {"max_age": -1.0}, {"max_age": float("nan")}])
def test_wrong_options_are_named(tmp_path: Path, options: Any) -> None:
    """The option and its value."""
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"(?i){name}.*{value}"):
        Spool(tmp_path, "bot", **options)
    with pytest.raises(TypeError):
        Spool(tmp_path, "bot").append("logs", "low", 1, bytearray(b"x"))  # type: ignore[arg-type]
