"""The thread that delivers: forks, reconfigurations, slow receivers, sinks that fail, and the account."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from otel_trading.export.ledger import Ledger
from otel_trading.logs.lines import Lines
from otel_trading.logs.shipping import LogShipper
from tests.forks import in_child
from tests.logs.conftest import SIZE, Kept, decoded, records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading import Telemetry
    from otel_trading.export.feeder import Safe
    from otel_trading.export.ledger import Account, Lane
    from tests.core.conftest import Configure
    from tests.core.otlp_receiver import OtlpReceiver


class Held:
    """A taker that keeps what it gets, and may be told to wait or to fail."""

    target = "held"

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.fails = 0
        self.got: list[tuple[Lane, bytes, int]] = []
        self.safe: list[Safe] = []

    def take(self, batch: bytes, count: int, lane: Lane, safe: Safe | None = None) -> None:
        self.go.wait(60)
        if self.fails:
            self.fails -= 1
            raise ZeroDivisionError
        self.got.append((lane, batch, count))
        if safe is not None:
            self.safe.append(safe)

    @property
    def bodies(self) -> list[str]:
        return [record.body.string_value for record in records(batch for _, batch, _ in self.got)]

    def flush(self, deadline: float) -> bool:
        return True

    def restart_in_child(self) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def shipped() -> Iterator[Any]:
    """Lines with a writer of their own."""
    made: list[LogShipper] = []

    def ship(taker: Held | None, *sinks: Kept, size: int = SIZE, delay: float = 60.0) -> tuple[Lines, LogShipper]:
        lines = Lines()
        lines.record(None, size=size)
        made.append(LogShipper(lines, taker, Ledger("logs"), sinks, batch_size=512, delay=delay))
        return lines, made[-1]

    yield ship
    for shipper in made:
        shipper.request_close(time.monotonic() + 10)
        shipper.wait_closed()


def account(shipper: LogShipper) -> Account:
    return shipper.account(shipper.ledger.account())


def flush(shipper: LogShipper) -> bool:
    return shipper.wait_flushed(shipper.request_flush(), time.monotonic() + 30)


def test_what_nobody_can_take_is_dropped_by_level_errors_last(shipped: Any) -> None:
    """Each is counted with its reason, lane and level; what is there arrives."""
    taker = Held()
    taker.go.clear()
    lines, shipper = shipped(taker)
    log = lines.log("bot")
    for number in range(5_000):
        for call in (log.debug, log.info, log.warning):
            call("x", text="x" * 300, n=number)
    for number in range(100):
        log.error("bad", text="x" * 300, n=number)
        log.critical("worse", text="x" * 300, n=number)
    taker.go.set()
    assert flush(shipper)
    told = account(shipper)
    assert told.emitted == 15_200
    assert set(told.dropped) == {"queue_full"}
    dropped = {level: count for (_, _, level), count in told.levels.items()}
    assert "ERROR" not in dropped
    assert "CRITICAL" not in dropped
    assert dropped["DEBUG"] + dropped["INFO"] == told.low["queue_full"]
    assert dropped["WARNING"] <= dropped["INFO"]
    assert sum(dropped.values()) == told.lost
    assert len(taker.bodies) == told.emitted - told.lost == told.pending
    assert taker.bodies.count("bad") == taker.bodies.count("worse") == 100


def test_a_slow_receiver_costs_the_bot_nothing_and_every_record_is_accounted_for(
    configured: Configure, receiver: OtlpReceiver
) -> None:
    """However many there are; nobody but the bot has something to say here."""
    telemetry = configured(metrics_exporter="none", traces_exporter="none", health_enabled=False, alerts_enabled=False)
    receiver.hanging.set()
    log = telemetry.log("bot")
    for number in range(30_000):
        log.info("tick", n=number, venue="kraken", price=number / 2)
        if number % 5_000 == 0:
            time.sleep(0.05)
    receiver.hanging.clear()
    receiver.released.set()
    assert telemetry.flush(60)
    told = telemetry.status().signals["logs"]
    assert told.emitted == 30_000 == told.sent + told.lost
    assert told.pending == 0
    numbers = [each.value.int_value for record in receiver.logs for each in record.attributes if each.key == "n"]
    assert len(numbers) == len(set(numbers)) == told.sent


def test_lines_arrive_in_their_order_and_by_lane(shipped: Any) -> None:
    """Requests hold one lane each; lines are in the order of their calls."""
    taker, sink = Held(), Kept()
    lines, shipper = shipped(taker, sink)
    log = lines.log("bot")
    for number in range(1_000):
        (log.error if number % 3 == 0 else log.info)(str(number))
    log.info("an order", event="trading.order.sent")
    log.info("an order", **{"trading.pnl.realized": 5.0})
    assert flush(shipper)
    lanes = {lane: [body for kind, batch, _ in taker.got if kind == lane for body in _bodies(batch)]
             for lane in ("important", "low")}  # fmt: skip
    assert lanes["important"] == [str(number) for number in range(0, 1_000, 3)] + ["an order"] * 2
    assert lanes["low"] == [str(number) for number in range(1_000) if number % 3]
    assert [line["message"] for line in decoded(sink.text)] == [str(n) for n in range(1_000)] + ["an order"] * 2


def _bodies(batch: bytes) -> list[str]:
    return [record.body.string_value for record in records([batch])]


def test_sinks_get_lines_at_their_level_soon(shipped: Any) -> None:
    """Without anybody waiting for a batch."""
    everything, errors = Kept(5), Kept(17)
    lines, shipper = shipped(None, everything, errors)
    for call in (lines.log("bot").debug, lines.log("bot").error):
        call("x")
    end = time.monotonic() + 30
    while everything.text.count(b"\n") < 2 and time.monotonic() < end:
        time.sleep(0.01)
    assert [line["level"] for line in decoded(everything.text)] == ["DEBUG", "ERROR"]
    assert [line["level"] for line in decoded(errors.text)] == ["ERROR"]
    assert "flush" in errors.did
    told = account(shipper)
    assert (told.emitted, told.sent, told.pending) == (2, 2, 0)


def test_a_sink_that_fails_costs_its_lines_which_are_counted(shipped: Any) -> None:
    """By level, for the reason ``disk``; requests are not concerned."""
    taker, failing, full = Held(), Kept(5), Kept(17, lost={"ERROR": 1})
    failing.error = OSError("no space left")
    lines, shipper = shipped(taker, failing, full)
    lines.log("bot").info("a")
    lines.log("bot").error("b")
    assert flush(shipper)
    told = account(shipper)
    assert told.levels == {("disk", "important", "INFO"): 1, ("disk", "important", "ERROR"): 2}
    assert (told.emitted, told.lost, told.pending) == (5, 3, 2)
    assert sorted(taker.bodies) == ["a", "b"]


def test_the_thread_goes_on_after_an_exception(shipped: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is counted and told; a batch that cannot be handed over is lost and counted."""
    taker, sink = Held(), Kept()
    lines, shipper = shipped(taker, sink)
    healthy = shipper.write_rest

    def write_rest(timeout: float = -1) -> None:
        monkeypatch.setattr(shipper, "write_rest", healthy)
        raise ZeroDivisionError

    monkeypatch.setattr(shipper, "write_rest", write_rest)
    taker.fails = 1
    lines.log("bot").error("a")
    assert flush(shipper)
    lines.log("bot").error("b")
    assert flush(shipper)
    assert shipper.restarts == 1
    assert [line["message"] for line in decoded(sink.text)] == ["a", "b"]
    assert taker.bodies == ["b"]
    assert account(shipper).dropped == {"failed": 1}


