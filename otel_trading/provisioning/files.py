"""Every file that is rendered from Python, with the edits that people made in Grafana."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otel_trading.extras import require
from otel_trading.provisioning import canonical
from otel_trading.provisioning.grafana import rules
from otel_trading.provisioning.grafana import tree as trees
from otel_trading.provisioning.grafana.overrides import Overrides
from otel_trading.provisioning.grafana.project import RULES, Project

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = "grafana"
"""Where a project keeps what belongs to Grafana, unless it says otherwise."""
_ADDED = "rules-added-in-grafana.yaml"
_PARTS = tuple(f"otel_trading.provisioning.{part}" for part in ("boards", "datasources", "rules.rendering"))
"""Each has ``files()``; imported when they are needed, as there is much to build."""


def files(root: Path = Path()) -> dict[str, str]:
    """The text of each file of the kit's own, by its path from the top of the repository.

    Args:
        root: the top of the repository, whose kept edits are applied.

    Raises:
        ProvisioningError: what is kept cannot be read.
        ValueError: two parts render the same file.

    """
    return edited(rendered(), Project(root / FOLDER))


def rendered() -> dict[str, str]:
    """The same files, as the code alone has them."""
    made: dict[str, str] = {}
    for part in _PARTS:
        own: dict[str, str] = import_module(part).files()
        if twice := made.keys() & own.keys():
            raise ValueError(f"rendered twice: {', '.join(sorted(twice))}")
        made |= own
    return made


def edited(made: Mapping[str, str], project: Project) -> dict[str, str]:
    """Rendered files with the edits that a project keeps; those without any as they are."""
    result = {name: _with_edits_of_board(name, text, project) for name, text in made.items()}
    kept = project.kept(RULES)
    return result | _with_edits_of_rules(result, kept) if kept else result


def groups_of(name: str, text: str) -> list[dict[str, Any]]:
    """The groups of Grafana's own alert rules in a file of provisioning; none in any other file.

    >>> groups_of("a.yaml", "groups: [{name: venues, folder: Trading, interval: 1m, rules: [{uid: a}]}]")
    [{'name': 'venues', 'folder': 'Trading', 'interval': '1m', 'rules': [{'uid': 'a'}]}]
    >>> groups_of("prometheus.yml", "groups: [{name: venues, rules: [{alert: Silent}]}]")
    []
    """
    if not name.endswith((".yaml", ".yml")) or "uid:" not in text or "groups:" not in text:
        return []
    found = _yaml().safe_load(text)
    groups = found.get("groups") if isinstance(found, dict) else None
    return [
        group
        for group in groups or []
        if isinstance(group, dict) and any("uid" in rule for rule in group.get("rules") or [])
    ]


def board_of(name: str, text: str) -> dict[str, Any] | None:
    """The dashboard in a file; None in any other file."""
    if not name.endswith(".json"):
        return None
    found = json.loads(text)
    return found if isinstance(found, dict) and "uid" in found and "panels" in found else None


def _with_edits_of_board(name: str, text: str, project: Project) -> str:
    board = board_of(name, text)
    kept = Overrides() if board is None else project.kept(str(board["uid"]))
    return canonical.text(trees.board(kept.applied(trees.tree(board)))) if board is not None and kept else text


def _with_edits_of_rules(made: Mapping[str, str], kept: Overrides) -> dict[str, str]:
    """The files of rules that an edit changes; groups that only Grafana has get one of their own."""
    homes = {
        (str(group.get("folder", "")), str(group["name"])): name
        for name, text in made.items()
        for group in groups_of(name, text)
    }
    code = rules.tree(group for name in dict.fromkeys(homes.values()) for group in groups_of(name, made[name]))
    wanted = kept.applied(code)
    before, after = (_by_group(tree) for tree in (code, wanted))
    result: dict[str, str] = {}
    for name in dict.fromkeys(homes.values()):
        here = [place for place in homes if homes[place] == name]
        if any(before.get(place) != after.get(place) for place in here):
            result[name] = _rule_file(made[name], [after[place] for place in here if place in after])
    if homes and (new := [group for place, group in after.items() if place not in homes]):
        home = next(iter(homes.values())).rpartition("/")[0]
        result[f"{home}/{_ADDED}" if home else _ADDED] = _rule_file("apiVersion: 1", new)
    return result


def _by_group(tree: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(group["folder"], group["name"]): rules.in_file(group) for group in rules.groups(dict(tree))}


def _rule_file(text: str, groups: list[dict[str, Any]]) -> str:
    head = "".join(line for line in text.splitlines(keepends=True)[:5] if line.startswith("#"))
    document = {**_yaml().safe_load(text), "groups": groups}
    return head + str(_yaml().safe_dump(document, sort_keys=False, allow_unicode=True, width=118))


def _yaml() -> Any:  # noqa: ANN401 - the module, which an extra brings
    return require("yaml", extra="cli")
