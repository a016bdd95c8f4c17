"""What a stop does in the process that it is made in."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest
from opentelemetry.metrics import CallbackOptions

import otel_trading as ot
from otel_trading.risk.emergency import Emergency, EmergencyState
from otel_trading.testing import capture
from tests.forks import in_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from otel_trading.risk.gate import Risk
    from otel_trading.testing import Captured

WAIT = 30.0
"""Seconds that nothing takes unless it hangs."""


def until(done: Callable[[], object]) -> bool:
    end = time.monotonic() + WAIT
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


@pytest.fixture
def telemetry() -> Iterator[Captured]:
    with capture(real_time=True) as captured:
        ot.configure(instrument="none", banner=False)
        yield captured


@pytest.fixture
def emergency() -> Iterator[Emergency]:
    made = Emergency()
    yield made
    made.close(WAIT)


def test_it_latches() -> None:
    """The first reason stays; resuming twice is once."""
    emergency = Emergency()
    assert emergency.state == EmergencyState(engaged=False)
    assert emergency.stop("first", by="rule")
    assert not emergency.stop("second")
    state = emergency.state
    assert (state.engaged, state.reason, state.by, state.process) == (True, "first", "rule", os.getpid())
    assert abs(state.since_ns - time.time_ns()) < WAIT * 1e9
    assert emergency.resume("looked at", by="http")
    assert not emergency.resume()
    assert str(emergency.state).startswith("resumed since ")


def test_a_reason_may_be_anything() -> None:
    """What is said as a reason is kept on one line, and never in the way."""
    emergency = Emergency()
    assert emergency.stop("a\nb\x00c\u2028d " + "€" * 5_000)
    assert emergency.state.reason.startswith("a b c d €€")
    assert len(emergency.state.reason.encode()) <= 600
    assert emergency.resume("")


def test_it_is_loud(telemetry: Captured, caplog: pytest.LogCaptureFixture) -> None:
    """A stop is a critical log line, a trading event, metrics, and a call of each listener; so is its end."""
    heard: list[EmergencyState] = []
    telemetry.emergency.on_change(heard.append)
    with caplog.at_level(logging.WARNING, "otel_trading"):
        assert telemetry.emergency.stop("volatility", by="http")
        assert telemetry.emergency.resume("calm")
    stopped, resumed = (record for record in caplog.records if "trading is" in record.getMessage())
    assert stopped.levelno == logging.CRITICAL
    assert "volatility" in stopped.getMessage()
    assert "otel-trading emergency resume" in stopped.getMessage()
    assert "resumed" in resumed.getMessage()
    assert [state.engaged for state in heard] == [True, False]
    halted = telemetry.logs.one("trading halted")
    assert halted.attributes["trading.halt.trigger"] == "emergency_stop"
    assert "volatility" in str(halted.attributes["trading.event.text"])
    assert telemetry.logs.one("trading resumed")
    metrics = telemetry.metrics
    assert metrics["trading.emergency_stop.engaged"].value == 0
    for state in ("engaged", "released"):
        found = metrics["trading.emergency_stop.transitions"](**{"trading.emergency_stop.state": state})
        assert found.value == 1
    assert metrics["trading.halts"].value == 1


def test_what_a_listener_raises_is_in_nobodys_way(telemetry: Captured) -> None:
    """A listener that fails is told, and the others are called."""
    heard: list[EmergencyState] = []
    telemetry.emergency.on_change(lambda _: 1 / 0)
    undo = telemetry.emergency.on_change(heard.append)
    assert telemetry.emergency.stop("x")
    undo()
    assert telemetry.emergency.resume()
    assert [state.engaged for state in heard] == [True]


def test_no_order_is_allowed(telemetry: Captured, caplog: pytest.LogCaptureFixture) -> None:
    """Refused orders are counted, and told once a minute at most."""
    risk: Risk = telemetry.risk
    assert risk.allows({"symbol": "BTC/USDT"}, venue="kraken")
    telemetry.emergency.stop("x")
    with caplog.at_level(logging.WARNING, "otel_trading"):
        assert not any(risk.allows() for _ in range(1_000))
    assert sum("is refused" in record.getMessage() for record in caplog.records) == 1
    checks = telemetry.metrics["trading.risk.checks"]
    assert checks(**{"trading.risk.limit.name": "emergency_stop", "trading.risk.result": "refused"}).value == 1_000
    with risk.exempt():
        assert risk.allows()
        assert telemetry.emergency.engaged
    assert not risk.allows()
    telemetry.emergency.resume()
    assert risk.allows()


def test_a_gauge_says_how_it_is(emergency: Emergency) -> None:
    """From the beginning, for rules that ask for it; in a capture once there was a stop."""
    options = CallbackOptions()
    assert list(emergency.observed(options)) == []
    emergency.apply("bot", "none")
    assert [each.value for each in emergency.observed(options)] == [0]
    emergency.begin()
    emergency.stop("x")
    assert [each.value for each in emergency.observed(options)] == [1]


def test_each_capture_begins_without_a_stop() -> None:
    """A stop of one test is not the next one's."""
    for _ in range(2):
        with capture() as telemetry:
            assert not telemetry.emergency.engaged
            telemetry.emergency.stop("x")


