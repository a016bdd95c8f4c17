"""Views as plain data: which instruments, and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Protocol

from otel_trading.metrics.native.aggregation import DEFAULT, Aggregation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_trading.metrics.native.identity import Identity, Kind


@dataclass(frozen=True, slots=True)
class Stream:
    """What one view makes of an instrument; ``keys`` are the attributes that are kept, ``None`` keeps all.

    An aggregation whose form is ``default`` leaves it to each reader.
    """

    name: str
    description: str
    keys: frozenset[str] | None = None
    aggregation: Aggregation = DEFAULT


class View(Protocol):
    """What turns instruments into streams."""

    def stream(self, instrument: Identity) -> Stream | None:
        """The stream of an instrument; ``None`` when the view is about others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A view: the first six select instruments (all that are given must match), the others say what becomes of them.

    ``instrument`` and ``unit`` are shell patterns; an instrument's name is matched regardless of case.

    >>> from otel_trading.metrics.native.identity import Identity, Scope
    >>> rule = Rule(instrument="bot.*", keys=frozenset({"venue"}), aggregation=Aggregation("exponential"))
    >>> rule.stream(Identity(Scope("bot"), "histogram", "bot.decide")).aggregation.form
    'exponential'
    >>> rule.stream(Identity(Scope("bot"), "histogram", "other")) is None
    True
    """

    instrument: str | None = None
    kind: Kind | None = None
    unit: str | None = None
    meter: str | None = None
    meter_version: str | None = None
    meter_schema_url: str | None = None
    name: str | None = None
    description: str | None = None
    keys: frozenset[str] | None = None
    aggregation: Aggregation = DEFAULT

    def stream(self, instrument: Identity) -> Stream | None:
        """See ``View``."""
        if not self.matches(instrument):
            return None
        return Stream(
            self.name or instrument.name, self.description or instrument.description, self.keys, self.aggregation
        )

    def matches(self, instrument: Identity) -> bool:
        """Whether the rule is about an instrument."""
        scope = instrument.scope
        exact = (
            (self.kind, instrument.kind),
            (self.meter, scope.name),
            (self.meter_version, scope.version),
            (self.meter_schema_url, scope.schema_url or ""),
        )
        patterns = ((self.instrument and self.instrument.lower(), instrument.name), (self.unit, instrument.unit))
        return all(wanted is None or wanted == actual for wanted, actual in exact) and all(
            pattern is None or fnmatchcase(actual, pattern) for pattern, actual in patterns
        )


def streams(views: Sequence[View], instrument: Identity) -> list[Stream]:
    """The streams of an instrument: one per view that is about it, else one with the instrument's own name."""
    found = [view.stream(instrument) for view in views]
    return [stream for stream in found if stream is not None] or [Stream(instrument.name, instrument.description)]
