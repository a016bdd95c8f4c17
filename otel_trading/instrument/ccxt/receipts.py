"""The messages of one client, from their texts to the end of what is done with them."""

from __future__ import annotations

import json
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from otel_trading import _native

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    _Call = Callable[[float], None]


class Receipt(Protocol):
    """``begin()``, ``parsed()`` unless that fails, and ``end(data)``, for one message after the other."""

    def begin(self) -> None:
        """A message is there."""

    def parsed(self) -> None:
        """What it says is known, and goes to whom it is for."""

    def end(self, data: object, /) -> None:
        """It was dealt with: this was its text."""


def receipt(messages: _Call, received: _Call, parsed: _Call, dispatched: _Call) -> Receipt:
    """What measures with these calls; native where they are."""
    calls = (messages, received, parsed, dispatched)
    first, second, third, fourth = (getattr(call, "__self__", None) for call in calls)
    if (
        isinstance(first, _native.BoundCounter)
        and isinstance(second, _native.BoundCounter)
        and isinstance(third, _native.BoundHistogram)
        and isinstance(fourth, _native.BoundHistogram)
    ):
        return _native.Receipt(first, second, third, fourth)
    return _Called(calls)


def size_of(data: object) -> int:
    """How many bytes a message has.

    >>> size_of("0.5 €"), size_of(b"abc")
    (7, 3)
    """
    if isinstance(data, str):
        return len(data) if data.isascii() else len(data.encode(errors="replace"))
    return len(data) if isinstance(data, (bytes, bytearray, memoryview)) else 0


def size_of_content(content: object) -> int:
    """How many bytes something has as JSON; 0 where it is none.

    >>> size_of_content({"id": 1}), size_of_content(...)
    (8, 0)
    """
    try:
        return size_of(json.dumps(content, separators=(",", ":")))
    except (TypeError, ValueError):
        return 0


class _Called:
    """A receipt for an engine without native instruments."""

    __slots__ = ("_began", "_calls", "_parsed")

    def __init__(self, calls: Sequence[_Call]) -> None:
        self._calls = calls
        self._began = self._parsed = 0.0

    def begin(self) -> None:
        self._parsed = 0.0
        self._began = perf_counter()

    def parsed(self) -> None:
        self._parsed = perf_counter()

    def end(self, data: object, /) -> None:
        messages, received, parsed, dispatched = self._calls
        if self._parsed:
            parsed(self._parsed - self._began)
            dispatched(perf_counter() - self._parsed)
        messages(1)
        received(size_of(data))
