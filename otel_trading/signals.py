"""Handlers of signals that are called soon, whatever the main thread is just going to wait for."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

from otel_trading._native import wake_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_handled: set[int] = set()


def handle(number: int, handler: Callable[[int, FrameType | None], None]) -> Any:  # noqa: ANN401 - what signal takes
    """Have a signal handled; what handled it before.

    CPython has the main thread call the handler. If the signal comes just when that goes to sleep, it would sleep on:
    here the sleep is ended.

    >>> previous = handle(signal.SIGUSR2, lambda number, frame: print(signal.Signals(number).name))
    >>> signal.raise_signal(signal.SIGUSR2)
    SIGUSR2
    >>> _ = signal.signal(signal.SIGUSR2, previous)

    Raises:
        ValueError: another thread than the main one may not.

    """
    previous = signal.signal(number, handler)
    wake_for(number)
    _handled.add(number)
    return previous


def _begin() -> None:
    for number in _handled:
        wake_for(number)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin)
