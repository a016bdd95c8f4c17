"""Native instruments on the way to a real Prometheus: pushed through the real Collector, and scraped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import requests
from opentelemetry.trace import format_trace_id

from otel_trading import configure
from otel_trading.stack import Ports, Stack
from otel_trading.stack.backends import Jaeger, Prometheus
from tests.environment import bare
from tests.stack.sending import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading import Telemetry

pytestmark = pytest.mark.stack

VENUE_AND_CLIENT = """
import asyncio
from aiohttp import ClientSession, web

async def book(request):
    if request.match_info["symbol"] == "NONE":
        raise web.HTTPNotFound
    return web.json_response({"bid": "1", "ask": "2"})

async def main():
    app = web.Application()
    app.router.add_get("/book/{symbol}", book)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/book"
    async with ClientSession() as session:
        for symbol in ["BTC"] * 25 + ["NONE"] * 5:
            async with session.get(f"{url}/{symbol}") as answer:
                await answer.read()
    await runner.cleanup()

asyncio.run(main())
"""
INSTRUMENTS = """
from opentelemetry import metrics
from opentelemetry.instrumentation import aiohttp_server
meter = metrics.get_meter("somebody.else")
for instrument in (
    aiohttp_server.duration_histogram_new,
    aiohttp_server.active_requests_counter,
    meter.create_counter("a"),
    meter.create_histogram("b"),
    meter.create_gauge("c"),
):
    print(type(instrument).__module__, type(instrument).__name__)
"""
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p999": 0.999}
MEASUREMENTS = 40_000
TIMER_BOUND = 0.0055
"""How far percentiles of a timer are off at most: half of one of its 64 buckets an octave."""


def instrumented(folder: Path, source: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program, which knows nothing of telemetry, under ``opentelemetry-instrument``."""
    return run_bot(folder, source, str(Path(sys.executable).with_name("opentelemetry-instrument")), **variables)


