from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import Counter, Histogram
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ConsoleMetricExporter,
    InMemoryMetricReader,
    MetricReader,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import View

from otel_trading.export.ledger import Ledger
from otel_trading.metrics.native import Aggregation, NativeMeterProvider, NativeReader
from otel_trading.metrics.pull import PullReader
from tests.metrics.engines import PATIENCE
from tests.metrics.engines import provider as made_provider

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData

    from tests.metrics.conftest import MakeBench
    from tests.metrics.engines import Name


def totals(reader: NativeReader) -> dict[str, Any]:
    """The value of the only series of each metric."""
    return {name: points[0][3] for _, name, *_, points in reader.collect().metrics()}


def test_a_periodic_reader_exports(engine: Name) -> None:
    """The SDK's periodic reader and its console exporter deliver on flush and on shutdown."""
    out = io.StringIO()
    provider = made_provider(engine, [PeriodicExportingMetricReader(ConsoleMetricExporter(out), float("inf"))])
    counter = provider.get_meter("bot").create_counter("bot.frames")
    counter.add(1)
    assert provider.force_flush()
    assert json.loads(out.getvalue())["resource_metrics"][0]["scope_metrics"][0]["metrics"][0]["name"] == "bot.frames"
    before = len(out.getvalue())
    counter.add(1)
    provider.shutdown()
    if engine == "native":  # the SDK's reader has no thread at this interval, so the SDK's provider loses the last one
        assert len(out.getvalue()) >= before


def test_the_prometheus_reader_renders(engine: Name) -> None:
    """The SDK's Prometheus reader, ours included, has the series with our buckets."""
    reader = PullReader()
    provider = made_provider(engine, [reader])
    meter = provider.get_meter("bot")
    meter.create_counter("bot.frames").add(3, {"venue": "kalshi"})
    meter.create_histogram("bot.decide", "s").record(0.003)
    text = reader.render()[0].decode()
    assert 'bot_frames_total{venue="kalshi"} 3.0' in text
    assert 'bot_decide_seconds_bucket{le="0.005"} 1.0' in text
    provider.shutdown()


class Collected:
    """A taker that keeps what it is handed."""

    target = "memory"

    def __init__(self) -> None:
        self.taken: list[MetricsData] = []

    def take(self, data: MetricsData, *_: object) -> None:
        self.taken.append(data)

    def flush(self, _: float) -> bool:
        return True

    def close(self) -> None:
        """See ``Taker``."""


def test_the_push_reader_pushes(engine: Name) -> None:
    """Our own push reader gets the points of either engine, on flush and at the end."""
    from otel_trading.metrics.push import PushReader

    taker: Any = Collected()
    reader = PushReader(taker, Ledger("metrics"), interval=3_600)
    provider = made_provider(engine, [reader])
    provider.get_meter("bot").create_counter("bot.frames").add(1)
    assert reader.force_flush(20_000)
    provider.shutdown()
    names = [data.resource_metrics[0].scope_metrics[0].metrics[0].name for data in taker.taken if data.resource_metrics]
    assert names == ["bot.frames", "bot.frames"]


def test_readers_may_be_exchanged(native: MakeBench) -> None:
    """Instruments, handles and totals outlive their readers; what is measured meanwhile is not lost."""
    first = NativeReader()
    provider = NativeMeterProvider([first])
    counter: Any = provider.get_meter("bot").create_counter("bot.frames")
    bound = counter.bind({"venue": "kalshi"})
    bound.add(1)
    assert totals(first) == {"bot.frames": 1}
    provider.remove_metric_reader(first)
    with pytest.raises(RuntimeError, match="no provider"):
        first.collect()
    bound.add(2)
    second = InMemoryMetricReader()
    provider.add_metric_reader(second)
    bound.add(4)
    data = second.get_metrics_data()
    assert data is not None
    assert data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points[0].value == 7  # type: ignore[union-attr]
    provider.add_metric_reader(first)
    assert totals(first) == {"bot.frames": 7}


def test_a_later_reader_does_not_send_again_what_was_sent(native: MakeBench) -> None:
    """Deltas of a reader that comes later begin when it came: a receiver that adds them up counts nothing twice."""
    first, second = NativeReader(temporality="delta"), NativeReader(temporality="delta")
    provider = NativeMeterProvider()
    counter, histogram = (
        provider.get_meter("bot").create_counter("bot.frames"),
        provider.get_meter("bot").create_histogram("bot.decide"),
    )
    counter.add(1)
    histogram.record(7)
    provider.add_metric_reader(first)
    assert totals(first) == {"bot.frames": 1, "bot.decide": 1}
    provider.add_metric_reader(second)
    counter.add(5)
    histogram.record(8)
    ((_, _, _, _, count, total, least, greatest, *_),) = [
        (0, *points[0]) for _, name, *_, points in second.collect().metrics() if name == "bot.decide"
    ]
    assert (count, total, least, greatest) == (1, 8, 8, 8)
    assert totals(first) == {"bot.frames": 5, "bot.decide": 1}


