"""The last traces that were kept, for whoever looks at the bot while it runs."""

from __future__ import annotations

from collections import deque

SIZE = 4 << 20
"""Bytes of requests that are kept."""


class Latest:
    """The requests that were handed over last, as they are: nobody decodes one before somebody asks.

    >>> latest = Latest(size=10)
    >>> latest.add(b"12345678")
    >>> latest.since(0)
    []
    >>> latest.wanted = True
    >>> latest.add(b"12345678"); latest.add(b"abcdefgh")
    >>> latest.since(0)
    [(2, b'abcdefgh')]
    """

    def __init__(self, size: int = SIZE) -> None:
        self.wanted = False
        """Whether anybody may ask."""
        self._room = size
        self.clear()

    def clear(self) -> None:
        """Know of no trace, as in a forked child."""
        self._requests: deque[tuple[int, bytes]] = deque()
        self._added = self._kept = 0

    def add(self, request: bytes) -> None:
        """Keep a request, and let go of the oldest where there is no room."""
        if not self.wanted:
            return
        self._added += 1
        self._requests.append((self._added, request))
        self._kept += len(request)
        while self._kept > self._room and len(self._requests) > 1:
            self._kept -= len(self._requests.popleft()[1])

    def since(self, number: int) -> list[tuple[int, bytes]]:
        """The requests behind that number, the oldest first, with their numbers."""
        return [each for each in self._requests.copy() if each[0] > number]


_latest = Latest()


def latest() -> Latest:
    """Those of the process."""
    return _latest
