from __future__ import annotations

import logging
import math
import random
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from otel_trading.export.encode import MAX_REQUEST, Encoded, Encoder
from tests.export.received import REQUESTS, items

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.export.destination import Signal

_RESOURCE = Resource({"service.name": "test-bot"})
_SCOPE = InstrumentationScope("tests", "1")
_MOMENT = 1_700_000_000_000_000_000


def _kind(value: Any) -> str:
    """What a parameter is called: some cannot be shown."""
    return type(value).__name__


class Broken:
    """Cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no str")

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Liar(dict[str, Any]):
    """A mapping that raises when it is looked into."""

    def items(self) -> Any:
        raise RuntimeError("no items")


def span(name: Any = "tick", **changes: Any) -> ReadableSpan:
    context = SpanContext(1 << 100, 1 << 50, is_remote=False, trace_flags=TraceFlags(1))
    made = {"resource": _RESOURCE, "instrumentation_scope": _SCOPE, "context": context, "attributes": {}}
    times = {"start_time": _MOMENT, "end_time": _MOMENT + 1}
    return ReadableSpan(name, **{**made, **times, **changes})


def record(body: Any = "line", **changes: Any) -> ReadableLogRecord:
    made = {"timestamp": _MOMENT, "severity_number": SeverityNumber.INFO, "severity_text": "INFO", "attributes": {}}
    return ReadableLogRecord(LogRecord(body=body, **{**made, **changes}), _RESOURCE, _SCOPE)


def measured(measure: Callable[[Any], object]) -> MetricsData:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], resource=_RESOURCE, shutdown_on_exit=False)
    measure(provider.get_meter("tests"))
    data = reader.get_metrics_data()
    assert data is not None
    return data


def _with_value(point: Any, value: Any) -> Any:
    return replace(point, value=value)


def encoded(signal: Signal, batch: Any) -> tuple[list[Any], Encoded]:
    """The items as a receiver decodes them, and what became of the batch."""
    found = Encoder(signal).encode(batch)
    assert all(len(body) <= MAX_REQUEST for body, _ in found.requests)
    decoded = [item for body, _ in found.requests for item in items(signal, REQUESTS[signal].FromString(body))]
    return decoded, found


def only_attribute(value: Any, signal: Signal = "traces") -> Any:
    """What a value arrives as, beside a good one."""
    attributes = {"value": value, "good": 1}
    batch: list[Any] = [record(attributes=attributes)] if signal == "logs" else [span(attributes=attributes)]
    (item,), _ = encoded(signal, batch)
    found = {each.key: each.value for each in item.attributes}
    assert found["good"].int_value == 1
    kind = found["value"].WhichOneof("value")
    return getattr(found["value"], kind) if kind else None


def test_good_items_are_one_request_as_the_sdk_encodes_it() -> None:
    """Nothing is changed where nothing has to be."""
    from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
    from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    spans = [span(f"tick {number}", attributes={"number": number}) for number in range(10)]
    logs = [record(f"line {number}", attributes={"number": number}) for number in range(10)]
    metrics = measured(lambda meter: meter.create_counter("ticks").add(3, {"venue": "a"}))
    assert Encoder("traces").encode(spans).requests == [(encode_spans(spans).SerializeToString(), 10)]
    assert Encoder("logs").encode(logs).requests == [(encode_logs(logs).SerializeToString(), 10)]
    assert Encoder("metrics").encode(metrics).requests == [(encode_metrics(metrics).SerializeToString(), 1)]


@pytest.mark.parametrize("signal", ["traces", "logs"])
@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        (10**19, "10000000000000000000"),
        (-(10**19), "-10000000000000000000"),
        (10**5_000, "an integer of 16610 bits"),
        ("broken \ud800 one", "broken \ufffd one"),
        ("\ud83d\ude00", "\U0001f600"),
        (Decimal("0.10"), "0.10"),
        (np.int64(7), 7),
        (np.float32(0.5), 0.5),
        (math.inf, math.inf),
        (True, True),
        (Broken(), "<Broken that cannot be shown>"),
        ({1}, None),
    ],
    ids=_kind,
)
def test_values_that_do_not_fit_are_changed(signal: Signal, value: Any, arrives: Any) -> None:
    """Attributes keep what they say, in a form that OTLP has."""
    got = only_attribute(value, signal)
    if arrives is None:
        assert [each.int_value for each in got.values] == [1]
    else:
        assert got == arrives


def test_nested_values_are_changed_where_they_have_to_be() -> None:
    body = {"wei": 10**19, "legs": [{"price": Decimal("1.5")}, "\ud800", b"raw", None], 5: "five"}
    (item,), found = encoded("logs", [record(body)])
    values = {each.key: each.value for each in item.body.kvlist_value.values}
    assert values["wei"].string_value == "10000000000000000000"
    legs = values["legs"].array_value.values
    assert legs[0].kvlist_value.values[0].value.string_value == "1.5"
    assert [legs[1].string_value, legs[2].bytes_value, legs[3].WhichOneof("value")] == ["\ufffd", b"raw", None]
    assert values["5"].string_value == "five"
    assert (found.mended, found.dropped) == (1, {})


@pytest.mark.parametrize("many", [1, 3])
def test_structures_that_contain_themselves_are_cut(many: int) -> None:
    """However often they do."""
    inner: dict[str, Any] = {"price": 1}
    for number in range(many):
        inner[f"self {number}"] = inner
    listed: list[Any] = [1]
    listed.append(listed)
    (first, second), found = encoded("logs", [record(inner), record(listed)])
    assert {each.key for each in first.body.kvlist_value.values} == {"price", *(f"self {n}" for n in range(many))}
    assert second.body.array_value.values[0].int_value == 1
    assert found.dropped == {}


def test_deep_structures_arrive_as_deep_as_receivers_read() -> None:
    deep: Any = "bottom"
    for _ in range(2_000):
        deep = [deep]
    (item,), found = encoded("logs", [record(deep)])
    assert item.body.WhichOneof("value") == "array_value"
    assert (found.mended, found.dropped) == (1, {})


@pytest.mark.parametrize(
    ("name", "arrives"),
    [(5, "5"), ("\ud800", "\ufffd"), (Broken(), "<Broken that cannot be shown>")],
    ids=_kind,
)
def test_names_of_spans_become_text(name: Any, arrives: str) -> None:
    decoded, found = encoded("traces", [span("good"), span(name), span("good")])
    assert Counter(item.name for item in decoded) == Counter(["good", "good", arrives])
    assert (found.mended, found.dropped) == (1, {})


def test_times_in_seconds_are_understood() -> None:
    """``start_time=time.time()`` is a frequent mistake."""
    (item,), _ = encoded("traces", [span(start_time=1_700_000_000.5, end_time=1_700_000_001.5)])
    assert (item.start_time_unix_nano, item.end_time_unix_nano) == (
        1_700_000_000_500_000_000,
        1_700_000_001_500_000_000,
    )


def test_what_belongs_to_a_span_is_changed_as_well() -> None:
    """Events, links, status, kind, scope and resource."""
    odd = span(
        kind="client",
        status=Status(StatusCode.ERROR, "\ud800"),
        events=[Event("fill", {"wei": 10**19}, _MOMENT), Event(7, {}, 1.7e9)],  # type: ignore[arg-type]
        links=[Link(SpanContext(5, 6, is_remote=True), {"wei": 10**19})],
        instrumentation_scope=InstrumentationScope("scope \ud800"),
    )
    odd._kind = "client"  # type: ignore[assignment]
    decoded, found = encoded("traces", [odd, span("good")])
    (item,) = [each for each in decoded if each.name == "tick"]
    assert [event.name for event in item.events] == ["fill", "7"]
    assert item.events[0].attributes[0].value.string_value == "10000000000000000000"
    assert item.links[0].attributes[0].value.string_value == "10000000000000000000"
    assert item.status.message == "\ufffd"
    assert item.kind == SpanKind.INTERNAL.value + 1
    assert (found.mended, found.dropped) == (1, {})


def test_ids_that_are_none_are_counted() -> None:
    """Without them nobody can tell what it was; its neighbours arrive."""
    odd = span("bad")
    odd._context = None
    decoded, found = encoded("traces", [span("good"), odd, span("good")])
    assert [item.name for item in decoded] == ["good", "good"]
    assert found.dropped == {"unencodable": 1}


def test_counter_beyond_64_bits_takes_no_other_metric_with_it() -> None:
    """Ten ether in wei are enough; it arrives as a float."""

    def measure(meter: Any) -> None:
        meter.create_counter("good").add(3, {"venue": "a"})
        meter.create_counter("wei").add(10**19, {"venue": "a"})
        meter.create_gauge("wei.balance").set(10**19)
        meter.create_histogram("latency").record(0.5)

    decoded, found = encoded("metrics", measured(measure))
    by_name = {item.name: item for item in decoded}
    assert by_name["good"].sum.data_points[0].as_int == 3
    assert by_name["wei"].sum.data_points[0].as_double == 1e19
    assert by_name["wei"].sum.is_monotonic
    assert by_name["wei.balance"].gauge.data_points[0].as_double == 1e19
    assert by_name["latency"].histogram.data_points[0].count == 1
    assert (found.mended, found.dropped) == (2, {})
    assert sum(count for _, count in found.requests) == 4


def test_attributes_of_points_are_changed() -> None:
    data = measured(lambda meter: meter.create_counter("fills").add(1, {"order": 10**19, "venue": "\ud800"}))
    (metric,), _ = encoded("metrics", data)
    (point,) = metric.sum.data_points
    assert {each.key: each.value.string_value for each in point.attributes} == {
        "order": "10000000000000000000",
        "venue": "\ufffd",
    }


def test_point_without_a_number_is_counted() -> None:
    data = measured(lambda meter: [meter.create_gauge(name).set(1) for name in ("good", "bad")])
    (bad,) = [m for m in data.resource_metrics[0].scope_metrics[0].metrics if m.name == "bad"]
    object.__setattr__(bad.data, "data_points", [_with_value(bad.data.data_points[0], "many")])
    decoded, found = encoded("metrics", data)
    assert [item.name for item in decoded] == ["good"]
    assert found.dropped == {"unencodable": 1}


def test_resource_that_cannot_be_encoded_costs_no_item() -> None:
    resource = Resource({"service.name": "bot \ud800", "wei": 10**19})
    decoded, found = encoded("traces", [span(str(number), resource=resource) for number in range(5)])
    assert [item.name for item in decoded] == ["0", "1", "2", "3", "4"]
    assert len(found.requests) == 1
    request = REQUESTS["traces"].FromString(found.requests[0][0])
    (group,) = request.resource_spans
    assert {each.key for each in group.resource.attributes} >= {"service.name", "wei"}


def test_large_batches_are_split() -> None:
    """No request is larger than what receivers accept; all arrives, in order."""
    spans = [span(str(number), attributes={"payload": "x" * 100_000}) for number in range(100)]
    decoded, found = encoded("traces", spans)
    assert [item.name for item in decoded] == [str(number) for number in range(100)]
    assert len(found.requests) > 2
    assert [count for _, count in found.requests] == [
        len(items("traces", REQUESTS["traces"].FromString(body))) for body, _ in found.requests
    ]


def test_large_collections_of_metrics_are_split() -> None:
    def measure(meter: Any) -> None:
        counter = meter.create_counter("orders")
        for number in range(200):
            counter.add(1, {"payload": f"{number}" + "x" * 50_000})

    decoded, found = encoded("metrics", measured(measure))
    assert sum(len(item.sum.data_points) for item in decoded) == 200
    assert sum(count for _, count in found.requests) == 200
    assert len(found.requests) > 1


@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_item_that_is_too_large_is_trimmed(signal: Signal) -> None:
    """What it is stays; its neighbours are as they were."""
    large = {f"payload {number}": "x" * 1_000_000 for number in range(20)}
    batch: list[Any] = (
        [span("good"), span("large", attributes=large)]
        if signal == "traces"
        else [record("good"), record("large", attributes=large)]
    )
    decoded, found = encoded(signal, batch)
    names = [item.name if signal == "traces" else item.body.string_value for item in decoded]
    assert sorted(names) == ["good", "large"]
    assert (found.mended, found.dropped) == (1, {})


def test_log_body_of_many_megabytes_is_cut() -> None:
    (item,), found = encoded("logs", [record("x" * 20_000_000)])
    assert item.body.string_value.startswith("xxx")
    assert (found.mended, found.dropped) == (1, {})


def test_bad_values_are_said_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    """One line for a signal, whatever comes, and none of the encoder's own."""
    now = [0.0]
    encoder = Encoder("traces", clock=lambda: now[0])
    with caplog.at_level("DEBUG"):
        for _ in range(100):
            encoder.encode([span(number) for number in range(20)])
        assert len(caplog.records) == 1
        assert caplog.records[0].name == "otel_trading"
        assert "20 were changed" in caplog.records[0].getMessage()
        now[0] = 3_600.0
        encoder.encode([span(5)])
    assert len(caplog.records) == 2


