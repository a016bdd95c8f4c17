"""Folders of this user's own, for what has to outlive the process."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def state_folder(name: str, variables: Mapping[str, str] = os.environ) -> Path:
    """Where programs keep their state.

    >>> state_folder("spool", {"XDG_STATE_HOME": "/var/state"}).as_posix()
    '/var/state/otel-trading/spool'
    """
    state = variables.get("XDG_STATE_HOME", "").strip()
    return (Path(state) if state else Path.home() / ".local" / "state") / "otel-trading" / name


def prepared(folder: Path, *, given: bool) -> Path:
    """The folder, made if it is not there; ``OSError`` when it was not ``given``, and others may write to it."""
    folder = folder.expanduser().absolute()
    folder.mkdir(0o700, parents=True, exist_ok=True)
    found = folder.stat() if given else folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(20, "not a folder", str(folder))
    if not given and (found.st_uid != os.getuid() or found.st_mode & 0o022):
        raise PermissionError(1, "belongs to somebody else, or others may write to it", str(folder))
    return folder
