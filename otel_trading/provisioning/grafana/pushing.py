"""What the project says goes to Grafana: never over an edit that nobody has pulled."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from otel_trading.provisioning import canonical
from otel_trading.provisioning.grafana import patch, scrub
from otel_trading.provisioning.grafana import tree as trees
from otel_trading.provisioning.grafana.alerting import KINDS, Kind
from otel_trading.provisioning.grafana.errors import ChangedMeanwhileError, NewerSchemaError
from otel_trading.provisioning.grafana.outcome import Outcome, State
from otel_trading.provisioning.grafana.patch import same
from otel_trading.provisioning.grafana.project import RULES, loaded, put
from otel_trading.provisioning.grafana.sides import agree, digest, of_board, of_rules
from otel_trading.provisioning.grafana.sources import Coded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.provisioning.grafana.pulling import Reach
    from otel_trading.provisioning.grafana.sides import Sides
    from otel_trading.provisioning.grafana.sources import Code
    from otel_trading.provisioning.grafana.tree import Tree

_UNPULLED = "was edited in Grafana and not pulled; pull first, or push with --overwrite"
_TWICE = "Grafana evaluates them now: see that Prometheus does not have the same alerts, or people are told twice"


def push(
    code: Code,
    reach: Reach,
    *,
    message: str,
    overwrite: bool = False,
    secrets: bool = False,
    delete: bool = False,
) -> list[Outcome]:
    """Save in Grafana what differs there.

    Args:
        code: what the code says; the edits that are kept are applied to it.
        reach: the Grafana and the project.
        message: for the history of versions.
        overwrite: even over edits that were not pulled.
        secrets: save contact points with secrets although nothing else of them differs.
        delete: delete the dashboards that were pushed once and are no longer in the code.

    Raises:
        ProvisioningError: a secret is not in the environment.

    """
    found: list[Outcome] = []
    if "dashboards" in reach.parts:
        for coded in code.boards:
            reach.told(f"dashboard {coded.uid}")
            found.append(_board(coded, reach, message, overwrite=overwrite))
        found += (_as_stored(uid, reach, overwrite=overwrite) for uid in reach.project.names("as-stored"))
        found += _gone(code, reach, overwrite=overwrite, delete=delete)
    if "rules" in reach.parts and (code.rules["rules"] or reach.project.agreed(RULES)):
        reach.told("alert rules")
        found.append(_rules(code, reach, overwrite=overwrite))
    if "contacts" in reach.parts:
        for kind in KINDS:
            if reach.project.contacts(kind.name).is_file():
                reach.told(kind.name)
                found.append(_kind(kind, reach, overwrite=overwrite, secrets=secrets))
    return found


def _board(coded: Coded, reach: Reach, message: str, *, overwrite: bool) -> Outcome:
    subject = f"dashboard {coded.uid}"
    if reach.project.newer(coded.uid).is_file():
        return Outcome(subject, State.SAME, (f"{reach.project.newer(coded.uid)} stands in its place",))
    try:
        sides = of_board(coded, reach.project, reach.dashboards, reach.folders)
    except NewerSchemaError as error:
        return Outcome(subject, State.REFUSED, (str(error),))
    if sides.is_quiet:
        _agree(coded.uid, reach, sides)
        return Outcome(subject, State.SAME)
    if sides.is_edited and not overwrite:
        return Outcome(subject, State.REFUSED, (_UNPULLED,))
    needs = set(sides.needs) | set(sides.kept.needs)
    board = scrub.filled(trees.board(sides.ours), needs, os.environ)
    state = State.CREATED if sides.theirs is None else State.CHANGED
    details = tuple(" > ".join(each) for each in patch.paths(patch.made(sides.theirs or {}, sides.ours)))
    if not reach.dry_run:
        folder = str(sides.ours.get(trees.FOLDER, ""))
        try:
            reach.dashboards.write(board, reach.folders.made(folder), message, sides.stored)
        except ChangedMeanwhileError as error:
            return Outcome(subject, State.REFUSED, (str(error),))
        _agree(coded.uid, reach, of_board(coded, reach.project, reach.dashboards, reach.folders))
    return Outcome(subject, state, details if state is State.CHANGED else ())


def _agree(name: str, reach: Reach, sides: Sides) -> None:
    if not reach.dry_run and sides.theirs is not None:
        agree(reach.project, name, sides.theirs, digest(sides.ours))


def _as_stored(uid: str, reach: Reach, *, overwrite: bool) -> Outcome:
    subject, name = f"dashboard {uid}", reach.project.as_stored(uid)
    ours = loaded(reach.project.newer(uid)) or {}
    try:
        there = reach.dashboards.read_v2(ours)
        clean = scrub.scrubbed(canonical.canonical(there or {}), ours, uid, os.environ)
        theirs = clean.document | ({"needs": sorted(clean.needs)} if clean.needs else {})
        if same(theirs, ours):
            return Outcome(subject, State.SAME)
        base = (reach.project.agreed(name) or {}).get("pushed", "")
        if there is not None and digest(theirs) != base and not overwrite:
            return Outcome(subject, State.REFUSED, (_UNPULLED,))
        if not reach.dry_run:
            own = {key: value for key, value in ours.items() if key != "needs"}
            reach.dashboards.write_v2(scrub.filled(own, ours.get("needs", []), os.environ), there)
            reach.project.agree(name, {"pushed": digest(ours)})
    except (ChangedMeanwhileError, NewerSchemaError) as error:
        return Outcome(subject, State.REFUSED, (str(error),))
    return Outcome(subject, State.CREATED if there is None else State.CHANGED)


def _gone(code: Code, reach: Reach, *, overwrite: bool, delete: bool) -> Iterator[Outcome]:
    """Dashboards that were pushed once and are no longer in the code."""
    known = {board.uid for board in code.boards} | {RULES} | {kind.name for kind in KINDS}
    for uid in (name for name in reach.project.names("base") if name not in known and "." not in name):
        subject = f"dashboard {uid}"
        reach.told(subject)
        try:
            sides = of_board(Coded(uid, {"uid": uid}), reach.project, reach.dashboards, reach.folders)
        except NewerSchemaError as error:
            yield Outcome(subject, State.REFUSED, (str(error),))
            continue
        if sides.theirs is not None and not delete:
            yield Outcome(subject, State.MISSING, ("is no longer in the code; push --delete deletes it in Grafana",))
            continue
        if sides.theirs is not None and not (overwrite or same(sides.theirs, sides.base)):
            yield Outcome(subject, State.REFUSED, (_UNPULLED,))
            continue
        if not reach.dry_run:
            if sides.theirs is not None:
                reach.dashboards.delete(uid)
            put(reach.project.base(uid), None)
        yield Outcome(subject, State.REMOVED)


def _rules(code: Code, reach: Reach, *, overwrite: bool) -> Outcome:
    sides = of_rules(code.rules, reach.project, reach.rules)
    theirs: Tree = sides.theirs or {"groups": {}, "rules": {}}
    if sides.is_quiet:
        _agree(RULES, reach, sides)
        return Outcome(RULES, State.SAME)
    if sides.is_edited and not overwrite:
        return Outcome(RULES, State.REFUSED, (_UNPULLED,))
    changed = patch.made(theirs, sides.ours)
    if not reach.dry_run:
        wanted = scrub.filled(sides.ours, set(sides.needs) | set(sides.kept.needs), os.environ)
        reach.rules.write(wanted, _groups(changed, theirs, sides.ours))
        _agree(RULES, reach, of_rules(code.rules, reach.project, reach.rules))
    if sides.theirs is None:
        return Outcome(RULES, State.CREATED, (_TWICE,))
    return Outcome(RULES, State.CHANGED, tuple(" > ".join(each) for each in patch.paths(changed)))


def _groups(changed: Tree, theirs: Tree, ours: Tree) -> set[tuple[str, str]]:
    """The groups that a change touches: those that rules leave, and those that they come into."""
    found: set[tuple[str, str]] = set()
    for uid in changed.get("rules", {}):
        for side in (theirs, ours):
            if uid in side["rules"]:
                found.add((side["rules"][uid]["folder"], side["rules"][uid]["group"]))
    for name in changed.get("groups", {}):
        folder, _, group = name.rpartition("/")
        found.add((folder, group))
    return found


def _kind(kind: Kind, reach: Reach, *, overwrite: bool, secrets: bool) -> Outcome:
    document = loaded(reach.project.contacts(kind.name)) or {}
    ours: Tree = document.get(kind.name, {})
    needs: list[str] = document.get("needs", [])
    theirs = scrub.scrubbed(reach.alerting.read(kind), ours, "", os.environ).document
    base = (reach.project.agreed(kind.name) or {}).get(kind.name)
    if base is not None and not same(theirs, base) and not same(theirs, ours) and not overwrite:
        return Outcome(kind.name, State.REFUSED, (_UNPULLED,))
    gone = [key for key in base or {} if key not in ours and key in theirs]
    changed = [key for key in ours if not same(ours[key], theirs.get(key)) or (secrets and _has(ours[key], needs))]
    full = scrub.filled({key: ours[key] for key in changed}, needs, os.environ)
    if not reach.dry_run:
        for key in changed:
            reach.alerting.write(kind, key, full[key], exists=key in theirs)
        for key in gone:
            reach.alerting.delete(kind, key)
        again = scrub.scrubbed(reach.alerting.read(kind), ours, "", os.environ).document
        reach.project.agree(kind.name, {kind.name: again})
    if not changed and not gone:
        return Outcome(kind.name, State.SAME)
    return Outcome(kind.name, State.CHANGED, (*changed, *(f"{key}: deleted" for key in gone)))


def _has(document: Any, needs: list[str]) -> bool:  # noqa: ANN401 - JSON
    return bool(scrub.placeholders(document) & set(needs))