def test_children_share_it(emergency: Emergency, tmp_path: Path) -> None:
    """A child that is forked while nothing is stopped stops its parent, and the other way round."""
    emergency.apply("bot", str(tmp_path))
    emergency.begin()

    def stop_in_child() -> bool:
        emergency.restart_after_fork()
        return emergency.stop("by a child")

    assert in_child(stop_in_child)
    assert emergency.engaged
    assert until(lambda: emergency.state.reason == "by a child")

    def resume_in_child() -> bool:
        emergency.restart_after_fork()
        return emergency.resume("by a child")

    assert in_child(resume_in_child)
    assert not emergency.engaged


def test_children_share_it_without_a_folder(emergency: Emergency) -> None:
    """So it is in memory, without any file."""
    emergency.apply("bot", "none")
    assert emergency.path is None
    assert in_child(lambda: emergency.engage("x", "api"))
    assert emergency.engaged
    assert emergency.state.reason == "x"


def test_another_service_is_another_latch(tmp_path: Path) -> None:
    """Who goes on under another name stays stopped, and does not stop the others of its old one."""
    one, other = Emergency(), Emergency()
    for each in (one, other):
        each.apply("old", str(tmp_path))
        each.begin()
    one.apply("new", str(tmp_path))
    one.begin()
    assert one.stop("x")
    assert one.saved(WAIT)
    time.sleep(0.2)
    assert not other.engaged
    one.apply("newer", str(tmp_path))
    assert one.engaged
    assert one.saved(WAIT)
    assert "engaged: yes" in (tmp_path / "newer.latch").read_text()
    for each in (one, other):
        assert each.close(WAIT)


def test_a_signal_stops(emergency: Emergency) -> None:
    """The signal stops, what the bot does with it is done after, and it is given back as it was."""
    seen: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: seen.append(number))
    try:
        own = signal.getsignal(signal.SIGUSR1)
        assert emergency.apply("bot", "none", signal="SIGUSR1") == []
        assert emergency.apply("bot", "none", signal="SIGUSR1") == []
        emergency.begin()
        signal.raise_signal(signal.SIGUSR1)
        assert emergency.engaged
        assert (emergency.state.by, emergency.state.reason) == ("signal", "signal SIGUSR1")
        assert seen == [signal.SIGUSR1]
        assert until(lambda: not emergency.stop("again"))
        emergency.give_back()
        assert signal.getsignal(signal.SIGUSR1) is own
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_signal_in_another_thread_is_told(emergency: Emergency) -> None:
    """Only the main thread may handle signals."""
    problems: list[str] = []
    thread = threading.Thread(target=lambda: problems.extend(emergency.apply("bot", "none", signal="SIGUSR2")))
    thread.start()
    thread.join()
    assert len(problems) == 1
    assert "emergency_signal=SIGUSR2" in problems[0]
    assert signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL


def test_a_file_stops_and_stays_stronger_than_a_resumption(emergency: Emergency, tmp_path: Path) -> None:
    """While the file is there trading is not resumed."""
    trigger = tmp_path / "STOP"
    emergency.apply("bot", str(tmp_path / "state"), trigger=str(trigger))
    emergency.begin()
    assert not emergency.engaged
    trigger.touch()
    assert until(lambda: emergency.engaged)
    assert (emergency.state.by, emergency.state.reason) == ("file", f"{trigger} exists")
    assert not emergency.resume()
    trigger.unlink()
    assert emergency.resume()
    time.sleep(0.2)
    assert not emergency.engaged


def test_settings_that_cannot_be_used_are_told() -> None:
    """A bad value leaves the default, with one clear message."""
    from otel_trading.settings import resolve

    resolved = resolve({"emergency_signal": "SIGKILL", "emergency_timeout": 0})
    assert resolved.settings.emergency_signal is None
    assert resolved.settings.emergency_timeout == 10.0
    assert "SIGUSR1, SIGUSR2, SIGQUIT" in " ".join(map(str, resolved.problems))
    assert resolve({"emergency_signal": "usr2"}).settings.emergency_signal == "SIGUSR2"
