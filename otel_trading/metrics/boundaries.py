"""Boundaries of explicit buckets that suit a unit."""

from __future__ import annotations

SECONDS = (
    *(0.000_001, 0.000_005, 0.000_01, 0.000_05, 0.000_1, 0.000_25, 0.000_5),
    *(0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
"""From a microsecond to a minute."""

BASIS_POINTS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0)
"""From half a basis point to ten percent."""

RATIOS = tuple(step / 20 for step in range(1, 21))
"""Twenty steps up to one."""

_BY_UNIT = {"s": SECONDS, "{bp}": BASIS_POINTS, "1": RATIOS}


def boundaries(unit: str) -> tuple[float, ...] | None:
    """The boundaries for a unit; ``None`` leaves it to the default of the aggregation.

    >>> min(bound for bound in boundaries("s") if bound >= 0.003)
    0.005
    """
    return _BY_UNIT.get(unit)
