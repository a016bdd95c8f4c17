from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.trace import Span, StatusCode, format_trace_id

from otel_trading.stack.backends import Jaeger, Loki, Prometheus
from tests.stack.sending import Emitter, Sender, eventually, sender

if TYPE_CHECKING:
    from otel_trading.stack import Stack

pytestmark = pytest.mark.stack

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SECRETS = {
    "apiKey": "k1-" + LETTERS,
    "X-MBX-APIKEY": "k2-" + LETTERS,
    "api_secret": "k3-" + LETTERS,
    "signature": "k4" + "0123456789abcdef" * 4,
    "listenKey": "k5" + "pqia91ma19a5s61cv6a81va65sdf19v8",
    "http.request.header.authorization": "k6-" + LETTERS,
    "wallet.private_key": "k7" + "0123456789abcdef" * 4,
    "passphrase": "k8-" + LETTERS,
    "header": "Bearer k9." + LETTERS,
    "url.full": "https://venue.example/order?symbol=BTCUSDT&signature=k10abcdef&apiKey=k11abcdef",
    "json": '{"apiKey": "k12abcdef", "side": "buy"}',
    "pem": "-----BEGIN EC PRIVATE KEY-----\nk13abcdef\n-----END EC PRIVATE KEY-----",
    "stream": "wss://venue.example/ws/listenKey/k14" + LETTERS,
    "url.query": "token=k15" + LETTERS,
}
HARMLESS = {
    "trading.instrument.symbol": "BTC/USDT",
    "token": "USDC",
    "trading.order.client_id": "c-1",
    "tx": "0x" + "ab" * 32,
}


def log(
    emitter: Emitter, body: str | dict[str, Any], attributes: dict[str, Any] | None = None, *, span: Span | None = None
) -> None:
    context = span.get_span_context() if span else None
    emitter.logger.emit(
        LogRecord(
            timestamp=time.time_ns(),
            severity_number=SeverityNumber.INFO,
            severity_text="INFO",
            body=body,
            attributes=attributes or {},
            trace_id=context.trace_id if context else None,
            span_id=context.span_id if context else None,
        )
    )


def trace_id_of(span: Span) -> str:
    return format_trace_id(span.get_span_context().trace_id)


def test_a_trace_a_native_histogram_with_exemplar_and_a_log_line_are_found_by_trace_id(stack: Stack) -> None:
    """One trace id opens the trace, the exemplar and the log line."""
    with sender(stack, "end-to-end") as emitter:
        latency = emitter.meter.create_histogram("trading.order.ack.duration", unit="s")
        with emitter.tracer.start_as_current_span("order.submit") as span:
            latency.record(0.012, {"trading.venue.name": "kraken"})
            log(emitter, "order acknowledged", span=span)
    trace_id = trace_id_of(span)
    prometheus = Prometheus(stack.urls["prometheus"])
    series = 'trading_order_ack_duration_seconds{job="tests/end-to-end"}'

    spans = eventually(lambda: Jaeger(stack.urls["jaeger_ui"]).spans(trace_id))
    assert [found["operationName"] for found in spans] == ["order.submit"]
    assert eventually(lambda: prometheus.exemplars(series, trace_id=trace_id))
    [native] = prometheus.query(series)
    assert native["histogram"][1]["count"] == "1"
    assert native["metric"]["trading_venue_name"] == "kraken"
    [quantile] = prometheus.query(f"histogram_quantile(0.99, sum({series}))")
    assert float(quantile["value"][1]) == pytest.approx(0.012, rel=0.05)
    [(line, labels)] = eventually(lambda: Loki(stack.urls["loki"]).lines_of_trace(trace_id))
    assert line == "order acknowledged"
    assert labels["service_name"] == "end-to-end"
    assert labels["deployment_environment_name"] == "development"


