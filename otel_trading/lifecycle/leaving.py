"""How the process goes on after a block that a signal ended: it unwinds, and ends as the signal says."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_BY_SIGNAL = 128
"""What shells add to a signal's number."""


class EndedError(SystemExit):
    """Ends the process with the status of a signal, after all cleaning up.

    Where nobody catches it, ``at_the_top`` is called by the interpreter's way out, before ``atexit``.
    """

    def __init__(self, status: int, at_the_top: Callable[[], None]) -> None:
        super().__init__(status)
        self._status = status
        self._at_the_top = at_the_top

    @property
    def code(self) -> int:  # type: ignore[override]
        """The exit status; the interpreter asks for it when it is about to end, with no Python code around it."""
        if sys._getframe().f_back is None:  # noqa: SLF001 - who asks is the point
            self._at_the_top()
        return self._status


def leaves(number: int, *, by_signal: bool, at_the_top: Callable[[], None]) -> BaseException:
    """What the block raises at its end: for Ctrl-C what Ctrl-C always raises, without a traceback on the screen."""
    if not by_signal:
        return SystemExit(0)
    if number == signal.SIGINT:
        return _quiet(KeyboardInterrupt())
    return EndedError(_BY_SIGNAL + number, at_the_top)


def _quiet(error: KeyboardInterrupt) -> KeyboardInterrupt:
    """The error, which is not shown if nobody catches it: the report was."""
    shown = sys.excepthook

    def hook(kind: type[BaseException], value: BaseException, traceback: TracebackType | None) -> Any:  # noqa: ANN401
        if value is not error:
            shown(kind, value, traceback)

    sys.excepthook = hook
    return error
