"""Work that may wait for a disk, or for the bot's own code, beside the thread that watches."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


class Aside(Generic[_T]):
    """Does one thing at a time in a short-lived thread.

    >>> aside = Aside("otel-example")
    >>> aside.start(lambda: 7), aside.join(5), aside.take(), aside.take()
    (True, True, 7, None)
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None
        self._result: _T | None = None
        self.error: BaseException | None = None
        """What the last work raised."""

    @property
    def busy(self) -> bool:
        """Whether it works."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, work: Callable[[], _T]) -> bool:
        """Begin, unless it works already."""
        if self.busy:
            return False
        self._thread = threading.Thread(target=self._do, args=(work,), name=self._name, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no threads while the interpreter shuts down
            self._thread = None
            return False
        return True

    def take(self) -> _T | None:
        """What the work gave, once."""
        result, self._result = self._result, None
        return result

    def join(self, timeout: float) -> bool:
        """Wait for the end; whether it came."""
        if self._thread is not None:
            self._thread.join(timeout)
        return not self.busy

    def restart_in_child(self) -> None:
        """Begin with nothing in a forked child."""
        self._thread = self._result = self.error = None

    def _do(self, work: Callable[[], _T]) -> None:
        try:
            self._result = work()
            self.error = None
        except Exception as error:
            self.error = error