def test_bad_values_are_found_although_logging_is_off() -> None:
    """``logging.config`` disables the loggers it does not know, the encoder's as well."""
    logger = logging.getLogger("opentelemetry.exporter.otlp.proto.common._internal")
    logger.disabled = True
    logging.disable(logging.CRITICAL)
    try:
        assert only_attribute(10**19) == "10000000000000000000"
    finally:
        logger.disabled = False
        logging.disable(logging.NOTSET)


def _bad(generator: random.Random, depth: int = 0) -> Any:  # noqa: C901, PLR0911, PLR0912 - one for each kind of value
    kind = generator.randrange(18 if depth < 4 else 14)
    match kind:
        case 0:
            return chr(generator.randrange(0xD800, 0xE000)) * generator.randrange(1, 5)
        case 1:
            return generator.choice((-1, 1)) * generator.getrandbits(generator.choice((8, 63, 64, 65, 400, 20_000)))
        case 2:
            return generator.choice((math.nan, math.inf, -math.inf, -0.0, 5e-324))
        case 3:
            return generator.randbytes(generator.randrange(20))
        case 4:
            return Decimal(generator.choice(("NaN", "Infinity", "1e-400", "0.1", "-7")))
        case 5:
            return Broken()
        case 6:
            return generator.choice((np.int64(5), np.float64(math.nan), np.array([1, 2]), np.str_("x"), np.bool_(True)))
        case 7:
            return generator.choice((object(), object, len, Ellipsis, NotImplemented, 1j, range(5), frozenset({1})))
        case 8:
            return "x" * generator.randrange(100_000)
        case 9:
            return generator.choice((None, True, False, "", 0, b""))
        case 10:
            return Liar(a=1)
        case 11:
            return memoryview(b"abc")
        case 12:
            return generator.choice((ValueError("\ud800"), Broken, type("Odd", (str,), {})("\ud800")))
        case 13:
            inner: list[Any] = []
            inner.append(inner)
            return inner
        case 14 | 15:
            return [_bad(generator, depth + 1) for _ in range(generator.randrange(4))]
        case _:
            return {_key(generator): _bad(generator, depth + 1) for _ in range(generator.randrange(4))}


