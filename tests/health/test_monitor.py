"""What the monitor makes of its components."""

from __future__ import annotations

import gc
import json
import threading
import time
from typing import TYPE_CHECKING

import pytest

from otel_trading.health import health_json
from otel_trading.health.monitor import HealthMonitor
from otel_trading.health.surroundings import Surroundings
from otel_trading.risk.emergency import Emergency
from otel_trading.runtime.loop import LoopState
from otel_trading.testing import capture
from tests.health.conftest import Bench

if TYPE_CHECKING:
    from otel_trading.health.model import Component


def test_nothing_is_wrong_with_a_bot_that_has_nothing() -> None:
    """It is healthy, and ready as soon as it is configured."""
    report = HealthMonitor().report()
    assert (report.state, report.ready, report.reasons, report.not_ready) == ("healthy", True, (), ())


def test_a_critical_component_takes_the_bot_down(bench: Bench) -> None:
    """Any other degrades it."""
    model, cache = bench.monitor.component("model", critical=True), bench.monitor.component("cache")
    cache.down("no memory")
    assert (bench.monitor.report().state, bench.monitor.report().ready) == ("degraded", True)
    model.degraded("old features", age=12)
    assert bench.monitor.report().state == "degraded"
    model.down("no weights")
    report = bench.monitor.report()
    assert (report.state, report.ready) == ("down", False)
    assert report.reasons == ("model is down: no weights", "cache is down: no memory")
    model.healthy()
    cache.remove()
    assert bench.monitor.is_healthy


def test_what_needs_something_that_is_down_is_degraded(bench: Bench) -> None:
    """Directly, and not what needs that in turn; circles do no harm."""
    health = bench.monitor
    redis = health.component("redis", depends_on=("orders",))
    health.component("router", depends_on=("redis",))
    health.component("orders", depends_on=("router",))
    bench.trading.connection_changed("kraken", "connected")
    health.depends("venue kraken", "redis")
    redis.down("refused")
    bench.wait(1)
    assert bench.state("router") == bench.state("venue kraken") == "degraded"
    assert bench.state("orders") == "healthy"
    assert bench.reasons("venue kraken") == "redis is down"


def test_a_thread_that_gives_no_sign_is_found_with_its_stack(bench: Bench) -> None:
    """While it hangs, from any other thread."""
    go, hangs = threading.Event(), threading.Event()

    def work_that_hangs() -> None:
        with bench.monitor.watched("worker", timeout=5) as pulse:
            pulse()
            hangs.set()
            go.wait(60)

    thread = threading.Thread(target=work_that_hangs)
    thread.start()
    assert hangs.wait(60)
    assert (bench.state("thread worker"), bench.monitor.alive) == ("healthy", True)
    bench.now += 6
    assert (bench.state("thread worker"), bench.monitor.alive) == ("down", False)
    assert "no sign for 6.0 s" in bench.reasons("thread worker")
    assert "work_that_hangs" in bench.reasons("thread worker")
    go.set()
    thread.join()
    assert bench.state("thread worker") == "unknown"
    assert bench.monitor.report().ready


def test_a_stalled_loop_is_degraded_and_a_stuck_one_down() -> None:
    """With the stack in the reasons; of several loops in threads of one name the worst is told."""
    loops = [LoopState("MainThread", 0.0, ()), LoopState("MainThread", 2.0, ("bot.py:7 decide",))]
    bench = Bench(loops=lambda: loops)
    assert bench.state("event_loop MainThread") == "degraded"
    assert bench.monitor.alive
    loops[1] = LoopState("MainThread", 7.0, ("bot.py:7 decide",))
    report = bench.monitor.report()
    assert (report.state, report.ready, bench.monitor.alive) == ("down", False, False)
    assert report.reasons == ("event_loop MainThread is down: stuck for 7.0 s in bot.py:7 decide",)


def test_the_emergency_stop_makes_it_unready() -> None:
    """And degraded, with who engaged it and why."""
    emergency = Emergency()
    bench = Bench(emergency=emergency)
    assert bench.monitor.report().ready
    emergency.stop("loss limit", by="rule")
    report = bench.monitor.report()
    assert (report.state, report.ready) == ("degraded", False)
    assert report.not_ready == ("the emergency stop is engaged",)
    assert bench.reasons("emergency_stop") == "engaged by rule: loss limit"


def test_the_bot_says_whether_it_is_ready(bench: Bench) -> None:
    """Its word holds until it says another; the end of the bot is the last one."""
    health = bench.monitor
    health.not_ready("warming up")
    assert health.report().not_ready == ("warming up",)
    health.ready()
    assert health.report().ready
    bench.use(health_await_ready=True)
    assert health.report().ready
    health.shutting_down("SIGTERM")
    assert health.report().not_ready == ("it ends: SIGTERM",)
    other = Bench()
    other.use(health_await_ready=True)
    assert other.monitor.report().not_ready == ("the bot has not said that it is ready",)


def test_listeners_hear_of_changes(bench: Bench) -> None:
    """With the component before and after; what one of them raises hurts nobody."""
    heard: list[tuple[str, str | None, str]] = []

    def listener(before: Component | None, now: Component) -> None:
        heard.append((now.name, before.state if before else None, now.state))

    def broken(before: Component | None, now: Component) -> None:
        raise ZeroDivisionError

    bench.monitor.subscribe(broken)
    leave = bench.monitor.subscribe(listener)
    model = bench.monitor.component("model")
    bench.wait(1)
    assert heard == []
    model.down("gone")
    bench.wait(1)
    model.remove()
    bench.wait(1)
    assert heard == [("model", "healthy", "down"), ("model", "down", "healthy")]
    leave()
    bench.monitor.component("other").down("x")
    bench.wait(1)
    assert len(heard) == 2


