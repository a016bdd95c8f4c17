"""What an attribute and an instrument are, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

Type = Literal["string", "int", "double", "boolean", "string[]"]
Kind = Literal["counter", "up_down_counter", "gauge", "histogram", "signed_histogram"]


@dataclass(frozen=True, slots=True)
class Attribute:
    """A key of spans, log lines and metrics.

    ``key`` is its short name in log lines, and the keyword it is given by; none where it is empty. ``fix`` is the tag
    of the field of FIX that it stands for, ``values`` are all that it may have, and ``metric`` says whether metrics
    have it: what identifies a single order or trade stays on spans and log lines.
    """

    name: str
    key: str
    type: Type
    description: str
    fix: int | None = None
    values: tuple[str, ...] = ()
    metric: bool = False


@dataclass(frozen=True, slots=True)
class Instrument:
    """A metric.

    All its points have ``attributes``; those of ``optional`` are absent where there is nothing to say, as
    ``error.type`` is where nothing failed. ``observable`` values are read when metrics are exported. ``bounds`` are
    the boundaries of explicit buckets, in the instrument's unit; where empty, those that suit the unit.
    """

    name: str
    kind: Kind
    unit: str
    description: str
    attributes: tuple[str, ...]
    observable: bool = False
    bounds: tuple[float, ...] = ()
    optional: tuple[str, ...] = ()


_Row = TypeVar("_Row", Attribute, Instrument)


def by_name(rows: tuple[_Row, ...]) -> dict[str, _Row]:
    """The rows by their names; a name occurs once."""
    named = {row.name: row for row in rows}
    if len(named) != len(rows):
        message = "a name was declared twice"
        raise ValueError(message)
    return named
