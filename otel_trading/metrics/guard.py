"""Values as the bot reports them, made safe for what comes after, or refused and counted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from numbers import Real

_EXACT = 2**53
"""Integers beyond this are no longer exact as a double, and far beyond it one would poison a whole export."""

Number = int | float


def number(amount: object) -> Number | None:
    """The amount as a finite int or float; ``None`` when it is no number.

    >>> from decimal import Decimal
    >>> number(Decimal("0.1")), number(10**19), number(float("nan")), number("1"), number(True)
    (0.1, 1e+19, None, None, 1)
    """
    if isinstance(amount, float):
        return amount if math.isfinite(amount) else None
    if isinstance(amount, int):
        if -_EXACT <= amount <= _EXACT:
            return int(amount)
        return _as_float(amount)
    if isinstance(amount, (Decimal, Real)):
        return _as_float(amount)
    return None


def attributes(given: object) -> Mapping[str, object] | None:
    """The attributes when they are a mapping, nothing otherwise."""
    return given if isinstance(given, Mapping) else None


def _as_float(amount: int | Decimal | Real) -> float | None:
    try:
        converted = float(amount)
    except (OverflowError, ValueError):
        return None
    return converted if math.isfinite(converted) else None
