"""Notes that running bots leave for this user's commands: where they are found, and the token made for them."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from otel_trading.folders import prepared, state_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LARGEST = 16_384
_MOST = 1_024
_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Note:
    """What a bot says of its ops server; ``token`` is ``None`` where it was given to the bot."""

    url: str
    service: str
    pid: int
    token: str | None = None
    certificate: str | None = None


def folder(variables: Mapping[str, str] = os.environ) -> Path:
    """Where they are."""
    return state_folder("ops", variables)


def leave(note: Note, host: str, port: int, place: Path | None = None) -> Path:
    """Write a note, for this user's eyes only; ``OSError`` when that cannot be.

    It is found by address and port, which only one bot has at a time: the note of a bot that was killed is
    overwritten by the next one.
    """
    place = prepared(place or folder(), given=False)
    _tidy(place)
    path = place / f"{host.replace(':', '-').replace('/', '-')}_{port}.json"
    unfinished = path.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        unfinished.unlink()
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(note), file)
    unfinished.replace(path)
    return path


def take_back(path: Path, pid: int) -> None:
    """Remove a note, unless another bot's stands there by now."""
    with contextlib.suppress(OSError):
        found = _read(path)
        if found is not None and found.pid == pid:
            path.unlink()


def found(place: Path | None = None) -> list[Note]:
    """The notes of all bots of this user, also of those that were killed."""
    place = place or folder()
    try:
        mine = place.lstat().st_uid == os.getuid()
        paths = sorted(place.glob("*.json"))[:_MOST] if mine else []
    except OSError:
        return []
    return [note for path in paths if (note := _read(path)) is not None]


def _tidy(place: Path) -> None:
    """Remove what killed bots left at ports that nobody takes again."""
    for path in place.glob("*.json"):
        with contextlib.suppress(OSError):
            old = time.time() - path.stat().st_mtime > _A_DAY
            note = _read(path) if old else None
            if note is not None and not _lives(note.pid):
                path.unlink()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _read(path: Path) -> Note | None:
    try:
        with path.open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_uid != os.getuid():
                return None
            return Note(**json.loads(file.read(_LARGEST)))
    except (OSError, ValueError, TypeError):
        return None
