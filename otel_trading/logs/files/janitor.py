"""The thread that compresses and removes rotated files, beside everything else."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

from otel_trading import forks
from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE = 10.0
"""Seconds without work after which the thread ends; the next work starts another one."""


class Janitor:
    """Does one thing after the other; what is asked for again while it waits is done once.

    Its thread has the priority of all others. With a lower one it would have the interpreter lock while others have the
    processor, and the bot would wait for both.
    """

    def __init__(self) -> None:
        self._lock = forks.lock()
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._work: dict[object, Callable[[], None]] = {}
        self._news = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._thread: threading.Thread | None = None
        self._said: set[str] = set()

    def ask(self, key: object, work: Callable[[], None]) -> None:
        """Have it done soon."""
        with self._lock:
            self._work[key] = work
            self._news.set()
            self._idle.clear()
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="otel-log-files", daemon=True)
                with contextlib.suppress(RuntimeError):  # the process ends: who comes next does it
                    thread.start()
                    self._thread = thread

    def wait(self, timeout: float) -> bool:
        """Wait until all is done, as tests do; whether it is."""
        return self._idle.wait(timeout)

    def _run(self) -> None:
        while True:
            self._news.wait(_PATIENCE)
            with self._lock:
                self._news.clear()
                work, self._work = self._work, {}
                if not work:
                    self._thread = None
                    return
            for key, each in work.items():
                try:
                    each()
                except Exception as error:
                    self._say(f"rotated files of {key} cannot be looked after: {error}")
            with self._lock:
                if not self._work:
                    self._idle.set()

    def _say(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            report(message)


JANITOR = Janitor()
