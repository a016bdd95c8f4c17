"""The signals of the block: taken at its beginning, given back at its end."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

from otel_trading._native import end_by
from otel_trading.signals import handle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

    from otel_trading.exits import Exits

    Asks = Callable[[int, FrameType | None], None]


class Signals:
    """Calls ``asks`` with each of these signals, in the main thread between any two steps of its code.

    What is ignored stays ignored, and what others handle inside the block is theirs.
    """

    def __init__(self, names: Iterable[str], asks: Asks, exits: Exits) -> None:
        self._numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        self._asks = asks
        self._exits = exits
        self._owner = os.getpid()
        self._handlers: dict[int, _Handler] = {}

    def take(self) -> None:
        """Be in charge."""
        self._owner = os.getpid()
        self._exits.in_charge = self._take_over
        for number in self._numbers:
            current = signal.getsignal(number)
            if current is None or current is signal.SIG_IGN:
                continue
            handler = _Handler(self._asks, current)
            try:
                handle(number, handler)
            except ValueError:  # another thread than the main one: what Exits has is handed over by it
                return
            self._handlers[number] = handler

    def give_back(self) -> None:
        """Leave signals as they were found, but for those that have got another handler meanwhile."""
        if self._exits.in_charge == self._take_over:
            self._exits.in_charge = None
        for number, handler in self._handlers.items():
            handler.active = False
            current: object = signal.getsignal(number)
            if current is handler:
                try:
                    signal.signal(number, handler.previous)
                except ValueError:  # another thread: it stays, and does what the previous would do
                    continue
        self._handlers.clear()

    @property
    def own(self) -> int | None:
        """A signal that comes to ``asks``, if there is one."""
        return next((number for number, each in self._handlers.items() if signal.getsignal(number) is each), None)

    def _take_over(self, number: int, frame: FrameType | None) -> bool:
        if number not in self._numbers or os.getpid() != self._owner:
            return False
        self._asks(number, frame)
        return True


class _Handler:
    """Handles one signal; out of charge, and in a forked child, it does what would have been done without it."""

    def __init__(self, asks: Asks, previous: Any) -> None:  # noqa: ANN401 - what signal takes
        self.active = True
        self.previous = previous
        self._asks = asks
        self._owner = os.getpid()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.active and os.getpid() == self._owner:
            self._asks(number, frame)
        elif callable(self.previous):
            self.previous(number, frame)
        else:
            end_by(number)
