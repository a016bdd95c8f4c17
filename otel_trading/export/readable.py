"""Numbers as people read them: three digits and the unit that suits them."""

from __future__ import annotations

import math

NOTHING = "-"
"""What stands for a number that there is none of."""


def duration(seconds: float) -> str:
    """A time in three digits and the unit that suits it.

    >>> duration(0.0000456), duration(0.9), duration(125)
    ('45.6 µs', '900 ms', '2 min 05 s')
    """
    if seconds == 0:
        return "0 s"
    if seconds >= 60:  # noqa: PLR2004 - a minute
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if abs(seconds) * factor >= 0.9995:  # noqa: PLR2004 - rounds up to one
            return f"{_three_digits(seconds * factor)} {unit}"
    return f"{_three_digits(seconds * 1e9)} ns"


def value(amount: float, unit: str) -> str:
    """An amount in its unit, a UCUM code; what is counted or which currency is not said.

    >>> value(0.25, "s"), value(1_536, "By"), value(2.5, "{bp}"), value(1_234.567, "{currency}"), value(7, "{order}")
    ('250 ms', '1.50 KiB', '2.50 bp', '1,234.57', '7')
    """
    if math.isnan(amount):
        return NOTHING
    if unit == "s":
        return duration(amount)
    if unit == "By":
        return _bytes(amount)
    if unit == "{currency}":
        return f"{amount:,.2f}"
    if unit == "{bp}":
        return f"{number(amount)} bp"
    return number(amount) if unit in {"", "1"} or unit.startswith("{") else f"{number(amount)} {unit}"


def number(amount: float | None) -> str:
    """A number alone, whole ones in full.

    >>> number(1_234_567), number(1_234.567), number(0.000_123), number(None)
    ('1,234,567', '1,235', '0.000123', '-')
    """
    if amount is None or math.isnan(amount):
        return NOTHING
    return f"{amount:,}" if isinstance(amount, int) else _three_digits(amount)


def _three_digits(value: float) -> str:
    magnitude = math.floor(math.log10(abs(value))) if value and math.isfinite(value) else 0
    return f"{value:,.{min(6, max(0, 2 - magnitude))}f}"


def _bytes(value: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if abs(value) < 1_024:  # noqa: PLR2004 - the next unit's size
            return f"{number(value)} {unit}"
        value /= 1_024
    return f"{_three_digits(value)} GiB"
