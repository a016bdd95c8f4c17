"""The file of what is critical: nobody takes it from the process that writes it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import threading
import time
from typing import TYPE_CHECKING, Any

from otel_trading.alerts.delivery import Outbox
from otel_trading.alerts.model import AlertLevel, AlertPayload, Notification
from otel_trading.alerts.spool import Spool, noted, posted

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

GONE = Notification(AlertPayload(AlertLevel.CRITICAL, "venue is gone", "no frame"), ("slack",), "first", id="one")


def line() -> dict[str, Any]:
    return posted(GONE, ("slack",), time.time())


def test_what_is_left_at_the_end_is_the_next_starts(tmp_path: Path) -> None:
    """A look for the files of dead processes that comes after the end leaves the own one alone."""
    spool = Spool(str(tmp_path), "bot")
    spool.write([line()])
    assert spool.adopt(time.time()) == []
    spool.close()
    assert spool.adopt(time.time()) == []
    assert len(list(tmp_path.iterdir())) == 1
    spool.begin()
    (left,) = spool.adopt(time.time())
    assert (left.notification.alert.title, left.channel) == ("venue is gone", "slack")
    spool.write([noted("done", GONE, "slack")])
    spool.close()
    assert list(tmp_path.iterdir()) == []


def of_a_dead_process(folder: Path, number: int, *lines: dict[str, Any]) -> Path:
    file = folder / f"bot.{number}.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in lines))
    return file


def test_what_is_taken_over_stands_in_the_own_file_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the two, the process leaves both, and the next one tells it once."""
    dead = of_a_dead_process(tmp_path, 1, posted(GONE, ("slack", "mail"), time.time()), noted("try", GONE, "mail"))
    killed = Spool(str(tmp_path), "bot")
    unlink = type(dead).unlink

    def die(path: Path, **options: bool) -> None:
        if path == dead:
            raise PermissionError
        unlink(path, **options)

    monkeypatch.setattr(type(dead), "unlink", die)
    assert killed.adopt(time.time()) == []
    killed.close()
    monkeypatch.undo()
    own = tmp_path / f"bot.{os.getpid()}.jsonl"
    own.rename(tmp_path / "bot.2.jsonl")

    following = Spool(str(tmp_path), "bot")
    told = {each.channel: (each.notification.alert.title, each.tried) for each in following.adopt(time.time())}
    assert told == {"slack": ("venue is gone", False), "mail": ("venue is gone", True)}
    assert list(tmp_path.iterdir()) == [own]
    following.write([noted("done", GONE, "slack")])
    following.close()

    last = Spool(str(tmp_path), "bot")
    assert [each.channel for each in last.adopt(time.time())] == ["mail"]
    last.close()


def test_a_full_disk_costs_what_is_taken_over_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told now, which is better than kept."""
    of_a_dead_process(tmp_path, 1, line())
    spool = Spool(str(tmp_path), "bot")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "write", full)
    (left,) = spool.adopt(time.time())
    monkeypatch.undo()
    assert left.channel == "slack"
    assert not (tmp_path / "bot.1.jsonl").exists()
    spool.close()


def test_a_file_that_another_process_removed_meanwhile_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its making and its lock it looks like a dead process's."""
    real = fcntl.flock
    removed: list[Path] = []

    def flock(file: int, operation: int) -> None:
        if len(removed) < 2:
            (found,) = tmp_path.iterdir()
            found.unlink()
            removed.append(found)
            if len(removed) == 1:
                raise BlockingIOError
        real(file, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    spool = Spool(str(tmp_path), "bot")
    spool.write([line()])
    (file,) = tmp_path.iterdir()
    assert len(removed) == 2
    assert "venue is gone" in file.read_text()
    assert spool._file is not None
    assert os.fstat(spool._file).st_ino == file.stat().st_ino
    spool.close()


def test_an_office_that_is_opening_at_the_end_is_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It has taken what came early, and nobody else says what becomes of it."""
    from otel_trading.alerts.office import Office

    outbox = Outbox()
    outbox.use((), "bot", str(tmp_path))
    outbox.housed(housed=True)
    outbox.post(GONE)
    opening, go = threading.Event(), threading.Event()
    closed: list[Office] = []
    use, close = Office.use, Office.close

    def slowly(self: Office, *args: Any) -> None:
        opening.set()
        assert go.wait(10)
        use(self, *args)

    def noted(self: Office) -> None:
        closed.append(self)
        close(self)

    def end() -> None:
        outbox.flush(0.1)
        outbox.close()

    monkeypatch.setattr(Office, "use", slowly)
    monkeypatch.setattr(Office, "close", noted)
    opener, ending = threading.Thread(target=outbox._opened), threading.Thread(target=end)
    opener.start()
    assert opening.wait(10)
    outbox._early.clear()  # as the office does first
    ending.start()
    time.sleep(0.2)
    go.set()
    ending.join(10)
    opener.join(10)
    assert closed == [outbox._office]
