"""Values as the page gets them: finite numbers, short texts without secrets, and nothing where nothing is known."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from otel_trading import redaction

Tree = dict[str, Any]
"""What JSON can say, without nulls: in a difference these mean that something is gone."""

LONGEST = 300
"""Characters of a text."""

_LOOKED_AT = 4_096
"""Characters that are looked through for secrets; of what is longer the rest is not shown."""

_REMEMBERED = 2_048
"""Texts that are not looked through again: most are names of venues and symbols."""


def number(value: object, digits: int = 10) -> float | int | None:
    """A finite number; amounts may be ``Decimal``.

    >>> from decimal import Decimal
    >>> number(Decimal("0.10")), number(float("nan")), number(None), number(7)
    (0.1, None, None, 7)
    """
    if value is None or isinstance(value, int):
        return value
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return round(found, digits) if math.isfinite(found) else None


def words(value: object, longest: int = LONGEST) -> str | None:
    """A text of anybody's, without secrets.

    >>> words("x" * 400)[-3:], words(None)
    ('xx…', None)
    """
    if value is None:
        return None
    return _cleaned(str(value)[:_LOOKED_AT], longest)


@lru_cache(maxsize=_REMEMBERED)
def _cleaned(text: str, longest: int) -> str:
    text = redaction.redact(text)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def known(**fields: Any) -> Tree:  # noqa: ANN401 - what JSON can say
    """Those fields of which something is known.

    >>> known(a=1, b=None, c="")
    {'a': 1, 'c': ''}
    """
    return {name: value for name, value in fields.items() if value is not None}


def milliseconds(time_ns: int | None) -> float | None:
    """A time since 1970 as browsers count it.

    >>> milliseconds(1_700_000_000_123_456_789), milliseconds(0)
    (1700000000123.457, None)
    """
    return round(time_ns / 1e6, 3) if time_ns else None
