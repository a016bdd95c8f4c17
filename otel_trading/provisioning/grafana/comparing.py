"""What differs between the project and Grafana, and which side changed it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from otel_trading.provisioning.grafana import patch, scrub
from otel_trading.provisioning.grafana.alerting import KINDS
from otel_trading.provisioning.grafana.errors import NewerSchemaError
from otel_trading.provisioning.grafana.outcome import Outcome, State
from otel_trading.provisioning.grafana.project import RULES, loaded
from otel_trading.provisioning.grafana.sides import of_board, of_rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from otel_trading.provisioning.grafana.pulling import Reach
    from otel_trading.provisioning.grafana.sides import Sides
    from otel_trading.provisioning.grafana.sources import Code


class Who(StrEnum):
    """Which side changed a field since both were the same."""

    CODE = "code"
    GRAFANA = "Grafana"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that is not the same on both sides."""

    path: tuple[str, ...]
    ours: Any
    theirs: Any
    who: Who


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of comparing one thing, and where it differs."""

    outcome: Outcome
    differences: tuple[Difference, ...] = ()


def compare(code: Code, reach: Reach, *, with_time: bool = False) -> list[Compared]:
    """Where the project and Grafana differ; nothing is changed."""
    found: list[Compared] = []
    if "dashboards" in reach.parts:
        for coded in code.boards:
            subject = f"dashboard {coded.uid}"
            reach.told(subject)
            try:
                sides = of_board(coded, reach.project, reach.dashboards, reach.folders, with_time=with_time)
            except NewerSchemaError as error:
                found.append(Compared(Outcome(subject, State.REFUSED, (str(error),))))
            else:
                found.append(_compared(subject, sides))
    if "rules" in reach.parts and (code.rules["rules"] or reach.project.agreed(RULES)):
        reach.told("alert rules")
        found.append(_compared(RULES, of_rules(code.rules, reach.project, reach.rules)))
    if "contacts" in reach.parts:
        for kind in KINDS:
            ours = (loaded(reach.project.contacts(kind.name)) or {}).get(kind.name)
            if ours is not None:
                reach.told(kind.name)
                theirs = scrub.scrubbed(reach.alerting.read(kind), ours).document
                base = (reach.project.agreed(kind.name) or {}).get(kind.name)
                found.append(_of(kind.name, ours, theirs, base))
    return found


def _compared(subject: str, sides: Sides) -> Compared:
    if sides.theirs is None:
        return Compared(Outcome(subject, State.MISSING, ("is not in Grafana",)))
    if sides.is_quiet:
        return Compared(Outcome(subject, State.SAME))
    return _of(subject, sides.ours, sides.theirs, sides.base)


def _of(subject: str, ours: Mapping[str, Any], theirs: Mapping[str, Any], base: Mapping[str, Any] | None) -> Compared:
    differences = tuple(_differences(ours, theirs, base))
    return Compared(Outcome(subject, State.CHANGED if differences else State.SAME), differences)


def _differences(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], base: Mapping[str, Any] | None
) -> Iterator[Difference]:
    for path in patch.paths(patch.made(ours, theirs)):
        own, other = patch.at(ours, path), patch.at(theirs, path)
        before = own if base is None else patch.at(base, path)
        if patch.same(before, own):
            yield Difference(path, own, other, Who.GRAFANA)
        else:
            yield Difference(path, own, other, Who.CODE if patch.same(before, other) else Who.BOTH)
