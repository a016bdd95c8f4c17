"""What the native engine keeps of what a bot traces: decided when a trace is complete."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.trace import StatusCode

from otel_trading.metrics.native import NativeMeterProvider, NativeReader
from otel_trading.tracing.native import NativeTracerProvider
from otel_trading.tracing.ticks import Ticks

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

TICKS = 3_000
SETTLED = 0.25
"""Seconds after which a complete trace is decided."""


def kept(provider: NativeTracerProvider, *, decided: bool = False) -> dict[bytes, list[Span]]:
    """Kept spans by trace; ``decided``: only those that the pump would have decided about by now."""
    if decided:
        provider.core.tick()
        requests = []
        while (batch := provider.core.take(rest=True)) is not None:
            requests.append(batch.request)
    else:
        requests = provider.drain()
    traces: dict[bytes, list[Span]] = defaultdict(list)
    for request in map(ExportTraceServiceRequest.FromString, requests):
        for scope in request.resource_spans[0].scope_spans:
            for span in scope.spans:
                traces[span.trace_id].append(span)
    return traces


def attributes(span: Span) -> dict[str, Any]:
    """The texts and numbers among a span's attributes."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "string_value") for each in span.attributes}


def why(trace: list[Span]) -> str | None:
    """The reason that the root of a trace tells."""
    (root,) = [span for span in trace if not span.parent_span_id]
    return attributes(root).get("trading.trace.kept")


def weight(trace: list[Span]) -> float:
    """How many traces a kept one stands for, by its tracestate."""
    thresholds = {
        part.removeprefix("th:")
        for span in trace
        for part in span.trace_state.removeprefix("ot=").split(";")
        if part.startswith("th:")
    }
    if not thresholds:
        return 1.0
    (threshold,) = thresholds
    return 1 / (1 - int(threshold.ljust(14, "0"), 16) / 2**56)


def busy(provider: NativeTracerProvider, special: dict[int, Callable[[Any], None]], pause: float = 0.0) -> None:
    """Ticks of three spans each, far above the budget, some of them special; with a pause after every hundred.

    A burst that nothing of the budget is left for is sampled so thinly that its estimate is of little use.
    """
    tracer = provider.get_tracer("bot")
    for number in range(TICKS):
        with tracer.start_as_current_span("tick", attributes={"number": number}) as tick:
            with tracer.start_as_current_span("decide"):
                tracer.start_span("order").end()
            if number in special:
                special[number](tick)
        if number % 100 == 99:
            provider.core.tick()
            time.sleep(pause)


def test_a_calm_bot_sees_every_trace() -> None:
    """Below the budget nothing is left out, and nothing is said about it."""
    provider = NativeTracerProvider(retention="budget")
    tracer = provider.get_tracer("bot")
    for _ in range(50):
        with tracer.start_as_current_span("tick"):
            tracer.start_span("order").end()
    traces = kept(provider)
    assert len(traces) == 50
    assert {why(trace) for trace in traces.values()} == {None}
    assert {span.trace_state for trace in traces.values() for span in trace} == {""}


def test_above_the_budget_the_interesting_ones_are_kept_whole_and_the_rest_is_weighed() -> None:
    """Each reason is told, and the weights of all kept traces add up to how many there were."""
    provider = NativeTracerProvider()
    provider.set_retention("budget", spans_per_second=300.0)
    special: dict[int, Callable[[Any], None]] = {
        5: lambda tick: tick.set_status(StatusCode.ERROR, "no funds"),
        1_005: lambda tick: tick.set_attribute("trading.order.reject_reason", "insufficient_funds"),
        1_505: lambda tick: tick.set_attribute("trading.order.status", "rejected"),
        2_005: lambda tick: tick.set_attribute("trading.execution.slippage.bps", -25.5),
        2_505: lambda tick: tick.keep(),
        2_905: lambda tick: tick.set_budget(1e-9),
    }
    busy(provider, special, pause=0.05)
    time.sleep(SETTLED)
    traces = kept(provider)
    roots = [(trace, span) for trace in traces.values() for span in trace if span.name == "tick"]
    reasons = {attributes(root)["number"]: why(trace) for trace, root in roots}
    assert {number: reasons.get(number) for number in special} == {
        5: "failed",
        1_005: "rejected",
        1_505: "rejected",
        2_005: "slipped",
        2_505: "marked",
        2_905: "over_budget",
    }
    assert {len(trace) for trace in traces.values()} == {3}
    counts = provider.core.counts()
    assert len(traces) * 3 == sum(counts["kept"].values())
    assert sum(counts["kept"].values()) + counts["dropped"]["sampled_out"] == TICKS * 3
    assert counts["dropped"]["sampled_out"] > 0
    weights = [weight(trace) for trace in traces.values()]
    error = sum(each * (each - 1) for each in weights) ** 0.5
    assert abs(sum(weights) - TICKS) < 5 * error


def test_interesting_ones_only() -> None:
    """Whoever wants no sample gets none."""
    provider = NativeTracerProvider(retention="interesting")
    busy(provider, {7: lambda tick: tick.keep()})
    assert [why(trace) for trace in kept(provider).values() if why(trace) != "slow"] == ["marked"]


