"""Values as the bot reports them, made safe for what comes after, or refused and counted."""

from __future__ import annotations

import math
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
    kind = amount.__class__
    if kind is int and -_EXACT <= amount <= _EXACT:  # type: ignore[operator]  # the two usual cases come first
        return amount  # type: ignore[return-value]
    if kind is float and amount - amount == 0.0:  # type: ignore[operator]
        return amount  # type: ignore[return-value]
    if isinstance(amount, bool):
        return int(amount)
    return _as_float(amount) if isinstance(amount, (Decimal, Real)) else None


def _as_float(amount: Decimal | Real) -> float | None:
    try:
        converted = float(amount)
    except (OverflowError, ValueError):
        return None
    return converted if math.isfinite(converted) else None
