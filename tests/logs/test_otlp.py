"""What goes out natively is what opentelemetry-sdk and its encoder make of the same records."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from otel_trading.logs.native import NativeLoggerProvider
from tests.logs.conftest import taken

if TYPE_CHECKING:
    from otel_trading.logs.lines import Lines
    from tests.core.conftest import Configure
    from tests.core.otlp_receiver import OtlpReceiver

RESOURCE = Resource({"service.name": "basis-bot", "n": 5}, "https://opentelemetry.io/schemas/1.30.0")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
PLAIN = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXT | st.binary()
VALUES = PLAIN | st.lists(PLAIN, max_size=3) | st.dictionaries(TEXT, PLAIN, max_size=3)
GIVEN = st.fixed_dictionaries(
    {
        "timestamp": st.none() | st.integers(1, 2**63),
        "observed_timestamp": st.integers(1, 2**63),
        "severity_number": st.none() | st.sampled_from(SeverityNumber),
        "severity_text": st.none() | TEXT,
        "body": st.none() | VALUES,
        "attributes": st.none() | st.dictionaries(TEXT, VALUES, max_size=5),
        "event_name": st.none() | TEXT,
        "context": st.builds(
            lambda trace, span: set_span_in_context(
                NonRecordingSpan(SpanContext(trace, span, is_remote=False, trace_flags=TraceFlags(1)))
            ),
            st.integers(0, 2**128 - 1),
            st.integers(0, 2**64 - 1),
        ),
    }
)


def natively(lines: Lines, records: list[LogRecord]) -> list[Any]:
    provider = NativeLoggerProvider(lines)
    provider.set_resource(RESOURCE)
    logger = provider.get_logger("bot", "1.2", "https://opentelemetry.io/schemas/1.30.0", {"team": "a"})
    for record in records:
        logger.emit(record)
    return [batch.request for batch in taken(lines)]


def by_the_sdk(records: list[LogRecord]) -> Any:
    exporter: Any = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider(RESOURCE, shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = provider.get_logger("bot", "1.2", "https://opentelemetry.io/schemas/1.30.0", {"team": "a"})
    for record in records:
        logger.emit(record)
    return encode_logs(exporter.get_finished_logs())


def plain(request: Any) -> list[Any]:
    """The records of a request, each with all that is said of it, without what tells it from others."""
    told = MessageToDict(request)
    found = []
    for resource in told["resourceLogs"]:
        for scope in resource.pop("scopeLogs"):
            for record in scope.pop("logRecords"):
                attributes = [each for each in record.pop("attributes", []) if each["key"] != "log.record.uid"]
                if record.get("body") == {}:
                    del record["body"]
                found.append({**resource, **scope, **record, "attributes": attributes})
    return sorted(found, key=repr)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(GIVEN, min_size=1, max_size=4))
def test_the_same_records_are_the_same_requests(lines: Lines, given: list[dict[str, Any]]) -> None:
    """Whatever is in them."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    lines.core.set_demand(4_096, None)
    found = [ExportLogsServiceRequest.FromString(it) for it in natively(lines, [LogRecord(**each) for each in given])]
    wanted = by_the_sdk([LogRecord(**each) for each in given])
    assert sorted((each for request in found for each in plain(request)), key=repr) == plain(wanted)


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_an_exception_becomes_attributes(configured: Configure, receiver: OtlpReceiver, engine: str) -> None:
    """Of a record that is emitted, in both forms of the call; what the record says itself comes first."""
    telemetry = configured(engine=engine)
    try:
        raise ValueError("no such symbol")
    except ValueError as error:
        telemetry.logger.emit(LogRecord(body="a", exception=error, attributes={"exception.message": "mine"}))
        telemetry.logger.emit(body="b", exception=error)
    assert telemetry.flush(10)
    told = {record.body.string_value: {each.key: each.value.string_value for each in record.attributes}
            for record in receiver.logs}  # fmt: skip
    assert told["a"]["exception.message"] == "mine"
    assert told["b"]["exception.message"] == "no such symbol"
    for attributes in told.values():
        assert attributes["exception.type"] == "ValueError"
        assert attributes["exception.stacktrace"].endswith("ValueError: no such symbol\n")


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_all_ways_in_arrive(configured: Configure, receiver: OtlpReceiver, engine: str) -> None:
    """The standard library, the kit's logger, lines, and the API, with fields, event, scope and span."""
    telemetry = configured(engine=engine)
    with telemetry.tracer.start_as_current_span("tick") as span:
        logging.getLogger("stdlib").warning("a %d", 1, extra={"price": 1.5, "event.name": "order.sent"})
        telemetry.log("ours").warning("a 1", event="order.sent", price=1.5)
        telemetry.lines.write(13, "a 1", "order.sent", "lines", {"price": 1.5})
        telemetry.logger_provider.get_logger("api").emit(
            LogRecord(severity_number=SeverityNumber.WARN, severity_text="WARN", body="a 1", event_name="order.sent",
                      attributes={"price": 1.5})
        )  # fmt: skip
    assert telemetry.flush(10)
    scopes = [
        (scope.scope.name, record)
        for path, request in receiver.requests
        if path == "/v1/logs"
        for scope in request.resource_logs[0].scope_logs
        for record in scope.log_records
    ]
    assert sorted(name for name, _ in scopes) == ["api", "lines", "ours", "stdlib"]
    for _, record in scopes:
        assert (record.body.string_value, record.event_name) == ("a 1", "order.sent")
        assert (record.severity_number, record.severity_text) == (13, "WARN")
        assert {each.key: each.value.double_value for each in record.attributes}["price"] == 1.5
        assert record.span_id == span.get_span_context().span_id.to_bytes(8)
        assert record.trace_id == span.get_span_context().trace_id.to_bytes(16)
        assert record.flags & 1