def run_bot(folder: Path, source: str, *under: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program with these variables alone, under a command where one is given."""
    script = folder / "app.py"
    script.write_text(source, "utf-8")
    command = [*under, sys.executable, str(script)]
    return subprocess.run(
        command,
        env=bare(OTEL_TRADING_OPS_PORT="0", **variables),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_libraries_that_others_instrument_get_native_instruments(tmp_path: Path) -> None:
    """What contrib's instrumentations and the API's meters hold are objects of the native engine, no stand-ins."""
    pytest.importorskip("opentelemetry.instrumentation.aiohttp_server")
    run = instrumented(tmp_path, INSTRUMENTS, OTEL_METRICS_EXPORTER="none", OTEL_TRACES_EXPORTER="none")
    assert run.returncode == 0, run.stderr
    assert run.stdout.split("\n")[:-1] == [
        f"otel_trading._native {kind}" for kind in ("Histogram", "UpDownCounter", "Counter", "Histogram", "Gauge")
    ]


def test_an_unchanged_client_and_server_are_measured_into_prometheus(stack: Stack, tmp_path: Path) -> None:
    """Every request is counted once by either side, with its status, and the server's exemplars open their traces."""
    pytest.importorskip("opentelemetry.instrumentation.aiohttp_server")
    service = f"pair-{uuid.uuid4().hex[:8]}"
    run = instrumented(
        tmp_path, VENUE_AND_CLIENT, OTEL_SERVICE_NAME=service, OTEL_EXPORTER_OTLP_ENDPOINT=stack.urls["otlp_http"]
    )
    assert run.returncode == 0, run.stderr
    prometheus = Prometheus(stack.urls["prometheus"])
    for side in ("server", "client"):
        series = f'http_{side}_request_duration_seconds{{job="{service}"}}'
        found = eventually(lambda series=series: prometheus.query(series))  # type: ignore[misc]
        counts = {each["metric"]["http_response_status_code"]: each["histogram"][1]["count"] for each in found}
        assert counts == {"200": "25", "404": "5"}, side
    # contrib's client measures when its span is over, so only the server's measurements have exemplars
    measured = f'http_server_request_duration_seconds{{job="{service}"}}'
    trace_id = eventually(lambda: prometheus.exemplars(measured))[0]["labels"]["trace_id"]
    assert eventually(lambda: Jaeger(stack.urls["jaeger_ui"]).spans(trace_id))
    [active] = prometheus.query(f'sum(http_server_active_requests{{job="{service}"}})')
    assert active["value"][1] == "0"


@pytest.fixture(scope="module")
def scraping(backends: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Prometheus alone, as the kit configures it, except that it scrapes every second."""
    with_prometheus = Stack(ports=Ports.free(), data_dir=tmp_path_factory.mktemp("scraping"))
    with_prometheus.up(["prometheus"])
    settings = with_prometheus.data_dir / "prometheus" / "settings" / "prometheus.yml"
    settings.write_text(settings.read_text().replace("scrape_interval: 15s", "scrape_interval: 1s"))
    try:
        yield with_prometheus
    finally:
        with_prometheus.down()


def scrape(stack: Stack, name: str, telemetry: Telemetry) -> None:
    """Add a bot to the targets that Prometheus scrapes."""
    assert telemetry.ops is not None
    targets = stack.data_dir / "prometheus" / "settings" / "targets" / "scrape.yml"
    target = f'- {{targets: ["127.0.0.1:{telemetry.ops.port}"], labels: {{component: {name}}}}}\n'
    targets.write_text(targets.read_text() + target)
    pid = stack.pid("prometheus")
    assert pid is not None
    os.kill(pid, signal.SIGHUP)


@pytest.fixture(params=["scraped", "pushed"])
def way(request: pytest.FixtureRequest) -> Iterator[tuple[Telemetry, Prometheus, str]]:
    """A bot, the Prometheus that gets its metrics by either way, and the job it has there."""
    job = f"{request.param}-{uuid.uuid4().hex[:8]}"
    scraped = request.param == "scraped"
    stack: Stack = request.getfixturevalue("scraping" if scraped else "stack")
    with configure(
        service_name=job,
        endpoint=stack.urls["otlp_http"],
        traces_exporter="none",
        logs_exporter="none",
        metrics_exporter="prometheus" if scraped else "otlp",
        metric_interval=1.0,
        ops_port=0,
        banner=False,
    ) as telemetry:
        if scraped:
            scrape(stack, job, telemetry)
        yield telemetry, Prometheus(stack.urls["prometheus"]), job


def latencies() -> list[float]:
    """Times as a venue has them, 0.5 ms at the median with a long tail, the same ones at every run."""
    normal = NormalDist(np.log(0.0005), 0.8)
    return [float(np.exp(normal.inv_cdf((rank + 0.5) / MEASUREMENTS))) for rank in range(MEASUREMENTS)]


def widest(histogram: dict[str, Any]) -> float:
    """The ratio between the bounds of the widest bucket, less one."""
    return float(max(float(high) / float(low) for _, low, high, _ in histogram["buckets"] if float(low) > 0)) - 1


def test_prometheus_and_the_bot_agree_on_percentiles(way: tuple[Telemetry, Prometheus, str]) -> None:
    """Of all that was measured and by its rate; apart by no more than the buckets of either side are wide."""
    telemetry, prometheus, job = way
    name = f"bot.agree.{job.partition('-')[0]}"
    decide = telemetry.timer(name)
    series = f'{name.replace(".", "_")}_seconds{{job="{job}"}}'
    values = latencies()
    decide.record(values[0])
    assert eventually(lambda: prometheus.query(f"histogram_count({series}) == 1"))
    for value in values[1:]:
        decide.record(value)
    assert eventually(lambda: prometheus.query(f"histogram_count({series}) == {MEASUREMENTS}"))

    [native] = prometheus.query(series)
    bound = (1 + widest(native["histogram"][1])) * (1 + TIMER_BOUND) - 1
    assert bound < 0.06
    stats = decide.stats()
    assert stats.count == MEASUREMENTS
    assert float(native["histogram"][1]["sum"]) == pytest.approx(sum(values))
    for field, quantile in QUANTILES.items():
        local = getattr(stats, field)
        assert local == pytest.approx(np.quantile(values, quantile), rel=0.01)
        for expression in (series, f"rate({series.replace('}', '}[1m]')})"):
            query = f"histogram_quantile({quantile}, {expression})"
            [found] = eventually(lambda query=query: prometheus.query(query))  # type: ignore[misc]
            assert float(found["value"][1]) == pytest.approx(local, rel=bound), (query, bound)


def test_exemplars_of_sampled_spans_arrive(way: tuple[Telemetry, Prometheus, str]) -> None:
    """Of timers, histograms and counters; a measurement outside every span has none."""
    telemetry, prometheus, job = way
    kind = job.partition("-")[0]
    decide = telemetry.timer(f"bot.exemplar.decide.{kind}")
    edge = telemetry.meter.create_histogram(f"bot.exemplar.edge.{kind}", "{bp}")
    orders = telemetry.meter.create_counter(f"bot.exemplar.orders.{kind}").bind({"venue": "okx"})
    silent = telemetry.timer(f"bot.exemplar.silent.{kind}")
    with telemetry.tracer.start_as_current_span("tick") as span:
        decide.record(0.004)
        edge.record(12.5, {"venue": "okx"})
        orders.add(1)
    silent.record(0.004)
    trace_id = format_trace_id(span.get_span_context().trace_id)
    for name, value in (("decide", 0.004), ("edge", 12.5), ("orders", 1.0)):
        series = f'{{__name__=~"bot_exemplar_{name}_{kind}.*", job="{job}"}}'
        [exemplar, *_] = eventually(lambda series=series: prometheus.exemplars(series, trace_id=trace_id))  # type: ignore[misc]
        assert float(exemplar["value"]) == value
    silent_series = f'{{__name__=~"bot_exemplar_silent_{kind}.*", job="{job}"}}'
    assert eventually(lambda: prometheus.query(silent_series))
    assert prometheus.exemplars(silent_series) == []


def test_the_scrape_is_negotiated_to_protobuf_with_native_histograms(scraping: Stack) -> None:
    """The shipped configuration asks for protobuf first, and gets histograms that text cannot carry."""
    with configure(
        service_name="negotiated", metrics_exporter="prometheus", traces_exporter="none", logs_exporter="none",
        ops_port=0, banner=False,
    ) as telemetry:  # fmt: skip
        assert telemetry.ops is not None
        telemetry.meter.create_signed_histogram("bot.negotiated.slippage", "{bp}").record(-3.0)
        telemetry.meter.create_counter("bot.negotiated.frames").add(2, {"venue": "okx"})
        scrape(scraping, "negotiated", telemetry)
        prometheus = Prometheus(scraping.urls["prometheus"])
        [slippage] = eventually(lambda: prometheus.query('bot_negotiated_slippage{job="negotiated"}'))
        [[_, low, high, count]] = slippage["histogram"][1]["buckets"]
        assert float(low) <= -3.0 <= float(high) < 0.0
        assert count == "1"
        assert prometheus.query('bot_negotiated_slippage_bucket{job="negotiated"}') == []
        [frames] = prometheus.query('bot_negotiated_frames_total{job="negotiated"}')
        assert (frames["value"][1], frames["metric"]["venue"]) == ("2", "okx")
        text = requests.get(f"{telemetry.ops.url}/metrics", headers={"Accept": "text/plain"}, timeout=10).text
        assert 'bot_negotiated_frames_total{venue="okx"} 2' in text
        assert prometheus.query('up{job="negotiated"} == 1')