def _key(generator: random.Random) -> Any:
    return generator.choice(("key", "\udfff", 5, None, 10**30, ("a", "b"), b"k", 1.5, True))


@pytest.mark.parametrize("seed", range(10))
def test_no_generated_value_raises_or_takes_a_neighbour_with_it(seed: int) -> None:
    """A thousand a seed, in every place that takes one: good neighbours arrive, the account is exact."""
    generator = random.Random(seed)  # noqa: S311 - no secret
    for _ in range(20):
        spans, logs = [], []
        for number in range(25):
            value = _bad(generator)
            spans += [span(f"good {number}", attributes={"n": number}), _odd_span(generator, value)]
            logs += [record(f"good {number}", attributes={"n": number}), _odd_record(generator, _bad(generator))]
        for signal, batch in (("traces", spans), ("logs", logs)):
            decoded, found = encoded(signal, batch)  # type: ignore[arg-type]
            good = [
                (item.name if signal == "traces" else item.body.string_value, item.attributes[0].value.int_value)
                for item in decoded
                if len(item.attributes) == 1 and item.attributes[0].key == "n"
            ]
            assert sorted(good, key=lambda each: each[1]) == [(f"good {n}", n) for n in range(25)]
            assert sum(count for _, count in found.requests) == len(decoded)
            assert len(decoded) + found.dropped.total() == 50


