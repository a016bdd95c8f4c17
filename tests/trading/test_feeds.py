"""Feeds of market data, with both engines."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading import _native
from otel_trading.testing import capture
from otel_trading.trading.conventions import INSTRUMENTS
from otel_trading.trading.feeds import Feeds
from tests.forks import in_child
from tests.metrics.engines import Bench, Name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from otel_trading.trading.feeds import Feed

MS = 1_000_000
SECOND = 1_000 * MS
START = 1_723_161_254 * SECOND
VENUE = ("trading.venue.name", "binance")
TYPE = ("trading.market_data.type", "trade")
SYMBOL = ("trading.instrument.symbol", "BTC/USDT")
TRADES = "btcusdt@trade"


@pytest.fixture(params=["native", "sdk"])
def bench(request: pytest.FixtureRequest) -> Bench:
    """Each of the two engines, with a reader."""
    engine: Name = request.param
    return Bench(engine)


@pytest.fixture
def feeds(bench: Bench) -> Feeds:
    """All feeds of that engine."""
    return Feeds(lambda: bench.meter)  # type: ignore[arg-type, return-value]  # the API's meter is the engine's


@pytest.fixture
def feed(feeds: Feeds) -> Feed:
    """One feed of trades."""
    return feeds.feed("binance", TRADES, symbol="BTC/USDT", type="trade")


@pytest.fixture
def held() -> Iterator[Any]:
    """Sets the clock that ages are measured by, in seconds."""
    _native.hold_ticks(0.0)
    yield _native.hold_ticks
    _native.hold_ticks(None)


def latency(bench: Bench) -> Any:
    (point,) = bench.points("trading.market_data.latency")
    return point


def test_a_frame_is_counted_and_measured(bench: Bench, feed: Feed) -> None:
    """Every frame counts; those with an event time have a latency, those before their time are told."""
    feed.message()
    feed.message(START - 30 * MS, START)
    feed.message(START + 70 * MS, START)
    feed.message(START - 30 * MS, START)
    feed.bytes(512)
    feed.bytes(88)
    assert bench.values("trading.market_data.messages") == {(SYMBOL, TYPE, VENUE): 4}
    assert bench.values("trading.market_data.latency.negative") == {(TYPE, VENUE): 1}
    received = (("network.io.direction", "receive"), VENUE)
    assert bench.values("trading.venue.messages") == {received: 4}
    assert bench.values("trading.venue.io") == {received: 600}
    assert bench.values("trading.clock.offset") == {(VENUE,): pytest.approx(0.07)}
    assert bench.values("trading.clock.steps") == {(VENUE,): 0}
    point = latency(bench)
    assert dict(point.attributes) == dict([TYPE, VENUE])
    assert (point.count, point.sum) == (3, pytest.approx(0.03 + 0 + 0.1))
    assert (feed.messages, feed.negatives, feed.refused) == (4, 1, 0)
    assert feed.offset == pytest.approx(0.07)


def test_frames_that_the_socket_counts_are_not_exchanged_twice(bench: Bench, feeds: Feeds, feed: Feed) -> None:
    """A feed of a counted socket counts market data alone; both kinds of one subscription have one age."""
    counted = feeds.feed("binance", TRADES, symbol="BTC/USDT", type="trade", exchanged=False)
    again = feeds.feed("binance", TRADES, symbol="BTC/USDT", type="trade", exchanged=False)
    counted.message(START, START)
    counted.message()
    assert (again is counted, counted is feed) == (True, False)
    assert bench.values("trading.market_data.messages") == {(SYMBOL, TYPE, VENUE): 2}
    assert set(bench.values("trading.venue.messages").values()) <= {0}
    assert len(bench.points("trading.market_data.age")) == 1


def test_without_a_time_of_receipt_it_is_now(bench: Bench, feed: Feed) -> None:
    """The wall clock, also after it was reckoned for a while."""
    started = time.time_ns()
    for _ in range(4):
        feed.message(started)
        time.sleep(0.03)
    elapsed = (time.time_ns() - started) / 1e9
    point = latency(bench)
    assert point.count == 4
    assert 0.18 <= point.sum < 4 * elapsed
    assert abs(point.max - 0.09) < elapsed


WRONG = [
    1,
    START // 1_000_000,
    START // 1_000,
    -5,
    2**63,
    10**30,
    float("nan"),
    "1723161254",
    [],
    START - 3_700 * SECOND,
]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_event_times_that_cannot_be_are_counted_and_not_used(bench: Bench, feed: Feed, wrong: Any) -> None:
    """Seconds, milliseconds, texts: nothing raises, nothing is measured, and the estimate stays."""
    feed.message(START - 5 * MS, START)
    feed.message(wrong, START)
    assert bench.values("trading.market_data.errors") == {(("error.type", "event_time"), VENUE): 1}
    assert bench.values("trading.market_data.messages") == {(SYMBOL, TYPE, VENUE): 2}
    assert (latency(bench).count, feed.refused, feed.offset) == (1, 1, 0.0)


def test_no_event_time_may_be_said_as_none(bench: Bench, feed: Feed) -> None:
    """What a frame's dictionary gives is handed on as it is."""
    feed.message(None)
    feed.message(float(START), START)
    assert (feed.messages, feed.refused, latency(bench).count) == (2, 0, 1)


