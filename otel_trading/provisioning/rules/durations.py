"""Durations as Prometheus writes them."""

from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_PART = re.compile(r"(\d+)(ms|s|m|h|d|w)")
_WHOLE = re.compile(r"(?:\d+(?:ms|s|m|h|d|w))+|0")
ALLOWED = "a duration such as 30s, 5m or 1h30m"


def seconds(text: str) -> float:
    """The seconds of a duration.

    >>> seconds("1h30m"), seconds("500ms"), seconds("0")
    (5400.0, 0.5, 0.0)

    Raises:
        ValueError: the text is no duration.

    """
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not {ALLOWED}")
    return sum((int(number) * _UNITS[unit] for number, unit in _PART.findall(text)), 0.0)


def shown(value: float) -> str:
    """The duration of so many seconds, in whole milliseconds.

    >>> shown(5400), shown(0.5), shown(0), shown(259200), shown(90)
    ('90m', '500ms', '0s', '3d', '90s')
    """
    left = round(value * 1000)
    for unit in ("w", "d", "h", "m", "s"):
        size = round(_UNITS[unit] * 1000)
        if left and left % size == 0 and unit != "w":
            return f"{left // size}{unit}"
    return f"{left}ms" if left else "0s"
