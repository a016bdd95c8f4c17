from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from opentelemetry.trace import SpanKind

from tests.tracing.compare import differences, exported
from tests.tracing.machine import Machine
from tests.tracing.programs import Act, Begin, Program, Raise, programs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.tracing.engines import Name


@pytest.fixture(autouse=True, scope="module")
def silent() -> Iterator[None]:
    """Give an SDK that does not log each value it refuses, and each context it cannot restore."""
    logger = logging.getLogger("opentelemetry")
    logger.setLevel(logging.CRITICAL + 1)
    yield
    logger.setLevel(logging.NOTSET)


@settings(max_examples=300)
@given(program=programs)
def test_both_engines_export_the_same_spans(engine: Name, program: Program) -> None:
    """Whatever a bot does in tasks, threads, generators and blocks: the spans are the SDK's, and so is the context."""
    found = differences(Machine("sdk", program), Machine(engine, program))
    assert not found, "\n".join(found)


def program(how: str, **changes: object) -> Program:
    """A small program."""
    fields: dict[str, object] = {
        "body": (Act(None, "add_event", ("e", {"k": 1}, None)), Raise(0)),
        "parent": None,
        "links": ((-4, {"k": 1}),),
        "kind": SpanKind.CLIENT,
        "attributes": {"k": 1},
        "start": None,
        "record": True,
        "status": True,
        "ends": True,
    }
    begin = Begin(how=how, **{**fields, **changes})  # type: ignore[arg-type]
    return Program((begin,), "default", "default")


def test_the_comparison_can_fail() -> None:
    """A program that does something else differs where it does."""
    base = Machine("sdk", program("block"))
    assert exported(base)["0.0"]["name"] == "'0.0'"
    assert differences(base, Machine("sdk", program("block"))) == []
    cases: dict[str, dict[str, object]] = {
        "kind": {"kind": SpanKind.SERVER},
        "attributes": {"attributes": {"k": True}},
        "links": {"links": ((-4, {"k": 2}),)},
        "times": {"start": 5},
        "parent": {"parent": "local"},
        "events": {"record": False},
        "status": {"status": False},
        "spans": {"ends": False},
        "log": {"body": ()},
    }
    for field, changes in cases.items():
        found = differences(base, Machine("sdk", program("block", **changes)))
        assert any(field in line.split(":")[0] for line in found), (field, found)


def test_frames_of_a_stack() -> None:
    """The program's are kept, an engine's are not."""
    from tests.tracing.compare import frames

    machine = Machine("sdk", program("block"))
    (_, exception) = machine.finished[0].events
    lines = frames(exception.attributes["exception.stacktrace"])
    assert lines[0] == "Traceback (most recent call last):"
    assert [line[2] for line in lines[1:-1]] == ["_block", "inside", "_run", "_raise"]
    assert lines[-1] == "ValueError: 0.0.1"
