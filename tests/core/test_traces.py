from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import StatusCode

if TYPE_CHECKING:
    from tests.core.conftest import Configure
    from tests.core.otlp_receiver import OtlpReceiver


def test_spans_nest_across_tasks(configured: Configure, receiver: OtlpReceiver) -> None:
    """A span started in a task is the child of the one its task was made in."""
    handle = configured()

    async def leg(name: str) -> None:
        with handle.tracer.start_as_current_span(name):
            await asyncio.sleep(0)

    async def trade() -> None:
        with handle.tracer.start_as_current_span("trade"):
            await asyncio.gather(leg("spot"), leg("perp"))

    asyncio.run(trade())
    assert handle.flush(5)
    spans = {span.name: span for span in receiver.spans}
    assert spans["spot"].parent_span_id == spans["perp"].parent_span_id == spans["trade"].span_id


def test_exceptions_pass_through_and_mark_the_span(configured: Configure, receiver: OtlpReceiver) -> None:
    """The bot's exception reaches the bot; the span has it and the error status."""
    handle = configured()
    with pytest.raises(ValueError, match="no"), handle.tracer.start_as_current_span("order"):
        raise ValueError("no")
    assert handle.flush(5)
    (span,) = receiver.spans
    assert span.status.code == StatusCode.ERROR.value
    assert span.events[0].name == "exception"


def test_decorator_works_on_functions_and_coroutines(configured: Configure, receiver: OtlpReceiver) -> None:
    """start_as_current_span decorates both kinds."""
    handle = configured()

    @handle.tracer.start_as_current_span("sync")
    def decide() -> int:
        return 1

    @handle.tracer.start_as_current_span("async")
    async def send() -> int:
        return 2

    assert (decide(), asyncio.run(send())) == (1, 2)
    assert handle.flush(5)
    assert [span.name for span in receiver.spans] == ["sync", "async"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": 5},
        {"name": "tick", "attributes": ["not", "a", "dict"]},
        {"name": "tick", "start_time": 1.5e18},
        {"name": "tick", "start_time": "now"},
        {"name": "tick", "links": 7},
    ],
)
def test_wrong_arguments_never_raise(
    configured: Configure, receiver: OtlpReceiver, arguments: dict[str, object]
) -> None:
    """A span that cannot be started as asked is started as well as can be, or counted as dropped."""
    handle = configured()
    with handle.tracer.start_as_current_span(**arguments) as span:  # type: ignore[arg-type]
        span.set_attribute("reached", True)
    assert handle.flush(5)
    account = handle.status().signals["traces"]
    assert (account.emitted, account.sent + account.lost) == (1, 1)


def test_what_a_tracer_of_before_refuses_is_counted(configured: Configure) -> None:
    """One that was made on the other engine turns what it is given into spans of this one, where it can."""
    tracer = configured(engine="sdk").tracer_provider.get_tracer("made on the other engine")
    handle = configured()
    tracer.start_span("tick", start_time="now").end()  # type: ignore[arg-type]
    tracer.start_span("tock").end()
    assert handle.flush(5)
    account = handle.status().signals["traces"]
    assert (account.emitted, account.sent, account.dropped, account.pending) == (2, 1, {"invalid_span": 1}, 0)


def test_others_may_add_span_processors(configured: Configure) -> None:
    """A processor added through the global provider sees spans, also after a reconfiguration."""
    seen: list[str] = []

    class Watcher(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            seen.append(span.name)

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            seen.append("flushed")
            return True

        def shutdown(self) -> None:
            seen.append("shut down")

    handle = configured()
    provider = trace.get_tracer_provider()
    provider.add_span_processor(Watcher())  # type: ignore[attr-defined]
    handle.tracer.start_span("first").end()
    configured(span_delay=0.5)
    handle.tracer.start_span("second").end()
    assert handle.flush(5)
    assert handle.shutdown(5)
    assert seen == ["first", "second", "flushed", "shut down"]


def test_flush_of_the_global_provider_delivers(configured: Configure, receiver: OtlpReceiver) -> None:
    """A library that flushes the provider it finds gets its spans delivered, or a no in time."""
    configured(span_delay=60.0)
    trace.get_tracer("a.library").start_span("tick").end()
    provider: Any = trace.get_tracer_provider()
    assert provider.force_flush(5_000)
    assert [span.name for span in receiver.spans] == ["tick"]
    receiver.status = 503
    trace.get_tracer("a.library").start_span("tock").end()
    assert not provider.force_flush(200)


def test_hanging_processor_of_others_costs_the_deadline_only(configured: Configure) -> None:
    """A foreign processor whose shutdown hangs is given up at the deadline."""
    release = threading.Event()

    class Stuck(SpanProcessor):
        def shutdown(self) -> None:
            release.wait(30)

    handle = configured()
    trace.get_tracer_provider().add_span_processor(Stuck())  # type: ignore[attr-defined]
    started = time.monotonic()
    assert not handle.shutdown(0.5)
    assert time.monotonic() - started < 10.0  # the processor would take thirty
    release.set()


@pytest.mark.parametrize(("sampler", "argument", "expected"), [("always_off", None, 0), ("traceidratio", "1", 10)])
def test_samplers_by_name(
    configured: Configure, receiver: OtlpReceiver, sampler: str, argument: str | None, expected: int
) -> None:
    """The standard samplers are had by their names."""
    handle = configured(traces_sampler=sampler, **({"traces_sampler_arg": argument} if argument else {}))
    for _ in range(10):
        handle.tracer.start_span("tick").end()
    assert handle.flush(5)
    assert len(receiver.spans) == expected
