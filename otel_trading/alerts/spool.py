"""What is critical and not delivered stands in a file until it is: the next start tells it.

A process has a file of its own, locked while it lives, with a line for each thing that happened: a notification came,
an attempt began, a channel is done with it. A file that nobody holds is a dead process's.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from otel_trading.alerts.model import AlertLevel, AlertPayload, Notification
from otel_trading.alerts.rendering import plain, without_secrets
from otel_trading.folders import prepared, state_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_FILES, _MOST_BYTES, _MOST_WAITING = 16, 4 << 20, 256
_MAX_AGE = 86_400.0
_ATTEMPTS = 10


@dataclass(slots=True)
class Left:
    """What a dead process left on a channel."""

    notification: Notification
    channel: str
    posted: float
    tried: bool
    """Whether an attempt began."""


@dataclass(slots=True)
class _Entry:
    notification: Notification
    posted: float
    waiting: dict[str, bool] = field(default_factory=dict)


class Spool:
    """The process's file; its methods block, and raise ``OSError``."""

    def __init__(self, folder: str | None, service: str) -> None:
        self._given = folder
        self._service = _file_name(service)
        self._lock = threading.Lock()
        self._file: int | None = None
        self._waiting: set[tuple[str, str]] = set()
        self._closed = False

    def rename(self, folder: str | None, service: str) -> None:
        """Have the file elsewhere; what stands in the one that is open stays there."""
        if self._file is None:
            self._given, self._service = folder, _file_name(service)

    @property
    def open(self) -> bool:
        """Whether there is a file."""
        return self._file is not None

    def write(self, lines: list[dict[str, Any]]) -> None:
        """Append what happened; the file is empty again when nothing waits."""
        with self._lock:
            self._write(lines)

    def _write(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            pairs = {(line["id"], channel) for channel in line["channels"]}
            if line["what"] == "post" and len(self._waiting) < _MOST_WAITING:
                self._waiting |= pairs
            elif line["what"] == "done":
                self._waiting -= pairs
        if self._file is None:
            if not self._waiting:
                return
            self._file = self._opened()
        if not self._waiting:
            os.ftruncate(self._file, 0)
        elif os.fstat(self._file).st_size < _MOST_BYTES:
            os.write(self._file, b"".join(json.dumps(line).encode() + b"\n" for line in lines))

    def adopt(self, now: float) -> list[Left]:
        """Take over what dead processes of the same bot left: it stands in the own file, then theirs are gone."""
        folder = self._folder()
        found: dict[tuple[str, str], Left] = {}
        with self._lock:
            if self._closed or not folder.is_dir():
                return []
            for path in sorted(folder.glob(f"{self._service}.*.jsonl"))[:_MOST_FILES]:
                with suppress(OSError):
                    self._take_over(path, now, found)
        return sorted(found.values(), key=lambda left: left.posted)

    def close(self) -> None:
        """Let the file go; one in which nothing waits is removed. What is left is the next start's."""
        self._closed = True
        if self._file is None:  # who has none waits for no disk
            return
        with self._lock:
            with suppress(OSError):
                if os.fstat(self._file).st_size == 0:
                    self._path().unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def begin(self) -> None:
        """Take over files again after a close."""
        self._closed = False

    def restart_in_child(self) -> None:
        """Leave the file to the parent."""
        if self._file is not None:
            os.close(self._file)
        self._file, self._waiting, self._lock = None, set(), threading.Lock()

    def _folder(self) -> Path:
        return Path(self._given).expanduser() if self._given else state_folder("alerts")

    def _path(self) -> Path:
        return self._folder() / f"{self._service}.{os.getpid()}.jsonl"

    def _opened(self) -> int:
        prepared(self._folder(), given=self._given is not None)
        for attempt in range(_ATTEMPTS):
            file = self._locked()
            if file is not None:
                return file
            time.sleep(0.01 * attempt)
        raise OSError(errno.EAGAIN, "others take it for a dead process's")

    def _locked(self) -> int | None:
        """A file of this process; none when another process took it for one that nobody holds, and removed it."""
        try:
            file = _held(self._path(), os.O_CREAT | os.O_APPEND)
        except BlockingIOError:
            return None
        try:
            os.fchmod(file, 0o600)
            if os.path.samestat(os.fstat(file), self._path().lstat()):
                return file
        except FileNotFoundError:
            pass
        except OSError:
            os.close(file)
            raise
        os.close(file)
        return None

    def _take_over(self, path: Path, now: float, found: dict[tuple[str, str], Left]) -> None:
        own = path == self._path()
        if own and self._file is not None:
            return
        file = self._locked() if own else _held(path)
        if file is None:
            return
        left = {(each.notification.id, each.channel): each for each in _left(os.read(file, _MOST_BYTES), now)}
        if own:  # of an earlier process with the same number, or of this one before it was closed
            self._file = file
            self._waiting |= left.keys()
        else:
            try:
                with suppress(OSError):  # a full disk has room again once the other file is gone
                    self._write([line for each in left.values() for line in _standing(each)])
                path.unlink()
            finally:
                os.close(file)
        for key, each in left.items():  # who was killed while it took over left both files
            each.tried |= key in found and found[key].tried
            found[key] = each


def _held(path: Path, flags: int = 0) -> int:
    """A file that nobody else holds, opened; raises ``BlockingIOError`` when somebody does."""
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | flags, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file


def _file_name(service: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", service)[:64] or "bot"


def posted(notification: Notification, channels: tuple[str, ...], now: float) -> dict[str, Any]:
    """The line of a notification that came, without secrets."""
    alert = without_secrets(notification.alert)
    return {
        "what": "post",
        "id": notification.id,
        "channels": list(channels),
        "kind": notification.kind,
        "posted": now,
        "alert": plain(alert),
    }


def noted(what: str, notification: Notification, channel: str) -> dict[str, Any]:
    """The line of an attempt that begins (``try``) or delivered nothing (``failed``), or of the last one (``done``)."""
    return {"what": what, "id": notification.id, "channels": [channel]}


def _standing(left: Left) -> Iterator[dict[str, Any]]:
    """The lines of what is left."""
    yield posted(left.notification, (left.channel,), left.posted)
    if left.tried:
        yield noted("try", left.notification, left.channel)


def _left(content: bytes, now: float) -> Iterator[Left]:
    entries: dict[str, _Entry] = {}
    for line in content.decode("utf-8", "replace").splitlines():
        with suppress(ValueError, KeyError, TypeError, AttributeError):  # torn by the end of the process, or edited
            _take(json.loads(line), entries)
    for entry in entries.values():
        if now - entry.posted <= _MAX_AGE:
            for channel, tried in entry.waiting.items():
                yield Left(entry.notification, channel, entry.posted, tried)


def _take(line: dict[str, Any], entries: dict[str, _Entry]) -> None:
    match line["what"]:
        case "post":
            given = line["alert"]
            alert = AlertPayload(
                AlertLevel(given["level"]),
                str(given["title"]),
                str(given["message"]),
                datetime.fromisoformat(given["timestamp"]),
                {str(name): str(value) for name, value in given["fields"].items()},
                str(given["rule"]),
                str(given["subject"]),
                given["state"] if given["state"] in {"firing", "resolved"} else "event",
            )
            kinds = {"first", "escalation", "reminder", "resolved"}
            kind = cast("Any", line["kind"] if line["kind"] in kinds else "first")
            channels = tuple(map(str, line["channels"]))
            notification = Notification(alert, channels, kind, id=str(line["id"]))
            entry = entries.setdefault(line["id"], _Entry(notification, float(line["posted"])))
            entry.waiting |= dict.fromkeys(channels, False)
        case "try" | "failed":
            for channel in set(line["channels"]) & entries[line["id"]].waiting.keys():
                entries[line["id"]].waiting[channel] = line["what"] == "try"
        case "done":
            for channel in line["channels"]:
                entries[line["id"]].waiting.pop(channel, None)
