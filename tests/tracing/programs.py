"""Generated programs for a tracer provider: what a bot may do with spans, nested in each other."""

from __future__ import annotations

import decimal
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from hypothesis import strategies as st
from opentelemetry.sdk.trace import SpanLimits
from opentelemetry.trace import SpanKind, Status, StatusCode

How = Literal["block", "span", "use", "by hand", "function", "coroutine"]
Body = tuple["Statement", ...]
Which = int | None
"""A span by its number, of those there are; ``None`` is the current one."""


@dataclass(frozen=True)
class Begin:
    """A span around a body."""

    how: How
    body: Body
    parent: int | Literal["empty", "sampled", "not sampled", "local"] | None
    links: tuple[tuple[Which, Any], ...]
    kind: SpanKind
    attributes: Any
    start: int | None
    record: bool
    status: bool
    ends: bool


@dataclass(frozen=True)
class Act:
    """A method of a span, with its arguments; the target of a link is a span by its number."""

    which: Which
    what: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Look:
    """Note what is current."""


@dataclass(frozen=True)
class Switch:
    """Let others run."""


@dataclass(frozen=True)
class Raise:
    error: int


@dataclass(frozen=True)
class Try:
    body: Body


@dataclass(frozen=True)
class Tasks:
    bodies: tuple[Body, ...]


@dataclass(frozen=True)
class Cancel:
    """A task that is cancelled when it had so many turns."""

    body: Body
    turns: int


@dataclass(frozen=True)
class Steps:
    """A body that is advanced so often, shares the context with another body, and is closed or goes on to its end."""

    body: Body
    count: int
    between: Body
    closes: bool


@dataclass(frozen=True)
class Thread:
    body: Body
    attached: bool


@dataclass(frozen=True)
class Copied:
    """A body in a copy of the context."""

    body: Body


@dataclass(frozen=True)
class Attach:
    """A body while a span is current that was attached by hand."""

    which: Which
    body: Body


@dataclass(frozen=True)
class Suppress:
    body: Body


Statement = Begin | Act | Look | Switch | Raise | Try | Tasks | Cancel | Steps | Thread | Copied | Attach | Suppress

LIMITS: dict[str, dict[str, int]] = {
    "default": {},
    "few": {"max_span_attributes": 2, "max_events": 2, "max_links": 1, "max_event_attributes": 1},
    "none": {"max_attributes": 0, "max_events": 0, "max_links": 0},
    "short": {"max_attribute_length": 3},
    "long events": {"max_span_attribute_length": 2, "max_link_attributes": 1},
}


@dataclass(frozen=True)
class Program:
    body: Body
    sampler: Literal["default", "choosy", "off"]
    limits: str

    def limited(self) -> SpanLimits:
        """The limits of its provider."""
        return SpanLimits(**LIMITS[self.limits])


ERRORS = 7
KEYS = ("venue", "symbol", "größe", "a b", "", "venue.side", 5, None)
PLAIN = (
    True,
    False,
    0,
    1,
    -(2**63),
    2**63 - 1,
    0.0,
    -0.0,
    1.5,
    float("nan"),
    "",
    "kalshi",
    "größe 📈",
    b"",
    b"\xff",
    None,
)
ODD = (object(), decimal.Decimal("1.5"), np.float64(0.5), np.int64(3), {1}, range(3), bytearray(b"a"), ValueError("x"))
TIMES = (0, 1, 5, 1_000_000, None, None, None)

NESTED: tuple[Any, ...]
NESTED = ([], [1, 2], ("a", None), [True, 1, 1.0, "1"], [[1], []], {}, {"a": 1, "": 2, 5: 3}, {"a": {"b": [None]}})
VALUES = (*PLAIN, *NESTED, *ODD)
SEVERAL = [dict(zip(KEYS, VALUES[start:], strict=False)) for start in range(len(VALUES))]
"""Attributes of each value under each key."""
SINGLE = [{"k": value, "other": 1} for value in VALUES]