def test_a_trace_waits_for_its_open_spans() -> None:
    """A task that goes on after its root has a say: its failure keeps the trace."""
    provider = NativeTracerProvider(retention="interesting")
    tracer = provider.get_tracer("bot")
    with tracer.start_as_current_span("tick"):
        task = tracer.start_span("fill")
    time.sleep(SETTLED)
    assert kept(provider, decided=True) == {}
    task.set_status(StatusCode.ERROR)
    task.end()
    provider.core.tick()
    time.sleep(SETTLED)
    (trace,) = kept(provider, decided=True).values()
    assert sorted(span.name for span in trace) == ["fill", "tick"]


def test_a_span_that_runs_for_long_is_seen_while_it_runs() -> None:
    """Below the span it shows, which comes when it has ended."""
    provider = NativeTracerProvider()
    session = provider.get_tracer("bot").start_span("socket session", start_time=time.time_ns() - 11_000_000_000)
    provider.core.tick()
    ((shown,),) = kept(provider).values()
    assert shown.name == "socket session"
    assert int.from_bytes(shown.parent_span_id, "big") == session.get_span_context().span_id
    assert attributes(shown) == {"otel_trading.unfinished": True}
    provider.core.tick()
    assert kept(provider) == {}
    session.end()
    ((ended,),) = kept(provider).values()
    assert ended.span_id == shown.parent_span_id


def test_durations_are_counted_before_anything_is_left_out() -> None:
    """So they say how many spans there were, by name, kind and status."""
    provider = NativeTracerProvider(retention="interesting")
    busy(provider, {7: lambda tick: tick.set_status(StatusCode.ERROR)})
    kept(provider)
    reader = NativeReader()
    meters = NativeMeterProvider([reader])
    snapshot = reader.collect()
    snapshot.add_spans("spans", provider.core, [0.1, 1.0])
    meters.shutdown()
    page, _ = snapshot.expose(meters.resource, "")
    lines = [line for line in page.decode().splitlines() if line.startswith("trading_span_duration_seconds_count")]
    totals = {(label(line, "span_name"), label(line, "status_code")): float(line.rsplit(" ", 1)[1]) for line in lines}
    assert totals == {
        ("tick", "unset"): TICKS - 1,
        ("tick", "error"): 1,
        ("decide", "unset"): TICKS,
        ("order", "unset"): TICKS,
    }


def label(line: str, name: str) -> str:
    """The value of a label in a line of the page."""
    return line.split(f'{name}="')[1].split('"', maxsplit=1)[0]


def test_exemplars_point_to_kept_traces() -> None:
    """A trace that is left out cannot be looked at."""
    provider = NativeTracerProvider(retention="interesting")
    reader = NativeReader()
    meters = NativeMeterProvider([reader])
    histogram = meters.get_meter("bot").create_histogram("bot.decide")
    tracer: Any = provider.get_tracer("bot")
    marked = b""
    for number in range(64):
        with tracer.start_as_current_span("tick") as tick:
            histogram.record(2.0**number)
            if number == 3:
                tick.keep()
                marked = tick.get_span_context().trace_id.to_bytes(16, "big")
    kept(provider)
    assert exemplars(reader) == {marked}
    with tracer.start_as_current_span("tick") as tick:
        tick.keep()
        histogram.record(0.1)
    assert exemplars(reader) == set(), "not decided yet"
    meters.shutdown()


def exemplars(reader: NativeReader) -> set[bytes]:
    """The traces that a collection's exemplars point to."""
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    from otel_trading import _native

    found: set[bytes] = set()
    for request, _ in reader.collect().otlp(_native.Resource({})):
        for resource in ExportMetricsServiceRequest.FromString(request).resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.histogram.data_points:
                        found |= {each.trace_id for each in point.exemplars}
    return found


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_ticks_repeat_what_stays_the_same(engine: str) -> None:
    """Symbol and strategy are attributes of the root; a budget is kept by the engine that can."""
    from opentelemetry.sdk.trace import TracerProvider

    provider: Any = NativeTracerProvider() if engine == "native" else TracerProvider(shutdown_on_exit=False)
    ticks = Ticks(lambda: provider)
    for _ in range(2):
        with ticks.start("BTC/USDT", "basis", 1e-9) as tick:
            assert tick.attributes["trading.instrument.symbol"] == "BTC/USDT"
            assert tick.attributes["trading.strategy.name"] == "basis"
    with ticks.start("ETH/USDT", None, None) as tick:
        assert dict(tick.attributes) == {"trading.instrument.symbol": "ETH/USDT"}


def test_a_tick_over_its_budget_is_kept() -> None:
    """The budget is that of the call, not of others."""
    provider = NativeTracerProvider(retention="interesting")
    ticks = Ticks(lambda: provider)
    for budget in (1e-9, 10.0, None):
        with ticks.start("BTC/USDT", None, budget) as tick:
            tick.set_attribute("budget", str(budget))
    ((trace,),) = kept(provider).values()
    assert attributes(trace)["budget"] == "1e-09"
    assert attributes(trace)["trading.trace.kept"] == "over_budget"
