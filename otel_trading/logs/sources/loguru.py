"""From loguru: a sink of its logger."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

from otel_trading.extras import require
from otel_trading.logs.hooks import exception as described
from otel_trading.logs.levels import LEVELS, severity_of
from otel_trading.logs.sources.writer import process_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.logs.sources.writer import Writer

_HANDED_ON = logging.Logger.callHandlers.__code__
_written = threading.local()
"""The time of the message that a thread has written last: one object a message."""

_DEEPEST = 30
"""Frames between loguru's sink and a handler of ``logging`` that hands its records on to loguru, at most."""


def add_loguru_sink(lines: Writer | None = None) -> Callable[[], None]:
    """Have everything that is logged with loguru written as lines too; what is returned ends that.

    ``extra`` becomes data, with ``event`` and ``tags`` apart where they are text, exceptions are kept, the name of the
    module is the service. Records that come from the standard library, by a handler that hands them on to loguru, have
    their line already. ``logger.remove()`` without a number removes this too; so it comes after that.
    """
    return _Source(lines or process_lines()).end


class _Source:
    """Adds the sink, and while a lower level is wanted a second time: loguru makes no records below the lowest one.

    The first stays where it is, since a message on its way to a sink that is removed is lost.
    """

    def __init__(self, lines: Writer) -> None:
        self._logger = require("loguru", extra="loguru").logger
        self._sink = _Sink(lines)
        self._level = LEVELS.lowest_stdlib()
        self._number = self._add(self._level)
        self._lower: tuple[int, int] | None = None
        self._undo = LEVELS.watch(self._changed)

    def end(self) -> None:
        """Write no more."""
        self._undo()
        self._sink.on = False
        self._remove(self._number)
        self._remove_lower()

    def _add(self, level: int) -> int:
        number: int = self._logger.add(
            self._sink, level=level, format=_nothing, colorize=False, backtrace=False, diagnose=False
        )
        return number

    def _remove(self, number: int) -> None:
        with contextlib.suppress(ValueError):  # the bot has removed it
            self._logger.remove(number)

    def _changed(self) -> None:
        level = LEVELS.lowest_stdlib()
        if self._lower is not None and self._lower[0] != level:
            self._remove_lower()
        if level < self._level and self._lower is None and self._is_there():
            self._lower = (level, self._add(level))

    def _remove_lower(self) -> None:
        if self._lower is not None:
            self._remove(self._lower[1])
            self._lower = None

    def _is_there(self) -> bool:
        """Whether the bot has left the sink where it was, as far as loguru tells."""
        handlers = getattr(getattr(self._logger, "_core", None), "handlers", None)
        return handlers is None or self._number in handlers


class _Sink:
    """Writes one line a message, also of one that meets it twice."""

    def __init__(self, lines: Writer) -> None:
        self._lines = lines
        self.on = True

    def __call__(self, message: Any) -> None:  # noqa: ANN401 - loguru's Message, whose type is in a stub alone
        record = message.record
        time = record["time"]
        if not self.on or getattr(_written, "time", None) is time:  # the same object in each copy of the record
            return
        _written.time = time
        service = record["name"] or ""
        severity = severity_of(record["level"].no)
        if severity < LEVELS.threshold(service) or _is_handed_on(record["message"]):
            return
        data = dict(record["extra"])
        event, tags = data.get("event"), data.get("tags")
        event = data.pop("event") if isinstance(event, str) else ""
        tags = tuple(data.pop("tags")) if isinstance(tags, list | tuple) and all(type(t) is str for t in tags) else ()
        data |= described(record["exception"]) or {}
        self._lines.write(severity, record["message"], event, service, data, tags)


def _nothing(_: object) -> str:
    """The text of a message, which nobody reads."""
    return ""


def _is_handed_on(message: str) -> bool:
    """Whether ``logging`` is about to hand this message to its handlers, ours among them."""
    frame = sys._getframe(1)  # noqa: SLF001 - as logging and loguru do it
    for _ in range(_DEEPEST):
        if frame.f_code is _HANDED_ON:
            try:
                return bool(frame.f_locals["record"].getMessage() == message)
            except Exception:  # then it is not known to be the same
                return False
        if frame.f_back is None:
            return False
        frame = frame.f_back
    return False
