"""Each instrumentation counts exactly, hurts nobody, and leaves nothing behind."""

from __future__ import annotations

import inspect
import logging
import threading
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.instrumentation.dependencies import get_dependency_conflicts
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider

from otel_trading.testing import capture
from tests.instrument.conformance.cases import cases

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.context import Context

    from otel_trading.testing import Captured
    from tests.instrument.conformance.cases import Case

_ABSENT = object()


@pytest.fixture(params=cases().items(), ids=lambda each: each[0])
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    """A library that is not instrumented yet, and is not afterwards."""
    _, start = request.param
    with start() as made:
        instrumentor = made.instrumentor()
        if instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.uninstrument()
        yield made
        if instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.uninstrument()


@pytest.fixture(params=["native", "sdk"])
def telemetry(request: pytest.FixtureRequest) -> Iterator[Captured]:
    """Captured, on each engine."""
    with capture(engine=request.param, real_time=True) as captured:
        yield captured


@pytest.fixture
def instrumented(case: Case, telemetry: Captured) -> Case:
    """It is instrumented, and reports to what is captured."""
    case.instrumentor().instrument()
    return case


class Started(SpanProcessor):
    """Knows which spans have begun and not ended."""

    def __init__(self) -> None:
        self.open: set[int] = set()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if span.name != "order":  # which ends when the order does
            self.open.add(span.get_span_context().span_id)

    def on_end(self, span: ReadableSpan) -> None:
        assert span.context is not None
        self.open.discard(span.context.span_id)


def parts(case: Case) -> list[object]:
    """The objects that stand in the library now, as they are kept there."""
    return [inspect.getattr_static(owner, name, _ABSENT) for owner, name in case.originals]


def own_parts(case: Case) -> list[bool]:
    """Whether they stand where they are replaced, or are inherited."""
    return [name in vars(owner) for owner, name in case.originals]


def test_it_keeps_the_contract(case: Case) -> None:
    """An entry point names it, its requirements are met here, and each is one."""
    found = entry_points(group="opentelemetry_instrumentor", name=case.name)
    assert {entry.load() for entry in found} == {case.instrumentor}
    required = case.instrumentor().instrumentation_dependencies()
    assert required or not case.installed
    assert get_dependency_conflicts(required) is None


def test_counts_are_exact(instrumented: Case, telemetry: Captured) -> None:
    """One operation counts once."""
    many = instrumented.many
    instrumented.work(many)
    assert (instrumented.counted(telemetry), instrumented.failures(telemetry)) == (many, 0)
    instrumented.work(1)
    assert instrumented.counted(telemetry) == many + 1


def test_counts_are_exact_in_threads(instrumented: Case, telemetry: Captured) -> None:
    """Each thread with objects, and loops, of its own."""
    errors: list[BaseException] = []
    many = instrumented.many

    def work() -> None:
        try:
            instrumented.work(many // 4)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
        if not instrumented.parallel:
            thread.join()
    for thread in threads:
        thread.join()
    assert errors == []
    assert instrumented.counted(telemetry) == many


def test_errors_are_the_librarys_own(case: Case, telemetry: Captured) -> None:
    """The caller gets the same error as without; it counts, and the next operation is as good as before."""
    with pytest.raises(case.error) as bare:
        case.fail()
    case.instrumentor().instrument()
    with pytest.raises(case.error) as seen:
        case.fail()
    assert type(seen.value) is type(bare.value)
    assert case.failures(telemetry) == 1
    before = case.counted(telemetry)
    case.work(3)
    assert (case.counted(telemetry) - before, case.failures(telemetry)) == (3, 1)


def test_uninstrumented_it_is_as_before(case: Case, telemetry: Captured) -> None:
    """The very objects stand where they stood; what is done then is not counted."""
    before, own = parts(case), own_parts(case)
    instrumentor = case.instrumentor()
    for _ in range(3):
        instrumentor.instrument()
        assert [each is not other for each, other in zip(parts(case), before, strict=True)] == [True] * len(before)
        case.work(2)
        instrumentor.uninstrument()
        assert [each is other for each, other in zip(parts(case), before, strict=True)] == [True] * len(before)
        assert own_parts(case) == own
    assert case.counted(telemetry) == 6
    case.work(3)
    assert case.counted(telemetry) == 6


def test_a_second_time_changes_nothing(instrumented: Case, telemetry: Captured) -> None:
    """It is not counted twice, and one call takes it back."""
    within = parts(instrumented)
    instrumented.instrumentor().instrument()
    assert parts(instrumented) == within
    instrumented.work(5)
    assert instrumented.counted(telemetry) == 5
    instrumented.instrumentor().uninstrument()
    instrumented.work(5)
    assert instrumented.counted(telemetry) == 5


def test_off_it_counts_nothing(instrumented: Case, telemetry: Captured) -> None:
    """While telemetry is switched off the library does its work; on again, it counts."""
    telemetry.handle.enabled = False
    instrumented.work(5)
    with pytest.raises(instrumented.error):
        instrumented.fail()
    telemetry.handle.enabled = True
    assert (instrumented.counted(telemetry), len(telemetry.traces)) == (0, 0)
    instrumented.work(2)
    assert instrumented.counted(telemetry) == 2


def test_suppressed_it_counts_nothing(instrumented: Case, telemetry: Captured) -> None:
    """As OpenTelemetry's own exporters ask for, whose requests must not be measured."""
    with suppress_instrumentation():
        instrumented.work(5)
    assert (instrumented.counted(telemetry), len(telemetry.traces)) == (0, 0)


def test_no_span_stays_open(case: Case, telemetry: Captured) -> None:
    """Not after errors either; with providers of another distribution."""
    started, reader = Started(), InMemoryMetricReader()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(started)
    meters = MeterProvider([reader], shutdown_on_exit=False)
    case.instrumentor().instrument(tracer_provider=tracers, meter_provider=meters)
    case.work(10)
    with pytest.raises(case.error):
        case.fail()
    case.work(1)
    assert started.open == set()
    measured = reader.get_metrics_data()
    assert measured is not None
    assert measured.resource_metrics
    assert case.counted(telemetry) == 0
    meters.shutdown()


def test_hooks_that_raise_do_no_harm(case: Case, telemetry: Captured, caplog: pytest.LogCaptureFixture) -> None:
    """Everything is counted; it is said once, not with each operation."""

    def broken(*_: object, **__: object) -> Any:
        raise LookupError("a hook of the bot's")

    if not case.hooks:
        return
    case.instrumentor().instrument(**dict.fromkeys(case.hooks, broken))
    with caplog.at_level(logging.WARNING):
        case.work(20)
        with pytest.raises(case.error):
            case.fail()
    assert (case.counted(telemetry), case.failures(telemetry)) == (21, 1)
    said = [record for record in caplog.records if "a hook of the bot's" in record.getMessage()]
    assert len(said) <= 2 * len(case.hooks)
