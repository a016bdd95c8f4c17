"""Who measures what: scopes and instruments as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

Kind = Literal[
    "counter",
    "up_down_counter",
    "gauge",
    "histogram",
    "signed_histogram",
    "observable_counter",
    "observable_up_down_counter",
    "observable_gauge",
]

HISTOGRAMS: frozenset[Kind] = frozenset({"histogram", "signed_histogram"})
OBSERVABLES: frozenset[Kind] = frozenset({"observable_counter", "observable_up_down_counter", "observable_gauge"})


@dataclass(frozen=True, slots=True)
class Scope:
    """An instrumentation scope; ``key`` tells it from others, ``attributes`` are its cleaned ones."""

    name: str
    version: str | None = None
    schema_url: str | None = None
    attributes: Mapping[str, object] = field(default_factory=dict, compare=False)
    key: Hashable = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """An instrument: its scope, kind, name (lower case), unit, description and advised bucket boundaries."""

    scope: Scope
    kind: Kind
    name: str
    unit: str = ""
    description: str = ""
    advised: tuple[float, ...] | None = field(default=None, compare=False)

    @property
    def observable(self) -> bool:
        """Whether callbacks report its values."""
        return self.kind in OBSERVABLES
