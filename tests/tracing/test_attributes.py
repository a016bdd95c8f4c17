from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import math
import types
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from opentelemetry.trace import Link, SpanContext

from tests.tracing.compare import exact
from tests.tracing.deviations import deviates

if TYPE_CHECKING:
    from tests.tracing.conftest import MakeBench
    from tests.tracing.engines import Bench, Name


class Side(str, enum.Enum):  # noqa: UP042 - its str() is not its value
    BUY = "buy"


class Leg(enum.IntEnum):
    FIRST = 1


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "other"


class Silent:
    pass


class Told:
    def __repr__(self) -> str:
        return "told"


@dataclasses.dataclass
class Order:
    size: int = 1


Pair = collections.namedtuple("Pair", "bid ask")  # noqa: PYI024 - the plain kind, too

PLAIN = [
    (True, True),
    (False, False),
    (0, 0),
    (-1, -1),
    (2**63 - 1, 2**63 - 1),
    (-(2**63), -(2**63)),
    (1.5, 1.5),
    (-0.0, -0.0),
    (math.nan, math.nan),
    (math.inf, math.inf),
    (5e-324, 5e-324),
    ("", ""),
    ("kalshi", "kalshi"),
    ("größe 📈 \x00 \n", "größe 📈 \x00 \n"),
    (b"", b""),
    (b"\xff\x00", b"\xff\x00"),
    (None, None),
    ([], ()),
    ((), ()),
    ([1, 2], (1, 2)),
    (("a", "b"), ("a", "b")),
    ([True, 1, 1.0, "1", b"1", None], (True, 1, 1.0, "1", b"1", None)),
    ([[1], [], [["a"]]], ((1,), (), (("a",),))),
    ([None], (None,)),
    ({}, {}),
    ({"a": 1, "b": {"c": [None, {"d": b"x"}]}}, {"a": 1, "b": {"c": (None, {"d": b"x"})}}),
    (types.MappingProxyType({"a": 1}), {"a": 1}),
    (collections.UserDict({"a": 1}), {"a": 1}),
    (collections.deque([1, 2]), (1, 2)),
    (range(3), (0, 1, 2)),
    (bytearray(b"ab"), (97, 98)),
    (memoryview(b"ab"), (97, 98)),
    (Pair(1, 2.0), (1, 2.0)),
    (Side.BUY, "buy"),
    (Leg.FIRST, 1),
    (Text("text"), "text"),
    (np.float64(0.5), 0.5),
    ([np.float64(0.5)], (0.5,)),
]
"""Values that are taken as they are; sequences become arrays, mappings lists of pairs."""

FOREIGN = [
    (np.int64(3), "3"),
    (np.float32(0.5), "0.5"),
    (np.bool_(True), "True"),
    (np.array([1, 2]), "[1 2]"),
    (decimal.Decimal("1.50"), "1.50"),
    (dt.date(2025, 1, 2), "2025-01-02"),
    ({1}, "{1}"),
    (frozenset(), "frozenset()"),
    (1j, "1j"),
    (Told(), "told"),
    (Order(), "Order(size=1)"),
    (ValueError("x"), "x"),
    (int, "<class 'int'>"),
    ({"a": 1}.keys(), "dict_keys(['a'])"),
    (Silent(), None),
    ([1, Silent(), decimal.Decimal(2)], (1, None, "2")),
    ({"a": {"b": Silent()}}, {"a": {"b": None}}),
]
"""Values that are no attribute values: their text is taken, and nothing when they have none of their own."""


def everywhere(made: Bench, attributes: Any) -> None:
    """A span that has attributes in each way there is, one after the other."""
    link = SpanContext(1, 2, is_remote=False)
    with made.tracer.start_as_current_span("start", attributes=attributes):
        pass
    span = made.tracer.start_span("later", links=[Link(link, attributes)])
    span.set_attributes(attributes)
    span.add_event("event", attributes)
    span.add_link(link, attributes)
    span.end()
    span = made.tracer.start_span("single")
    for key, value in attributes.items():
        span.set_attribute(key, value)
    span.end()


def seen(made: Bench) -> list[dict[str, Any]]:
    """What ``everywhere`` has left."""
    found = made.named()
    later = found["later"]
    links = [link.attributes for link in later.links]
    return [found["start"].attributes, later.attributes, later.event.attributes, *links, found["single"].attributes]


def names(cases: list[tuple[Any, Any]]) -> list[str]:
    """One for each case."""
    return [f"{type(given).__name__}-{number}" for number, (given, _) in enumerate(cases)]


@pytest.mark.parametrize(("given", "expected"), PLAIN, ids=names(PLAIN))
def test_values(bench: MakeBench, messages: list[str], given: Any, expected: Any) -> None:
    """Of span, event and link alike, with their types; nothing is reported."""
    made = bench()
    everywhere(made, {"k": given})
    assert {exact(attributes) for attributes in seen(made)} == {exact({"k": expected})}
    assert messages == []


