"""Lines for people in front of a terminal, or as they are for who collects what containers print."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, TextIO

from otel_trading import forks
from otel_trading.logs.files.waiting import Waiting, counted
from otel_trading.logs.readable import readable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PIECE = 4_096
"""Bytes that a pipe takes at once when it says that it takes any (PIPE_BUF)."""

_PATIENCE = 0.1
"""Seconds that a write waits for a reader; then the lines wait, and files are not held up."""


class Console:
    """The error stream as a sink; what nobody reads waits, at most ``memory`` bytes of it, and then goes.

    >>> console = Console("readable", stream=sys.stdout, colour=False)
    >>> console.write(b'{"timestamp":"2025-01-15T14:23:45.123456Z","level":"INFO","service":"order_router",'
    ...               b'"message":"filled","event":"order_filled","data":{"price":67000.5}}' + bytes([10]), {"INFO": 1})
    2025-01-15 14:23:45.123456 INFO     order_router · order_filled · filled  price=67000.5
    {}
    """

    def __init__(
        self,
        form: str = "readable",
        *,
        level: int = 0,
        stream: TextIO | None = None,
        colour: bool | None = None,
        memory: int = 1 << 20,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.level = level
        self.problem: str | None = None
        self._lock = forks.lock()
        self._stream = sys.stderr if stream is None else stream
        self._colour = _is_wanted(self._stream) if colour is None else colour
        self._readable = form == "readable"
        self._waiting = Waiting(memory)
        self._clock = clock
        self._lost: Counter[str] = Counter()
        self._begun = b""
        """The rest of a line whose beginning is written."""
        self._stuck = False
        """Whether the stream took nothing the last time; then it is not waited for again."""

    def write(self, lines: bytes, counts: Mapping[str, int]) -> Mapping[str, int]:
        """Print whole lines; how many were lost, by level."""
        with self._lock:
            self._lost += self._waiting.add(lines) + self._print()
            return self._answer()

    def flush(self) -> None:
        """Print what waits, if somebody reads again."""
        with self._lock:
            if self._waiting.size or self._begun:
                self._lost += self._print()

    def reopen(self) -> None:
        """Do nothing: the stream is the process's."""

    def close(self) -> Mapping[str, int]:
        """Print what waits; how many lines are lost."""
        with self._lock:
            self._lost += self._print() + counted(self._waiting.take())
            return self._answer()

    def _answer(self) -> Mapping[str, int]:
        lost, self._lost = dict(self._lost), Counter()
        return lost

    def _print(self) -> Counter[str]:
        """Print what the stream takes now; what it will never take is lost."""
        lines = self._waiting.take()
        descriptor = self._descriptor()
        try:
            if descriptor is None:
                self._stream.write(self._shown(lines).decode("utf-8", "replace"))
                self._stream.flush()
            else:
                with contextlib.suppress(ValueError):
                    self._stream.flush()
                self._waiting.add(self._put(descriptor, lines))
        except (OSError, ValueError, AttributeError):  # closed, or nobody will read it ever
            self._begun = b""
            return counted(lines)
        return Counter()

    def _put(self, descriptor: int, lines: bytes) -> bytes:
        """Write to a descriptor without being held up; the lines that are not begun."""
        deadline = self._clock() + (0.0 if self._stuck else _PATIENCE)
        self._stuck = True
        place = 0
        while True:
            while self._begun:
                if not _takes(descriptor, deadline - self._clock()):
                    return lines[place:]
                try:
                    self._begun = self._begun[os.write(descriptor, self._begun[:_PIECE]) :]
                except BlockingIOError:  # a descriptor that does not wait, and takes less than it said
                    return lines[place:]
            if place >= len(lines):
                self._stuck = False
                return b""
            end = lines.rfind(b"\n", place, place + _PIECE) + 1 or lines.find(b"\n", place) + 1 or len(lines)
            self._begun = self._shown(lines[place:end])
            place = end

    def _shown(self, lines: bytes) -> bytes:
        if not self._readable:
            return lines
        return b"".join(readable(line, colour=self._colour) for line in lines.splitlines())

    def _descriptor(self) -> int | None:
        try:
            return self._stream.fileno()
        except (OSError, ValueError, AttributeError):
            return None


def _takes(descriptor: int, patience: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(max(0, patience) * 1_000))


def _is_wanted(stream: TextIO, variables: Mapping[str, str] = os.environ) -> bool:
    """Whether the stream gets colours: NO_COLOR and FORCE_COLOR decide, else a terminal does."""
    if variables.get("NO_COLOR"):
        return False
    if variables.get("FORCE_COLOR"):
        return True
    try:
        return stream.isatty() and variables.get("TERM") != "dumb"
    except (ValueError, AttributeError):
        return False
