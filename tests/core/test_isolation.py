"""What the bot brings along, and breaks, costs itself: everything else goes on being measured and delivered."""

from __future__ import annotations

import logging
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.metrics import Observation
from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from otel_trading import Telemetry
    from tests.core.conftest import Configure
    from tests.core.otlp_receiver import OtlpReceiver

    Observe = Callable[[Telemetry, str, Callable[[object], Any]], object]

SOON = 20.0
"""Seconds that nothing takes unless it hangs."""


@pytest.fixture(params=["native", "sdk"])
def engine(request: pytest.FixtureRequest) -> str:
    """Both engines in turn."""
    return str(request.param)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What a hanging part waits for; opened at the end."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def observe() -> Iterator[Observe]:
    """Make a gauge with a callback that says nothing once the test is over: instruments are the process's."""
    asked = True

    def make(handle: Telemetry, name: str, callback: Callable[[object], Any]) -> object:
        return handle.meter.create_observable_gauge(name, [lambda options: callback(options) if asked else []])

    yield make
    asked = False


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """What the kit said."""
    with caplog.at_level(logging.WARNING, "otel_trading"):
        yield lambda: [record.getMessage() for record in caplog.records if record.name == "otel_trading"]


def values(receiver: OtlpReceiver, name: str) -> list[float]:
    """Every value of a gauge that was received, oldest first."""
    points = [point for metric in receiver.metrics(name) for point in metric.gauge.data_points]
    return [point.as_int if point.HasField("as_int") else point.as_double for point in points]


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_callback_that_hangs_costs_its_own_values(
    configured: Configure,
    receiver: OtlpReceiver,
    engine: str,
    gate: threading.Event,
    said: Callable[[], list[str]],
    observe: Observe,
) -> None:
    """All others are exported, instruments can be made, one line names it, and its old value is not repeated."""
    handle = configured(engine=engine, metric_interval=0.1)
    asked: list[int] = []

    def hangs(_: object) -> list[Observation]:
        asked.append(1)
        if len(asked) > 1:
            gate.wait(SOON)
        return [Observation(len(asked))]

    name = f"bot.hangs.{engine}"
    observe(handle, name, hangs)
    observe(handle, f"bot.works.{engine}", lambda _: [Observation(7)])
    eventually(lambda: len(asked) == 2)
    made_meanwhile = observe(handle, f"bot.late.{engine}", lambda _: [Observation(8)])
    assert made_meanwhile is not None
    count = len(values(receiver, f"bot.works.{engine}"))
    eventually(lambda: len(values(receiver, f"bot.works.{engine}")) > count + 3)
    eventually(lambda: 8 in values(receiver, f"bot.late.{engine}"))
    assert values(receiver, name).count(1) == 1
    assert len(asked) == 2
    assert handle.flush(SOON)
    assert len([line for line in said() if repr(name) in line]) == 1
    dropped = handle.status().signals["metrics"].dropped
    assert dropped["callback_late"] > 0
    assert handle.shutdown(SOON)


AGAIN = list(range(99))
"""Numbers for names: instruments are the process's."""


@pytest.mark.parametrize("answer", [ZeroDivisionError, SystemExit, None, 5, [None], ["x"], [Observation("1")]])  # type: ignore[arg-type]
def test_a_callback_that_fails_costs_its_own_values(
    configured: Configure,
    receiver: OtlpReceiver,
    engine: str,
    answer: Any,
    said: Callable[[], list[str]],
    observe: Observe,
) -> None:
    """Whatever it raises or returns; it is said once at most, and counted."""
    handle = configured(engine=engine)

    def fails(_: object) -> Any:
        if isinstance(answer, type):
            raise answer
        return answer

    name = f"bot.{engine}.{AGAIN.pop()}"
    observe(handle, f"{name}.fails", fails)
    observe(handle, name, lambda _: [Observation(7)])
    for _ in range(3):
        assert handle.flush(SOON)
    assert values(receiver, name) == [7, 7, 7]
    assert values(receiver, f"{name}.fails") == []
    assert len([line for line in said() if "fails" in line]) <= 1
    assert handle.status().signals["metrics"].lost >= 3


