from __future__ import annotations

import itertools
import math
import random
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.metrics import NoOpMeter

from otel_trading.testing import Captured, capture
from otel_trading.trading.counters import CountersSnapshot, VenueCounters

if TYPE_CHECKING:
    from collections.abc import Iterator

THREADS = 8
ROUNDS = 5_000


@pytest.fixture(params=["sdk", "native"])
def telemetry(request: pytest.FixtureRequest) -> Iterator[Captured]:
    """Each engine in turn."""
    with capture(engine=request.param) as captured:
        yield captured


@pytest.fixture
def counters() -> VenueCounters:
    """Counters whose metrics go nowhere."""
    return VenueCounters(NoOpMeter("bot"), "binance")


def trade(counters: VenueCounters, rounds: int) -> None:
    for step in range(rounds):
        counters.increment_messages_received(2)
        counters.increment_messages_sent()
        counters.increment_orders_placed()
        counters.increment_orders_filled()
        counters.record_latency_us(100 + step % 10)


def test_counts_are_exact_under_threads(counters: VenueCounters) -> None:
    """Eight threads count while snapshots are taken: every snapshot is consistent, and the last one is exact."""
    threads = [threading.Thread(target=trade, args=(counters, ROUNDS)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    taken: list[CountersSnapshot] = []
    while any(thread.is_alive() for thread in threads):
        taken.append(counters.snapshot())
    for thread in threads:
        thread.join()
    taken.append(counters.snapshot())
    for before, after in itertools.pairwise(taken):
        assert before.messages_received <= after.messages_received
        assert before.latency_us.count <= after.latency_us.count
    for seen in taken:  # each thread is at most one step ahead with each call
        assert seen.orders_filled <= seen.orders_placed <= seen.messages_sent <= seen.orders_filled + THREADS
        assert 2 * seen.messages_sent <= seen.messages_received <= 2 * (seen.messages_sent + THREADS)
    last = taken[-1]
    counted = [last.messages_received, last.messages_sent, last.orders_placed, last.orders_filled]
    assert counted == [2 * THREADS * ROUNDS, *[THREADS * ROUNDS] * 3]
    assert (last.latency_us.count, last.latency_us.total) == (THREADS * ROUNDS, THREADS * ROUNDS * 104.5)


def test_threads_that_ended_leave_their_counts_and_no_memory(counters: VenueCounters) -> None:
    """A bot that starts a thread for every order does not grow with them."""
    for _ in range(50):
        thread = threading.Thread(target=trade, args=(counters, 3))
        thread.start()
        thread.join()
        counters.snapshot()
    assert counters.snapshot().orders_placed == 150
    assert len(counters._threads) <= 1


def test_the_metrics_agree(telemetry: Captured) -> None:
    """What the bot reads is what is exported, under the kit's names and in seconds."""
    counters = VenueCounters(telemetry.meter, "binance", {"trading.strategy.name": "basis"})
    trade(counters, 10)
    counters.record_spread_bps(1.5)
    venue = {"trading.venue.name": "binance", "trading.strategy.name": "basis"}
    messages = telemetry.metrics["trading.venue.messages"].where(venue)
    assert messages(network_io_direction="receive").value == 20
    assert messages(network_io_direction="transmit").value == 10
    assert telemetry.metrics["trading.order.submissions"].where(venue).value == 10
    filled = {**venue, "trading.execution.type": "trade", "trading.order.status": "filled"}
    assert telemetry.metrics["trading.execution.reports"].where(filled).value == 10
    latency = telemetry.metrics["trading.order.ack.duration"].where(venue)
    assert (latency.count, latency.unit) == (10, "s")
    assert [latency.sum, latency.max] == pytest.approx([0.001045, 0.000109])
    assert telemetry.metrics["trading.market_data.book.spread.bps"].where(venue).max == 1.5


def test_percentiles_of_latency_are_within_one_percent(counters: VenueCounters) -> None:
    """From microseconds to minutes, beside an exact greatest value and the total."""
    generator = random.Random(3)  # noqa: S311 - the same in every run
    measured = sorted(10 ** generator.uniform(1, 8) for _ in range(5_000))
    for value in measured:
        counters.record_latency_us(value)
    latency = counters.snapshot().latency_us
    assert (latency.count, latency.high) == (5_000, measured[-1])
    assert latency.mean == pytest.approx(math.fsum(measured) / 5_000)
    for share in (0.01, 0.5, 0.95, 0.99, 0.999):
        assert latency.quantile(share) == pytest.approx(measured[math.ceil(share * 5_000) - 1], rel=0.01)


def test_latency_in_ten_buckets(counters: VenueCounters) -> None:
    """Each bucket includes its upper bound; the last is open."""
    for value in (0, 3, 10, 11, 50, 400, 60_000, 10**12):
        counters.record_latency_us(value)
    assert counters.snapshot().latency_histogram == [3, 2, 0, 0, 1, 0, 0, 0, 0, 2]


def test_spreads_are_a_distribution(counters: VenueCounters) -> None:
    """Hundredths of a basis point are told apart; a crossed book counts as none."""
    for spread in (0.01, 0.02, 0.5, -3.0):
        counters.record_spread_bps(spread)
    spread_bps = counters.snapshot().spread_bps
    assert (spread_bps.count, spread_bps.high) == (4, 0.5)
    assert spread_bps.quantile(0.5) == pytest.approx(0.01, abs=0.001)
    assert spread_bps.quantile(0.75) == pytest.approx(0.02, abs=0.001)


def test_rates_come_from_two_snapshots() -> None:
    """Messages a second between two moments; of no time there is no rate."""
    now = [10.0]
    counters = VenueCounters(NoOpMeter("bot"), "binance", now=lambda: now[0])
    first = counters.snapshot()
    counters.increment_messages_received(150)
    counters.increment_messages_sent(50)
    now[0] = 14.0
    assert counters.snapshot().messages_per_second(first) == 50
    assert first.messages_per_second(first) == 0


@pytest.mark.parametrize("value", [None, "1", float("nan"), float("inf"), -1, [1]])
def test_what_is_no_amount_is_lost_without_an_exception(telemetry: Captured, value: Any) -> None:
    """Neither raised nor counted here; the instrument counts it as lost."""
    counters = VenueCounters(telemetry.meter, "binance")
    counters.increment_messages_received(value)
    counters.record_latency_us(value)
    snapshot = counters.snapshot()
    assert (snapshot.messages_received, snapshot.latency_us.count) == (0, 0)
    assert "trading.venue.messages" not in telemetry.metrics
    assert "trading.order.ack.duration" not in telemetry.metrics


FORK = """
import os
from opentelemetry.metrics import NoOpMeter
from otel_trading.trading.counters import VenueCounters
counters = VenueCounters(NoOpMeter("bot"), "binance")
counters.increment_orders_placed(7)
child = os.fork()
if not child:
    counters.increment_orders_placed(2)
    os._exit(counters.snapshot().orders_placed)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), counters.snapshot().orders_placed)
"""


def test_a_forked_child_counts_from_zero() -> None:
    """The child has counts of its own, and the parent keeps its."""
    run = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.split() == ["2", "7"]