def test_span_metrics_are_native_histograms_with_the_bots_own_job(stack: Stack) -> None:
    """Calls and durations of spans arrive as metrics, in seconds, with exemplars."""
    with (
        sender(stack, "span-metrics") as emitter,
        emitter.tracer.start_as_current_span("tick", attributes={"trading.venue.name": "okx"}) as span,
    ):
        pass
    prometheus = Prometheus(stack.urls["prometheus"])
    [calls] = eventually(lambda: prometheus.query('traces_span_metrics_calls_total{service_name="span-metrics"} == 1'))
    assert calls["metric"]["trading_venue_name"] == "okx"
    assert calls["metric"]["job"] == "tests/span-metrics"
    assert "collector_instance_id" not in calls["metric"]
    series = 'traces_span_metrics_duration_seconds{service_name="span-metrics"}'
    [duration] = prometheus.query(series)
    assert duration["histogram"][1]["count"] == "1"
    assert eventually(lambda: prometheus.exemplars(series, trace_id=trace_id_of(span)))


def test_secrets_in_attributes_reach_neither_jaeger_nor_loki(stack: Stack) -> None:
    """API keys, signatures, listen keys, bearer values and private keys are masked; what is no secret stays."""
    attributes = {**SECRETS, **HARMLESS}
    with (
        sender(stack, "secrets") as emitter,
        emitter.tracer.start_as_current_span("leaky", attributes=attributes) as span,
    ):
        span.add_event("retry", {"apiKey": SECRETS["apiKey"]})
        span.set_status(StatusCode.ERROR, "401 for Bearer k16." + LETTERS)
        log(emitter, " ".join(f"{key}={value}" for key, value in SECRETS.items()), attributes, span=span)
        log(emitter, "nested", {"request": {"password": "k17abcdef", "headers": {"api-key": "k18abcdef"}}}, span=span)
        log(emitter, {"account": {"secret": "k19abcdef"}, "side": "buy"}, span=span)
    trace_id = trace_id_of(span)

    [found] = eventually(lambda: Jaeger(stack.urls["jaeger_ui"]).spans(trace_id))
    lines = eventually(lambda: three_of(Loki(stack.urls["loki"]).lines_of_trace(trace_id)))
    for stored in (str(found), str(lines)):
        assert re.findall(r"\bk\d+[-.a-z0-9]{6,}", stored) == []
    tags = {tag["key"]: tag["value"] for tag in found["tags"]}
    assert HARMLESS.items() <= tags.items()
    assert tags["url.full"].startswith("https://venue.example/order?symbol=BTCUSDT&")
    assert tags["redaction.masked.count"] >= len(SECRETS)
    assert "buy" in str(lines)


def three_of(lines: list[Any]) -> list[Any]:
    return lines if len(lines) == 3 else []


def test_host_metrics_carry_job_and_instance(stack: Stack) -> None:
    """The machine's own metrics can be told from those of another machine."""
    prometheus = Prometheus(stack.urls["prometheus"])
    [load] = eventually(lambda: prometheus.query('system_cpu_load_average_1m{job="host"}'))
    assert load["metric"]["instance"]


def test_two_meters_with_the_same_instrument_do_not_overwrite_each_other(stack: Stack) -> None:
    """Two scopes with one instrument name are two series."""
    with sender(stack, "two-scopes") as emitter:
        for scope, value in (("one", 1), ("two", 2)):
            emitter.meters.get_meter(scope).create_counter("tests.twice").add(value)
    prometheus = Prometheus(stack.urls["prometheus"])
    found = eventually(lambda: prometheus.query('tests_twice_total{job="tests/two-scopes"}'))
    assert {series["metric"]["otel_scope_name"]: series["value"][1] for series in found} == {"one": "1", "two": "2"}