class Raising(SpanProcessor, LogRecordProcessor):
    """Raises wherever it is called."""

    def _raise(self, *_: object, **__: object) -> Any:
        raise OSError("out of luck")

    on_start = on_end = on_emit = _on_ending = shutdown = force_flush = _raise


class Hanging(Raising):
    """Hangs where it is asked to deliver."""

    def __init__(self, gate: threading.Event) -> None:
        self._gate = gate

    def _nothing(self, *_: object, **__: object) -> None: ...

    def _hang(self, *_: object, **__: object) -> Any:
        self._gate.wait(600)

    on_start = on_end = on_emit = _on_ending = _nothing
    shutdown = force_flush = _hang


def use_all(handle: Telemetry) -> None:
    """One span and two log records, which may not raise."""
    with handle.tracer.start_as_current_span("tick"):
        logging.getLogger("bot").warning("hello")
        handle.logger.emit(LogRecord(body="event"))


def all_there(receiver: OtlpReceiver, times: int) -> bool:
    """Whether the receiver has so many of them."""
    bodies = sorted(record.body.string_value for record in receiver.logs)
    return len(receiver.spans) == times and bodies == ["event"] * times + ["hello"] * times


def test_processors_that_raise_cost_themselves(
    configured: Configure,
    receiver: OtlpReceiver,
    engine: str,
    said: Callable[[], list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The bot's calls go through, everything arrives, and each failure is said once."""
    handle = configured(engine=engine)
    handle.tracer_provider.add_span_processor(Raising())
    handle.logger_provider.add_log_record_processor(Raising())
    for _ in range(3):
        use_all(handle)
    assert handle.flush(SOON)
    assert all_there(receiver, 3)
    lines = [line for line in said() if "OSError: out of luck" in line]
    assert len(lines) == 6  # four methods of one, two of the other
    assert "Logging error" not in capsys.readouterr().err


def test_processors_that_hang_cost_the_deadline(
    configured: Configure, receiver: OtlpReceiver, engine: str, gate: threading.Event
) -> None:
    """flush() and shutdown() come back, and what is ours has arrived."""
    handle = configured(engine=engine)
    handle.tracer_provider.add_span_processor(Hanging(gate))
    handle.logger_provider.add_log_record_processor(Hanging(gate))
    use_all(handle)
    assert not handle.flush(1.0)
    use_all(handle)
    assert not handle.shutdown(1.0)
    eventually(lambda: all_there(receiver, 2))


class Exporter(SpanExporter):
    """An exporter as a plug-in brings it, that does what the test says."""

    act: Callable[[], Any]

    def export(self, spans: Any) -> Any:
        return Exporter.act()

    def shutdown(self) -> None:
        Exporter.act()


@pytest.mark.parametrize("what", ["raises", "hangs", "answers nonsense", "cannot be made"])
def test_an_exporter_that_breaks_costs_what_goes_through_it(
    configured: Configure,
    receiver: OtlpReceiver,
    engine: str,
    what: str,
    gate: threading.Event,
    said: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same spans arrive over OTLP, and the other signals; shutdown keeps its deadline."""

    def act() -> Any:
        if what == "hangs":
            gate.wait(600)
        if what == "answers nonsense":
            return "nonsense"
        raise OSError("out of luck")

    def made() -> Exporter:
        if what == "cannot be made":
            raise OSError("out of luck")
        return Exporter()

    monkeypatch.setattr(Exporter, "act", staticmethod(act), raising=False)
    monkeypatch.setattr("otel_trading.building.load", lambda *_: made)
    handle = configured(engine=engine, traces_exporter=("otlp", "plugin"))
    for _ in range(3):
        use_all(handle)
        handle.flush(0.5)
    handle.shutdown(1.0)
    eventually(lambda: all_there(receiver, 3))
    assert len([line for line in said() if "plugin" in line]) == (0 if what == "hangs" else 1)


class Mute:
    """Cannot be shown."""

    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __str__


class MuteError(Exception):
    __str__ = __repr__ = Mute.__str__


def log_mute_exception(logger: logging.Logger) -> None:
    """Log an exception that cannot be shown."""
    try:
        raise MuteError
    except MuteError:
        logger.exception("what happened")


MISTAKES: dict[str, tuple[Callable[[logging.Logger], None], bool]] = {
    "too few arguments": (lambda logger: logger.warning("%s %s", 1), True),  # noqa: PLE1206
    "too many arguments": (lambda logger: logger.warning("%s", 1, 2), True),  # noqa: PLE1205
    "an argument of another kind": (lambda logger: logger.warning("%d", "x"), True),
    "an argument that cannot be shown": (lambda logger: logger.warning("%s", Mute()), True),
    "a message that cannot be shown": (lambda logger: logger.warning(Mute()), False),
    "extra that cannot be shown": (lambda logger: logger.warning("x", extra={"k": Mute()}), False),
    "extra that is a cycle": (lambda logger: logger.warning("x", extra={"k": CYCLE}), False),
    "an exception that cannot be shown": (log_mute_exception, False),
    "no exception": (lambda logger: logger.error("x", exc_info=True), False),  # noqa: LOG014
    "a wrong exception": (lambda logger: logger.error("x", exc_info=5), False),  # type: ignore[arg-type]  # noqa: LOG014
}
CYCLE: list[Any] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize("printed", [True, False])
@pytest.mark.parametrize("what", MISTAKES)
def test_mistakes_in_logging_calls(
    configured: Configure,
    receiver: OtlpReceiver,
    what: str,
    printed: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As with the standard library's handlers: printed unless logging.raiseExceptions is off, and the bot goes on."""
    call, always_printed = MISTAKES[what]
    handle = configured()
    root = logging.getLogger()
    others = [other for other in root.handlers if type(other).__name__ != "BridgeHandler"]
    monkeypatch.setattr(logging, "lastResort", None)
    monkeypatch.setattr(logging, "raiseExceptions", printed)
    for other in others:  # pytest's own handler would raise, as it should in tests
        root.removeHandler(other)
    try:
        call(logging.getLogger("bot"))
        logging.getLogger("bot").warning("behind it")
    finally:
        for other in others:
            root.addHandler(other)
    assert handle.flush(SOON)
    assert receiver.logs[-1].body.string_value == "behind it"
    errors = capsys.readouterr().err
    assert printed or "Logging error" not in errors
    assert not (printed and always_printed) or "Logging error" in errors
    assert handle.status().signals["logs"].pending == 0


def test_the_switch_for_everything(configured: Configure, receiver: OtlpReceiver, engine: str) -> None:
    """Thrown while the bot runs nothing is taken, its calls go on; thrown back all is there again."""
    handle = configured(engine=engine)
    counter = handle.meter.create_counter(f"bot.switched.{engine}")

    def use(name: str) -> None:
        counter.add(1)
        with handle.tracer.start_as_current_span(name) as span:
            logging.getLogger("bot").warning(name)
            handle.logger.emit(LogRecord(body=name))
            handle.tracer_provider.get_tracer("a.library").start_span(name).end()
            assert span.is_recording() is handle.enabled

    use("on")
    handle.enabled = False
    assert not handle.enabled
    use("off")
    handle.enabled = True
    use("on again")
    assert handle.flush(SOON)
    assert sorted(span.name for span in receiver.spans) == ["on", "on", "on again", "on again"]
    assert sorted(record.body.string_value for record in receiver.logs) == ["on", "on", "on again", "on again"]
    assert receiver.metrics(f"bot.switched.{engine}")[-1].sum.data_points[0].as_int == 2


def test_the_switch_leaves_off_what_the_settings_turn_off(configured: Configure, receiver: OtlpReceiver) -> None:
    """A signal, or everything."""
    handle = configured(traces_enabled=False)
    handle.enabled = False
    handle.enabled = True
    use_all(handle)
    assert handle.flush(SOON)
    assert (receiver.spans, sorted(record.body.string_value for record in receiver.logs)) == ([], ["event", "hello"])
    handle = configured(disabled=True)
    handle.enabled = True
    assert not handle.enabled
    sys.stderr.flush()
