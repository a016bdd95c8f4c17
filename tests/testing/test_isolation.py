from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import otel_trading as ot
from otel_trading.testing import Captured, capture
from tests.core.otlp_receiver import OtlpReceiver
from tests.environment import bare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

frames = metrics.get_meter("bot").create_counter("bot.frames")
"""Made when the bot's module is imported, before anything is captured."""


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A Collector."""
    with OtlpReceiver() as running:
        yield running


@pytest.mark.parametrize("attempt", [1, 2])
def test_every_test_starts_at_zero(attempt: int) -> None:
    """An instrument made at import time is captured by each block, from zero; logs and spans start empty."""
    with capture() as telemetry:
        assert "bot.frames" not in telemetry.metrics
        assert not telemetry.logs
        assert not telemetry.traces
        frames.add(attempt)
        logging.getLogger("bot").warning("late")
        trace.get_tracer("bot").start_span("tick").end()
        assert telemetry.metrics["bot.frames"].value == attempt


def test_gauges_and_distributions_start_anew(engine: Any) -> None:
    """Neither the last value of a gauge nor what a histogram measured is seen in the next block."""
    for value in (1.0, 2.0):
        with capture(engine=engine) as telemetry:
            assert "bot.price" not in telemetry.metrics
            telemetry.meter.create_gauge("bot.price").set(value)
            telemetry.meter.create_histogram("bot.decide", "s").record(value)
            assert telemetry.metrics["bot.price"].value == value
            assert (telemetry.metrics["bot.decide"].count, telemetry.metrics["bot.decide"].max) == (1, value)


def test_timers_start_anew(engine: Any) -> None:
    """A timer that the bot's module keeps has counted nothing yet in the next block, over its budget or not."""
    timers = []
    for _ in range(2):
        with capture(engine=engine) as telemetry:
            decide = telemetry.timer("bot.decide", budget=0.1)
            timers.append(decide)
            assert "bot.decide" not in telemetry.metrics
            decide.record(0.9)
            decide.record(0.01)
            assert (decide.stats().count, decide.stats().violations) == (2, 1)
            assert telemetry.metrics["bot.decide"].count == 2
            assert telemetry.metrics["bot.decide"].max == 0.9
            assert telemetry.metrics["trading.stage.budget.violations"](trading_stage_name="bot.decide").value == 1
    assert timers[0] is timers[1]


def test_bound_instruments_stay_bound() -> None:
    """A handle to a series, kept by the bot's module, is captured by every block."""
    with capture(engine="native") as telemetry:
        bound = telemetry.meter.create_counter("bot.frames").bind({"venue": "binance"})
        bound.add(1)
    with capture(engine="native") as telemetry:
        bound.add(2)
        assert telemetry.metrics["bot.frames"](venue="binance").value == 2


def observing(value: int) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda _: [Observation(value)]


def test_the_observables_of_another_test_are_gone(engine: Any) -> None:
    """A bot that registered a callback in one block is not asked in the next."""
    with capture(engine=engine) as first:
        first.meter.create_observable_gauge("trading.queue.depth", [observing(4)])
        assert first.metrics["trading.queue.depth"].value == 4
    with capture(engine=engine) as second:
        assert "trading.queue.depth" not in second.metrics
        second.meter.create_observable_gauge("trading.queue.depth", [observing(5)])
        assert second.metrics["trading.queue.depth"].value == 5