def test_age_is_that_of_the_subscription(bench: Bench, feeds: Feeds, held: Any) -> None:
    """Each has its own, also one that nothing ever came from; one that is closed has none."""
    busy = feeds.feed("binance", TRADES, symbol="BTC/USDT", type="trade")
    silent = feeds.feed("binance", "btcusdt@depth", symbol="BTC/USDT", type="depth", stale=60)
    held(40)
    busy.message()
    held(42)
    assert busy.age == pytest.approx(2)
    assert silent.age == pytest.approx(42)

    def ages() -> dict[str, float]:
        points = bench.points("trading.market_data.age")
        return {point.attributes["trading.market_data.subscription"]: round(point.value, 6) for point in points}

    assert ages() == {TRADES: 2, "btcusdt@depth": 42}
    assert feeds.stale() == []
    held(75)
    assert feeds.stale() == [busy, silent]
    assert bench.values("trading.market_data.stale.count") == {(VENUE,): 2}
    silent.close()
    busy.message()
    assert (ages(), feeds.stale(), silent.age, silent.closed) == ({TRADES: 0}, [], None, True)
    silent.message()
    assert (ages(), silent.age) == ({TRADES: 0}, None)


def test_the_same_subscription_is_the_same_feed(feeds: Feeds) -> None:
    """Until it is closed; what a venue calls the type is the convention's."""
    one = feeds.feed("binance", "btcusdt@bookTicker", symbol="BTC/USDT", type="bookTicker")
    assert feeds.feed("binance", "btcusdt@bookTicker", symbol="BTC/USDT", type="ticker") is one
    assert feeds.feed("binanceusdm", "btcusdt@bookTicker", symbol="BTC/USDT") is not one
    assert one.about == ("binance", "btcusdt@bookTicker", "BTC/USDT", "ticker")
    assert one.threshold == 30
    assert feeds.feed("binance", "btcusdt@bookTicker", symbol="BTC/USDT", stale=5).threshold == 5
    one.close()
    again = feeds.feed("binance", "btcusdt@bookTicker", symbol="BTC/USDT")
    assert again is not one
    assert len(list(feeds)) == 2


def test_counts_are_exact_under_threads(bench: Bench, feeds: Feeds) -> None:
    """Eight threads on one feed and two of one venue: every frame is counted once, and no latency is negative."""
    both = [feeds.feed("binance", name, type="trade") for name in ("a", "b")]
    each, threads = 2_000 if bench.engine == "sdk" else 20_000, 8
    ready = threading.Barrier(threads)

    def work(number: int) -> None:
        message = both[number % 2].message
        ready.wait()
        for frame in range(each):
            message(START + frame % 7 * MS, START)

    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    negative = sum(1 for frame in range(each) if frame % 7) * threads
    assert bench.values("trading.market_data.messages") == {(TYPE, VENUE): each * threads}
    assert bench.values("trading.market_data.latency.negative") == {(TYPE, VENUE): negative}
    assert (latency(bench).count, latency(bench).min) == (each * threads, 0)
    assert sum(one.messages for one in both) == each * threads


def test_a_forked_child_begins_at_zero(feeds: Feeds, feed: Feed) -> None:
    """The parent's subscriptions are not the child's: they have no age there before a frame comes."""
    feed.message(START + 50 * MS, START)

    def child() -> Any:
        before = feed.age, feed.messages, feeds.stale(), feed.offset
        feed.message()
        return *before, feed.age is None, feed.messages

    assert in_child(child) == (None, 0, [], pytest.approx(0.05), False, 1)
    assert feed.messages == 1


def test_a_probe_is_taken_and_nonsense_is_not(feeds: Feeds, feed: Feed) -> None:
    """What a venue says of its time; nothing raises."""
    assert feeds.probe("binance", START, START - 500 * MS + 10 * MS, START + 20 * MS)
    assert feed.offset == -0.5
    nonsense: Any = "soon"
    assert not feeds.probe("binance", START, nonsense, START)
    assert not feeds.probe("binance", START, 2**70, START)
    assert not feeds.probe("binance", START, 0, START)