def _odd_span(generator: random.Random, value: Any) -> ReadableSpan:
    place = generator.choice(("attributes", "value", "name", "start_time", "events", "status", "scope"))
    made = span("odd", attributes={"value": value} if place == "value" else {})
    if place == "attributes":
        made._attributes = value if isinstance(value, dict) else {"value": value}
    elif place == "name":
        made._name = value
    elif place == "start_time":
        made._start_time = value
    elif place == "events":
        made._events = [Event("event", {"value": value}, _MOMENT)]
    elif place == "status":
        made._status = Status(StatusCode.ERROR)
        made._status._description = value
    elif place == "scope":
        made._instrumentation_scope = InstrumentationScope("scope", "\ud800")
    return made


def _odd_record(generator: random.Random, value: Any) -> ReadableLogRecord:
    place = generator.choice(("body", "attributes", "value", "timestamp", "severity_text", "event_name"))
    made = record("odd")
    if place == "value":
        made.log_record.attributes = {"value": value}
    elif place == "attributes":
        made.log_record.attributes = value if isinstance(value, dict) else {"value": value}
    else:
        setattr(made.log_record, place, value)
    return made


@pytest.mark.parametrize(
    "value", [10**400, Decimal("NaN"), Decimal(1), math.nan, 2**63, -(2**63) - 1, True, np.int64(3)], ids=_kind
)
def test_no_value_of_a_point_raises(value: Any) -> None:
    data = measured(lambda meter: [meter.create_gauge(name).set(1) for name in ("good", "odd")])
    (odd,) = [m for m in data.resource_metrics[0].scope_metrics[0].metrics if m.name == "odd"]
    object.__setattr__(odd.data, "data_points", [_with_value(odd.data.data_points[0], value)])
    decoded, found = encoded("metrics", data)
    assert [item.gauge.data_points[0].as_int for item in decoded if item.name == "good"] == [1]
    assert len(decoded) + found.dropped.total() == 2
    assert len(decoded) == (1 if value == 10**400 else 2)


def test_spans_of_the_sdk_itself_are_mended() -> None:
    """As its own provider makes them."""
    provider = TracerProvider(shutdown_on_exit=False)
    made: list[Any] = []
    for name in ("good", 5, "\ud800"):
        started = provider.get_tracer("tests").start_span(name, attributes={"wei": 10**19})  # type: ignore[arg-type]
        started.end()
        made.append(started._readable_span())  # type: ignore[attr-defined]
    decoded, _ = encoded("traces", made)
    assert [item.name for item in decoded] == ["good", "5", "\ufffd"]
    assert all(item.attributes[0].value.string_value == "10000000000000000000" for item in decoded)
