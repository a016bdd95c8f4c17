from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.metrics import CallbackOptions, Observation

from otel_trading.metrics.native import NativeMeterProvider, NativeReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.metrics.conftest import MakeBench

SOON = 20.0
"""Seconds that no test waits for unless something is broken."""


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What a hanging callback waits for; opened at the end, so that no thread outlives the test for long."""
    event = threading.Event()
    yield event
    event.set()


def values(reader: NativeReader) -> dict[str, list[Any]]:
    """The values of all metrics by name."""
    return {name: [point[3] for point in points] for _, name, *_, points in reader.collect(SOON).metrics()}


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it becomes true."""
    end = time.monotonic() + SOON
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.005)
    return False


@pytest.fixture
def reader() -> NativeReader:
    return NativeReader()


@pytest.fixture
def impatient(reader: NativeReader) -> Iterator[NativeMeterProvider]:
    """A provider that waits a twentieth of a second for a callback."""
    provider = NativeMeterProvider([reader], callback_timeout=0.05)
    yield provider
    provider.shutdown()


def test_a_callback_that_raises_costs_itself(native: MakeBench, messages: list[str]) -> None:
    """What it reported before counts, others are asked, and it is reported once however often it fails."""
    made = native()

    def broken(_: CallbackOptions) -> Iterator[Observation]:
        yield Observation(1, {"part": "before"})
        raise OSError("no such file")

    made.meter.create_observable_gauge("broken", [broken, lambda _: [Observation(2, {"part": "other"})]])
    made.meter.create_observable_gauge("exits", [lambda _: sys.exit()])
    for _ in range(3):
        assert made.values("broken") == {(("part", "before"),): 1, (("part", "other"),): 2}
    failures = [message for message in messages if "failed" in message]
    assert ["'broken'" in message for message in failures] == [True, False]
    assert "OSError: no such file" in failures[0]
    assert made.provider.dropped()["callback_failed"] == 6


@pytest.mark.parametrize("answer", [None, 5, [None], [1], ["x"], [Observation(float("nan"))], [Observation("1")]])  # type: ignore[arg-type]
def test_wrong_answers_are_dropped(native: MakeBench, answer: Any) -> None:
    """What is no observation, or none of a finite number, costs itself and nothing else."""
    made = native()
    made.meter.create_observable_gauge("wrong", [lambda _: answer, lambda _: [Observation(1)]])
    assert made.values("wrong") == {(): 1}
    dropped = made.provider.dropped()
    assert dropped.get("invalid_value", 0) + dropped.get("callback_failed", 0) == 1


def test_an_unusable_callback_leaves_the_instrument_usable(native: MakeBench, messages: list[str]) -> None:
    """A generator that fails before its first yield, or callbacks that are no sequence, are reported."""
    made, gone = native(), True

    def fails() -> Any:
        if gone:
            raise LookupError("nothing to observe")
        yield

    made.meter.create_observable_gauge("first", [fails()])
    made.meter.create_observable_gauge("second", 5)  # type: ignore[arg-type]
    made.meter.create_observable_gauge("third", [lambda _: [Observation(1)]])
    assert [message for message in messages if "LookupError: nothing to observe" in message]
    assert [message for message in messages if "'second'" in message]
    assert made.values("third") == {(): 1}


def test_callbacks_of_a_second_request_are_asked_too(native: MakeBench) -> None:
    """Two parts of a bot may each register a callback with the same instrument; the same one counts once."""
    made = native()

    def first(_: CallbackOptions) -> list[Observation]:
        return [Observation(1, {"queue": "first"})]

    one = made.meter.create_observable_up_down_counter("depth", [first])
    assert made.meter.create_observable_up_down_counter("depth", [first]) is one
    made.meter.create_observable_up_down_counter("depth", [lambda _: [Observation(2, {"queue": "second"})]])
    assert made.values("depth") == {(("queue", "first"),): 1, (("queue", "second"),): 2}


def test_each_reader_asks_for_itself(reader: NativeReader) -> None:
    """Callbacks run once per collection, and a delta is that reader's own."""
    other = NativeReader(temporality="delta")
    provider = NativeMeterProvider([reader, other], callback_timeout=SOON)
    asked: list[int] = []

    def total(_: CallbackOptions) -> list[Observation]:
        asked.append(1)
        return [Observation(len(asked) * 10)]

    provider.get_meter("bot").create_observable_counter("total", [total])
    assert values(other) == {"total": [10]}
    assert values(reader) == {"total": [20]}
    assert values(other) == {"total": [20]}
    assert len(asked) == 3


