"""What changed between two states, as a JSON merge patch (RFC 7386)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_trading.ops.cockpit.values import Tree


def difference(before: Tree, now: Tree) -> Tree:
    """The patch that turns one into the other; empty when they are the same.

    >>> difference({"a": 1, "b": {"c": 1, "d": 2}, "e": 3}, {"a": 1, "b": {"c": 5, "d": 2}})
    {'b': {'c': 5}, 'e': None}
    """
    if before is now:
        return {}
    changed: Tree = {}
    for key, value in now.items():
        if key not in before:
            changed[key] = value
            continue
        old = before[key]
        if old is value:
            continue
        if value.__class__ is dict and old.__class__ is dict:
            inner = difference(old, value)
            if inner:
                changed[key] = inner
        elif old != value:
            changed[key] = value
    for key in before:
        if key not in now:
            changed[key] = None
    return changed


def patched(state: Tree, patch: Tree) -> Tree:
    """The state after a patch, as the page has it.

    >>> patched({"a": 1, "b": {"c": 1}}, {"b": {"c": None, "d": 2}})
    {'a': 1, 'b': {'d': 2}}
    """
    made = dict(state)
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        elif value.__class__ is dict:
            before = made.get(key)
            made[key] = patched(before if isinstance(before, dict) else {}, value)
        else:
            made[key] = value
    return made