def test_what_comes_after_the_end_is_counted(shipped: Any) -> None:
    """As lost."""
    taker = Held()
    lines, shipper = shipped(taker)
    lines.log("bot").error("a")
    shipper.request_close(time.monotonic() + 10)
    lines.log("bot").error("b")
    assert shipper.wait_closed()
    assert taker.bodies == ["a"]
    assert account(shipper).levels == {("shut_down", "important", "ERROR"): 1}


def test_a_reconfiguration_loses_nothing(configured: Configure, receiver: OtlpReceiver, sink: Kept) -> None:
    """While lines are logged all the time."""
    telemetry = configured(metrics_exporter="none", traces_exporter="none")
    log, end, counts = telemetry.log("bot"), threading.Event(), [0]

    def work() -> None:
        while not end.is_set():
            log.error("x", n=counts[0])
            counts[0] += 1
            if counts[0] % 50 == 0:
                time.sleep(0.001)

    thread = threading.Thread(target=work)
    thread.start()
    for number in range(4):
        time.sleep(0.1)
        telemetry = configured(
            metrics_exporter="none", traces_exporter="none", log_delay=0.1 + number, flight_size=1 << (21 + number % 2)
        )
    end.set()
    thread.join()
    assert telemetry.flush(20)
    telemetry.shutdown(20)
    numbers = [each.value.int_value for record in receiver.logs for each in record.attributes if each.key == "n"]
    assert sorted(numbers) == list(range(counts[0]))
    assert [line["data"]["n"] for line in decoded(sink.text) if line["message"] == "x"] == list(range(counts[0]))


