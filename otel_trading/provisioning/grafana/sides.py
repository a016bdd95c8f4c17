"""The sides of one dashboard, or of the alert rules: what the code says, what was agreed, what Grafana has."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from otel_trading.provisioning import canonical
from otel_trading.provisioning.files import board_of
from otel_trading.provisioning.grafana import patch, scrub
from otel_trading.provisioning.grafana import tree as trees
from otel_trading.provisioning.grafana.project import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from otel_trading.provisioning.grafana.alerting import AlertRules
    from otel_trading.provisioning.grafana.dashboards import Dashboards, Stored
    from otel_trading.provisioning.grafana.folders import Folders
    from otel_trading.provisioning.grafana.overrides import Overrides
    from otel_trading.provisioning.grafana.project import Project
    from otel_trading.provisioning.grafana.sources import Coded
    from otel_trading.provisioning.grafana.tree import Tree

_TIME = frozenset({"refresh", "time"})


@dataclass(frozen=True, slots=True)
class Sides:
    """Three versions of one thing.

    Args:
        code: what the code says.
        kept: the edits of it that are kept.
        ours: the code with its edits.
        base: what both sides last agreed on, or the file that was rendered last; None where there is neither.
        theirs: what Grafana has, without secrets; None where it has nothing.
        needs: the variables of the environment that theirs has placeholders for.
        stored: what was read, for a later save.
        pushed: the digest of what was pushed last; empty where that is not known.
        same_time: whether the range of time and the refresh are the same, which are not compared otherwise.

    """

    code: Tree
    kept: Overrides
    ours: Tree
    base: Tree | None
    theirs: Tree | None
    needs: tuple[str, ...] = ()
    stored: Stored | None = None
    pushed: str = ""
    same_time: bool = True

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing to push: Grafana has ours, or what it made of ours when that was pushed."""
        if self.theirs is None:
            return False
        pushed = self.pushed == digest(self.ours)
        if patch.same(self.theirs, self.ours):
            return pushed or not self.pushed or self.same_time
        return pushed and self.base is not None and patch.same(self.theirs, self.base)

    @property
    def is_edited(self) -> bool:
        """Whether Grafana has what was not agreed on."""
        if self.theirs is None or self.is_quiet or patch.same(self.theirs, self.ours):
            return False
        return self.base is None or not patch.same(self.theirs, self.base)


def of_board(
    coded: Coded, project: Project, dashboards: Dashboards, folders: Folders, *, with_time: bool = False
) -> Sides:
    """The sides of a dashboard.

    Args:
        coded: what the code says.
        project: what is kept.
        dashboards: what Grafana has.
        folders: where it has it.
        with_time: compare the range of time and the refresh, too.

    """
    code, kept = coded.tree, project.kept(coded.uid)
    ours = kept.applied(code)
    alone = trees.NEVER_MERGED | (frozenset() if with_time else _TIME)
    agreed = project.agreed(coded.uid)
    file = project.folder / coded.file
    base: Tree | None
    if agreed is not None:
        base = trees.tree(agreed["dashboard"], folder=agreed["folder"])
    else:
        before = board_of(file.name, file.read_text("utf-8")) if file.is_file() else None
        base = None if before is None else trees.tree(before, folder=ours.get(trees.FOLDER))
    stored = dashboards.read(coded.uid)
    if stored is None:
        return Sides(code, kept, ours, None if base is None else aligned(base, ours, alone), None)
    clean = scrub.scrubbed(canonical.canonical(stored.board), trees.board(ours), coded.uid, os.environ)
    theirs = trees.tree(clean.document, folder=folders.title(stored.folder))
    return Sides(
        code,
        kept,
        ours,
        None if base is None else aligned(base, ours, alone),
        aligned(theirs, ours, alone),
        tuple(sorted(clean.needs)),
        stored,
        (agreed or {}).get("pushed", ""),
        all(patch.same(theirs.get(key), ours.get(key)) for key in _TIME),
    )


def of_rules(code: Tree, project: Project, rules: AlertRules) -> Sides:
    """The sides of all alert rules of the code, and of those that people added to their folders."""
    kept = project.kept(RULES)
    ours = kept.applied(code)
    agreed = project.agreed(RULES) or {}
    base: Tree | None = agreed.get("tree")
    known: Tree = {**ours["rules"], **(base or {}).get("rules", {}), **code["rules"]}
    within = {str(rule["folder"]) for rule in known.values()}
    clean = scrub.scrubbed(rules.read(known, within), ours, RULES, os.environ)
    found: Tree = clean.document
    theirs = found if found["rules"] else None
    return Sides(code, kept, ours, base, theirs, tuple(sorted(clean.needs)), None, agreed.get("pushed", ""))


def agree(project: Project, name: str, theirs: Tree, pushed: str) -> None:
    """Keep what Grafana has now, and the digest of what it made that of."""
    if name == RULES:
        project.agree(name, {"tree": theirs, "pushed": pushed})
    else:
        folder = str(theirs.get(trees.FOLDER, ""))
        project.agree(name, {"folder": folder, "dashboard": trees.board(theirs), "pushed": pushed})


def digest(tree: Tree) -> str:
    """A short name of what a tree says.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 1})
    True
    """
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:16]


def aligned(side: Mapping[str, Any], to: Mapping[str, Any], keys: Iterable[str]) -> Tree:
    """A side which says of some keys what another one says."""
    result = {key: value for key, value in side.items() if key not in set(keys)}
    return result | {key: to[key] for key in keys if key in to}
