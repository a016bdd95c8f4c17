"""Levels at run time for the standard library's loggers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from otel_trading.logs.levels import LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable


class StdlibLevels:
    """Lowers the levels of ``logging``'s loggers where the records that are asked for would not be made otherwise.

    They are never raised: what the bot's own handlers print becomes no less. What was lowered is put back when nobody
    asks for it any more, unless the bot has changed it meanwhile.
    """

    def __init__(self, handler: logging.Handler) -> None:
        self._handler = handler
        self._lowered: dict[logging.Logger, tuple[int, int]] = {}
        self._undo: Callable[[], None] | None = None

    def attach(self) -> None:
        """Follow the process's levels."""
        self._undo = LEVELS.watch(self._apply)
        self._apply()

    def detach(self) -> None:
        """Leave the loggers as they were found."""
        if self._undo is not None:
            self._undo()
        self._put_back()

    def _apply(self) -> None:
        self._handler.setLevel(LEVELS.lowest_stdlib())
        self._put_back()
        for name, wanted in LEVELS.asked_for().items():
            logger = logging.getLogger(name)
            if logger.getEffectiveLevel() > wanted:
                self._lowered[logger] = (logger.level, wanted)
                logger.setLevel(wanted)

    def _put_back(self) -> None:
        for logger, (before, lowered) in self._lowered.items():
            if logger.level == lowered:
                logger.setLevel(before)
        self._lowered = {}
