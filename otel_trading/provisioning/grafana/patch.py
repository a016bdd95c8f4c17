"""What one tree has that another has not, as a merge patch (RFC 7396): a key without a value is one that goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WHOLE = frozenset({"color", "datasource", "gridPos", "libraryPanel", "thresholds", "time"})
"""What is changed as a whole: its parts say nothing alone."""


class Absent:
    """The value of a field which is not there."""

    def __repr__(self) -> str:
        return "(not there)"


ABSENT: Final = Absent()


def made(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The patch that makes one tree of the other.

    >>> made({"unit": "s", "title": "Age", "legend": {"show": True}}, {"unit": "ms", "legend": {"show": True}})
    {'unit': 'ms', 'title': None}
    """
    patch: dict[str, Any] = {}
    for key, value in after.items():
        old = before.get(key)
        if key in before and same(old, value):
            continue
        if key not in WHOLE and isinstance(old, dict) and isinstance(value, dict):
            patch[key] = made(old, value)
        else:
            patch[key] = value
    return patch | dict.fromkeys(key for key in before if key not in after)


def applied(patch: Mapping[str, Any], to: Mapping[str, Any]) -> dict[str, Any]:
    """A tree with a patch applied; what should go and is not there is gone already.

    >>> applied({"unit": "ms", "title": None, "min": None}, {"unit": "s", "title": "Age"})
    {'unit': 'ms'}
    """
    result = dict(to)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and key not in WHOLE:
            old = result.get(key)
            result[key] = applied(value, old if isinstance(old, dict) else {})
        else:
            result[key] = value
    return result


def paths(patch: Mapping[str, Any], under: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where a patch changes something."""
    for key, value in patch.items():
        here = (*under, key)
        if isinstance(value, dict) and value and key not in WHOLE:
            yield from paths(value, here)
        else:
            yield here


def same(one: Any, other: Any) -> bool:  # noqa: ANN401 - JSON
    """Whether two values are the same JSON, in whatever order their keys are: ``1`` is not ``true``.

    >>> same({"a": 1, "b": [2]}, {"b": [2], "a": 1}), same(1, True)
    (True, False)
    """
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and one == other


def at(tree: Mapping[str, Any], path: tuple[str, ...]) -> Any:  # noqa: ANN401 - JSON
    """What is at a path; ABSENT where nothing is.

    >>> at({"panels": {"4": {"title": "Age"}}}, ("panels", "4", "title")), at({}, ("a", "b"))
    ('Age', (not there))
    """
    value: Any = tree
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return ABSENT
        value = value[key]
    return value
