"""Enumerations whose values are FIX's, and which know what venues and libraries say instead."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self

_KNOWN: dict[type[FixEnum], dict[Any, Any]] = {}
"""What members are called, by enumeration; an attribute of an enumeration is slow to look up."""


class FixEnum(StrEnum):
    """An enumeration of words that are attribute values; each has its code in FIX, empty where FIX has none.

    A member is declared as its word, its code, and other words for it.

    >>> from otel_trading.trading.conventions.enums import Side
    >>> Side.of("BUY"), Side.of("1"), Side.of("b"), Side.of("sideways"), Side.BUY.fix
    (<Side.BUY: 'buy'>, <Side.BUY: 'buy'>, <Side.BUY: 'buy'>, None, '1')
    """

    fix: str
    words: tuple[str, ...]

    def __new__(cls, value: str, fix: str = "", *words: str) -> Self:
        """Make a member."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.fix = fix
        member.words = words
        return member

    @classmethod
    def of(cls, said: Any) -> Self | None:  # noqa: ANN401 - whatever a venue says
        """The member that a venue's, a library's or FIX's word means; ``None`` when it is none of them."""
        known = _KNOWN[cls]
        try:
            found = known.get(said)
        except TypeError:  # not hashable
            return None
        if found is None and isinstance(said, str):
            found = known.get(_plain(said))
        return found

    def __init_subclass__(cls, **options: Any) -> None:  # noqa: ANN401 - the enumeration's
        """Gather what its members are called; what is said most is found without a look at its letters."""
        super().__init_subclass__(**options)
        known: dict[Any, FixEnum] = {}
        for member in cls:
            for word in (member.value, *member.words):
                known.setdefault(_plain(word), member)
        for member in cls:
            if member.fix:
                known.setdefault(member.fix, member)
                known.setdefault(_plain(member.fix), member)
                if member.fix.isdigit():
                    known.setdefault(int(member.fix), member)
        for word, member in [(each, member) for each, member in known.items() if isinstance(each, str)]:
            known.setdefault(word.upper(), member)
        _KNOWN[cls] = known


def _plain(word: str) -> str:
    """Lower case, with single underscores between the words.

    >>> _plain("Stop-Loss LIMIT")
    'stop_loss_limit'
    """
    return "_".join(word.lower().replace("-", " ").replace("_", " ").split())
