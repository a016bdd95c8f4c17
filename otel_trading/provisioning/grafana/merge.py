"""Three versions of one thing become one: what the code changed and what people changed since both were the same."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from otel_trading.provisioning.grafana.patch import ABSENT, WHOLE, Absent, same

if TYPE_CHECKING:
    from collections.abc import Mapping


NAMED = frozenset({"added", "annotations", "data", "groups", "panels", "rules", "targets", "variables"})
"""Whose entries have names."""


class Prefer(StrEnum):
    """Whose value stands where both changed a field."""

    CODE = "code"
    GRAFANA = "grafana"


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that both sides changed, each in its own way.

    Args:
        path: where it is, from the outermost name.
        base: what it was when both sides were the same.
        ours: what the code says now.
        theirs: what Grafana has now.

    """

    path: tuple[str, ...]
    base: Any
    ours: Any
    theirs: Any


@dataclass(frozen=True, slots=True)
class Merged:
    """What came of a merge; where there are conflicts, with the preferred values, else the code's."""

    tree: dict[str, Any]
    conflicts: tuple[Conflict, ...]


def merge(
    base: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any], prefer: Prefer | None = None
) -> Merged:
    """One tree of three.

    Args:
        base: what both sides started from.
        ours: what the code says.
        theirs: what Grafana has.
        prefer: whose value stands where both changed a field; without it, each such field is a conflict.

    >>> merge({"unit": "s", "title": "Age"}, {"unit": "s", "title": "Age of data"}, {"unit": "ms", "title": "Age"})
    Merged(tree={'unit': 'ms', 'title': 'Age of data'}, conflicts=())
    >>> merge({"unit": "s"}, {"unit": "us"}, {"unit": "ms"}).conflicts
    (Conflict(path=('unit',), base='s', ours='us', theirs='ms'),)

    """
    merging = _Merging(prefer)
    tree = merging.of_dicts(base, ours, theirs, ())
    return Merged(tree, tuple(merging.conflicts))


class _Merging:
    def __init__(self, prefer: Prefer | None) -> None:
        self._prefer = prefer
        self.conflicts: list[Conflict] = []

    def of_dicts(
        self, base: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any], path: tuple[str, ...]
    ) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for key in (*ours, *(key for key in theirs if key not in ours)):
            before, own, other = (side.get(key, ABSENT) for side in (base, ours, theirs))
            if same(own, other) or same(before, other):
                value = own
            elif same(before, own):
                value = other
            else:
                value = self._of_changed(before, own, other, (*path, key))
            if value is not ABSENT:
                merged[key] = value
        return merged

    def _of_changed(self, base: Any, ours: Any, theirs: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401 - JSON
        if path[-1].endswith(" in order"):
            return _in_order(base, ours, theirs)
        if path[-1] not in WHOLE and isinstance(ours, dict) and isinstance(theirs, dict):
            return self.of_dicts(base if isinstance(base, dict) else {}, ours, theirs, path)
        if not _has_a_name(path) and isinstance(base, dict) and {type(ours), type(theirs)} == {dict, Absent}:
            sides = [side if isinstance(side, dict) else {} for side in (ours, theirs)]
            return self.of_dicts(base, sides[0], sides[1], path) or ABSENT
        if self._prefer is None:
            self.conflicts.append(Conflict(path, base, ours, theirs))
        return theirs if self._prefer is Prefer.GRAFANA else ours


def _has_a_name(path: tuple[str, ...]) -> bool:
    """Whether this is a panel, a query, a variable or the like, which goes as a whole."""
    return path[-1] in WHOLE or (len(path) > 1 and path[-2] in NAMED)


def _in_order(base: Any, ours: Any, theirs: Any) -> Any:  # noqa: ANN401 - lists of names, or absent
    """Our order, with what they added behind what they have it behind; theirs, where only they changed the order."""
    before, own, other = (each if isinstance(each, list) else [] for each in (base, ours, theirs))
    untouched = [name for name in before if name in own] == [name for name in own if name in before]
    order, added = (other, own) if untouched else (own, other)
    result = list(order)
    for index, name in enumerate(added):
        if name not in result and name not in before:
            behind = next((each for each in reversed(added[:index]) if each in result), None)
            result.insert(result.index(behind) + 1 if behind is not None else 0, name)
    return result
