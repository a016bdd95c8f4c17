"""A signal that stops trading."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from otel_trading.signals import handle

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


class StopSignal:
    """Handles one signal; what the bot does with it is done after."""

    def __init__(self, stop: Callable[[str], None]) -> None:
        self._stop = stop
        self._number: int | None = None
        self._previous: Any = None

    def use(self, name: str | None) -> str | None:
        """Handle this one and no other; why not, if it cannot be."""
        number = None if name is None else getattr(signal, name, None)
        if name is not None and number is None:
            return f"emergency_signal={name} is not there on this system"
        if number is not None and number == self._number and signal.getsignal(number) == self._handle:
            return None
        self.give_back()
        if number is None:
            return None
        try:
            self._previous = handle(number, self._handle)
        except ValueError:
            return f"emergency_signal={name} is not handled: configure() runs in another thread than the main one"
        self._number = number
        return None

    def give_back(self) -> None:
        """Leave it as it was found, unless somebody has put another handler there."""
        number, self._number = self._number, None
        if number is None or signal.getsignal(number) != self._handle:
            return
        previous = signal.SIG_DFL if self._previous is None else self._previous
        try:
            signal.signal(number, previous)
        except ValueError:  # another thread than the main one: it goes on
            self._number = number

    def _handle(self, number: int, frame: FrameType | None) -> None:
        """In the main thread, between any two steps of the bot: it takes no lock and waits for nothing."""
        self._stop(signal.Signals(number).name)
        if callable(self._previous):
            self._previous(number, frame)
