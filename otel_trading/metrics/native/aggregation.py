"""How the measurements of an instrument become points: plain values that the core understands."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, cast

from otel_trading.metrics.boundaries import boundaries
from otel_trading.metrics.native.identity import HISTOGRAMS, Identity, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

Cell = Literal["sum", "last_value", "histogram"]
Form = Literal["default", "drop", "sum", "last_value", "explicit", "exponential"]
Temporality = Literal["cumulative", "delta"]
Preference = Literal["cumulative", "delta", "lowmemory"]

DEFAULT_BOUNDS = (0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1e3, 2.5e3, 5e3, 7.5e3, 1e4)
"""The boundaries of the OpenTelemetry specification for explicit buckets."""

_CELLS: dict[Form, Cell] = {
    "sum": "sum",
    "last_value": "last_value",
    "explicit": "histogram",
    "exponential": "histogram",
}
_DELTA_IN_LOW_MEMORY: frozenset[Kind] = frozenset[Kind]({"counter"}) | HISTOGRAMS
_DELTA: frozenset[Kind] = _DELTA_IN_LOW_MEMORY | frozenset[Kind]({"observable_counter"})


@dataclass(frozen=True, slots=True)
class Aggregation:
    """The form of the points and its parameters.

    ``bounds`` are upper bounds, inclusive and ascending; without them an explicit histogram takes the instrument's
    advised ones, then, with ``by_unit``, those that suit its unit, then the specification's. ``max_size`` buckets of
    an exponential histogram at most, at scale ``max_scale`` or coarser.

    >>> Aggregation("explicit", bounds=(1.0, 2.0)).cell
    'histogram'
    >>> Aggregation("explicit", bounds=(2.0, 1.0))
    Traceback (most recent call last):
    ValueError: bounds are finite and ascend: (2.0, 1.0)
    """

    form: Form = "default"
    bounds: tuple[float, ...] | None = None
    by_unit: bool = False
    max_size: int = 160
    max_scale: int = 20
    min_max: bool = True

    def __post_init__(self) -> None:
        if self.bounds is not None and not ascending(self.bounds):
            raise ValueError(f"bounds are finite and ascend: {self.bounds}")

    @property
    def cell(self) -> Cell | None:
        """What holds the series; ``None`` when nothing does."""
        return _CELLS.get(self.form)

    def resolved(self, instrument: Identity) -> Aggregation:
        """The aggregation of one instrument: the default by its kind, the bounds by its advice or unit.

        A histogram of what callbacks observe makes no sense: that is the default of the kind, too.
        """
        form = self.form
        if form == "default" or (instrument.observable and self.cell == "histogram"):
            form = default_form(instrument.kind)
        bounds = self.bounds
        if form == "explicit" and bounds is None:
            bounds = instrument.advised
            if bounds is None and self.by_unit:
                bounds = boundaries(instrument.unit)
            if bounds is None:
                bounds = DEFAULT_BOUNDS
        return replace(self, form=form, bounds=bounds)


DROP = Aggregation("drop")
DEFAULT = Aggregation()


def default_form(kind: Kind) -> Form:
    """What the specification makes of an instrument.

    >>> default_form("observable_gauge"), default_form("histogram"), default_form("up_down_counter")
    ('last_value', 'explicit', 'sum')
    """
    if kind in HISTOGRAMS:
        return "explicit"
    return "last_value" if kind in {"gauge", "observable_gauge"} else "sum"


def temporality(preference: Preference, kind: Kind) -> Temporality:
    """The temporality of a kind of instrument under a preference, as the OTLP exporter's rules say.

    >>> temporality("delta", "observable_counter"), temporality("lowmemory", "observable_counter")
    ('delta', 'cumulative')
    >>> temporality("delta", "up_down_counter")
    'cumulative'
    """
    wanted = {"delta": _DELTA, "lowmemory": _DELTA_IN_LOW_MEMORY}.get(preference, frozenset())
    return "delta" if kind in wanted else "cumulative"


def ascending(bounds: Sequence[float]) -> bool:
    """Whether bounds are finite and ascend strictly."""
    return all(map(math.isfinite, bounds)) and all(low < high for low, high in pairwise(bounds))


def advised_bounds(given: object) -> tuple[float, ...] | None:
    """An instrument's advised boundaries as floats; raises ``ValueError`` when they are none.

    >>> advised_bounds([1, 2.5]), advised_bounds(None)
    ((1.0, 2.5), None)
    """
    if given is None:
        return None
    try:
        bounds = tuple(map(float, cast("Sequence[float]", given)))
    except (TypeError, ValueError, OverflowError):
        bounds = (math.nan,)
    if isinstance(given, (str, bytes)) or not ascending(bounds):
        raise ValueError("boundaries are finite numbers that ascend")
    return bounds
