"""What two engines export for one program, in a form that can be compared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tests.tracing.finished import KNOWS_REMOTE, REMOTE

if TYPE_CHECKING:
    from tests.tracing.finished import Event, Finished, Link
    from tests.tracing.machine import Machine

CLOCK = 10**12
"""Times before this, long ago in 1970, were given by the program."""
FRAME = re.compile(r'  File ".*/tests/tracing/(.*)", line (\d+), in (.*)')


def exact(value: Any) -> str:
    """Equal for values of equal content and types only, whatever the order of mappings.

    >>> exact({"a": 1, "b": [True]}) == exact({"b": (True,), "a": 1}), exact(1) == exact(1.0)
    (True, False)
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {exact(item)}" for key, item in sorted(value.items())) + "}"
    if isinstance(value, (list, tuple)):
        return "(" + "".join(f"{exact(item)}, " for item in value) + ")"
    return repr(value)


def differences(sdk: Machine, ours: Machine) -> list[str]:
    """What two runs of one program differ in; empty when nothing does."""
    found = listed("log", sdk.log, ours.log)
    theirs, own = exported(sdk), exported(ours)
    found += listed("spans", sorted(theirs), sorted(own))
    for place in sorted(theirs.keys() & own.keys()):
        for field, expected in theirs[place].items():
            if own[place][field] != expected:
                found.append(f"{place} {field}: the SDK has {expected}, we have {own[place][field]}")
    return found


def listed(what: str, theirs: list[str], own: list[str]) -> list[str]:
    """What differs between two lists."""
    if theirs == own:
        return []
    return [f"{what}: the SDK has {[x for x in theirs if x not in own]}, we have {[x for x in own if x not in theirs]}"]


def exported(run: Machine) -> dict[str, dict[str, str]]:
    """The spans of a run by their places, with places for ids and without the times of the clock."""
    spans = {run.places[span.span_id]: described(span, run) for span in run.finished}
    assert len(spans) == len(run.finished), "a span twice"
    return spans


def described(span: Finished, run: Machine) -> dict[str, str]:
    """Everything of a span as text."""
    assert_in_order(span)
    fields: dict[str, Any] = {
        "name": span.name,
        "kind": span.kind,
        "trace": run.traces[span.trace_id],
        "parent": run.places.get(span.parent_id, hex(span.parent_id)),
        "state": span.state,
        "remote": span.flags & (KNOWS_REMOTE | REMOTE),  # the rest is a deviation
        "times": [given(span.start), given(span.end)],
        "status": [span.status, span.message],
        "attributes": span.attributes,
        "events": [event(one) for one in span.events],
        "links": [link(one, run) for one in span.links],
        "dropped": [span.dropped_attributes, span.dropped_events, span.dropped_links],
        "scope": [span.scope.name, span.scope.version, span.scope.schema, span.scope.attributes],
        "resource": [span.resource.attributes, span.resource.schema],
    }
    return {field: exact(value) for field, value in fields.items()}


def assert_in_order(span: Finished) -> None:
    """Times that were not given are in the order of what happened."""
    times = [span.start, *(event.time for event in span.events), span.end]
    times = [time for time in times if time >= CLOCK]
    assert times == sorted(times), f"{span.name}: {times}"


def given(time: int) -> int | str:
    """A time, if the program gave it."""
    return time if time < CLOCK else "clock"


def event(one: Event) -> list[Any]:
    """An event, with what a program has of its stack."""
    attributes = dict(one.attributes)
    stack = attributes.get("exception.stacktrace")
    if isinstance(stack, str):
        attributes["exception.stacktrace"] = frames(stack)
    return [one.name, given(one.time), attributes, one.dropped]


def frames(stack: str) -> list[Any]:
    """The program's own frames and the lines that tell what happened: each engine has frames of its own."""
    lines = stack.splitlines()
    return [match.groups() if (match := FRAME.match(line)) else line for line in lines if wanted(line)]


def wanted(line: str) -> bool:
    """Whether a line of a stack is the program's."""
    return not line.startswith(" ") or FRAME.match(line) is not None


def link(one: Link, run: Machine) -> list[Any]:
    """A link, without what is a deviation."""
    target = run.places.get(one.span_id, hex(one.span_id))
    return [target, one.flags & (KNOWS_REMOTE | REMOTE), one.attributes, one.dropped]