values = st.sampled_from(VALUES)
mappings = st.sampled_from(({"a": 1}, {"a": 2, "b": 3}, {}, *SEVERAL, *SINGLE))
attributes = st.sampled_from(({"a": 1}, None, {}, {"a": 2, "b": 3, "c": 4}, *SEVERAL, *SINGLE))
names = st.sampled_from(("a", "order.submit", "größe 📈", "", "x" * 300))
times = st.sampled_from(TIMES)
whiches = st.sampled_from((None, None, None, 0, 1, 2, 3, 7))
targets = st.sampled_from((None, 0, 1, 2, 3, 7, -1, -2, -3, -4))
descriptions = st.sampled_from((None, "", "no funds", "größe"))
statuses = st.tuples(st.sampled_from(StatusCode), descriptions) | st.tuples(
    st.builds(Status, st.sampled_from((StatusCode.ERROR, StatusCode.OK, StatusCode.UNSET)))
)

acts = st.one_of(
    st.builds(Act, whiches, st.just("set_attribute"), st.tuples(st.sampled_from(KEYS), values)),
    st.builds(Act, whiches, st.just("set_attributes"), st.tuples(mappings)),
    st.builds(Act, whiches, st.just("add_event"), st.tuples(names, attributes, times)),
    st.builds(Act, whiches, st.just("add_link"), st.tuples(targets, attributes)),
    st.builds(Act, whiches, st.just("set_status"), statuses),
    st.builds(Act, whiches, st.just("update_name"), st.tuples(names)),
    st.builds(Act, whiches, st.just("record_exception"), st.tuples(st.integers(0, ERRORS - 1), attributes, times)),
    st.builds(Act, whiches, st.just("end"), st.tuples(times)),
)
leaves = st.sampled_from((acts, acts, acts, acts, st.builds(Look), st.builds(Switch))).flatmap(lambda chosen: chosen)
raises = st.builds(Raise, st.integers(0, ERRORS - 1))
truths = st.sampled_from((True, True, True, False))
hows = st.sampled_from(("block", "block", "block", "span", "use", "by hand", "function", "coroutine"))
parents = st.sampled_from((None, None, None, None, None, 0, 1, 5, "empty", "sampled", "not sampled", "local"))
links = st.lists(st.tuples(targets, attributes), max_size=2).map(tuple)
turns = st.integers(0, 4)
DEPTH = 4


@cache
def bodies(depth: int, least: int = 1) -> st.SearchStrategy[Body]:
    """A few statements, fewer and simpler ones the deeper they are; nothing follows what raises."""
    begin, compound, kinds = begins(depth), compounds(depth), st.integers(0, 19)
    sizes = st.integers(least, DEPTH - depth // 2)

    @st.composite
    def body(draw: st.DrawFn) -> Body:
        made: list[Statement] = []
        for _ in range(draw(sizes)):
            kind = draw(kinds)
            if kind == 0:
                return (*made, draw(raises))
            leaf = depth == DEPTH or kind < 2 + 3 * depth
            made.append(draw(leaves if leaf else begin if kind < 15 else compound))
        return tuple(made)

    return body()


@cache
def begins(depth: int) -> st.SearchStrategy[Statement]:
    """A span of each kind there is."""
    if depth == DEPTH:
        return st.nothing()
    inner, kinds = bodies(depth + 1), st.sampled_from(SpanKind)
    return st.builds(Begin, hows, inner, parents, links, kinds, attributes, times, truths, truths, truths)


@cache
def compounds(depth: int) -> st.SearchStrategy[Statement]:
    """What else is done around spans."""
    if depth == DEPTH:
        return st.nothing()
    inner = bodies(depth + 1)
    return st.one_of(
        st.builds(Try, inner),
        st.builds(Tasks, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Cancel, inner, turns),
        st.builds(Steps, inner, turns, inner, st.booleans()),
        st.builds(Thread, inner, st.booleans()),
        st.builds(Copied, inner),
        st.builds(Attach, whiches, inner),
        st.builds(Suppress, inner),
    )


programs = st.builds(
    Program,
    bodies(0, 2),
    st.sampled_from(("default",) * 6 + ("choosy",) * 3 + ("off",)),
    st.sampled_from(("default", "default", *LIMITS)),
)
