"""The whole delivery against a receiver that fails: what was produced is sent, dropped and counted, or in the spool."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry._logs import SeverityNumber

from otel_trading.export.destination import SIGNALS
from tests.export.received import eventually
from tests.export.receiver import Receiver
from tests.forks import in_child

if TYPE_CHECKING:
    from otel_trading import Telemetry
    from tests.export.conftest import Bot
    from tests.export.receiver import Mode

SOME = 40
PASSING: list[Mode] = [
    "refuse",
    "black hole",
    "hang",
    "drip",
    "garbage",
    "cut",
    "swallow",
    "reset",
    408,
    429,
    502,
    503,
    504,
]
"""What goes by: nothing is lost with it."""
REFUSALS: list[Mode] = [301, 302, 307, 400, 401, 404, 413, 500, "html"]
"""What is said for good: a loss that is seen."""


def trade(telemetry: Telemetry, names: range) -> None:
    """Make a span and a log record of each name, and count it."""
    made = telemetry.meter.create_counter("bot.made")
    for name in names:
        telemetry.tracer.start_span(f"{name}").end()
        logging.getLogger("bot").warning("%d", name)
        made.add(1)


def names(count: range) -> Counter[str]:
    return Counter(map(str, count))


def balanced(telemetry: Telemetry) -> bool:
    """Whether every item is sent, dropped or waiting, by the accounts."""
    accounts = telemetry.status().signals.values()
    return all(a.emitted + a.recovered == a.sent + a.pending + a.lost and a.spooled <= a.pending for a in accounts)


@pytest.mark.parametrize("mode", PASSING)
def test_an_outage_costs_nothing(bot: Bot, receiver: Receiver, engine: str, mode: Mode) -> None:
    """What was made before, during and after arrives; what may have arrived twice is counted."""
    receiver.pace = 0.02
    telemetry = bot(engine=engine)
    trade(telemetry, range(SOME))
    assert telemetry.flush(10.0)
    receiver.mode = mode
    trade(telemetry, range(SOME, 2 * SOME))
    assert not telemetry.flush(1.0)
    eventually(lambda: all(account.retried for account in telemetry.status().signals.values()))
    assert balanced(telemetry)
    receiver.mode = "healthy"
    trade(telemetry, range(2 * SOME, 3 * SOME))
    assert telemetry.flush(30.0)
    everything = names(range(3 * SOME))
    for signal in ("traces", "logs"):
        arrived, account = receiver.counted(signal), telemetry.status().signals[signal]
        assert set(arrived) == set(everything)
        assert arrived.total() - everything.total() <= account.repeated
        assert (account.sent, account.dropped) == (3 * SOME, {})
    assert value_of(receiver, "bot.made") == 3 * SOME
    assert balanced(telemetry)


def value_of(receiver: Receiver, name: str) -> int:
    """The highest total of a counter that arrived."""
    metrics = [metric for metric in receiver.items("metrics") if metric.name == name]
    return max(int(point.as_int) for metric in metrics for point in metric.sum.data_points)


@pytest.mark.parametrize("mode", REFUSALS)
def test_a_refusal_is_a_loss_that_is_seen(bot: Bot, receiver: Receiver, mode: Mode) -> None:
    """It is not tried again, it is counted, and what comes later is delivered."""
    telemetry = bot()
    receiver.mode = mode
    trade(telemetry, range(SOME))
    telemetry.flush(10.0)
    signals = telemetry.status().signals
    assert {signal: (signals[signal].sent, signals[signal].dropped) for signal in ("traces", "logs")} == {
        "traces": (0, {"refused": SOME}),
        "logs": (0, {"refused": SOME}),
    }
    assert all(signals[signal].last_error for signal in SIGNALS)
    receiver.mode = "healthy"
    trade(telemetry, range(SOME, 2 * SOME))
    assert telemetry.flush(10.0)
    assert receiver.counted("traces") == names(range(SOME, 2 * SOME))
    assert balanced(telemetry)


def test_a_part_that_is_rejected_is_counted(bot: Bot, receiver: Receiver) -> None:
    """Partial success, of each signal."""
    receiver.reject = 3
    telemetry = bot()
    trade(telemetry, range(SOME))
    assert telemetry.flush(10.0)
    for signal in SIGNALS:
        account = telemetry.status().signals[signal]
        assert account.dropped == {"refused": 3 * len(receiver.requests(signal))}
    assert balanced(telemetry)


@pytest.mark.parametrize("mode", ["refuse", "black hole", "hang", "drip", "swallow", 503])
def test_the_end_keeps_its_deadline_and_what_was_not_sent(bot: Bot, receiver: Receiver, mode: Mode) -> None:
    """All three signals share the seconds; the next start delivers what stayed, and says that it is not its own."""
    receiver.mode = mode
    telemetry = bot(timeout=30.0)
    trade(telemetry, range(SOME))
    started = time.monotonic()
    assert not telemetry.shutdown(1.0)
    assert time.monotonic() - started < 8.0  # three in turn would take up to ninety
    left = telemetry.status().signals
    assert [(left[s].spooled, left[s].dropped) for s in ("traces", "logs")] == [(SOME, {}), (SOME, {})]
    receiver.mode = "healthy"
    telemetry = bot()
    trade(telemetry, range(SOME, 2 * SOME))
    assert telemetry.flush(30.0)
    for signal in ("traces", "logs"):
        assert set(receiver.counted(signal)) == set(names(range(2 * SOME)))
        account = telemetry.status().signals[signal]
        assert (account.emitted, account.recovered, account.sent) == (SOME, SOME, 2 * SOME)
    assert balanced(telemetry)


def test_retry_after_is_kept_to(bot: Bot, receiver: Receiver) -> None:
    """A receiver that asks to be left alone is left alone so long."""
    receiver.mode, receiver.retry_after = 503, "3"
    telemetry = bot(metrics_exporter="none", logs_exporter="none")
    trade(telemetry, range(1))
    eventually(lambda: receiver.asked == 1)
    started = time.monotonic()
    trade(telemetry, range(1, SOME))
    receiver.mode = "healthy"
    eventually(lambda: receiver.counted("traces") == names(range(SOME)))
    assert time.monotonic() - started > 2.0  # seconds; without it the second attempt comes within one


def test_what_is_new_does_not_wait_behind_what_is_old(bot: Bot, receiver: Receiver) -> None:
    """After an outage the backlog comes at its pace, and fresh spans before its end."""
    receiver.mode = 503
    telemetry = bot(spool_replay_rate=2_000.0, metrics_exporter="none", logs_exporter="none", span_batch_size=50)
    for number in range(1_000):
        telemetry.tracer.start_span(f"old {number}").end()
    eventually(lambda: telemetry.status().signals["traces"].spooled == 1_000)
    tried = telemetry.status().signals["traces"].retried
    eventually(lambda: telemetry.status().signals["traces"].retried > tried)  # until then it is not old
    receiver.mode = "healthy"
    telemetry.tracer.start_span("new").end()
    eventually(lambda: "new" in receiver.counted("traces"), 60.0)
    assert 0 < receiver.counted("traces").total() < 900


def test_an_outage_longer_than_the_spool_drops_what_is_not_important(
    bot: Bot, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """The oldest debug lines go, every warning arrives, and the account is exact."""
    caplog.set_level(logging.DEBUG, "bot")
    receiver.mode = "refuse"
    telemetry = bot(
        spool_budget=1 << 20,
        traces_exporter="none",
        metrics_exporter="none",
        log_queue_size=1_000_000,
        log_batch_size=200,
        flight_size=1 << 25,
    )
    telemetry.flush(0.1)
    logger = logging.getLogger("bot")
    for number in range(4_000):
        logger.debug("tick %d %s", number, "x" * 500)
        if number % 40 == 0:
            logger.warning("order %d", number)
    eventually(lambda: (a := telemetry.status().signals["logs"]).spooled + a.lost == a.emitted >= 4_100)
    receiver.mode = "healthy"
    assert telemetry.flush(60.0)
    account, arrived = telemetry.status().signals["logs"], receiver.counted("logs")
    assert account.dropped == account.low
    assert set(account.dropped) == {"spool_full"}
    assert account.sent == arrived.total() == account.emitted - account.lost
    assert {text for text in arrived if text.startswith("order")} == {f"order {n}" for n in range(0, 4_000, 40)}
    ticks = {int(text.split()[1]) for text in arrived if text.startswith("tick")}
    assert min(ticks) > 0  # the oldest went
    assert max(ticks) == 3_999


def test_one_request_that_nobody_answers_does_not_hold_up_the_others(bot: Bot, receiver: Receiver) -> None:
    """A receiver that dies of one request takes the others, and the request is given up in the end."""
    telemetry = bot(metrics_exporter="none", logs_exporter="none")
    receiver.poison = "poison"
    telemetry.tracer.start_span("poison").end()
    eventually(lambda: telemetry.status().signals["traces"].retried > 0)
    stop = threading.Event()

    def others() -> None:
        number = 0
        while not stop.wait(0.05):
            telemetry.tracer.start_span(f"{number}").end()
            number += 1

    worker = threading.Thread(target=others)
    worker.start()
    try:
        eventually(lambda: telemetry.status().signals["traces"].dropped == {"undeliverable": 1}, 120.0)
    finally:
        stop.set()
        worker.join()
    assert telemetry.flush(10.0)
    account = telemetry.status().signals["traces"]
    assert account.sent == account.emitted - 1 == receiver.counted("traces").total()


def test_a_receiver_that_comes_and_goes(bot: Bot, receiver: Receiver, engine: str) -> None:
    """Faults in any order under load: to the last item what was made has arrived, or is counted."""
    telemetry = bot(engine=engine, timeout=0.3)
    made = 0
    modes: list[Any] = ["refuse", "healthy", 503, "swallow", "healthy", "reset", "hang", "healthy", "cut", "healthy"]
    for mode in modes:
        receiver.mode = mode
        for _ in range(10):
            trade(telemetry, range(made, made + 20))
            made += 20
            time.sleep(0.03)
    receiver.mode = "healthy"
    assert telemetry.flush(60.0)
    for signal in ("traces", "logs"):
        account, arrived = telemetry.status().signals[signal], receiver.counted(signal)
        assert (account.emitted, account.sent, account.dropped) == (made, made, {})
        assert set(arrived) == set(names(range(made)))
        assert arrived.total() - made <= account.repeated
    assert balanced(telemetry)


def test_another_endpoint_gets_what_the_first_could_not_take(bot: Bot, receiver: Receiver) -> None:
    """What waits in the spool outlives a reconfiguration, and goes where things go now."""
    receiver.mode = 503
    telemetry = bot()
    trade(telemetry, range(SOME))
    telemetry.flush(0.5)
    with Receiver() as other:
        telemetry = bot(endpoint=other.url)
        trade(telemetry, range(SOME, 2 * SOME))
        eventually(lambda: other.counted("traces") == other.counted("logs") == names(range(2 * SOME)))
        assert receiver.items("traces") == []
        telemetry.shutdown(5.0)


def test_a_burst_is_accounted_for_to_the_last_item(bot: Bot, receiver: Receiver, engine: str) -> None:
    """More at once than queues hold: each item is delivered or counted, and what matters goes last."""
    telemetry = bot(engine=engine, span_queue_size=2_000, log_queue_size=2_000, metrics_exporter="none")
    logger, burst = telemetry.logger, 30_000
    for number in range(burst):
        telemetry.tracer.start_span(f"{number}").end()
        logger.emit(
            body=f"{number}", severity_number=SeverityNumber.WARN if number % 100 == 0 else SeverityNumber.DEBUG
        )
    assert telemetry.flush(60.0)
    for signal in ("traces", "logs"):
        account, arrived = telemetry.status().signals[signal], receiver.counted(signal)
        assert account.emitted == burst
        assert account.sent == len(arrived)
        assert arrived.total() - account.sent <= account.repeated  # a machine with much to do answers late
        assert account.sent + account.lost == burst
        assert set(account.dropped) <= {"queue_full"}
    assert telemetry.status().signals["logs"].low == telemetry.status().signals["logs"].dropped
    assert balanced(telemetry)


def test_metrics_of_an_outage_keep_their_times(bot: Bot, receiver: Receiver) -> None:
    """Each collection arrives as it was made, so that the gap in the graph is filled."""
    receiver.mode = "refuse"
    telemetry = bot(metric_interval=0.2, traces_exporter="none", logs_exporter="none")
    made = telemetry.meter.create_counter("bot.made")
    for _ in range(10):
        made.add(1)
        time.sleep(0.1)
    receiver.mode = "healthy"
    assert telemetry.flush(30.0)
    metrics = [metric for metric in receiver.items("metrics") if metric.name == "bot.made"]
    points = sorted((p for m in metrics for p in m.sum.data_points), key=lambda point: point.time_unix_nano)
    assert len(points) >= 4
    assert points[-1].time_unix_nano - points[0].time_unix_nano > 0.5e9
    totals = [point.as_int for point in points]
    assert totals == sorted(totals)
    assert len({point.start_time_unix_nano for point in points}) == 1


def test_what_a_dead_child_left_is_delivered_by_its_parent(
    bot: Bot, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It need not start again for that."""
    monkeypatch.setattr("otel_trading.export.store._ADOPTING", 0.5)
    receiver.mode = "refuse"
    telemetry = bot()
    trade(telemetry, range(SOME))
    telemetry.flush(0.2)

    def child() -> int:
        trade(telemetry, range(SOME, 2 * SOME))
        telemetry.flush(0.5)
        return telemetry.status().signals["traces"].spooled

    assert in_child(child) == SOME
    receiver.mode = "healthy"
    eventually(lambda: receiver.counted("traces") == receiver.counted("logs") == names(range(2 * SOME)))
    assert telemetry.flush(10.0)
    assert telemetry.status().signals["traces"].recovered == SOME
    assert balanced(telemetry)
