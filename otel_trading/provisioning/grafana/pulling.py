"""Edits made in Grafana come into the project: beside the code, never over it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from otel_trading.provisioning import canonical
from otel_trading.provisioning.files import edited
from otel_trading.provisioning.grafana import patch, scrub
from otel_trading.provisioning.grafana.alerting import KINDS, Alerting, AlertRules, Kind
from otel_trading.provisioning.grafana.dashboards import Dashboards, NewerStoredError
from otel_trading.provisioning.grafana.errors import NewerSchemaError
from otel_trading.provisioning.grafana.merge import Conflict, Merged, Prefer, merge
from otel_trading.provisioning.grafana.outcome import Outcome, State, Told, silent
from otel_trading.provisioning.grafana.overrides import Overrides
from otel_trading.provisioning.grafana.patch import at, same
from otel_trading.provisioning.grafana.project import RULES, Project, loaded, put
from otel_trading.provisioning.grafana.sides import Sides, agree, digest, of_board, of_rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from otel_trading.provisioning.grafana.folders import Folders
    from otel_trading.provisioning.grafana.sources import Code, Coded
    from otel_trading.provisioning.grafana.tree import Tree


@dataclass(frozen=True, slots=True)
class Reach:
    """What a command reaches: one Grafana, and one project.

    Args:
        dashboards: of the Grafana.
        folders: of the Grafana.
        project: whose files are meant.
        parts: what of both: ``dashboards``, ``rules``, ``contacts``.
        dry_run: change nothing anywhere.
        told: hears what is looked at.

    """

    dashboards: Dashboards
    folders: Folders
    project: Project
    parts: frozenset[str]
    dry_run: bool = False
    told: Told = silent

    @property
    def rules(self) -> AlertRules:
        """The alert rules of the Grafana."""
        return AlertRules(self.dashboards.client, self.folders)

    @property
    def alerting(self) -> Alerting:
        """The contact points and the like of the Grafana."""
        return Alerting(self.dashboards.client)


def pull(
    code: Code, reach: Reach, *, prefer: Prefer | None = None, with_time: bool = False, as_stored: bool = False
) -> list[Outcome]:
    """Take over what was edited in Grafana.

    Args:
        code: what the code says.
        reach: the Grafana and the project.
        prefer: whose value stands where both sides changed a field; otherwise that is a conflict, and nothing of that
            dashboard is written.
        with_time: take the range of time and the refresh, too.
        as_stored: keep dashboards that only the newer schema can express as files of their own.

    """
    found: list[Outcome] = []
    if "dashboards" in reach.parts:
        for coded in code.boards:
            reach.told(f"dashboard {coded.uid}")
            found.append(_board(coded, reach, prefer, with_time=with_time, as_stored=as_stored))
        found += _unknown(code, reach)
    if "rules" in reach.parts and (code.rules["rules"] or reach.project.agreed(RULES)):
        reach.told("alert rules")
        found.append(_rules(code, reach, prefer))
    if "contacts" in reach.parts:
        for kind in KINDS:
            reach.told(kind.name)
            found.append(_kind(kind, reach, prefer))
    if not reach.dry_run and any(each.state is State.EDITED for each in found):
        for name, text in edited(code.files, reach.project).items():
            file = reach.project.folder / name
            if not file.is_file() or file.read_text("utf-8") != text:
                put(file, text)
    return found


def _board(coded: Coded, reach: Reach, prefer: Prefer | None, *, with_time: bool, as_stored: bool) -> Outcome:
    subject = f"dashboard {coded.uid}"
    try:
        sides = of_board(coded, reach.project, reach.dashboards, reach.folders, with_time=with_time)
    except NewerStoredError as error:
        as_stored = as_stored or reach.project.newer(coded.uid).is_file()
        return _newer(coded.uid, error, reach) if as_stored else Outcome(subject, State.REFUSED, (str(error),))
    except NewerSchemaError as error:
        return Outcome(subject, State.REFUSED, (str(error),))
    if sides.theirs is None:
        return _missing(subject, sides)
    merged = _merged(sides, sides.theirs, prefer)
    details = (sides.stored.remark,) if sides.stored is not None and sides.stored.remark else ()
    if merged.conflicts:
        return Outcome(subject, State.CONFLICT, details, merged.conflicts)
    return _kept(subject, coded.uid, sides, merged, reach, details, coded.slugs, prefer)


def _rules(code: Code, reach: Reach, prefer: Prefer | None) -> Outcome:
    sides = of_rules(code.rules, reach.project, reach.rules)
    if sides.theirs is None:
        return _missing(RULES, sides)
    merged = _merged(sides, sides.theirs, prefer)
    if merged.conflicts:
        return Outcome(RULES, State.CONFLICT, (), merged.conflicts)
    return _kept(RULES, RULES, sides, merged, reach, (), {}, prefer)


def _merged(sides: Sides, theirs: Tree, prefer: Prefer | None) -> Merged:
    """The merge of all sides; where the code has changed beneath a kept edit, that is a conflict, too."""
    overtaken = sides.kept.overtaken(sides.code)
    ours = sides.kept.without(overtaken).applied(sides.code) if prefer is Prefer.CODE else sides.ours
    merged = merge(sides.base if sides.base is not None else sides.ours, ours, theirs, prefer)
    if prefer is not None:
        return merged
    known = {each.path for each in merged.conflicts}
    more = (Conflict(each.path, each.was, each.now, at(theirs, each.path)) for each in overtaken)
    return Merged(
        merged.tree,
        (*merged.conflicts, *(each for each in more if each.path not in known and not same(each.ours, each.theirs))),
    )


def _kept(
    subject: str,
    name: str,
    sides: Sides,
    merged: Merged,
    reach: Reach,
    details: tuple[str, ...],
    slugs: Mapping[int, str],
    prefer: Prefer | None,
) -> Outcome:
    changed = patch.made(sides.ours, merged.tree)
    wanted = Overrides.between(sides.code, merged.tree, sides.needs)
    if not reach.dry_run and sides.theirs is not None:
        is_there = sides.pushed == digest(sides.ours) and prefer is not Prefer.CODE
        agree(reach.project, name, sides.theirs, digest(merged.tree) if is_there else "")
        if wanted != sides.kept:
            reach.project.keep(name, wanted.text(slugs) if wanted else None)
    if not changed:
        return Outcome(subject, State.SAME, details)
    return Outcome(subject, State.EDITED, (*details, *_lines(changed), *_needed(sides.needs)))


def _missing(subject: str, sides: Sides) -> Outcome:
    why = "is no longer in Grafana; push it again, or delete it from the code" if sides.base else "was never pushed"
    return Outcome(subject, State.MISSING, (why,))


def _newer(uid: str, error: NewerStoredError, reach: Reach) -> Outcome:
    subject, file = f"dashboard {uid}", reach.project.newer(uid)
    ours = loaded(file)
    clean = scrub.scrubbed(canonical.canonical(error.resource), ours, uid, os.environ)
    theirs = clean.document | ({"needs": sorted(clean.needs)} if clean.needs else {})
    if ours is not None and same(ours, theirs):
        return Outcome(subject, State.SAME)
    base = (reach.project.agreed(reach.project.as_stored(uid)) or {}).get("pushed", "")
    if ours is not None and digest(ours) != base:
        if digest(theirs) == base:
            return Outcome(subject, State.SAME, (f"{file} is newer; push it",))
        return Outcome(subject, State.REFUSED, (f"{file} and Grafana have both changed: delete the file to take over",))
    if not reach.dry_run:
        put(file, canonical.written(theirs))
        reach.project.agree(reach.project.as_stored(uid), {"pushed": digest(theirs)})
    return Outcome(subject, State.STORED, (f"in {file}; the code's is not pushed over it",))


def _unknown(code: Code, reach: Reach) -> Iterator[Outcome]:
    """Dashboards that somebody made in Grafana, in folders of the code."""
    known = {each.uid for each in code.boards}
    for title in sorted({each.folder for each in code.boards if each.folder}):
        uid = reach.folders.uid(title)
        for board, name in (reach.dashboards.within(uid) if uid else {}).items():
            if board not in known:
                why = f"{name!r} was made in Grafana, in {title}; write it in code to keep it"
                yield Outcome(f"dashboard {board}", State.MISSING, (why,))


def _kind(kind: Kind, reach: Reach, prefer: Prefer | None) -> Outcome:
    file = reach.project.contacts(kind.name)
    ours = (loaded(file) or {}).get(kind.name, {})
    base = (reach.project.agreed(kind.name) or {}).get(kind.name, {})
    clean = scrub.scrubbed(reach.alerting.read(kind), ours, "", os.environ)
    theirs: dict[str, Any] = clean.document
    merged = merge(base, ours, theirs, prefer)
    if merged.conflicts:
        return Outcome(kind.name, State.CONFLICT, (), merged.conflicts)
    if not reach.dry_run and theirs:
        reach.project.agree(kind.name, {kind.name: theirs})
    changed = patch.made(ours, merged.tree)
    if not changed:
        return Outcome(kind.name, State.SAME)
    needs = sorted(clean.needs.keys() & scrub.placeholders(merged.tree))
    if not reach.dry_run:
        document = {kind.name: merged.tree} | ({"needs": needs} if needs else {})
        put(file, canonical.written(canonical.ordered(document)))
    return Outcome(kind.name, State.EDITED, (*_lines(changed), *_needed(tuple(needs))))


def _lines(changed: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(" > ".join(each) for each in patch.paths(changed))


def _needed(needs: tuple[str, ...]) -> tuple[str, ...]:
    return (f"secrets are left out; to push it, set {', '.join(needs)}",) if needs else ()
