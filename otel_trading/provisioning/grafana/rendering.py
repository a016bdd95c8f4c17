"""What is written from the code, and whether what is written is current."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otel_trading.provisioning.files import edited
from otel_trading.provisioning.grafana.errors import ProvisioningError
from otel_trading.provisioning.grafana.outcome import Outcome, State
from otel_trading.provisioning.grafana.overrides import Trouble
from otel_trading.provisioning.grafana.patch import ABSENT
from otel_trading.provisioning.grafana.project import RULES, Project, put

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from otel_trading.provisioning.grafana.overrides import Doubt
    from otel_trading.provisioning.grafana.sources import Code
    from otel_trading.provisioning.grafana.tree import Tree

_SHOWN = 100
"""Characters of a value."""


def render(code: Code, project: Project, *, dry_run: bool = False, prune: bool = False) -> list[Outcome]:
    """Write each file whose text differs.

    Args:
        code: what is written.
        project: where to, and whose edits are applied.
        dry_run: only say what would be written.
        prune: forget the edits that no longer change anything.

    """
    found: list[Outcome] = []
    if prune:
        found += _pruned(code, project, dry_run=dry_run)
    for name, text in sorted(edited(code.files, project).items()):
        file = project.folder / name
        before = file.read_text("utf-8") if file.is_file() else None
        if before == text:
            found.append(Outcome(name, State.SAME))
            continue
        found.append(Outcome(name, State.CREATED if before is None else State.CHANGED))
        if not dry_run:
            put(file, text)
    return found


def check(code: Code, project: Project) -> list[Outcome]:
    """What a reviewer has to see: files that are not current, edits that no longer fit the code."""
    found: list[Outcome] = []
    for name, text in sorted(edited(code.files, project).items()):
        file = project.folder / name
        if not file.is_file():
            found.append(Outcome(name, State.REFUSED, ("is not there; run: otel-trading grafana render",)))
        elif file.read_text("utf-8") != text:
            found.append(Outcome(name, State.REFUSED, ("is not current; run: otel-trading grafana render",)))
    known = trees(code)
    for name in project.names("overrides"):
        subject = f"overrides/{name}.json"
        if name not in known:
            found.append(Outcome(subject, State.REFUSED, ("orphaned: the code has no such dashboard",)))
            continue
        try:
            doubts = project.kept(name).doubts(known[name])
        except ProvisioningError as error:
            found.append(Outcome(subject, State.REFUSED, (str(error),)))
            continue
        if doubts:
            found.append(Outcome(subject, State.REFUSED, tuple(map(line, doubts))))
    return found


def trees(code: Code) -> Mapping[str, Tree]:
    """The trees of what the code says, by the name of their edits."""
    return {board.uid: board.tree for board in code.boards} | {RULES: code.rules}


def line(doubt: Doubt) -> str:
    """A kept edit that no longer fits, in a line."""
    where = " > ".join(doubt.path)
    match doubt.trouble:
        case Trouble.ORPHANED:
            return f"{where}: orphaned, it is no longer in the code"
        case Trouble.NEEDLESS:
            return f"{where}: needless, the code says the same now; run: otel-trading grafana render --prune"
        case _:
            return (
                f"{where}: overtaken, the code had {shown(doubt.was)} and has {shown(doubt.now)} now, while the edit "
                f"says {shown(doubt.kept)}; delete the edit or pull again"
            )


def shown(value: Any, most: int = _SHOWN) -> str:  # noqa: ANN401 - JSON
    """A value in at most so many characters.

    >>> shown("s"), shown(None)
    ('"s"', '(not there)')
    """
    import json

    if value is None or value is ABSENT:
        return repr(ABSENT)
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _pruned(code: Code, project: Project, *, dry_run: bool) -> Iterator[Outcome]:
    known = trees(code)
    slugs = {board.uid: board.slugs for board in code.boards}
    for name in project.names("overrides"):
        kept = project.kept(name)
        left = kept.pruned(known[name]) if name in known else None
        if left == kept:
            continue
        yield Outcome(f"overrides/{name}.json", State.CHANGED if left else State.REMOVED)
        if not dry_run:
            project.keep(name, left.text(slugs.get(name)) if left else None)
