"""Values that OTLP can carry, made of any that a bot may hand over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any

_INT64 = range(-(1 << 63), 1 << 63)
_UINT64 = range(1 << 64)
_SECONDS_BEFORE = 1e12
"""A time with a fraction and below this is one in seconds."""
_DEEPEST = 12
_MOST_DIGITS = 4_000
_LONGEST_REPR = 4_096


class Mender:
    """Mends values of one item: none of its texts is longer than ``longest``, and all together have ``most`` parts."""

    def __init__(self, longest: int = 1 << 20, most: int = 10_000) -> None:
        self._longest = longest
        self._left = most
        self._inside: set[int] = set()

    def attributes(self, given: Any) -> dict[str, Any]:  # noqa: ANN401 - anything at all
        r"""Attributes with the keys and values that can be carried.

        >>> Mender().attributes({"wei": 10**19, 7: Decimal("0.10"), "broken": "\ud800"})
        {'wei': '10000000000000000000', '7': '0.10', 'broken': '�'}
        """
        if not isinstance(given, Mapping):
            return {}
        return {self.text(key): self.value(value) for key, value in self._counted(given.items())}

    def text(self, given: Any) -> str:  # noqa: ANN401 - anything at all
        """A text of anything, with what is no character replaced.

        >>> Mender().text(5), Mender(longest=3).text("tick of gold")
        ('5', 'ti…')
        """
        shown = given if isinstance(given, str) else _shown(given)
        return _characters(_cut(shown, self._longest))

    def value(self, given: Any) -> Any:  # noqa: ANN401 - anything at all
        """A value that can be carried."""
        try:
            return self._value(given)
        except Exception:  # isinstance() and iteration run the bot's code as well
            return _placeholder(given)

    def _value(self, given: Any) -> Any:  # noqa: ANN401, PLR0911 - a table of types
        if given is None or isinstance(given, bool | float):
            return given
        if isinstance(given, str):
            return self.text(given)
        if isinstance(given, bytes | bytearray | memoryview):
            return bytes(given[: self._longest])
        if isinstance(given, int):
            whole = int(given)
            return whole if whole in _INT64 else _digits(whole)
        if isinstance(given, Decimal):
            return str(given)
        if type(given).__module__ == "numpy":
            return self._value(given.tolist())
        if isinstance(given, Mapping | Sequence | AbstractSet):
            return self._collection(given)
        return self.text(_cut(_shown(given), _LONGEST_REPR))

    def _collection(self, given: Any) -> Any:  # noqa: ANN401 - a mapping, sequence or set
        if id(given) in self._inside or len(self._inside) >= _DEEPEST:
            return "…"
        self._inside.add(id(given))
        try:
            if isinstance(given, Mapping):
                return self.attributes(given)
            parts = [self.value(each) for each in self._counted(given)]
            return tuple(parts) if isinstance(given, tuple) else parts
        finally:
            self._inside.discard(id(given))

    def _counted(self, parts: Iterable[Any]) -> Iterable[Any]:
        for part in parts:
            if self._left <= 0:
                return
            self._left -= 1
            yield part


def number(given: Any) -> int | float:  # noqa: ANN401 - anything at all
    """A number a data point can have; raises when there is none.

    >>> number(10**19), number(Decimal("1.5"))
    (1e+19, 1.5)
    """
    if isinstance(given, int) and given in _INT64:
        return int(given)
    return float(given)


def nanoseconds(given: Any) -> int:  # noqa: ANN401 - anything at all
    """A time in ns since 1970; one that was given in seconds is understood.

    >>> nanoseconds(1_700_000_000.5), nanoseconds(-1), nanoseconds("today")
    (1700000000500000000, 0, 0)
    """
    try:
        time = given
        if not isinstance(given, int):
            time = int(given * 1e9) if 0 < given < _SECONDS_BEFORE else int(given)
        return int(time) if time in _UINT64 else 0
    except Exception:
        return 0


def _digits(whole: int) -> str:
    if whole.bit_length() > _MOST_DIGITS * 3:
        return f"an integer of {whole.bit_length()} bits"
    return str(whole)


def _shown(given: Any) -> str:  # noqa: ANN401 - anything at all
    try:
        if isinstance(given, int):
            return _digits(int(given))
        shown = repr(given)
    except Exception:
        return _placeholder(given)
    return shown if type(shown) is str else str.__str__(shown)


def _placeholder(given: Any) -> str:  # noqa: ANN401 - anything at all
    return f"<{type(given).__name__} that cannot be shown>"


def _characters(text: str) -> str:
    """The text with pairs of surrogates joined, and single ones replaced."""
    return str.encode(text, "utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