def test_steps_and_wrong_times_are_said_once(
    bench: Bench, feeds: Feeds, feed: Feed, caplog: pytest.LogCaptureFixture
) -> None:
    """At a collection, not on the bot's way; the next minute nothing is added."""
    for ahead in (0, 900, 900, 900, 2_000, 2_000, 2_000):
        feed.message(START + ahead * MS, START)
    feed.message(12)
    for _ in range(3):
        assert bench.values("trading.clock.steps") == {(VENUE,): 2}
    said = [record.getMessage() for record in caplog.records if "binance" in record.getMessage()]
    assert len(said) == 2
    assert "offset of +2.000 s" in said[0]
    assert "5 event times of binance are not used" in said[1]


def test_all_it_measures_is_declared(bench: Bench, feeds: Feeds, feed: Feed) -> None:
    """Names, units, descriptions and attributes are those of the conventions."""
    feed.message(START + 10 * MS, START)
    feed.message(5)
    feed.bytes(10)
    metrics = bench.metrics()
    assert len(metrics) == 10
    for name, metric in metrics.items():
        declared = INSTRUMENTS[name]
        assert (metric.unit, metric.description) == (declared.unit, declared.description)
        for point in metric.data.data_points:
            assert set(declared.attributes) <= set(point.attributes) <= {*declared.attributes, *declared.optional}, name


def test_a_frame_leaves_nothing_in_memory() -> None:
    """A hundred thousand frames allocate no object that stays."""
    bench = Bench("native")
    feed = Feeds(lambda: bench.meter).feed("binance", TRADES, type="trade")  # type: ignore[arg-type, return-value]
    before = blocks = 0
    for round_ in range(4):
        for _ in range(25_000):
            feed.message(START, START)
            feed.message()
        gc.collect()
        blocks = sys.getallocatedblocks()
        before = before or (blocks if round_ else 0)
    assert abs(blocks - before) < 100


def test_feeds_are_freed() -> None:
    """A closed feed that nobody holds is gone with the next one that is made."""
    bench = Bench("native")
    feeds = Feeds(lambda: bench.meter)  # type: ignore[arg-type, return-value]
    for number in range(200):
        feeds.feed("binance", f"{number}", type="trade").close()
    feeds.feed("binance", "last")
    gc.collect()
    assert len(feeds._feeds) == 1


def test_native_feeds_refuse_what_is_no_handle() -> None:
    """They are made by Feeds; made by hand of something else they raise instead of crashing."""
    clock = _native.venue_clock(600.0, 0.0)
    nothing: Any = (None,) * 6
    assert _native.Feed(clock, *nothing).messages == 0
    for wrong in [(), (clock,), (object(), *nothing), (clock, object(), *nothing[1:])]:
        with pytest.raises(TypeError):
            _native.Feed(*wrong)
    with pytest.raises(TypeError):
        type(clock)()


def test_telemetry_that_is_off_costs_and_counts_nothing() -> None:
    """The switch of the whole kit holds here, too."""
    with capture() as telemetry:
        feed = Feeds(lambda: telemetry.handle.meter).feed("binance", TRADES, type="trade")
        telemetry.handle.enabled = False
        feed.message(START, START)
        telemetry.handle.enabled = True
        feed.message(START, START)
    assert feed.messages == 1


STEPS = """
import ctypes, sys, time
from otel_trading import _native
from otel_trading.trading.feeds import Feeds
from opentelemetry.metrics import NoOpMeterProvider

clock = ctypes.CDLL(sys.argv[1])
feeds = Feeds(lambda: NoOpMeterProvider().get_meter("bot"))
feed = feeds.feed("binance", "trades")

def latency(step):
    true = time.time_ns() - step * 1_000_000_000
    found = feed.take(true - 20_000_000 + 100_000_000)
    return round(found[0], 2) if found else found

seen = [latency(0) for _ in range(3)]
clock.set_ahead(int(sys.argv[2]))
time.sleep(0.06)
seen += [latency(int(sys.argv[2])) for _ in range(3)]
print(seen, feed.clock.steps, round(feed.offset - 0.08))
"""


@pytest.mark.parametrize("ahead", [40, -40, 86_400])
def test_our_own_clock_may_be_set(settable_clock: Path, ahead: int) -> None:
    """A step of our clock is no latency: it is noticed, counted, and taken out at once."""
    finished = subprocess.run(
        [sys.executable, "-c", STEPS, settable_clock, str(ahead)],
        env={**os.environ, "LD_PRELOAD": str(settable_clock), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.stdout.split() == ["[0.0,", *["0.0,"] * 4, "0.0]", "1", f"{-ahead}"], (
        finished.stdout + finished.stderr
    )
