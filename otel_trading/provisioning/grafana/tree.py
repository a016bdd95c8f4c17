"""A dashboard as a tree in which everything has a name: panels, queries, variables, annotations.

Lists whose entries have names of their own become mappings; two versions of a dashboard can then be compared and
merged entry by entry and field by field. What stands nested in a collapsed row stands beside it here, and says which
row it is in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from otel_trading.provisioning.canonical import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

Tree: TypeAlias = dict[str, Any]

ROW = "in row"
"""Where a nested panel says which row it is in."""
FOLDER = "folder"
"""Where a tree says which folder its dashboard is in."""
_VARIABLES, _ANNOTATIONS = "variables", "annotations"
_LISTS = {_VARIABLES: "templating", _ANNOTATIONS: "annotations"}
NEVER_MERGED = frozenset({"schemaVersion", "uid"})
"""What is the code's alone: the number of the format, and the name in addresses."""


def tree(board: Mapping[str, Any], *, folder: str | None = None, with_time: bool = True) -> Tree:
    """The tree of a dashboard.

    Args:
        board: a dashboard of the classic form.
        folder: the titles of the folders that it is in, separated by ``/``.
        with_time: keep the range of time and the refresh.

    >>> made = tree({"panels": [{"id": 4, "type": "stat", "targets": [{"refId": "A", "expr": "up"}]}]}, folder="Bots")
    >>> made["panels"], made["folder"]
    ({'4': {'type': 'stat', 'targets': {'A': {'refId': 'A', 'expr': 'up'}}}}, 'Bots')

    """
    own = canonical(board, with_time=with_time)
    made: Tree = {key: value for key, value in own.items() if key not in {"annotations", "panels", "templating"}}
    if folder is not None:
        made[FOLDER] = folder
    panels: Tree = {}
    for panel in own["panels"]:
        panels[str(panel["id"])] = _panel(panel)
        for inner in panel.get("panels", []):
            panels[str(inner["id"])] = _panel(inner) | {ROW: str(panel["id"])}
    made["panels"] = panels
    for name, holder in _LISTS.items():
        entries = own.get(holder, {}).get("list", [])
        keyed, order = _keyed(entries, "name")
        made[name] = keyed
        made[f"{name} in order"] = order
    return made


def board(of: Tree) -> dict[str, Any]:
    """The dashboard of a tree, in canonical form."""
    made = {key: value for key, value in of.items() if key not in {"panels", FOLDER, *_named_lists()}}
    outer: dict[str, dict[str, Any]] = {}
    for number, panel in of.get("panels", {}).items():
        outer[number] = {"id": int(number), **{k: v for k, v in panel.items() if k != ROW}}
        if isinstance(panel.get("targets"), dict):
            outer[number]["targets"] = list(panel["targets"].values())
    rows: dict[str, list[dict[str, Any]]] = {}
    for number, panel in of.get("panels", {}).items():
        row = panel.get(ROW)
        if row in outer and ROW not in of["panels"][row]:
            rows.setdefault(row, []).append(outer[number])
    nested = {inner["id"] for each in rows.values() for inner in each}
    for row, inner in rows.items():
        outer[row]["panels"] = inner
    made["panels"] = [panel for panel in outer.values() if panel["id"] not in nested]
    for name, holder in _LISTS.items():
        entries = of.get(name, {})
        if entries:
            made[holder] = {"list": [entries[key] for key in in_order(entries, of.get(f"{name} in order", []))]}
    return canonical(made)


def in_order(entries: Mapping[str, Any], wanted: list[str]) -> list[str]:
    """The names of entries in the order that is wanted; those of whom nothing is known come last, by name.

    >>> in_order({"b": 1, "a": 2, "c": 3}, ["c", "gone", "b"])
    ['c', 'b', 'a']
    """
    known = [name for name in wanted if name in entries]
    return [*known, *sorted(entries.keys() - set(known))]


def _panel(panel: Mapping[str, Any]) -> Tree:
    own = {key: value for key, value in panel.items() if key not in {"id", "panels"}}
    targets = own.get("targets")
    if isinstance(targets, list) and targets and all(isinstance(each, dict) for each in targets):
        own["targets"] = _keyed(targets, "refId")[0]
    return own


def _keyed(entries: list[Any], name: str) -> tuple[Tree, list[str]]:
    keyed: Tree = {}
    for entry in entries:
        if isinstance(entry, dict):
            key = bare = str(entry.get(name, ""))
            again = 1
            while key in keyed:
                again += 1
                key = f"{bare} ({again})"
            keyed[key] = entry
    return keyed, list(keyed)


def _named_lists() -> set[str]:
    return {*_LISTS, *(f"{name} in order" for name in _LISTS)}
