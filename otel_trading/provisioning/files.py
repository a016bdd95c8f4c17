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
    return {name: _edited(name, text, project) for name, text in made.items()}


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


def _edited(name: str, text: str, project: Project) -> str:
    board = board_of(name, text)
    if board is not None:
        kept = project.kept(str(board["uid"]))
        return canonical.text(trees.board(kept.applied(trees.tree(board)))) if kept else text
    groups = groups_of(name, text)
    kept = project.kept(RULES) if groups else Overrides()
    return _with_rules(text, groups, kept) if kept else text


def _with_rules(text: str, groups: list[dict[str, Any]], kept: Overrides) -> str:
    code = rules.tree(groups)
    wanted = kept.applied(code)
    if wanted == code:
        return text
    head = "".join(line for line in text.splitlines(keepends=True)[:5] if line.startswith("#"))
    document = _yaml().safe_load(text)
    document["groups"] = [{"orgId": 1, **group, "interval": f"{group['interval']}s"} for group in rules.groups(wanted)]
    return head + str(_yaml().safe_dump(document, sort_keys=False, allow_unicode=True, width=118))


def _yaml() -> Any:  # noqa: ANN401 - the module, which an extra brings
    return require("yaml", extra="cli")
