"""The bot of ``tests.export.compared``: an asyncio loop that trades steadily, and says how its loop fared."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

SPANS, LOGS, METRICS = 500, 100, 2_000
"""What is made a second."""
_STEP = 0.01
_LOG = logging.getLogger("bot")


def _ours(endpoint: str, folder: str) -> Any:
    from otel_trading import configure

    handle = configure(
        service_name="compared",
        endpoint=endpoint,
        ops_enabled=False,
        runtime_enabled=False,
        banner=False,
        traces_retention="all",
        flight_folder=f"{folder}/flight",
        spool_folder=f"{folder}/spool",
        metric_interval=1.0,
    )
    logging.getLogger().addHandler(logging.NullHandler())
    return handle.tracer, handle.meter, handle.shutdown


def _sdk(endpoint: str, _: str) -> Any:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.logging.handler import LoggingHandler
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    tracers, loggers = TracerProvider(), LoggerProvider()
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))
    loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{endpoint}/v1/logs")))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{endpoint}/v1/metrics"), export_interval_millis=1_000)
    meters = MeterProvider([reader])
    logging.getLogger().addHandler(LoggingHandler(logger_provider=loggers))
    logging.getLogger("opentelemetry").propagate = False

    def shutdown() -> None:
        for provider in (tracers, meters, loggers):
            provider.shutdown()

    return tracers.get_tracer("bot"), meters.get_meter("bot"), shutdown


def _none(_: str, __: str) -> Any:
    from opentelemetry.metrics import NoOpMeterProvider
    from opentelemetry.trace import NoOpTracerProvider

    _LOG.addHandler(logging.NullHandler())
    _LOG.propagate = False
    return NoOpTracerProvider().get_tracer("bot"), NoOpMeterProvider().get_meter("bot"), lambda: None


async def _trade(tracer: Any, meter: Any, seconds: float, first: int, note: Path) -> tuple[dict[str, int], list[float]]:
    """Trade; what is made stands in a file at any moment, for who kills us."""
    made, latency = meter.create_counter("bot.made"), meter.create_histogram("bot.latency", "s")
    attributes = {"venue": "kraken", "start": first}
    spans = logs = steps = 0
    lags: list[float] = []
    told: dict[str, int] = {}
    noted = os.open(note, os.O_CREAT | os.O_WRONLY, 0o600)
    begun = due = time.perf_counter()
    while (now := time.perf_counter()) < begun + seconds:
        lags.append(max(0.0, now - due))
        steps += 1
        while spans < steps * SPANS * _STEP:
            tracer.start_span(str(first + spans)).end()
            spans += 1
        while logs < steps * LOGS * _STEP:
            _LOG.warning("%d", first + logs)
            logs += 1
        for _ in range(int(METRICS * _STEP) // 2):
            made.add(1, attributes)
            latency.record(0.001, attributes)
        told = {"spans": spans, "logs": logs, "adds": steps * int(METRICS * _STEP) // 2}
        os.pwrite(noted, json.dumps(told).ljust(80).encode(), 0)
        due = max(due + _STEP, time.perf_counter())
        await asyncio.sleep(due - time.perf_counter())
    return told, lags


def main(which: str, endpoint: str, folder: str, seconds: float, first: int) -> None:
    """Trade and say what was made, then end as the bot's author would have it."""
    tracer, meter, shutdown = {"ours": _ours, "sdk": _sdk, "none": _none}[which](endpoint, folder)
    if which == "sdk":
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made, lags = asyncio.run(_trade(tracer, meter, seconds, first, Path(folder) / f"made-{first}.json"))
    lags.sort()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    told = {**made, "p999_ms": lags[int(len(lags) * 0.999)] * 1e3, "mb": grown / 1024}
    started = time.perf_counter()
    shutdown()
    told["end_s"] = time.perf_counter() - started
    (Path(folder) / f"told-{first}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), int(sys.argv[5]))
