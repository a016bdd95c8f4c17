"""What is logged with structlog becomes lines with its fields, in each way in which structlog is set up."""

from __future__ import annotations

import io
import logging
import sys
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from otel_trading.extras import MissingExtraError
from otel_trading.logs.levels import LEVELS
from otel_trading.logs.sources.structlog import StructlogProcessor, unwrapped
from tests.logs.sources.recording import Recording, Written

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _left_as_found() -> Iterator[None]:
    LEVELS.configure("INFO", {})
    yield
    LEVELS.configure("INFO", {})
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def recording() -> Recording:
    return Recording()


def set_up(*processors: Any, **options: Any) -> io.StringIO:
    """Configure structlog with what it prints to."""
    printed = io.StringIO()
    options.setdefault("logger_factory", structlog.PrintLoggerFactory(printed))
    structlog.configure(processors=processors, **options)
    return printed


def test_fields_context_and_level_are_kept(recording: Recording) -> None:
    """And the bot's own output is what it was."""
    chain = [structlog.contextvars.merge_contextvars, structlog.processors.add_log_level]
    printed = set_up(*chain, StructlogProcessor(recording), structlog.processors.KeyValueRenderer(sort_keys=True))
    structlog.contextvars.bind_contextvars(session="s1")
    log = structlog.get_logger(symbol="BTC/USDT").bind(logger="order_router")
    log.warning("partly filled", price=67000.5, event_name="order_filled", tags=["fills"])
    assert recording.lines == [
        Written(
            13,
            "partly filled",
            "order_filled",
            "order_router",
            {"session": "s1", "symbol": "BTC/USDT", "price": 67000.5},
            ("fills",),
        )
    ]
    assert printed.getvalue().startswith("event='partly filled'")
    assert "session='s1'" in printed.getvalue()


@pytest.mark.parametrize(
    ("method", "severity"),
    [("debug", 5), ("info", 9), ("warning", 13), ("warn", 13), ("error", 17), ("critical", 21), ("fatal", 21)],
)
def test_each_level_has_its_severity(recording: Recording, method: str, severity: int) -> None:
    """By the method's name, without a processor that adds it."""
    LEVELS.set("DEBUG")
    set_up(StructlogProcessor(recording, final=True))
    getattr(structlog.get_logger(), method)("x")
    assert [line.severity for line in recording.lines] == [severity]


async def test_its_asynchronous_methods_are_the_same(recording: Recording) -> None:
    """They run in a thread."""
    set_up(StructlogProcessor(recording, final=True))
    await structlog.get_logger().ainfo("x", n=1)
    assert [(line.severity, line.data) for line in recording.lines] == [(9, {"n": 1})]


@pytest.mark.parametrize("formatted", [False, True])
def test_exceptions_are_kept(recording: Recording, formatted: bool) -> None:
    """Also where a processor before has made a text of them."""
    before = [structlog.processors.format_exc_info] if formatted else []
    set_up(*before, StructlogProcessor(recording, final=True))
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        structlog.get_logger().exception("failed", price=1)
    data = recording.lines[0].data
    assert data["price"] == 1
    assert "ZeroDivisionError: division by zero" in data["exception.stacktrace"]
    assert ("exception.type" in data) is not formatted
    assert "exc_info" not in data


def test_final_ends_the_chain(recording: Recording) -> None:
    """Nobody prints, nothing raises."""
    printed = set_up(StructlogProcessor(recording, final=True))
    structlog.get_logger().info("x")
    assert (recording.messages, printed.getvalue()) == (["x"], "")


def test_levels_change_at_run_time(recording: Recording) -> None:
    """By the logger's name."""
    set_up(StructlogProcessor(recording, final=True))
    log = structlog.get_logger().bind(logger="venue.kraken")
    log.debug("1")
    LEVELS.set("DEBUG", "venue")
    log.debug("2")
    LEVELS.set("ERROR", "venue.kraken")
    log.warning("3")
    LEVELS.set(None, "venue.kraken")
    log.debug("4")
    assert recording.messages == ["2", "4"]


class Unreadable:
    """Cannot be shown."""

    def __str__(self) -> str:
        raise ZeroDivisionError


def test_nothing_raises_into_the_bot(recording: Recording) -> None:
    """What cannot be read costs its line, which is said."""
    set_up(StructlogProcessor(recording, final=True))
    structlog.get_logger().info(Unreadable())
    structlog.get_logger().info("x", logger=Unreadable())
    structlog.get_logger().info("next")
    assert recording.messages == ["a line of structlog cannot be read: info"] * 2 + ["next"]


class Shipped(logging.Handler):
    """What the bridge gets of the standard library."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(unwrapped(record))


@pytest.fixture
def shipped() -> Iterator[Shipped]:
    """A handler in the bridge's place."""
    handler = Shipped()
    logging.getLogger("routed").addHandler(handler)
    logging.getLogger("routed").propagate = False
    yield handler
    logging.getLogger("routed").removeHandler(handler)
    logging.getLogger("routed").propagate = True


@pytest.mark.parametrize("end", ["wrap_for_formatter", "render_to_log_kwargs"])
def test_what_goes_through_the_standard_library_is_there_once_with_its_fields(
    recording: Recording, shipped: Shipped, end: str
) -> None:
    """The processor leaves the line to the bridge."""
    ends: dict[str, Any] = {
        "wrap_for_formatter": structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        "render_to_log_kwargs": structlog.stdlib.render_to_log_kwargs,
    }
    set_up(
        StructlogProcessor(recording),
        ends[end],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    structlog.get_logger("routed").warning("filled", price=1.5, event_name="order_filled")
    (record,) = shipped.records
    assert recording.lines == []
    assert (record.getMessage(), record.levelno, record.name) == ("filled", logging.WARNING, "routed")
    assert record.__dict__["price"] == 1.5
    assert record.__dict__["event.name" if end == "wrap_for_formatter" else "event_name"] == "order_filled"
    assert "_logger" not in record.__dict__


def test_fields_named_like_those_of_a_record_do_not_break_it(shipped: Shipped) -> None:
    """They get another name."""
    set_up(
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    structlog.get_logger("routed").warning("filled", name="BTC", process="match", lineno="x")
    (record,) = shipped.records
    assert (record.name, record.__dict__["name_"], record.__dict__["process_"]) == ("routed", "BTC", "match")


def test_without_structlog_the_message_says_what_to_install(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exactly."""
    monkeypatch.setitem(sys.modules, "structlog", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'otel-trading\[structlog\]'"):
        StructlogProcessor(recording)
