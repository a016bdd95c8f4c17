"""What the bot logs with: ``Log`` and ``Lines.write``."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from otel_trading.tracing.native import NativeTracerProvider
from tests.logs.conftest import sent, written

if TYPE_CHECKING:
    from otel_trading.logs.lines import Lines


class Mute:
    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __str__


def test_each_level(lines: Lines) -> None:
    """Each call has its level, its component and its fields."""
    log = lines.log("router")
    for call in (log.debug, log.info, log.warning, log.error, log.critical, log.exception):
        call("sent", price=1.5)
    assert [(line["level"], line["service"], line["message"], line["data"]) for line in written(lines)] == [
        (level, "router", "sent", {"price": 1.5})
        for level in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "ERROR")
    ]
    assert lines.log("router") is log
    assert (log.name, log.level) == ("router", 0)


def test_over_otlp(lines: Lines) -> None:
    """Body, event, severity, scope, attributes, tags."""
    lines.log("router").warning("sent", event="order.sent", tags=("live",), price=1.5)
    (record,) = sent(lines)
    assert (record.body.string_value, record.event_name) == ("sent", "order.sent")
    assert (record.severity_number, record.severity_text) == (13, "WARN")
    assert record.time_unix_nano == record.observed_time_unix_nano > 0
    told = {each.key: each.value for each in record.attributes}
    assert told["price"].double_value == 1.5
    assert [tag.string_value for tag in told["log.tags"].array_value.values] == ["live"]


def test_a_bound_logger_has_its_fields_in_each_line(lines: Lines) -> None:
    """A call's fields come before those of the logger."""
    outer = lines.log("router").bind(venue="kraken", legs=["a"], side="buy")
    inner = outer.bind(side="sell", count=2)
    outer.info("a", price=1)
    inner.info("b", venue="binance")
    assert [line["data"] for line in written(lines)] == [
        {"venue": "kraken", "legs": ["a"], "side": "buy", "price": 1},
        {"legs": ["a"], "side": "sell", "count": 2, "venue": "binance"},
    ]


def test_a_level_holds_for_a_logger_and_those_bound_to_it(lines: Lines) -> None:
    """Whenever it is changed; without one that of all loggers holds."""
    log, other = lines.log("router"), lines.log("other")
    bound = log.bind(a=1)
    lines.core.level = 13
    log.info("no")
    other.warning("yes")
    bound.set_level(5)
    assert log.level == bound.level == 5
    log.debug("yes")
    bound.debug("yes")
    other.info("no")
    log.set_level(0)
    bound.info("no")
    assert [line["message"] for line in written(lines)] == ["yes"] * 3


def failing() -> None:
    raise ValueError("no such symbol")


@pytest.mark.parametrize("how", ["error", "exc_info", "True", "exception", "tuple"])
def test_an_exception_goes_along(lines: Lines, how: str) -> None:
    """With its type, message and stack."""
    log = lines.log("router")
    try:
        failing()
    except ValueError as error:
        if how == "exception":
            log.exception("bad", n=1)
        elif how == "True":
            log.error("bad", n=1, exc_info=True)  # noqa: G201 - as people may write it
        elif how == "tuple":
            log.error("bad", n=1, exc_info=(ValueError, error, error.__traceback__))  # noqa: TRY400
        else:
            log.error("bad", **{how: error}, n=1)  # type: ignore[arg-type]  # noqa: TRY400 - as people may write it
    ((line),) = written(lines)
    assert line["data"]["n"] == 1
    assert line["data"]["exception.type"] == "ValueError"
    assert line["data"]["exception.message"] == "no such symbol"
    assert "in failing\n" in line["data"]["exception.stacktrace"]


def test_an_error_that_is_no_exception_is_a_field(lines: Lines) -> None:
    """None is none."""
    lines.log("router").error("bad", error="timeout")
    lines.log("router").error("bad", error=None)
    assert [line.get("data") for line in written(lines)] == [{"error": "timeout"}, None]


def test_calls_as_the_standard_library_has_them(lines: Lines) -> None:
    """Arguments are put into the message, as far as they fit."""
    log = lines.log("router")
    log.info("order %s of %d", "a", 5)
    log.info("order %(a)s", {"a": 1})
    log.info("order %d", "a")
    log.info("100 %")
    log.info(5)
    log.info()  # type: ignore[call-arg]
    log.info(Mute())
    assert [line["message"] for line in written(lines)] == [
        "order a of 5", "order 1", "order %d ('a',)", "100 %", "5", "", "<Mute: ZeroDivisionError>",
    ]  # fmt: skip


def test_names_that_a_call_has_for_itself_may_come_from_a_mapping(lines: Lines) -> None:
    """Not interned."""
    lines.log("router").info("x", **{"event "[:5]: "order.sent", "tags "[:4]: ["a"]})  # type: ignore[arg-type]
    ((line),) = written(lines)
    assert (line["event"], line["tags"], line.get("data")) == ("order.sent", ["a"], None)


