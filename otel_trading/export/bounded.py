"""Calls that may hang: each in a daemon thread, all waited for under one deadline.

While the interpreter shuts down Python 3.12 and later make no threads any more; then the calls are made where they are.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def start(calls: Iterable[Callable[[], object]], name: str) -> list[threading.Thread]:
    """Start the calls side by side, in threads of this name."""
    threads = [threading.Thread(target=call, name=name, daemon=True) for call in calls]
    for thread in threads:
        try:
            thread.start()
        except RuntimeError:
            thread.run()
    return threads


def finished(threads: Iterable[threading.Thread], deadline: float) -> bool:
    """Whether all of them end by the deadline (monotonic seconds).

    >>> finished(start([lambda: None], "otel-example"), time.monotonic() + 5)
    True
    """
    threads = list(threads)
    for thread in threads:
        if thread.ident is not None:
            thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)
