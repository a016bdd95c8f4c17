"""What is known of an emergency stop, and where that is kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from otel_trading import _native
from otel_trading.folders import prepared, state_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUFFIX = ".latch"
_LONGEST = 180
"""Characters of a file's name; file systems have room for 255 bytes."""
NOWHERE = "none"


@dataclass(frozen=True, slots=True)
class EmergencyState:
    """Whether trading is stopped, why, by whom (``api``, ``http``, ``cli``, ``signal``, ``file``, ``rule``), since.

    ``since_ns`` is in nanoseconds since 1970, ``process`` the id of the one that stopped or resumed.

    >>> print(EmergencyState(True, "volatility", "cli", 1_760_000_000_000_000_000, 4242))
    stopped since 2025-10-09T08:53:20+00:00 by cli (process 4242): volatility
    """

    engaged: bool
    reason: str = ""
    by: str = ""
    since_ns: int = 0
    process: int = 0

    @property
    def since(self) -> str:
        """Since when, as people write it; empty when nothing was ever stopped."""
        if not self.since_ns:
            return ""
        return datetime.fromtimestamp(self.since_ns // 1_000_000_000, UTC).isoformat(timespec="seconds")

    def __str__(self) -> str:
        if not self.by:
            return "stopped; nobody knows why" if self.engaged else "not stopped"
        what = "stopped" if self.engaged else "resumed"
        who = f"{self.by} (process {self.process})" if self.process else self.by
        return f"{what} since {self.since} by {who}" + (f": {self.reason}" if self.reason else "")


def folder_of(given: str | None) -> Path | None:
    """Where states are by the option ``emergency_folder``; ``None`` where they are kept in memory.

    >>> folder_of("none") is None, folder_of("/var/lib/bots").as_posix()
    (True, '/var/lib/bots')
    """
    if given is not None and given.strip().lower() == NOWHERE:
        return None
    return Path(given).expanduser().absolute() if given else state_folder("emergency")


def made(given: str | None) -> Path | None:
    """The folder, made if it is not there; ``OSError`` when it cannot be used."""
    folder = folder_of(given)
    return None if folder is None else prepared(folder, given=bool(given))


def file_of(folder: Path, service: str) -> Path:
    """The file of a service.

    >>> file_of(Path("/var/lib/bots"), "basis/bot").name
    'basis%2Fbot.latch'
    """
    name = quote(service, safe=" ")
    if len(name) > _LONGEST:
        name = f"{name[:_LONGEST]}~{hashlib.sha256(service.encode()).hexdigest()[:16]}"
    return folder / f"{name}{_SUFFIX}"


def services(folder: Path) -> Iterator[tuple[str, Path]]:
    """The services that have a file in a folder, by name."""
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        yield unquote(path.name.removesuffix(_SUFFIX)), path


def read(path: Path) -> EmergencyState | None:
    """What a file says; ``None`` where there is none, ``ValueError`` where it is damaged, ``OSError`` as usual."""
    found = _native.read_latch(path)
    return None if found is None else EmergencyState(*found)


def change(path: Path, *, engaged: bool, reason: str, by: str) -> tuple[bool, EmergencyState]:
    """Stop or resume a service by its file, which its processes notice: whether that changed it, and the state."""
    changed, state = _native.change_latch(path, engaged, reason, by)
    return changed, EmergencyState(*state)