def post_sums(stack: Stack, *sums: tuple[str, float, str]) -> None:
    metrics = []
    for name, age_seconds, temporality in sums:
        at = int((time.time() - age_seconds) * 1e9)
        point = {"asInt": "7", "timeUnixNano": str(at), "startTimeUnixNano": str(at - 10**9)}
        kind = {"isMonotonic": True, "aggregationTemporality": temporality, "dataPoints": [point]}
        metrics.append({"name": name, "unit": "1", "sum": kind})
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "by-hand"}}]}
    body = {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": metrics}]}]}
    assert requests.post(f"{stack.urls['otlp_http']}/v1/metrics", json=body, timeout=5).ok


def test_a_sample_that_is_three_hours_late_is_stored_with_its_own_time(stack: Stack) -> None:
    """The backlog of an outage is not refused for its age, and does not take fresh samples with it."""
    post_sums(stack, ("tests.late", 3 * 3600, "AGGREGATION_TEMPORALITY_CUMULATIVE"))
    post_sums(stack, ("tests.fresh", 0, "AGGREGATION_TEMPORALITY_CUMULATIVE"))
    prometheus = Prometheus(stack.urls["prometheus"])
    [late] = eventually(lambda: prometheus.query("tests_late_total[4h]"))
    assert float(late["values"][0][0]) == pytest.approx(time.time() - 3 * 3600, abs=60)
    assert eventually(lambda: prometheus.query("tests_fresh_total"))


def test_a_delta_point_does_not_take_its_request_with_it(stack: Stack) -> None:
    """What some library sends as delta becomes cumulative instead of being refused with all the rest."""
    post_sums(
        stack,
        ("tests.delta", 0, "AGGREGATION_TEMPORALITY_DELTA"),
        ("tests.beside", 0, "AGGREGATION_TEMPORALITY_CUMULATIVE"),
    )
    prometheus = Prometheus(stack.urls["prometheus"])
    for name in ("tests_delta_total", "tests_beside_total"):
        [found] = eventually(lambda name=name: prometheus.query(name))  # type: ignore[misc]
        assert found["value"][1] == "7"


BACKENDS_OF_SIGNALS = ("prometheus", "loki", "jaeger")
ROUNDS, EACH = 5, 100


def send_orders(emitter: Sender) -> list[str]:
    trace_ids = []
    orders = emitter.meter.create_counter("tests.orders")
    for _ in range(ROUNDS):
        for _ in range(EACH):
            with emitter.tracer.start_as_current_span("order") as span:
                orders.add(1)
                log(emitter, "order sent", span=span)
            trace_ids.append(trace_id_of(span))
        emitter.flush()
        time.sleep(0.05)
    return trace_ids


def assert_nothing_is_lost(stack: Stack, trace_ids: list[str]) -> None:
    loki, jaeger, prometheus = (
        Loki(stack.urls["loki"]),
        Jaeger(stack.urls["jaeger_ui"]),
        Prometheus(stack.urls["prometheus"]),
    )
    lines, series = '{service_name="survivor"}', 'tests_orders_total{job="tests/survivor"}[10m]'
    eventually(lambda: len(loki.lines(lines)) >= len(trace_ids))
    assert len(loki.lines(lines)) == len(trace_ids)
    assert eventually(lambda: all(jaeger.spans(trace_id) for trace_id in trace_ids))
    eventually(lambda: [found for found in prometheus.query(series) if len(found["values"]) == ROUNDS])
    [counter] = prometheus.query(series)
    assert [float(value) for _, value in counter["values"]] == [EACH * (number + 1) for number in range(ROUNDS)]


def test_kill_minus_nine_of_the_collector_with_every_backend_down_loses_nothing(own_stack: Stack) -> None:
    """Traces, log lines and every metric sample that the Collector took are there after it comes back."""
    for name in BACKENDS_OF_SIGNALS:
        own_stack.stop(name)
    with sender(own_stack, "survivor") as emitter:
        trace_ids = send_orders(emitter)
        own_stack.stop("collector", kill=True)
        own_stack.up()
        assert_nothing_is_lost(own_stack, trace_ids)


def test_kill_minus_nine_of_the_collector_while_it_delivers_a_backlog_loses_nothing(own_stack: Stack) -> None:
    """What was on its way when the Collector died is sent again, and stored once."""
    for name in BACKENDS_OF_SIGNALS:
        own_stack.stop(name)
    with sender(own_stack, "survivor") as emitter:
        trace_ids = send_orders(emitter)
        own_stack.up(BACKENDS_OF_SIGNALS)
        own_stack.stop("collector", kill=True)
        own_stack.up()
        assert_nothing_is_lost(own_stack, trace_ids)


def test_kill_minus_nine_of_every_backend_loses_nothing(own_stack: Stack) -> None:
    """What the backends had acknowledged is in their own logs, what they had not is still queued."""
    with sender(own_stack, "survivor") as emitter:
        trace_ids = send_orders(emitter)
        for name in BACKENDS_OF_SIGNALS:
            own_stack.stop(name, kill=True)
        own_stack.up()
        assert_nothing_is_lost(own_stack, trace_ids)
