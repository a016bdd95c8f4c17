"""Each condition over a clock that the test moves: it begins, stays quiet, ends, and does not flutter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from otel_trading.health.conditions import Hysteresis
from otel_trading.health.resources import MEGABYTE, Space

if TYPE_CHECKING:
    from otel_trading.health.model import Condition
    from tests.health.conftest import Bench


def test_a_lost_connection_becomes_a_condition_after_a_while(bench: Bench) -> None:
    """At once degraded, down after five seconds, well again half a minute after it is back."""
    trading = bench.trading
    trading.connection_changed("binance", "connected", connection="market_data")
    bench.wait(1)
    assert bench.state("venue binance") == "healthy"
    trading.connection_changed("binance", "disconnected", connection="market_data", reason="ping timeout")
    bench.wait(3)
    assert (bench.state("venue binance"), bench.holding()) == ("degraded", [])
    assert "market_data disconnected for 3.0 s: ping timeout" in bench.reasons("venue binance")
    bench.wait(4)
    assert (bench.state("venue binance"), bench.holding()) == ("down", ["ConnectionDown(binance)"])
    report = bench.monitor.report()
    assert (report.state, report.ready, report.not_ready) == ("down", False, ("venue binance is down",))
    trading.connection_changed("binance", "connected", connection="market_data")
    bench.wait(2)
    assert (bench.state("venue binance"), bench.holding()) == ("degraded", ["ConnectionDown(binance)"])
    assert "connected again, but not for 30 s yet" in bench.reasons("venue binance")
    bench.wait(30)
    assert (bench.state("venue binance"), bench.holding()) == ("healthy", [])


def test_a_quick_reconnect_stays_quiet(bench: Bench) -> None:
    """Venues close connections once a day: that is no outage."""
    bench.trading.connection_changed("binance", "connected")
    for _ in range(5):
        bench.trading.connection_changed("binance", "disconnected")
        bench.wait(1)
        bench.trading.connection_changed("binance", "connected")
        bench.wait(60)
    assert not [line for line in bench.written if line.event == "health_condition_began"]


def test_a_connection_that_flaps_is_down(bench: Bench) -> None:
    """Lost seconds add up while it is never well for long; and the condition begins once."""
    changes: list[tuple[Condition, bool]] = []
    bench.monitor.subscribe_conditions(lambda condition, began: changes.append((condition, began)))
    for _ in range(10):
        bench.trading.connection_changed("binance", "disconnected")
        bench.wait(2)
        bench.trading.connection_changed("binance", "connected")
        bench.wait(2)
    assert [(condition.kind, began) for condition, began in changes] == [("ConnectionDown", True)]
    bench.wait(40)
    assert [began for _, began in changes] == [True, False]


def test_a_connection_that_the_bot_closed_is_not_missed(bench: Bench) -> None:
    """It wanted that, also where it says so after the loss was noticed."""
    bench.trading.connection_changed("binance", "connected", connection="a")
    bench.trading.connection_changed("binance", "disconnected", connection="a", wanted=True)
    bench.trading.connection_changed("kraken", "disconnected", connection="b")
    bench.trading.connection_changed("kraken", "disconnected", connection="b", wanted=True)
    bench.wait(10)
    assert (bench.state("venue binance"), bench.state("venue kraken")) == ("healthy", "healthy")


def test_only_a_critical_venue_takes_the_bot_down(bench: Bench) -> None:
    """The bot is degraded without another one, and stays ready."""
    bench.use(health_critical_venues="binance")
    bench.trading.connection_changed("kraken", "disconnected")
    bench.wait(10)
    report = bench.monitor.report()
    assert (bench.state("venue kraken"), report.state, report.ready) == ("down", "degraded", True)


def test_slow_requests_become_a_condition(bench: Bench) -> None:
    """When the 99th percentile is above the limit for ten seconds, and until it is well below for thirty."""
    bench.use(health_latency_limit=1.0, health_window=20.0)
    _ask(bench, 15, 0.2)
    assert bench.holding() == []
    _ask(bench, 5, 3.0)
    assert bench.holding() == []
    _ask(bench, 10, 3.0)
    assert bench.holding() == ["HighLatency(binance)"]
    condition = bench.monitor.conditions()[0]
    assert (condition.value, condition.limit) == (3.0, 1.0)
    assert bench.state("venue binance") == "degraded"
    _ask(bench, 30, 0.95)  # below the limit, and not below 90 % of it
    assert bench.holding() == ["HighLatency(binance)"]
    _ask(bench, 60, 0.2)
    assert bench.holding() == []


def test_a_few_slow_requests_say_nothing(bench: Bench) -> None:
    """Fewer than ten have no percentile to speak of."""
    for _ in range(9):
        bench.trading.request_completed("binance", "ping", 30.0)
    bench.wait(60)
    assert bench.holding() == []


def test_failing_requests_become_a_condition(bench: Bench) -> None:
    """By errors a second, or by their share."""
    bench.use(health_error_rate_limit=0.5, health_window=20.0)
    _ask(bench, 30, 0.1, failing=1)
    assert bench.holding() == ["HighErrorRate(binance)"]
    assert "errors a second" in bench.reasons("venue binance")
    _ask(bench, 60, 0.1)
    assert bench.holding() == []
    bench.use(health_error_rate_limit=0, health_window=20.0)
    _ask(bench, 30, 0.1, failing=2)
    assert bench.holding() == []
    _ask(bench, 60, 0.1, failing=6)
    assert bench.holding() == ["HighErrorRate(binance)"]


def test_a_full_disk_becomes_a_condition(bench: Bench) -> None:
    """Below the limit, with the megabytes that are left; over a tenth above it."""
    disks = bench.monitor._disks
    for free, seconds, holds in ((2_000, 20, False), (900, 8, False), (900, 8, True), (1_050, 60, True)):
        disks.use([Space("/data", free * MEGABYTE, 50_000 * MEGABYTE)])
        bench.wait(seconds)
        assert bool(bench.holding()) is holds, free
    condition = bench.monitor.conditions()[0]
    assert (condition.kind, condition.value, condition.limit) == ("LowDiskSpace", 1_050, 1_024)
    disks.use([Space("/data", 2_000 * MEGABYTE, 50_000 * MEGABYTE)])
    bench.wait(31)
    assert bench.holding() == []
    disks.use([Space("/data", 10 * MEGABYTE, 50_000 * MEGABYTE)])
    bench.wait(11)
    assert bench.state("disk /data") == "down"
    disks.use([])
    bench.wait(1)
    assert bench.holding() == []


def test_a_small_file_system_may_be_small(bench: Bench) -> None:
    """Its limit is a tenth of it."""
    bench.monitor._disks.use([Space("/dev/shm", 32 * MEGABYTE, 64 * MEGABYTE)])  # noqa: S108 - a name
    bench.wait(60)
    assert bench.holding() == []


def test_conditions_are_told_in_the_log(bench: Bench) -> None:
    """Once when they begin, once when they are over."""
    bench.trading.connection_changed("binance", "disconnected", reason="reset")
    bench.wait(10)
    bench.trading.connection_changed("binance", "connected")
    bench.wait(40)
    said = [(line.event, line.message) for line in bench.written if "condition" in line.event]
    assert [event for event, _ in said] == ["health_condition_began", "health_condition_ended"]
    assert said[0][1].startswith("ConnectionDown(binance): disconnected for")
    assert said[1][1] == "ConnectionDown(binance) is over"


@given(
    st.lists(st.tuples(st.sampled_from(["bad", "good", "neither"]), st.floats(0.1, 20)), max_size=60),
    st.floats(0, 15),
    st.floats(0, 30),
)
def test_hysteresis_keeps_its_word(steps: list[tuple[str, float]], after: float, recovers: float) -> None:
    """It begins only when it is bad, and ends only when it was good all the time that it takes."""
    alarm, now, good_for, before = Hysteresis(after, recovers), 0.0, None, False
    bad_seconds, last = 0.0, ""
    for how, pause in steps:
        now += pause
        bad_seconds += pause if last == "bad" else 0.0
        good_for = (good_for + pause if last == "good" and good_for is not None else 0.0) if how == "good" else None
        holds = alarm.step(now, bad=how == "bad", good=how == "good")
        if holds and not before:
            assert how == "bad"
            assert bad_seconds >= after - 1e-6
        if before and not holds:
            assert how == "good"
            assert good_for is not None
            assert good_for >= recovers - 1e-6
        before, last = holds, how


def _ask(bench: Bench, seconds: int, took: float, failing: int = 0) -> None:
    """Ten requests a second, some of which fail."""
    for _ in range(seconds):
        for number in range(10):
            bench.trading.request_completed("binance", "ping", took, error="timeout" if number < failing else None)
        bench.wait(1)
