"""Learning of event loops as they begin and end to run, whoever made them.

What a loop runs in is its ``run_forever``, also when asked for by ``asyncio.run``, ``Runner`` or
``run_until_complete``. So this one method of ``asyncio.BaseEventLoop`` and ``uvloop.Loop`` is wrapped: entered once
for each run, in no callback's way. The other places miss loops: a policy is not asked where a ``loop_factory`` is
given (and goes away with Python 3.16), uvloop keeps its own reference to ``_set_running_loop``, and audit hooks can
neither be removed nor do they see the loop.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from otel_trading.imports import when_imported

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from types import ModuleType

    Notice = Callable[[AbstractEventLoop], None]

_LOOPS = {"asyncio": "BaseEventLoop", "uvloop": "Loop"}
"""The class of each module that all its loops are of."""

_METHOD = "run_forever"


class RunHooks:
    """Calls ``begins`` and ``ends`` around every run of a loop, in the loop's thread; neither may raise."""

    def __init__(self, begins: Notice, ends: Notice) -> None:
        self._begins = begins
        self._ends = ends
        self._undo: list[Callable[[], None]] = []

    def install(self) -> None:
        """Hear of runs from now on, also of loops whose module is imported later; a second time does nothing."""
        if not self._undo:
            for module in _LOOPS:
                self._undo.append(when_imported(module, self._wrap))

    def remove(self) -> None:
        """Hear of no more runs, and put the methods back."""
        for undo in self._undo:
            undo()
        self._undo = []

    def _wrap(self, module: ModuleType) -> None:
        kind: Any = getattr(module, _LOOPS[module.__name__])
        inherited = _METHOD not in vars(kind)
        original = getattr(kind, _METHOD)
        on = True

        @functools.wraps(original)
        def run_forever(loop: AbstractEventLoop) -> Any:  # noqa: ANN401 - whatever the loop gives
            if not on:
                return original(loop)
            self._begins(loop)
            try:
                return original(loop)
            finally:
                self._ends(loop)

        def undo() -> None:
            nonlocal on
            on = False  # for the case that somebody wrapped it again
            if vars(kind).get(_METHOD) is not run_forever:
                return
            if inherited:
                delattr(kind, _METHOD)
            else:
                setattr(kind, _METHOD, original)

        self._undo.append(undo)
        setattr(kind, _METHOD, run_forever)