def test_the_same_values_in_two_forms(native: MakeBench) -> None:
    """A reader's own form holds for it alone; one may even ask for two forms."""
    fine, coarse = (
        NativeReader(histogram=Aggregation("exponential")),
        NativeReader(histogram=Aggregation("explicit", by_unit=True)),
    )
    both = NativeReader(histogram=Aggregation("explicit", (1.0,)), beside=Aggregation("exponential", max_size=4))
    provider = NativeMeterProvider([fine, coarse, both])
    histogram = provider.get_meter("bot").create_histogram("bot.decide", "s")
    for value in (0.001, 0.003, 7.0):
        histogram.record(value)
    forms = {
        reader: [(metric[4], metric[-1][0]) for metric in reader.collect().metrics()] for reader in (fine, coarse, both)
    }
    assert [form for form, _ in forms[fine]] == ["exponential"]
    assert [(form, point[7][:3], point[3]) for form, point in forms[coarse]] == [("explicit", (1e-6, 5e-6, 1e-5), 3)]
    assert [form for form, _ in forms[both]] == ["explicit", "exponential"]
    assert forms[both][0][1][8] == (2, 1)
    assert len(forms[both][1][1][9][1]) <= 4


def test_a_reader_with_other_bounds_may_come_later(native: MakeBench) -> None:
    """Explicit buckets that nobody asked for before count what was recorded before, too, to the exponential bucket."""
    provider = NativeMeterProvider([NativeReader(histogram=Aggregation("exponential"))])
    histogram: Any = provider.get_meter("bot").create_signed_histogram("bot.slippage")
    for value in (-7.5, -1.0, -0.3, 0.0, 1e-300, 0.25, 1.0, 1.5, 2.0, 300.0):
        histogram.record(value)
    late = NativeReader(histogram=Aggregation("explicit", (-1.0, 0.0, 1.0, 2.0, 100.0)))
    provider.add_metric_reader(late)
    histogram.record(150.0)
    ((_, _, _, count, total, least, greatest, _, counts, _),) = late.collect().metrics()[0][-1]
    assert (count, counts) == (11, (2, 2, 3, 2, 0, 2))
    assert (total, least, greatest) == (pytest.approx(445.95), -7.5, 300.0)


def test_a_reader_has_one_provider(native: MakeBench, messages: list[str]) -> None:
    """A reader that another provider has is reported and not served; adding it twice is adding it once."""
    ours, theirs = NativeReader(), InMemoryMetricReader()
    provider = NativeMeterProvider([ours, theirs])
    assert provider.add_metric_reader(ours)
    other = NativeMeterProvider([ours, theirs])
    assert len([message for message in messages if "belongs to another meter provider" in message]) == 2
    provider.get_meter("bot").create_counter("a").add(1)
    other.get_meter("bot").create_counter("b").add(1)
    assert totals(ours) == {"a": 1}


def test_a_reader_of_an_unknown_sdk_is_reported(native: MakeBench, messages: list[str]) -> None:
    """A reader without the names we know costs itself, with a message that says what is missing."""

    class Future:
        _collect = None

    view: Any = object()
    reader: Any = Future()
    provider = NativeMeterProvider([reader], views=[view])
    provider.get_meter("bot").create_counter("a").add(1)
    assert "Future gets no metrics" in messages[1]
    assert "_instrument_class_aggregation" in messages[1]
    assert "has no _match, _name" in messages[0]


