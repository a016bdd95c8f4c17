"""The delivery as exporters of opentelemetry-sdk."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_trading.exporters import SpoolLogExporter, SpoolMetricExporter, SpoolSpanExporter
from tests.export.received import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.export.receiver import Receiver


@pytest.fixture
def options(receiver: Receiver, tmp_path: Path) -> dict[str, Any]:
    """As for ``configure()``."""
    return {
        "service_name": "own-bot",
        "endpoint": receiver.url,
        "spool_folder": str(tmp_path / "spool"),
        "timeout": 0.5,
    }


def test_spans_of_an_outage_arrive_with_the_next_start(receiver: Receiver, options: dict[str, Any]) -> None:
    """The batch processor hears success at once; what was not sent waits in the spool."""
    receiver.mode = 503
    exporter = SpoolSpanExporter(**options)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    for number in range(10):
        provider.get_tracer("bot").start_span(str(number)).end()
    provider.force_flush()
    eventually(lambda: exporter.account().retried)
    exporter.shutdown(timeout_millis=200)
    assert exporter.account().pending == 10
    receiver.mode = "healthy"
    again = SpoolSpanExporter(**options)
    eventually(lambda: receiver.counted("traces").total() == 10)
    assert again.force_flush(10_000)
    assert again.account().recovered == again.account().sent == 10
    again.shutdown()
    provider.shutdown()


def test_log_records_and_metrics_go_the_same_way(receiver: Receiver, options: dict[str, Any]) -> None:
    """Each in a spool of its own."""
    logs = SpoolLogExporter(**options)
    loggers = LoggerProvider(shutdown_on_exit=False)
    loggers.add_log_record_processor(BatchLogRecordProcessor(logs))
    handler = LoggingHandler(logger_provider=loggers)
    logger = logging.getLogger("bot.own")
    logger.addHandler(handler)
    metrics = SpoolMetricExporter(**options)
    meters = MeterProvider([PeriodicExportingMetricReader(metrics, 60_000)], shutdown_on_exit=False)
    try:
        logger.warning("an order is late")
        meters.get_meter("bot").create_histogram("bot.latency", "s").record(0.25)
        assert loggers.force_flush()
        assert meters.force_flush()
        eventually(lambda: receiver.counted("logs") == {"an order is late": 1})
        eventually(lambda: receiver.counted("metrics")["bot.latency"] == 1)
        (metric,) = receiver.items("metrics")
        assert metric.WhichOneof("data") == "exponential_histogram"  # as ``configure()`` has it
        eventually(lambda: (logs.account().sent, metrics.account().sent) == (1, 1))
    finally:
        logger.removeHandler(handler)
        meters.shutdown()
        loggers.shutdown()
        logs.shutdown()


def test_bad_options_are_told_and_the_default_holds(
    receiver: Receiver, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """As everywhere: one line that names the setting, the value and what is allowed."""
    exporter = SpoolSpanExporter(**{**options, "spool_sync": "sometimes"})
    exporter.shutdown()
    assert [record.getMessage() for record in caplog.records] == [
        "otel-trading: spool_sync='sometimes' (argument) is not usable; allowed: none, interval or always; using none"
    ]
