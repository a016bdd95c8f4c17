"""Rules in quick motion: every window, offset and duration shortened alike, so that one sees them fire within seconds.

For trying out rules and for tests of the whole way to the receiver. Thresholds stay as they are.
"""

from __future__ import annotations

import re

from otel_trading.provisioning.rules import durations

LEAST_WINDOW = 10.0
LEAST_INTERVAL = 1.0
_WINDOW = re.compile(r"\[(\w+)(?::(\w*))?\]")
_OFFSET = re.compile(r"\boffset (\w+)")


def scaled_duration(text: str, scale: float, least: float = LEAST_INTERVAL) -> str:
    """A duration times ``scale``, and not below ``least`` seconds unless it was.

    >>> scaled_duration("5m", 0.1), scaled_duration("15s", 0.01), scaled_duration("", 0.1), scaled_duration("5m", 1)
    ('30s', '1s', '', '5m')
    """
    if scale == 1 or not text:
        return text
    before = durations.seconds(text)
    return durations.shown(round(max(before * scale, min(before, least)), 3))


def scaled(expr: str, scale: float) -> str:
    """An expression whose windows and offsets are multiplied with ``scale``, windows not below ten seconds.

    >>> scaled("increase(x[1h:1m] offset 5m)", 0.1)
    'increase(x[6m:6s] offset 30s)'

    Raises:
        ValueError: the scale is not above 0.

    """
    if not scale > 0:
        raise ValueError(f"scale={scale!r} is not allowed; allowed is a number above 0")
    if scale == 1:
        return expr

    def window(match: re.Match[str]) -> str:
        step = "" if match[2] is None else f":{scaled_duration(match[2], scale)}"
        return f"[{scaled_duration(match[1], scale, LEAST_WINDOW)}{step}]"

    shortened = _WINDOW.sub(window, expr)
    return _OFFSET.sub(lambda match: f"offset {scaled_duration(match[1], scale, LEAST_WINDOW)}", shortened)