def test_configure_in_the_bot_is_captured(telemetry: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bot's own call gives the same handle, with its options; what it opens and starts elsewhere stays closed."""
    monkeypatch.chdir(tmp_path)
    threads = set(threading.enumerate())
    before = ot.configure(service_name="before", instrument="none")
    before.meter.create_counter("bot.orders").add(1)
    handle = ot.configure(service_name="basis-bot", instrument="none", endpoint="http://127.0.0.1:9", ops_port=8080)
    assert handle is before is telemetry.handle
    assert telemetry.resource.attributes["service.name"] == "basis-bot"
    assert handle.ops is None
    handle.meter.create_counter("bot.orders").add(2)
    logging.getLogger("bot").info("started")
    assert set(threading.enumerate()) == threads
    assert telemetry.logs.texts == ["started"]
    assert handle.shutdown()
    assert telemetry.metrics["bot.orders"].value == 3


def test_callbacks_are_asked_once_after_configure(telemetry: Captured) -> None:
    """A reconfiguration does not register observables a second time."""
    telemetry.meter.create_observable_up_down_counter("trading.order.active", [observing(4)])
    ot.configure(service_name="basis-bot", instrument="none")
    ot.configure(service_name="other-bot", instrument="none")
    assert telemetry.metrics["trading.order.active"].value == 4


def test_signals_that_the_bot_switches_off_are_not_captured(telemetry: Captured) -> None:
    """Options that turn telemetry off do so in a test too."""
    handle = ot.configure(metrics_enabled=False, instrument="none")
    handle.meter.create_counter("bot.frames").add(1)
    handle.tracer.start_span("tick").end()
    assert "bot.frames" not in telemetry.metrics
    assert telemetry.traces.names == ["tick"]
    ot.configure(disabled=True).tracer.start_span("tock").end()
    assert telemetry.traces.names == ["tick"]


def test_a_run_with_telemetry_switched_off_is_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_SDK_DISABLED, common in test runs, does not make a test blind, and is left as it was."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with capture() as telemetry:
        telemetry.meter.create_counter("bot.frames").add(1)
        assert telemetry.metrics["bot.frames"].value == 1
    assert os.environ["OTEL_SDK_DISABLED"] == "true"


def test_blocks_may_be_nested() -> None:
    """The inner block captures for itself; afterwards the outer one goes on where it was."""
    with capture(engine="sdk") as outer:
        outer.meter.create_observable_up_down_counter("trading.order.active", [observing(4)])
        counter = outer.meter.create_counter("bot.orders")
        counter.add(1)
        with capture(engine="sdk") as inner:
            counter.add(5)
            logging.getLogger("bot").warning("inner")
            assert inner.metrics["bot.orders"].value == 5
        counter.add(2)
        logging.getLogger("bot").warning("outer")
        assert outer.metrics["bot.orders"].value == 3
        assert outer.metrics["trading.order.active"].value == 4
        assert (outer.logs.texts, inner.logs.texts) == (["outer"], ["inner"])


def test_the_native_engine_is_captured_once_at_a_time() -> None:
    """Its instruments are the process' own: a block inside another is refused, and the outer one goes on."""
    with capture(engine="native") as outer:
        outer.meter.create_counter("bot.orders").add(1)
        with pytest.raises(RuntimeError, match="captured already"), capture(engine="native"):
            pass
        assert outer.metrics["bot.orders"].value == 1


def test_running_telemetry_is_suspended_and_goes_on(engine: Any, receiver: OtlpReceiver) -> None:
    """What is reported inside the block reaches the block alone, and everything around it the receiver.

    The totals of the native engine begin anew after the block.
    """
    added = InMemorySpanExporter()
    options: Any = {"service_name": "live", "endpoint": receiver.url, "ops_port": 0, "metric_interval": 60.0}
    with ot.configure(**options, instrument="none", engine=engine) as handle:
        handle.tracer_provider.add_span_processor(SimpleSpanProcessor(added))
        counter = handle.meter.create_counter("bot.trades")
        counter.add(1)
        handle.tracer.start_span("before").end()
        with capture(engine=engine) as telemetry:
            counter.add(10)
            handle.tracer.start_span("inside").end()
            logging.getLogger("bot").warning("inside")
            assert telemetry.metrics["bot.trades"].value == 10
            assert (telemetry.traces.names, telemetry.logs.texts) == (["inside"], ["inside"])
            assert telemetry.metrics.names == ["bot.trades"]
        assert handle.delivering
        assert handle.ops is not None
        with urllib.request.urlopen(f"{handle.ops.url}/metrics", timeout=5) as page:
            assert "bot_trades_total 11" not in page.read().decode()
        counter.add(2)
        handle.tracer.start_span("after").end()
        logging.getLogger("bot").warning("after")
        assert handle.flush(5)
        assert [span.name for span in receiver.spans] == ["before", "after"]
        assert [span.name for span in added.get_finished_spans()] == ["before", "after"]
        expected = 3 if engine == "sdk" else 2
        assert receiver.metrics("bot.trades")[-1].sum.data_points[0].as_int == expected
    assert not handle.delivering


def test_everything_is_left_as_it_was_found() -> None:
    """The root logger's level and handlers, and the functions that capture stands in for."""
    root = logging.getLogger()
    before = (root.level, list(root.handlers), logging.basicConfig, os.environ.copy())
    with capture():
        assert root.level != before[0] or root.handlers != before[1]
    assert (root.level, list(root.handlers), logging.basicConfig, os.environ.copy()) == before


def test_listeners_leave_with_the_capture() -> None:
    """Who listened before hears again afterwards; who came meanwhile hears no other test."""
    heard: list[str] = []
    with capture() as telemetry:
        undo = telemetry.trading.subscribe(lambda *_: heard.append("outer"), ["halted"])
        with capture(engine="sdk") as inner:
            inner.trading.subscribe(lambda *_: heard.append("inner"), ["halted"])
            inner.trading.halted("operator")
            assert heard.count("inner") == 1
        heard.clear()
        telemetry.trading.halted("operator")
        assert heard == ["outer"]
        undo()
        telemetry.trading.halted("operator")
        assert heard == ["outer"]
        trading = telemetry.trading
        trading.subscribe(lambda *_: heard.append("left"))
    with capture():
        trading.halted("operator")
    assert heard == ["outer"]


OWN_PROVIDER = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
from otel_trading.testing import capture, NotCapturedError
with capture() as telemetry:
    telemetry.tracer.start_span("ours").end()
    trace.get_tracer("bot").start_span("theirs").end()
    print(telemetry.traces.names)
    try:
        telemetry.metrics["nothing"]
    except NotCapturedError as error:
        print(error)
"""


def test_a_provider_that_others_made_global_is_named() -> None:
    """Where the test process has providers of its own, the error says what is not captured."""
    run = subprocess.run([sys.executable, "-c", OWN_PROVIDER], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.splitlines() == [
        "['ours']",
        "no metric 'nothing' was captured",
        "captured: nothing",
        "not captured, because others made them global: tracer provider TracerProvider",
    ]


NOTHING_STARTS = """
import socket, threading, sys
import otel_trading_pytest
assert "otel_trading" not in sys.modules, "the plugin imports the kit"
def refuse(*args):
    raise AssertionError("a socket was opened")
socket.socket.bind = socket.socket.connect = refuse
import otel_trading as ot
from otel_trading.testing import capture
with capture() as telemetry:
    with ot.configure(service_name="bot") as handle:
        handle.meter.create_counter("bot.frames").add(1)
        with handle.timer("bot.decide", budget=1).time():
            pass
        handle.meter.create_observable_gauge("bot.depth", [lambda _: []])
    print(telemetry.metrics["bot.frames"].value, threading.active_count(), telemetry.status().targets["traces"])
"""


def test_nothing_is_started_or_opened() -> None:
    """No thread, no socket; and importing the plugin, as every pytest run does, leaves the kit alone."""
    run = subprocess.run(
        [sys.executable, "-c", NOTHING_STARTS], capture_output=True, text=True, timeout=60, check=True, env=bare()
    )
    assert run.stdout.splitlines() == ["1 1 ('captured',)"]