def test_an_error_in_a_collection_does_not_end_the_reader(
    native: MakeBench, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes wrong is reported once; the next collection is a new one."""
    made = native()
    made.meter.create_counter("a").add(1)
    broken = True

    def collect(self: object, *_: object) -> Any:
        raise OSError("out of memory")

    from otel_trading.metrics.native.reader import Collection

    with monkeypatch.context() as patch:
        patch.setattr(Collection, "collect", collect)
        assert made.data() is None
        assert made.data() is None
    assert made.values("a") == {(): 1}
    assert [message for message in messages if "out of memory" in message] == messages[:1]
    assert broken


class Failing(MetricReader):
    """A reader whose end fails."""

    def _receive_metrics(self, *_: object, **__: object) -> None:
        """Take them."""

    def force_flush(self, *_: object, **__: object) -> bool:
        raise ConnectionError("refused")

    def shutdown(self, *_: object, **__: object) -> None:
        raise ConnectionError("refused")


def test_flush_and_shutdown_never_raise(native: MakeBench, messages: list[str]) -> None:
    """A reader that fails makes the answer False and is reported; the others are served."""
    failing, working = Failing(), InMemoryMetricReader()
    provider = NativeMeterProvider([failing, working])
    counter = provider.get_meter("bot").create_counter("a")
    counter.add(1)
    assert provider.force_flush() is False
    assert working.get_metrics_data() is not None
    assert provider.shutdown() is False
    assert provider.shutdown() is True
    assert sorted(message.split(": ")[2] for message in messages) == ["force_flush failed", "shutdown failed"]
    counter.add(1)
    provider.get_meter("late").create_counter("b").add(1)
    data = working.get_metrics_data()
    assert data is not None
    assert data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points[0].value == 1  # type: ignore[union-attr]


def test_measuring_may_be_switched_off(native: MakeBench) -> None:
    """Off, nothing is measured, not even what is wrong is counted; on again, it goes on."""
    made = native()
    counter: Any = made.meter.create_counter("a")
    bound = counter.bind({})
    counter.add(1)
    made.provider.enabled = False
    counter.add(2)
    bound.add(2)
    counter.add(None)
    made.provider.enabled = True
    bound.add(4)
    assert made.values("a") == {(): 5}
    assert made.provider.dropped() == {}


def test_scopes_may_be_switched_off(engine: Name) -> None:
    """A meter configurator switches off whole libraries, also such as exist already, and their callbacks."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics._internal import _MeterConfig

    def quiet(scope: Any) -> _MeterConfig:
        return _MeterConfig(is_enabled=scope.name != "loud")

    reader = InMemoryMetricReader()
    asked: list[int] = []

    def callback(_: CallbackOptions) -> list[Observation]:
        asked.append(1)
        return [Observation(1)]

    provider: Any = (
        NativeMeterProvider([reader], meter_configurator=quiet, callback_timeout=PATIENCE)
        if engine == "native"
        else MeterProvider([reader], shutdown_on_exit=False, _meter_configurator=quiet)
    )
    counters = [provider.get_meter(name).create_counter(f"{name}.counter") for name in ("loud", "calm")]
    provider.get_meter("loud").create_observable_gauge("loud.gauge", [callback])

    def measured() -> set[str]:
        for counter in counters:
            counter.add(1)
        data = reader.get_metrics_data()
        assert data is not None
        return {metric.name for scope in data.resource_metrics[0].scope_metrics for metric in scope.metrics}

    assert measured() == {"calm.counter"}
    assert asked == []
    if engine == "native":
        provider.set_meter_configurator(None)
        assert measured() == {"calm.counter", "loud.counter", "loud.gauge"}
        provider.set_meter_configurator(quiet)
        assert measured() == {"calm.counter"}


def test_the_sdk_may_be_disabled(engine: Name, monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_SDK_DISABLED makes all instruments do nothing."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", " True ")
    reader = InMemoryMetricReader()
    meter = made_provider(engine, [reader]).get_meter("bot")
    meter.create_counter("a").add(1)
    meter.create_observable_gauge("b", [lambda _: [Observation(1)]])
    assert reader.get_metrics_data() is None


def test_a_view_with_bounds_that_make_no_sense_is_reported(native: MakeBench, messages: list[str]) -> None:
    """The SDK raises at the first measurement; we say it and use the default."""
    from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation

    made = native(views=[View(instrument_name="a", aggregation=ExplicitBucketHistogramAggregation((2, 1)))])
    made.meter.create_histogram("a").record(1)
    assert len(made.points("a")[0].explicit_bounds) == 15
    assert ["unusable aggregation" in message for message in messages] == [True]


@pytest.mark.parametrize("name", ["always_off", "always_on", "trace_based", "sometimes"])
def test_exemplars_follow_the_environment(
    native: MakeBench, monkeypatch: pytest.MonkeyPatch, messages: list[str], name: str
) -> None:
    """OTEL_METRICS_EXEMPLAR_FILTER decides; what it may not be is reported and the default holds."""
    monkeypatch.setenv("OTEL_METRICS_EXEMPLAR_FILTER", name)
    made = native()
    made.meter.create_histogram("a").record(1)
    assert len(made.points("a")[0].exemplars) == (1 if name == "always_on" else 0)
    assert len(messages) == (1 if name == "sometimes" else 0)


def test_exemplars_point_at_the_sampled_span(bench: MakeBench) -> None:
    """A measurement inside a sampled span carries its ids, and the attributes that a view leaves out."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    made = bench(
        views=[View(instrument_name="*", attribute_keys={"venue"})],
        preferred_temporality={Counter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.DELTA},
    )
    histogram = made.meter.create_histogram("a")
    attributes = {"venue": "kalshi", "order": "17"}
    with TracerProvider(ALWAYS_OFF, shutdown_on_exit=False).get_tracer("bot").start_as_current_span("unsampled"):
        histogram.record(1, attributes)
    assert list(made.points("a")[0].exemplars) == []
    with TracerProvider(shutdown_on_exit=False).get_tracer("bot").start_as_current_span("tick") as span:
        histogram.record(2.5, attributes)
    (exemplar,) = made.points("a")[0].exemplars
    context = span.get_span_context()
    assert (exemplar.trace_id, exemplar.span_id) == (context.trace_id, context.span_id)
    assert (exemplar.value, exemplar.filtered_attributes) == (2.5, {"order": "17"})