def test_a_forked_child_delivers_its_own(configured: Configure, receiver: OtlpReceiver, sink: Kept) -> None:
    """And nothing of its parent's; its sinks begin anew."""
    telemetry = configured(metrics_exporter="none", traces_exporter="none")
    telemetry.log("bot").error("parent's")

    def child() -> tuple[bool, int, list[str], list[str]]:
        telemetry.log("bot").error("child's")
        done = telemetry.flush(20)
        sent = telemetry.status().signals["logs"].sent
        return done, sent, sink.did, [line["message"] for line in decoded(sink.text)]

    done, number, did, messages = in_child(child)
    assert (done, number) == (True, 1)
    assert "reopen" in did
    assert [message for message in messages if message != "parent's"] == ["child's"]
    assert telemetry.flush(20)
    assert sorted(record.body.string_value for record in receiver.logs) == ["child's", "parent's"]
    assert [line["message"] for line in decoded(sink.text)] == ["parent's"]


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_processors_of_the_bot_see_each_record_once(configured: Configure, engine: str) -> None:
    """Whichever way it came."""
    telemetry = configured(engine=engine)
    exporter: Any = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    telemetry.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logging.getLogger("stdlib").warning("a")
    telemetry.log("ours").warning("a", event="e", tags=["t"], price=1.5)
    telemetry.lines.write(13, "a", "e", "lines", {"price": 1.5}, ["t"])
    telemetry.logger.emit(body="a")
    found = exporter.get_finished_logs()
    assert [each.log_record.body for each in found] == ["a"] * 4
    names = [each.instrumentation_scope.name for each in found if each.instrumentation_scope]
    assert names == ["stdlib", "ours", "lines", "otel_trading"]
    for each in found[1:3]:
        attributes = dict(each.log_record.attributes or {})
        assert attributes == {"price": 1.5, "log.tags": ("t",)}
        assert each.log_record.event_name == "e"
        assert each.resource.attributes["service.name"] == "test-bot"


def test_a_processor_that_raises_costs_itself(configured: Configure, receiver: OtlpReceiver) -> None:
    """Nothing reaches the bot."""

    class Failing(SimpleLogRecordProcessor):
        def on_emit(self, log_record: Any) -> None:
            raise ZeroDivisionError

    exporter: Any = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    telemetry = configured()
    telemetry.logger_provider.add_log_record_processor(Failing(exporter))
    telemetry.log("ours").warning("a")
    logging.getLogger("stdlib").warning("b")
    assert telemetry.flush(10)
    assert {"a", "b"} <= {record.body.string_value for record in receiver.logs}


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_sinks_get_everything_with_either_engine(configured: Configure, sink: Kept, engine: str) -> None:
    """Also where nothing goes out over OTLP."""
    telemetry = configured(engine=engine, logs_exporter="none")
    logging.getLogger("stdlib").warning("a")
    telemetry.log("ours").warning("a", price=1.5)
    telemetry.logger.emit(body="a")
    assert telemetry.flush(10)
    lines = decoded(sink.text)
    assert [(line["service"], line["message"]) for line in lines] == [
        ("stdlib", "a"), ("ours", "a"), ("otel_trading", "a"),
    ]  # fmt: skip
    assert lines[1]["data"] == {"price": 1.5}
    telemetry.shutdown(10)
    assert sink.did[-1] == "close"


def _dropped(telemetry: Telemetry, receiver: OtlpReceiver) -> dict[tuple[str, ...], int]:
    assert telemetry.flush(20)
    (metric,) = receiver.metrics("trading.telemetry.dropped")[-1:]
    found: dict[tuple[str, ...], int] = {}
    for point in metric.sum.data_points:
        told = {each.key: each.value.string_value for each in point.attributes}
        if told["signal"] == "logs" and point.as_int:
            found[told["reason"], told["lane"], told.get("log.level", "")] = point.as_int
    return found


def test_drops_are_reported_by_level(configured: Configure, receiver: OtlpReceiver, sink: Kept) -> None:
    """As an attribute of the counter of all drops."""
    sink.error = OSError("no space left")
    telemetry = configured(traces_exporter="none")
    telemetry.log("bot").error("a")
    telemetry.log("bot").info("b")
    assert telemetry.flush(20)
    found = _dropped(telemetry, receiver)
    assert found["disk", "important", "ERROR"] == found["disk", "important", "INFO"] == 1


def test_after_a_capture_lines_go_where_they_went(configured: Configure, receiver: OtlpReceiver) -> None:
    """What is captured does not arrive."""
    from otel_trading.testing import capture

    telemetry = configured(metrics_exporter="none", traces_exporter="none")
    with capture() as captured:
        telemetry.log("bot").error("captured")
        logging.getLogger("bot").error("captured")
        assert [log.body for log in captured.logs] == ["captured"] * 2
    telemetry.log("bot").error("delivered")
    logging.getLogger("bot").error("delivered")
    assert telemetry.flush(10)
    assert [record.body.string_value for record in receiver.logs] == ["delivered"] * 2
