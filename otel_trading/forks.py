"""Locks that a forked child finds free, and imports that it finds finished."""

from __future__ import annotations

import encodings.idna  # noqa: F401 - or the thread that first asks for a host would, and a child forked meanwhile waits for ever
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from threading import RLock

_made: weakref.WeakSet[Any] = weakref.WeakSet()


def lock() -> RLock:
    """A reentrant lock that is free in a forked child: the thread that held it in the parent does not exist there.

    >>> with lock() as taken:
    ...     taken
    True
    """
    made = threading.RLock()
    _made.add(made)
    return made


def _free_in_child() -> None:
    for made in list(_made):
        made._at_fork_reinit()  # noqa: SLF001 - what threading and logging do with theirs


_importing = threading.RLock()
_waited: list[bool] = []
_LONGEST_IMPORT = 1.0
"""Seconds that a fork waits: the import may need a module that the forking thread is just importing."""


def whole_imports() -> AbstractContextManager[Any]:
    """For a thread of ours that imports: who forks waits until it has, as the child would be left with half a module.

    >>> with whole_imports():
    ...     import json
    """
    return _importing


def _wait_for_imports() -> None:
    _waited.append(_importing.acquire(timeout=_LONGEST_IMPORT))


def _go_on() -> None:
    if _waited.pop():
        _importing.release()


def _begin() -> None:
    _waited.clear()
    _importing._at_fork_reinit()  # type: ignore[attr-defined]  # noqa: SLF001 - as above


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free_in_child)
    os.register_at_fork(before=_wait_for_imports, after_in_parent=_go_on, after_in_child=_begin)
