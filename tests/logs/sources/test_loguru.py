"""What is logged with loguru becomes lines with its fields."""

from __future__ import annotations

import io
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from loguru import logger

from otel_trading.extras import MissingExtraError
from otel_trading.logs.levels import LEVELS
from otel_trading.logs.sources.loguru import add_loguru_sink
from tests.logs.files.numbered import breaks
from tests.logs.sources.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = __name__


@pytest.fixture
def printed() -> Iterator[io.StringIO]:
    """What the bot's own sink gets."""
    out = io.StringIO()
    LEVELS.configure("INFO", {})
    logger.remove()
    logger.add(out, format="{level} {message}", level="DEBUG")
    yield out
    logger.remove()
    LEVELS.configure("INFO", {})


@pytest.fixture
def recording(printed: io.StringIO) -> Iterator[Recording]:
    """What becomes of it here."""
    kept = Recording()
    undo = add_loguru_sink(kept)
    yield kept
    undo()


def test_extra_is_kept_and_the_bots_output_is_what_it_was(recording: Recording, printed: io.StringIO) -> None:
    """Bound, of the context, and of the call."""
    with logger.contextualize(session="s1"):
        logger.bind(symbol="BTC/USDT").info("filled at {price}", price=67000.5, event="order_filled", tags=["fills"])
    (line,) = recording.lines
    assert (line.severity, line.message, line.event, line.service) == (9, "filled at 67000.5", "order_filled", HERE)
    assert line.data == {"session": "s1", "symbol": "BTC/USDT", "price": 67000.5}
    assert line.tags == ("fills",)
    assert printed.getvalue() == "INFO filled at 67000.5\n"


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        ("TRACE", 1),
        ("DEBUG", 5),
        ("INFO", 9),
        ("SUCCESS", 12),
        ("WARNING", 13),
        ("ERROR", 17),
        ("CRITICAL", 21),
        (33, 16),
    ],
)
def test_each_level_has_its_severity(recording: Recording, level: str | int, severity: int) -> None:
    """Also those of loguru alone, and numbers."""
    LEVELS.set("TRACE")
    logger.log(level, "x")
    assert [line.severity for line in recording.lines] == [severity]


def test_exceptions_are_kept(recording: Recording, printed: io.StringIO) -> None:
    """With their stack, but without values of variables."""
    secret = "a" * 10
    try:
        _ = 1 / (len(secret) - 10)
    except ZeroDivisionError:
        logger.exception("failed")
    data = recording.lines[0].data
    assert (data["exception.type"], data["exception.message"]) == ("ZeroDivisionError", "division by zero")
    assert "test_loguru" in data["exception.stacktrace"]
    assert secret not in data["exception.stacktrace"]


def test_levels_change_at_run_time_without_a_line_lost_or_twice(recording: Recording, printed: io.StringIO) -> None:
    """While other threads log."""
    stop = threading.Event()
    logged = [0, 0]

    def log(place: int) -> None:
        while not stop.is_set():
            logger.warning("{} {}", place, logged[place])
            logged[place] += 1

    threads = [threading.Thread(target=log, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    for level in ("DEBUG", "INFO") * 20:
        LEVELS.set(level)
    stop.set()
    for thread in threads:
        thread.join()
    for place in range(2):
        found = [int(m.split()[1]) for m in recording.messages if m.startswith(f"{place} ")]
        assert breaks(found) == []
        assert len(found) == logged[place]
    logger.debug("off")
    LEVELS.set("DEBUG", HERE)
    logger.debug("on")
    assert recording.messages[-1] == "on"


def test_a_sink_that_the_bot_removes_stays_removed(recording: Recording) -> None:
    """Also when levels change afterwards."""
    logger.remove()
    LEVELS.set("DEBUG")
    logger.error("x")
    assert recording.lines == []


class Intercept(logging.Handler):
    """What loguru's documentation shows: records of the standard library go to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        logger.opt(depth=6, exception=record.exc_info).log(record.levelname, record.getMessage())


def test_records_of_the_standard_library_come_once(recording: Recording, printed: io.StringIO) -> None:
    """They have their line by the bridge; what a handler of the bot says by itself is not one of them."""

    class Own(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logger.warning("an alert")

    bots = logging.getLogger("intercepted")
    bots.propagate = False
    handlers: list[Any] = [Intercept(), Own()]
    for handler in handlers:
        bots.addHandler(handler)
    try:
        bots.warning("filled %s", "BTC")
    finally:
        for handler in handlers:
            bots.removeHandler(handler)
        bots.propagate = True
    logger.info("its own")
    assert "WARNING filled BTC" in printed.getvalue()
    assert recording.messages == ["an alert", "its own"]


def test_nothing_raises_into_the_bot(printed: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    """What fails costs the line; loguru says so on the error stream."""

    class Failing(Recording):
        def write(self, *_: object, **__: object) -> None:
            raise ZeroDivisionError

    undo = add_loguru_sink(Failing())
    logger.info("x")
    undo()
    undo()
    assert printed.getvalue() == "INFO x\n"


def test_without_loguru_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly."""
    monkeypatch.setitem(sys.modules, "loguru", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'otel-trading\[loguru\]'"):
        add_loguru_sink(Recording())