def test_a_hanging_callback_stops_neither_the_others_nor_the_next_collections(
    impatient: NativeMeterProvider, reader: NativeReader, gate: threading.Event, messages: list[str]
) -> None:
    """It is reported once and runs only once at a time; everything else goes on, in order."""
    running: list[int] = []

    def hangs(_: CallbackOptions) -> list[Observation]:
        running.append(1)
        gate.wait(SOON)
        return [Observation(99)]

    meter = impatient.get_meter("bot")
    meter.create_observable_gauge("before", [lambda _: [Observation(1)]])
    meter.create_observable_gauge("hangs", [hangs])
    meter.create_observable_gauge("behind", [lambda _: [Observation(2)]])
    for _ in range(3):
        assert eventually(lambda: values(reader) == {"before": [1], "behind": [2]})
    assert len(running) == 1
    assert impatient.dropped()["callback_late"] >= 3
    assert len([message for message in messages if "'hangs' takes longer than 0.05 s" in message]) == 1
    gate.set()
    assert eventually(lambda: "hangs" in values(reader))


def test_a_slow_callback_is_one_collection_late(
    impatient: NativeMeterProvider, reader: NativeReader, gate: threading.Event
) -> None:
    """A callback that took too long runs beside the collections; a value it reported is reported once only."""
    asked = 0
    slow = threading.Event()

    def callback(_: CallbackOptions) -> list[Observation]:
        nonlocal asked
        asked += 1
        current = asked
        if current == 1:
            slow.wait(SOON)
        if current > 1:
            gate.wait(SOON)
        return [Observation(current)]

    impatient.get_meter("bot").create_observable_gauge("slow", [callback])
    assert values(reader) == {}
    slow.set()
    assert eventually(lambda: values(reader) == {"slow": [1]})
    assert values(reader) == {}
    gate.set()
    assert eventually(lambda: "slow" in values(reader))


def test_instruments_are_made_while_a_callback_runs(reader: NativeReader, gate: threading.Event) -> None:
    """A callback that takes its time holds no lock that the bot needs."""
    provider = NativeMeterProvider([reader], callback_timeout=SOON)
    meter = provider.get_meter("bot")
    entered = threading.Event()

    def slow(_: CallbackOptions) -> list[Observation]:
        entered.set()
        gate.wait(SOON)
        return [Observation(1)]

    meter.create_observable_gauge("slow", [slow])
    thread = threading.Thread(target=reader.collect, args=(SOON,))
    thread.start()
    assert entered.wait(SOON)
    counter = meter.create_counter("made.meanwhile")
    counter.add(1)
    meter.create_observable_gauge("observed.meanwhile", [lambda _: [Observation(1)]])
    other = NativeReader()
    provider.add_metric_reader(other)
    assert thread.is_alive()
    gate.set()
    thread.join(SOON)
    assert values(other) == {"slow": [1], "made.meanwhile": [1], "observed.meanwhile": [1]}


def test_two_collections_of_one_reader_do_not_mix(reader: NativeReader, gate: threading.Event) -> None:
    """The second waits for the first, and says so when it may not wait as long."""
    provider = NativeMeterProvider([reader], callback_timeout=SOON)
    entered = threading.Event()

    def slow(_: CallbackOptions) -> list[Observation]:
        entered.set()
        gate.wait(SOON)
        return [Observation(1)]

    provider.get_meter("bot").create_observable_gauge("slow", [slow])
    thread = threading.Thread(target=reader.collect, args=(SOON,))
    thread.start()
    assert entered.wait(SOON)
    with pytest.raises(TimeoutError, match=r"more than 0\.01 s"):
        reader.collect(0.01)
    gate.set()
    thread.join(SOON)
    assert values(reader) == {"slow": [1]}


def test_a_callback_sees_the_context_of_the_collection(native: MakeBench) -> None:
    """Context variables of the collecting thread hold in callbacks, as they would without threads."""
    from opentelemetry.context import attach, detach, get_value, set_value

    made = native()
    made.meter.create_observable_gauge("context", [lambda _: [Observation(get_value("answer"))]])  # type: ignore[arg-type]
    token = attach(set_value("answer", 42))
    try:
        assert made.values("context") == {(): 42}
    finally:
        detach(token)