@pytest.mark.parametrize(("given", "expected"), FOREIGN, ids=names(FOREIGN))
def test_values_of_other_types(bench: MakeBench, messages: list[str], given: Any, expected: Any) -> None:
    """They become text with a warning and raise nothing."""
    made = bench()
    span = made.tracer.start_span("first")
    span.set_attribute("k", given)
    span.end()
    assert exact(made.only().attributes) == exact({"k": expected})
    assert len(messages) == (2 if isinstance(given, list) else 1)
    made = bench()
    everywhere(made, {"k": given})
    assert {exact(attributes) for attributes in seen(made)} == {exact({"k": expected})}


def test_a_warning_is_given_once(bench: MakeBench, engine: Name, messages: list[str]) -> None:
    """By ours, however often a bot does it."""
    made, value = bench(), cast("str", Silent())
    for _ in range(1_000):
        span = made.tracer.start_span("a", attributes={"k": value})
        span.set_attribute("k", value)
        span.end()
    assert len(messages) == (1 if deviates(engine, "repeated warnings") else 2_000)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2**63, "9223372036854775808"),
        (-(2**63) - 1, "-9223372036854775809"),
        (10**40, "1" + "0" * 40),
        ([2**63, 1], ("9223372036854775808", 1)),
        ({"a": 2**63}, {"a": "9223372036854775808"}),
    ],
)
def test_integers_beyond_64_bits(bench: MakeBench, engine: Name, value: Any, text: Any) -> None:
    """The SDK loses the attribute, ours becomes text; the others are there."""
    made = bench()
    everywhere(made, {"k": value, "other": 1})
    expected: dict[str, Any] = {"other": 1}
    if deviates(engine, "integers beyond 64 bits"):
        expected["k"] = text
    assert {exact(attributes) for attributes in seen(made)} == {exact(expected)}


@pytest.mark.parametrize(
    ("value", "clean"),
    [("a\ud800", "a?"), (["a\ud800"], ("a?",)), ({"a": "a\ud800"}, {"a": "a?"})],
    ids=["a", "b", "c"],
)
def test_text_that_has_no_utf_8(bench: MakeBench, engine: Name, value: Any, clean: Any) -> None:
    """The SDK loses the attribute, ours has a question mark; the others are there."""
    made = bench()
    everywhere(made, {"k": value, "other": 1})
    expected: dict[str, Any] = {"other": 1}
    if deviates(engine, "text without UTF-8"):
        expected["k"] = clean
    assert {exact(attributes) for attributes in seen(made)} == {exact(expected)}


def test_a_value_whose_text_raises(bench: MakeBench, engine: Name) -> None:
    """The SDK raises it into the bot, ours has no value."""

    class Mute:
        def __str__(self) -> str:
            raise ZeroDivisionError

    made = bench()
    span: Any = made.tracer.start_span("a")
    expected: dict[str, Any] = {"other": 1}
    if deviates(engine, "failing texts"):
        span.set_attribute("k", Mute())
        expected["k"] = None
    else:
        with pytest.raises(ZeroDivisionError):
            span.set_attribute("k", Mute())
    span.set_attribute("other", 1)
    span.end()
    assert made.only().attributes == expected


def test_the_last_value_of_a_key_counts(bench: MakeBench) -> None:
    """Whatever its type was before; the key is there once."""
    made = bench()
    span = made.tracer.start_span("a", attributes={"k": 1, "other": 1})
    span.set_attribute("k", "two")
    span.set_attributes({"k": 3.0, "new": True})
    span.set_attribute("other", None)
    span.end()
    assert exact(made.only().attributes) == exact({"k": 3.0, "new": True, "other": None})


@pytest.mark.parametrize("key", ["", None, 5, b"k"])
def test_a_single_attribute_needs_a_key(bench: MakeBench, messages: list[str], key: Any) -> None:
    """Without a text it is left out, counted as dropped, and reported."""
    made = bench()
    span = made.tracer.start_span("a")
    span.set_attribute(key, 1)
    span.set_attribute("k", 2)
    span.end()
    assert (made.only().attributes, made.only().dropped_attributes) == ({"k": 2}, 1)
    assert len(messages) == 1


def test_keys_of_mappings(bench: MakeBench) -> None:
    """They become text; those that are empty or false, or have no text, are left out and counted at the top."""
    made = bench()
    given: dict[Any, Any] = {"k": 1, 5: "five", "": 2, None: 3, 0: 4, (): 5, b"b": 6, Silent(): 7, Told(): 8}
    clean = {"k": 1, "5": "five", "b'b'": 6, "told": 8}
    span = made.tracer.start_span("a", attributes=given, links=[Link(SpanContext(1, 2, is_remote=False), given)])
    span.add_event("event", given)
    span.set_attribute("nested", given)
    span.end()
    found = made.only()
    assert exact(found.attributes) == exact({**clean, "nested": clean})
    assert found.dropped_attributes == 5
    for other in (found.event, found.links[0]):
        assert exact(other.attributes) == exact(clean)
        assert other.dropped == 5


def test_keys_that_become_the_same_text(bench: MakeBench) -> None:
    """The last one counts and the others are dropped."""
    made = bench()
    span = made.tracer.start_span("a", attributes={5: "a", "5": "b"})  # type: ignore[dict-item]
    span.end()
    assert (made.only().attributes, made.only().dropped_attributes) == ({"5": "b"}, 1)
