"""The last log lines of the process, for whoever looks at the bot while it runs."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

LINES = 500
"""Lines that are kept."""

SIZE = 512 << 10
"""Bytes that are kept, whatever the number of lines."""


class _Chunk(NamedTuple):
    upto: int
    """The number of the last line, counted from 1."""
    lines: bytes


class Tail:
    r"""A sink that keeps what was written last, as it is: nobody looks into it before somebody asks.

    >>> tail = Tail()
    >>> tail.write(b'{"message":"a"}\n{"message":"b"}\n', {"INFO": 2})
    {}
    >>> upto, lines, missed = tail.since(0)
    >>> upto, lines[-1], missed
    (2, b'{"message":"b"}', 0)
    >>> tail.since(upto)
    (2, [], 0)
    """

    problem: str | None = None

    def __init__(self, count: int = LINES, size: int = SIZE) -> None:
        self.level = 0
        self._most, self._room = count, size
        self.clear()

    def clear(self) -> None:
        """Know of no line, as in a forked child."""
        self._chunks: deque[_Chunk] = deque()
        self._written = self._kept = 0

    def write(self, lines: bytes, counts: Mapping[str, int]) -> Mapping[str, int]:
        """See ``Sink``."""
        self._written += sum(counts.values())
        if len(lines) > self._room:
            lines = lines[lines.find(b"\n", len(lines) - self._room) + 1 :]
        self._chunks.append(_Chunk(self._written, lines))
        self._kept += len(lines)
        while self._kept > self._room or (len(self._chunks) > 1 and self._written - self._chunks[0].upto >= self._most):
            self._kept -= len(self._chunks.popleft().lines)
        return {}

    def flush(self) -> None:
        """See ``Sink``."""

    def reopen(self) -> None:
        """See ``Sink``."""

    def close(self) -> Mapping[str, int]:
        """See ``Sink``; what is kept stays, for the next pipeline's lines follow."""
        return {}

    def since(self, number: int, most: int = LINES) -> tuple[int, list[bytes], int]:
        """The lines behind that number, at most so many of the last ones: their last number, they, how many missed."""
        chunks = [chunk for chunk in self._chunks.copy() if chunk.upto > number]
        if not chunks:
            return number, [], 0
        upto = chunks[-1].upto
        lines = [line for chunk in chunks for line in chunk.lines.splitlines()]
        wanted = min(upto - number, most)
        lines = lines[-wanted:]
        return upto, lines, upto - number - len(lines)


_tail = Tail()


def tail() -> Tail:
    """The one of the process."""
    return _tail
