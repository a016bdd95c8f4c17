"""What came of each thing that a command looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from otel_trading.provisioning.grafana.merge import Conflict


class State(StrEnum):
    """What became of a thing."""

    SAME = "same"
    CREATED = "created"
    CHANGED = "changed"
    REMOVED = "removed"
    EDITED = "edited"
    STORED = "stored as it is"
    MISSING = "missing"
    CONFLICT = "conflict"
    REFUSED = "refused"


BAD = frozenset({State.CONFLICT, State.REFUSED})
"""What makes a command end with 1."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one thing.

    Args:
        subject: what it is, such as ``dashboard otel-trading-overview``.
        state: what became of it.
        details: what there is to say of it, a line each.
        conflicts: the fields that both sides changed.

    """

    subject: str
    state: State
    details: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()


class Told(Protocol):
    """Whom a command tells what it is doing."""

    def __call__(self, subject: str, /) -> None:
        """Say what is looked at now."""


def silent(subject: str, /) -> None:
    """Tell nobody."""
