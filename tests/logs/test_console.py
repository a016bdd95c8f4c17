"""Lines on the console: readable, harmless, and never in the way."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_trading.logs.console import Console, _is_wanted
from otel_trading.logs.readable import readable
from tests.logs.files.numbered import line, lines

if TYPE_CHECKING:
    from collections.abc import Iterator

FULL: dict[str, Any] = {
    "timestamp": "2025-01-15T14:23:45.123456Z",
    "level": "WARNING",
    "service": "order_router",
    "message": "Paired order executed",
    "event": "order_filled",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "span_id": "00f067aa0ba902b7",
    "data": {"symbol": "BTC/USDT", "price": 67000.5, "note": "two words", "nested": {"a": [1, None]}},
    "tags": ["arbitrage"],
}


def shown(fields: object, *, colour: bool = False) -> str:
    """What a line looks like."""
    return readable(json.dumps(fields).encode(), colour=colour).decode()


def test_a_line_shows_all_it_has() -> None:
    """In one order, values as they are, quoted where they would run together."""
    assert shown(FULL) == (
        "2025-01-15 14:23:45.123456 WARNING  order_router · order_filled · Paired order executed  "
        'symbol=BTC/USDT price=67000.5 note="two words" nested={"a": [1, null]} tags=["arbitrage"] '
        "trace=4bf92f3577b34da6a3ce929d0e0e4736\n"
    )


def test_a_stack_trace_follows_below() -> None:
    """Line by line, behind everything else."""
    data = {"exception.type": "ValueError", "exception.stacktrace": 'Traceback:\n  File "x"\nValueError: no\n'}
    assert shown({**FULL, "data": data, "tags": []}).splitlines()[1:] == [
        "    Traceback:",
        '      File "x"',
        "    ValueError: no",
    ]


def test_colours_only_paint() -> None:
    """Without them it is the same text."""
    painted = shown(FULL, colour=True)
    assert "\x1b[33m" in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == shown(FULL)


@given(
    st.fixed_dictionaries(
        {"level": st.text(), "timestamp": st.text(), "message": st.text()},
        optional={
            "service": st.text(),
            "event": st.text(),
            "trace_id": st.text(),
            "data": st.dictionaries(st.text(), st.text() | st.lists(st.text())),
            "tags": st.lists(st.text()),
        },
    )
)
def test_nothing_in_a_line_steers_the_terminal(fields: dict[str, Any]) -> None:
    """What a venue sends may end up in a message: control characters are shown, not obeyed."""
    text = shown(fields)
    assert text.endswith("\n")
    assert all(each.isprintable() for each in text.splitlines()) or "\x1b" not in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


@pytest.mark.parametrize("text", [b"\xff\x1b[2J", b"{}", b"[1]", b'{"level":1', b"plain"])
def test_what_is_no_line_is_shown_as_it_is(text: bytes) -> None:
    """And harmless, too."""
    out = readable(text, colour=True).decode()
    assert out.endswith("\n")
    assert out[:-1].isprintable()


def test_json_is_left_alone() -> None:
    """For who collects what a container prints."""
    stream = io.StringIO()
    console = Console("json", stream=stream)
    console.write(lines("a", 0, 3), {})
    assert stream.getvalue().encode() == lines("a", 0, 3)


@pytest.mark.parametrize(
    ("variables", "terminal", "wanted"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colours_are_for_terminals(variables: dict[str, str], terminal: bool, wanted: bool) -> None:
    """Unless somebody says otherwise."""

    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    assert _is_wanted(Stream(), variables) is wanted


@pytest.fixture
def pipe() -> Iterator[tuple[int, Any]]:
    """A pipe: where it is read, and a stream that writes into it."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        yield reading, stream
    os.close(reading)


def test_a_reader_that_does_not_read_holds_nothing_up(pipe: tuple[int, Any]) -> None:
    """What it does not take waits, then goes, the least severe first; each line that it gets is whole."""
    reading, stream = pipe
    now = [0.0]

    def clock() -> float:
        now[0] += 0.02
        return now[0]

    console = Console("json", stream=stream, memory=50_000, clock=clock)
    lost = 0
    for first in range(0, 2_000, 10):
        lost += sum(console.write(lines("a", first, first + 10), {}).values())
    assert lost > 1_000
    os.set_blocking(reading, False)
    text = b""
    for _ in range(100):
        with contextlib.suppress(BlockingIOError):
            text += os.read(reading, 1 << 20)
        console.flush()
    lost += sum(console.close().values())
    text += os.read(reading, 1 << 20) if not text.endswith(b"\n") else b""
    found = [json.loads(each)["data"]["number"] for each in text.splitlines()]
    assert found == sorted(set(found))
    assert len(found) + lost == 2_000


def test_a_reader_that_has_gone_costs_the_lines(pipe: tuple[int, Any]) -> None:
    """They are counted."""
    reading, stream = pipe
    console = Console("json", stream=stream)
    other = os.dup(reading)
    os.close(reading)
    os.close(other)
    assert console.write(line("a", 0, "ERROR"), {}) == {"ERROR": 1}
    os.dup2(os.open(os.devnull, os.O_RDONLY), reading)  # for the fixture to close


def test_a_long_line_arrives_in_one(pipe: tuple[int, Any]) -> None:
    """Longer than what a pipe takes at once."""
    reading, stream = pipe
    console = Console("json", stream=stream)
    text = b'{"level":"INFO","message":"' + b"x" * 60_000 + b'"}\n'
    assert console.write(text + text[:20] + b'"}\n', {}) == {}
    assert os.read(reading, 1 << 17).startswith(text)


def test_a_terminal_gets_colours() -> None:
    """A real one."""
    controller, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as stream:
        console = Console(stream=stream)
        console.write(json.dumps(FULL).encode() + b"\n", {})
        time.sleep(0)
        assert b"\x1b[" in os.read(controller, 10_000)
    os.close(controller)


def test_a_closed_or_missing_stream_costs_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a bot was started without one."""
    monkeypatch.setattr("sys.stderr", None)
    stream = io.StringIO()
    stream.close()
    for console in (Console(), Console(stream=stream)):
        assert console.write(line("a", 0, "INFO"), {}) == {"INFO": 1}
