from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING

import pytest
from opentelemetry.trace import format_trace_id

from otel_trading import configure
from otel_trading.stack.backends import Jaeger, Loki, Prometheus
from tests.stack.sending import eventually

if TYPE_CHECKING:
    from otel_trading.settings.options import Compression, Protocol
    from otel_trading.stack import Stack

pytestmark = pytest.mark.stack


@pytest.mark.parametrize(
    ("protocol", "compression"),
    [("http/protobuf", "gzip"), ("http/protobuf", "deflate"), ("grpc", "gzip"), ("grpc", "none")],
)
def test_bot_is_found_in_all_three_backends_by_one_trace_id(
    stack: Stack, protocol: Protocol, compression: Compression
) -> None:
    """Over HTTP and gRPC, compressed and not, span, exemplar and log line arrive, and the account says so."""
    service = f"bot-{uuid.uuid4().hex[:8]}"
    url = stack.urls["otlp_grpc" if protocol == "grpc" else "otlp_http"]
    with configure(
        service_name=service,
        endpoint=url,
        protocol=protocol,
        compression=compression,
        ops_enabled=False,
        banner=False,
    ) as telemetry:
        with telemetry.tracer.start_as_current_span("tick_to_trade") as span:
            telemetry.meter.create_histogram("bot.decide.duration", "s").record(0.002)
            logging.getLogger("bot").warning("order sent")
            trace_id = format_trace_id(span.get_span_context().trace_id)
        assert telemetry.flush(10)
        assert telemetry.shutdown(10)
        signals = telemetry.status().signals
    late = signals["metrics"].dropped.get("callback_late", 0)  # a second is little on a machine with much to do
    assert {name: account.emitted - account.sent for name, account in signals.items()} == {
        "traces": 0,
        "metrics": late,
        "logs": 0,
    }
    assert [account.lost for account in signals.values()] == [0, late, 0]

    spans = eventually(lambda: Jaeger(stack.urls["jaeger_ui"]).spans(trace_id))
    assert [span["operationName"] for span in spans] == ["tick_to_trade"]
    series = f'bot_decide_duration_seconds{{job="{service}"}}'
    assert eventually(lambda: Prometheus(stack.urls["prometheus"]).exemplars(series, trace_id=trace_id))
    lines = eventually(lambda: Loki(stack.urls["loki"]).lines_of_trace(trace_id))
    assert len(lines) == 1
