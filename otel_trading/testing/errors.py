"""Messages that say what was captured instead of what was asked for."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN = 20


class NotCapturedError(LookupError):
    """What was asked for was not captured; the message lists what was."""


def not_captured(kind: str, name: str, captured: Iterable[str], hint: str = "") -> NotCapturedError:
    """The error for a name that is missing.

    >>> print(not_captured("metric", "bot.frame", ["bot.frames", "bot.orders"]))
    no metric 'bot.frame' was captured; did you mean 'bot.frames'?
    captured: bot.frames, bot.orders
    """
    names = sorted(dict.fromkeys(captured))
    near = get_close_matches(name, names, n=1)
    question = f"; did you mean {near[0]!r}?" if near else ""
    return NotCapturedError(f"no {kind} {name!r} was captured{question}\n{listing(names)}{hint}")


def listing(lines: Iterable[str], separator: str = ", ") -> str:
    """What was captured, in at most twenty entries.

    >>> listing([])
    'captured: nothing'
    """
    entries = list(lines)
    rest = f"{separator}… and {len(entries) - _SHOWN} more" if len(entries) > _SHOWN else ""
    return "captured: " + (separator.join(entries[:_SHOWN]) + rest or "nothing")
