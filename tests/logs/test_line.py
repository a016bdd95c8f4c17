"""A line of JSON, to the letter, and whatever is in it."""

from __future__ import annotations

import enum
import json
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.trace import SpanContext, TraceFlags

from otel_trading import redaction
from tests.logs.conftest import written

if TYPE_CHECKING:
    from otel_trading.logs.lines import Lines

TIME = 1_736_951_025_123_456_789
SPAN = SpanContext(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, is_remote=False, trace_flags=TraceFlags(1))


def text(lines: Lines) -> str:
    lines.core.drain(True)
    return lines.core.take_lines().of(0)[0].decode()


def test_a_full_line(lines: Lines) -> None:
    """The keys in their order, numbers as numbers."""
    data = {"venue": "kraken", "price": 64123.5, "count": 3, "live": True, "note": None, "legs": [1, "b", {"c": 0.5}]}
    lines.write(9, "order sent", "order.sent", "order_router", data, ["live", "btc"], time_ns=TIME, context=SPAN)
    assert text(lines) == (
        '{"timestamp":"2025-01-15T14:23:45.123456Z","level":"INFO","service":"order_router","message":"order sent",'
        '"event":"order.sent","trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331",'
        '"data":{"venue":"kraken","price":64123.5,"count":3,"live":true,"note":null,"legs":[1,"b",{"c":0.5}]},'
        '"tags":["live","btc"]}\n'
    )


def test_a_line_with_nothing_in_it(lines: Lines) -> None:
    """What is empty is not there; the service is the bot's."""
    lines.write(17, "", time_ns=TIME)
    lines.write(13, "x", service="root", time_ns=TIME, data={}, tags=[])
    assert text(lines) == (
        '{"timestamp":"2025-01-15T14:23:45.123456Z","level":"ERROR","service":"basis-bot","message":""}\n'
        '{"timestamp":"2025-01-15T14:23:45.123456Z","level":"WARNING","service":"basis-bot","message":"x"}\n'
    )


@pytest.mark.parametrize(
    ("severity", "level"),
    [
        (0, "INFO"), (1, "DEBUG"), (5, "DEBUG"), (8, "DEBUG"), (9, "INFO"), (12, "INFO"), (13, "WARNING"),
        (16, "WARNING"), (17, "ERROR"), (20, "ERROR"), (21, "CRITICAL"), (24, "CRITICAL"), (99, "CRITICAL"),
    ],
)  # fmt: skip
def test_levels(lines: Lines, severity: int, level: str) -> None:
    """Of OpenTelemetry's severities."""
    lines.write(severity, "x")
    assert [line["level"] for line in written(lines)] == [level]


class Side(enum.StrEnum):
    BUY = "buy"


class Venue:
    def __str__(self) -> str:
        return "kraken"


class Mute:
    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __str__


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Decimal("0.10"), 0.1),
        (Decimal("1E+3"), 1000.0),
        (Decimal("123456789.012345"), 123456789.012345),
        (Decimal("123456789.0123456789"), "123456789.0123456789"),
        (Decimal("NaN"), "NaN"),
        (Decimal("-Infinity"), "-Infinity"),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (2**63, str(2**63)),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (1e300, 1e300),
        (5e-324, 5e-324),
        (-0.0, -0.0),
        (b"\x00\xff", "00ff"),
        ("\ud800 a", "? a"),
        ('"\\\n\r\t\x00\x1f\x7f\u2028', '"\\\n\r\t\x00\x1f\x7f\u2028'),
        (Side.BUY, "buy"),
        (Venue(), "kraken"),
        (Mute(), None),
        (object(), None),
        ((), []),
        ({}, {}),
        ({1: {"b": [2]}}, {"1": {"b": [2]}}),
        ({3}, "{3}"),
    ],
)
def test_values(lines: Lines, value: Any, shown: Any) -> None:
    """What is no number, text, list or mapping becomes text, or nothing."""
    lines.write(9, "x", data={"value": value, "after": 1})
    ((line),) = written(lines)
    assert line["data"] == {"value": shown, "after": 1}
    assert type(line["data"]["value"]) is type(shown)


def test_short_keys_stand_for_attributes(lines: Lines) -> None:
    """Unless they would be there twice; over OTLP the names are the full ones."""
    lines.short_keys = {"trading.order.price": "price", "trading.order.quantity": "quantity",
                        "trading.execution.quantity": "quantity"}  # fmt: skip
    assert lines.short_keys["trading.order.price"] == "price"
    lines.write(9, "a", data={"trading.order.price": 1, "trading.venue.name": "kraken"})
    lines.write(9, "b", data={"trading.order.price": 1, "price": 2})
    lines.write(9, "c", data={"trading.order.quantity": 1, "trading.execution.quantity": 2})
    assert [line["data"] for line in written(lines)] == [
        {"price": 1, "trading.venue.name": "kraken"},
        {"trading.order.price": 1, "price": 2},
        {"quantity": 1, "trading.execution.quantity": 2},
    ]


def test_a_body_that_is_no_text_is_its_json(lines: Lines) -> None:
    """As the API may log."""
    lines.write(9, {"leg": [1, 2.5]})
    lines.write(9, 5)
    lines.write(9, None)
    assert [line["message"] for line in written(lines)] == ['{"leg":[1,2.5]}', "5", ""]


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


def shown(value: Any) -> Any:  # noqa: PLR0911 - one for each kind
    """What a value is in a line."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        return value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {shown(key): shown(item) for key, item in value.items() if key}
    return [shown(item) for item in value]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    message=st.text(st.characters()),
    event=st.text(st.characters()),
    service=st.text(st.characters(), min_size=1),
    data=st.dictionaries(st.text(st.characters()), VALUES, max_size=8),
    tags=st.lists(st.text(st.characters()), max_size=3),
)
def test_any_line_is_valid_json(
    lines: Lines, message: str, event: str, service: str, data: dict[str, Any], tags: list[str]
) -> None:
    """With everything that was logged."""
    lines.write(9, message, event, service, data, tags)
    ((line),) = written(lines)
    assert line["message"] == shown(message)
    assert line.get("event", "") == shown(event)
    assert line.get("tags", []) == shown(tags)
    masked = redaction.attributes(data)  # a name may be a secret's
    wanted = {key: value for key, value in shown(masked).items() if key != "log.tags"}
    assert json.dumps(line.get("data", {})) == json.dumps(wanted)
