"""What libraries log while we send is in what we answer; it is not for the bot's log."""

from __future__ import annotations

import logging
import threading


class _Quiet(threading.local):
    """Of this thread alone: the bot may use the same libraries in another one."""

    depth = 0

    def __enter__(self) -> None:
        self.depth += 1

    def __exit__(self, *_: object) -> None:
        self.depth -= 1


quiet = _Quiet()
"""As long as it lasts, nothing of the loggers given to ``silence`` is logged."""


def silence(*names: str) -> None:
    """Have these loggers say nothing in a thread that is ``quiet``."""
    for name in names:
        logging.getLogger(name).addFilter(_listen)


def _listen(_: logging.LogRecord) -> bool:
    return not quiet.depth