def test_changes_are_log_lines_at_a_bounded_rate(bench: Bench) -> None:
    """A component that flaps has six lines a minute, and its last state is said in the end."""
    model = bench.monitor.component("model", critical=True)
    model.down("no weights")
    bench.wait(1)
    (line,) = bench.written
    assert (line.event, line.service, line.severity) == ("health_changed", "health_monitor", 17)
    assert line.message == "model is down: no weights"
    assert line.data["trading.health.component"] == "model"
    assert (line.data["previous"], line.data["trading.health.state"]) == ("healthy", "down")
    for _ in range(20):
        model.healthy()
        bench.wait(1)
        model.down("no weights")
        bench.wait(1)
    assert len(bench.written) <= 7
    bench.wait(61)
    assert bench.written[-1].message.startswith("model is down: no weights (and ")
    assert "more changes since the last such line" in bench.written[-1].message


def test_since_when_it_is_like_that(bench: Bench) -> None:
    """The moment of the change, not of the last look."""
    model = bench.monitor.component("model")
    model.down("x")
    bench.wait(1)
    began = bench.monitor.report().component("model")
    bench.wait(30)
    later = bench.monitor.report().component("model")
    assert began is not None
    assert later is not None
    assert began.since_ns == later.since_ns > 0


def test_a_report_on_a_hundred_components_is_quick(bench: Bench) -> None:
    """Half a millisecond, and never a wait; the best of many, as the machine may be busy."""
    for number in range(60):
        bench.monitor.component(f"part {number}", depends_on=("part 1",)).degraded("x", number=number)
    for number in range(20):
        bench.monitor.check(f"check {number}", lambda: None)
        bench.trading.connection_changed(f"venue{number}", "disconnected")
    bench.wait(10)
    bench.monitor._thread = threading.get_ident()  # as if it lived
    took = []
    for _ in range(200):
        began = time.perf_counter()
        report = bench.monitor.report()
        took.append(time.perf_counter() - began)
    assert len(report.components) >= 100
    assert min(took) < 0.005


def test_a_look_that_fails_is_not_the_end() -> None:
    """What others hand over may raise: that costs one look."""
    monitor = HealthMonitor(Surroundings(restarts=dict))
    monitor.component("odd", depends_on=(object(),)).down("x")  # type: ignore[arg-type]
    assert monitor.look().state == "degraded"


def test_the_document_is_plain_json(bench: Bench) -> None:
    """Services, dependencies and figures, as the requirement has them."""
    bench.trading.connection_changed("binance", "disconnected")
    bench.monitor.component("model").degraded("odd", value=float("nan"), what=object(), when={1: {2, 3}})
    bench.monitor.check("postgres", lambda: None, critical=True, depends_on=("dns",))
    bench.wait(10)
    document = json.loads(json.dumps(health_json(bench.monitor.report()), allow_nan=False))
    assert (document["status"], document["ready"]) == ("down", False)
    assert document["timestamp"].endswith("Z")
    venue = document["services"]["venue binance"]
    assert (venue["service"], venue["status"]) == ("venue binance", "down")
    assert venue["details"]["websocket_connected"] is False
    assert document["dependencies"]["postgres"]["dependencies"] == ["dns"]
    assert document["conditions"][0]["condition"] == "ConnectionDown"
    assert "memory" not in document["dependencies"]


def test_a_captured_bot_has_health() -> None:
    """By the test's clock, without a thread; feeds by their age."""
    with capture() as telemetry:
        health = telemetry.handle.health
        feed = telemetry.trading.feeds.feed("binance", "btcusdt@trade", symbol="BTC/USDT", type="trade", stale=5)
        feed.message()
        assert health.report().component("venue binance") is not None
        telemetry.advance(6)
        venue = health.report().component("venue binance")
        assert venue is not None
        assert venue.reasons == ("no data of btcusdt@trade for 6.0 s",)
        feed.message()
        assert health.report().state == "healthy"
        telemetry.trading.connection_changed("binance", "disconnected")
        health.look()
        telemetry.advance(6)
        assert health.look().state == "down"
        lines = [line for line in telemetry.logs if "ConnectionDown" in f"{line}"]
        assert lines


def test_a_monitor_that_is_gone_hears_nothing() -> None:
    """Trading events live longer than the operations of a captured bot."""
    bench = Bench()
    trading = bench.trading
    listeners = trading._listeners
    assert listeners["trading.venue.request_completed"]
    del bench.monitor
    gc.collect()
    trading.request_completed("binance", "ping", 0.1)
    assert not listeners["trading.venue.request_completed"]


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_states_are_metrics(engine: str) -> None:
    """1 for the state it has, 0 for the others."""
    with capture(engine=engine) as telemetry:  # type: ignore[arg-type]
        telemetry.handle.health.component("model", critical=True).down("x")
        telemetry.handle.health.look()
        points = telemetry.metrics["trading.health.state"]
        at = {"trading.health.component": "model", "trading.health.critical": True}
        assert points.where({**at, "trading.health.state": "down"}).value == 1
        assert points.where({**at, "trading.health.state": "healthy"}).value == 0
