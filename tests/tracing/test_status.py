from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.trace import Status, StatusCode

if TYPE_CHECKING:
    from tests.tracing.conftest import MakeBench

UNSET, OK, ERROR = StatusCode.UNSET, StatusCode.OK, StatusCode.ERROR
Step = StatusCode | Status | tuple[StatusCode, str | None]

RULES: dict[str, tuple[list[Step], tuple[str, str]]] = {
    "nothing": ([], ("UNSET", "")),
    "unset": ([UNSET], ("UNSET", "")),
    "ok": ([OK], ("OK", "")),
    "error": ([ERROR], ("ERROR", "")),
    "error with a description": ([(ERROR, "no funds")], ("ERROR", "no funds")),
    "error of any text": ([(ERROR, "größe\n📈")], ("ERROR", "größe\n📈")),
    "error with an empty description": ([(ERROR, "")], ("ERROR", "")),
    "status object": ([Status(ERROR, "no funds")], ("ERROR", "no funds")),
    "status object ok": ([Status(OK)], ("OK", "")),
    "default status object": ([Status()], ("UNSET", "")),
    "ok has no description": ([(OK, "fine")], ("OK", "")),
    "status object ok has no description": ([Status(OK, "fine")], ("OK", "")),
    "unset has no description": ([(UNSET, "hm")], ("UNSET", "")),
    "the last error counts": ([(ERROR, "first"), (ERROR, "second")], ("ERROR", "second")),
    "an error without description clears one": ([(ERROR, "first"), ERROR], ("ERROR", "")),
    "ok wins over an error before": ([(ERROR, "no funds"), OK], ("OK", "")),
    "ok wins over an error after": ([OK, (ERROR, "no funds")], ("OK", "")),
    "ok wins over a status object after": ([Status(OK), Status(ERROR, "no funds")], ("OK", "")),
    "unset is ignored after an error": ([(ERROR, "no funds"), UNSET], ("ERROR", "no funds")),
    "an unset object is ignored after an error": ([(ERROR, "no funds"), Status()], ("ERROR", "no funds")),
    "unset is ignored after ok": ([OK, UNSET], ("OK", "")),
}


@pytest.mark.parametrize("rule", RULES)
def test_rules(bench: MakeBench, rule: str) -> None:
    """``OK`` is final, ``UNSET`` is ignored, only an error has a description."""
    steps, expected = RULES[rule]
    made = bench()
    span = made.tracer.start_span("a")
    for step in steps:
        if isinstance(step, tuple):
            span.set_status(*step)
        else:
            span.set_status(step)
    span.end()
    assert (made.only().status, made.only().message) == expected


def test_a_description_beside_a_status_is_not_used(bench: MakeBench, messages: list[str]) -> None:
    """The status has its own; that the other is ignored, is said."""
    made = bench()
    span = made.tracer.start_span("a")
    span.set_status(Status(ERROR, "inside"), "beside")
    span.end()
    assert (made.only().status, made.only().message) == ("ERROR", "inside")
    assert len(messages) == 1


@pytest.mark.parametrize("status", ["OK", "ERROR", 2, None, object()])
def test_what_is_no_status_is_ignored(bench: MakeBench, status: Any) -> None:
    """Nothing is raised, and the status before stays."""
    made = bench()
    span = made.tracer.start_span("a")
    span.set_status(ERROR, "no funds")
    span.set_status(status)
    span.set_status(status, "other")
    span.end()
    assert (made.only().status, made.only().message) == ("ERROR", "no funds")


@pytest.mark.parametrize("description", [5, b"x", object()])
def test_a_description_that_is_no_text_is_left_out(bench: MakeBench, messages: list[str], description: Any) -> None:
    """The status counts all the same, and one message says so."""
    made = bench()
    span = made.tracer.start_span("a")
    span.set_status(ERROR, description)
    span.end()
    assert (made.only().status, made.only().message) == ("ERROR", "")
    assert len(messages) == 1


def test_a_long_description_stays_whole(bench: MakeBench) -> None:
    """The limit of attribute values is not one of descriptions."""
    from opentelemetry.sdk.trace import SpanLimits

    made = bench(span_limits=SpanLimits(max_attribute_length=5))
    span = made.tracer.start_span("a" * 1_000)
    span.set_status(ERROR, "x" * 10_000)
    span.end()
    assert (made.only().name, made.only().message) == ("a" * 1_000, "x" * 10_000)