@pytest.mark.parametrize(
    ("tags", "shown"),
    [
        ("live", ["live"]),
        (("a", 5), ["a", "5"]),
        ([], None),
        (None, None),
        ({"a"}, ["{'a'}"]),
        (Mute(), ["None"]),
        (5, ["5"]),
    ],
)
def test_tags_of_any_kind(lines: Lines, tags: Any, shown: Any) -> None:
    """A text is one tag; what is no text becomes one."""
    lines.log("router").info("x", tags=tags)
    ((line),) = written(lines)
    assert line.get("tags") == shown


def test_the_current_span_is_that_of_the_line(lines: Lines) -> None:
    """One of the engine, one from elsewhere, none, or the one that is given."""
    tracer = NativeTracerProvider().get_tracer("bot")
    with tracer.start_as_current_span("tick") as span:
        lines.log("a").info("x")
        own = span.get_span_context()
    other = SpanContext(5, 7, is_remote=True, trace_flags=TraceFlags(1))
    with trace.use_span(NonRecordingSpan(other)):
        lines.write(9, "x")
        lines.write(9, "x", context=own)
        lines.write(9, "x", context=trace.INVALID_SPAN_CONTEXT)
    lines.write(9, "x")
    found = [(line.get("trace_id"), line.get("span_id")) for line in written(lines)]
    mine = (f"{own.trace_id:032x}", f"{own.span_id:016x}")
    assert found == [mine, (f"{5:032x}", f"{7:016x}"), mine, (None, None), (None, None)]


WRONG: dict[str, dict[str, Any]] = {
    "a severity that is none": {"severity": "high"},
    "a severity that is too high": {"severity": 10**20},
    "a message that cannot be shown": {"message": Mute()},
    "an event that is a number": {"event": 5},
    "an event that cannot be shown": {"event": Mute()},
    "a service that is none": {"service": None},
    "a service that is a number": {"service": 5},
    "data that is a list": {"data": [1]},
    "data with keys that are no texts": {"data": {1: 2, None: 3, Mute(): 4, "": 5, "a": 6}},
    "a value that cannot be shown": {"data": {"a": Mute()}},
    "tags that cannot be shown": {"tags": [Mute()]},
    "a time that is none": {"time_ns": "yesterday"},
    "a time before 1970": {"time_ns": -1},
    "a context that is none": {"context": 5},
    "a context that raises": {"context": Mute()},
}


@pytest.mark.parametrize("what", WRONG)
def test_nothing_raises(lines: Lines, what: str) -> None:
    """The line is written all the same."""
    lines.write(**{"severity": 9, "message": "x", **WRONG[what]})
    lines.log("router").info(**{"message": 1, **WRONG[what]})  # type: ignore[call-arg]
    assert len(written(lines)) == 2
    assert len(sent(lines)) == 0


def test_a_value_that_contains_itself_costs_itself(lines: Lines) -> None:
    """Nothing else."""
    loop: list[Any] = []
    loop.append(loop)
    lines.log("router").info("x", loop=loop, a=1)
    ((line),) = written(lines)
    assert line["data"] == {"loop": None, "a": 1}


def test_a_value_that_logs_while_it_is_shown(lines: Lines) -> None:
    """Both lines are there."""

    class Talks:
        def __str__(self) -> str:
            lines.log("inner").info("shown")
            return "talks"

    lines.log("outer").info("x", value=Talks())
    lines.write(9, "y", data={"value": Talks(), "b": 1})
    assert [(line["service"], line.get("data")) for line in written(lines)] == [
        ("inner", None), ("outer", {"value": "talks"}), ("inner", None), ("basis-bot", {"value": "talks", "b": 1}),
    ]  # fmt: skip


def test_more_attributes_than_the_limit_are_counted(lines: Lines) -> None:
    """And texts cut to the length there may be."""
    lines.core.set_limits(3, 4)
    lines.log("a").info("longer than that", a="12345", b=["12345"], c=1, d=2, e=3)
    lines.write(9, "x", data={"a": "12345", "b": 1, "c": 2, "d": 3})
    first, second = sent(lines)
    assert (first.dropped_attributes_count, second.dropped_attributes_count) == (2, 1)
    assert first.body.string_value == "longer than that"
    assert [line["data"] for line in written(lines)] == [
        {"a": "1234", "b": ["1234"], "c": 1}, {"a": "1234", "b": 1, "c": 2},
    ]  # fmt: skip


def test_nothing_is_taken_while_it_is_off(lines: Lines) -> None:
    """Nor counted."""
    lines.core.enabled = False
    lines.log("a").error("x")
    lines.write(17, "x")
    lines.core.enabled = True
    lines.core.set_demand(None, None)
    lines.write(17, "x")
    assert lines.core.counts()["emitted"] == 0


def test_many_threads(lines: Lines) -> None:
    """Each line is there once, and each thread's in its order."""
    lines.record(None, size=1 << 26)
    threads = [threading.Thread(target=_log, args=(lines, number)) for number in range(8)]
    for thread in threads:
        thread.start()
    found: list[dict[str, Any]] = []
    while any(thread.is_alive() for thread in threads):
        found += written(lines)
    found += written(lines)
    for number in range(8):
        assert [line["data"]["n"] for line in found if line["service"] == f"thread {number}"] == list(range(2_000))
    assert len(found) == 16_000


def _log(lines: Lines, number: int) -> None:
    log = lines.log(f"thread {number}")
    for count in range(2_000):
        log.error("x", n=count, values=[count])
