"""Locks that a forked child finds free."""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free_in_child)
