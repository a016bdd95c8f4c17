from __future__ import annotations

import logging

import pytest
from opentelemetry import trace

from otel_trading.testing import Captured, NotCapturedError


def test_spans_are_captured_when_they_end(telemetry: Captured) -> None:
    """A finished span shows name, duration, attributes, events, status and its parent."""
    with telemetry.tracer.start_as_current_span("tick") as tick:
        with pytest.raises(ZeroDivisionError), telemetry.tracer.start_as_current_span("decide") as decide:
            decide.set_attribute("trading.order.side", "buy")
            telemetry.advance(0.125)
            raise ZeroDivisionError
        assert telemetry.traces.names == ["decide"]
    assert telemetry.traces.names == ["decide", "tick"]
    captured = telemetry.traces.one("decide")
    assert (captured.duration, captured.status, captured.events) == (0.125, "ERROR", ("exception",))
    assert captured.attributes == {"trading.order.side": "buy"}
    assert captured.parent_id == f"{tick.get_span_context().span_id:016x}" == telemetry.traces[1].span_id
    assert telemetry.traces.where(trading_order_side="buy") == [captured]
    assert telemetry.traces[-1].parent_id is None


def test_spans_that_are_not_there_are_told_with_those_that_are(telemetry: Captured) -> None:
    """One name, one span: none or two are an error that lists what was captured."""
    for _ in range(2):
        telemetry.tracer.start_span("order.submit").end()
    with pytest.raises(NotCapturedError, match=r"did you mean 'order\.submit'"):
        telemetry.traces.one("order.submitt")
    with pytest.raises(NotCapturedError, match=r"2 spans order\.submit"):
        telemetry.traces.one("order.submit")


def test_the_global_api_is_captured(telemetry: Captured) -> None:
    """A library that only knows OpenTelemetry's API is captured too."""
    with trace.get_tracer("library").start_as_current_span("library.call"):
        pass
    assert telemetry.traces.one().name == "library.call"


@pytest.mark.telemetry(deterministic_ids=True)
def test_ids_are_numbered_on_request(telemetry: Captured) -> None:
    """With deterministic ids every run has the same ones, counted from one."""
    for _ in range(2):
        telemetry.tracer.start_span("order.submit").end()
    assert [span.trace_id for span in telemetry.traces] == [f"{1:032x}", f"{2:032x}"]
    assert [span.span_id for span in telemetry.traces] == [f"{1:016x}", f"{2:016x}"]


def test_logging_is_captured_with_the_span_it_happened_in(telemetry: Captured) -> None:
    """A record of the standard library keeps level, logger, text, attributes and trace; info is captured."""
    with telemetry.tracer.start_as_current_span("order.submit"):
        logging.getLogger("bot.orders").info("filled %s", 7, extra={"trading.order.side": "buy"})
    record = telemetry.logs.one("filled")
    assert (record.body, record.level, record.logger) == ("filled 7", "INFO", "bot.orders")
    assert record.attributes["trading.order.side"] == "buy"
    assert record.trace_id == telemetry.traces.one().trace_id
    assert telemetry.logs.texts == ["filled 7"]


def test_log_records_are_selected(telemetry: Captured) -> None:
    """By text, level, logger, event and attributes; one() wants exactly one."""
    bot, venue = logging.getLogger("bot"), logging.getLogger("venue")
    bot.warning("late", extra={"otel.event.name": "feed.stale", "venue": "kraken"})
    venue.critical("late")
    assert len(telemetry.logs.where("late")) == 2
    assert telemetry.logs.where(level="CRITICAL") == telemetry.logs.where(logger="venue") == telemetry.logs[1:]
    assert telemetry.logs.one(event="feed.stale").attributes == {"venue": "kraken"}
    assert telemetry.logs.where(venue="kraken") == telemetry.logs[:1]
    with pytest.raises(NotCapturedError, match=r"2 log records 'late'(.|\n)*CRITICAL venue: late"):
        telemetry.logs.one("late")


def test_logs_are_stamped_by_the_clock(telemetry: Captured) -> None:
    """Records carry the test's time, as everything else."""
    telemetry.advance(10)
    logging.getLogger("bot").warning("late")
    assert telemetry.logs[0].time == telemetry.clock.time()


@pytest.mark.telemetry(log_level="DEBUG")
def test_the_log_level_is_an_option(telemetry: Captured) -> None:
    """Asked for DEBUG, debugging is captured."""
    logging.getLogger("bot").debug("detail")
    assert telemetry.logs.texts == ["detail"]
