"""Lines that wait in memory until they can be written; the least severe go first."""

from __future__ import annotations

import re
from collections import Counter

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_LEVEL = re.compile(rb'"level": ?"([A-Z]+)"')
_KEPT = 0.75
"""Share of the limit that is left when lines had to go, so that it is not done for each line."""


def level_of(line: bytes) -> str:
    """The level of a line; it stands near its beginning.

    >>> level_of(b'{"timestamp":"2025-01-15T14:23:45.123456Z","level":"ERROR","message":"refused"}')
    'ERROR'
    """
    found = _LEVEL.search(line, 0, 200)
    name = found[1].decode() if found else "INFO"
    return name if name in LEVELS else "INFO"


def counted(lines: bytes) -> Counter[str]:
    """How many lines there are of each level.

    >>> counted(b'{"level":"INFO"}' + bytes([10]) + b'{"level":"INFO"}' + bytes([10]))
    Counter({'INFO': 2})
    """
    return Counter(level_of(line) for line in lines.splitlines())


class Waiting:
    """Whole lines in their order, at most ``limit`` bytes of them.

    >>> waiting = Waiting(52)
    >>> waiting.add(b'{"level":"ERROR"} ' + bytes([10]) + b'{"level":"INFO"}  ' + bytes([10]))
    Counter()
    >>> waiting.add(b'{"level":"ERROR"}!' + bytes([10]))
    Counter({'INFO': 1})
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._chunks: list[bytes] = []
        self.size = 0

    def add(self, lines: bytes) -> Counter[str]:
        """Have lines wait behind the others; the lines that had to go for it, by level."""
        self._chunks.append(lines)
        self.size += len(lines)
        return self._sifted() if self.size > self._limit else Counter()

    def take(self) -> bytes:
        """All that waits; nothing does any more."""
        lines = b"".join(self._chunks)
        self._chunks, self.size = [], 0
        return lines

    def _sifted(self) -> Counter[str]:
        lines = self.take().splitlines(keepends=True)
        levels = [level_of(line) for line in lines]
        excess = sum(map(len, lines)) - int(self._limit * _KEPT)
        gone: set[int] = set()
        for level in LEVELS:
            for place, line in enumerate(lines):
                if excess <= 0:
                    break
                if levels[place] == level:
                    gone.add(place)
                    excess -= len(line)
        kept = b"".join(line for place, line in enumerate(lines) if place not in gone)
        self._chunks, self.size = [kept], len(kept)
        return Counter(levels[place] for place in gone)
