from __future__ import annotations

import json
import socket
import subprocess
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExportResult
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation

from otel_trading.stack.binaries import find_binary
from otel_trading.trading.alias_table import ALIASES
from otel_trading.trading.aliases import apply
from otel_trading.trading.collector_fragment import PROCESSORS, can_be_made, collector_fragment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opentelemetry.sdk.metrics.export import MetricsData

pytestmark = pytest.mark.stack

MADE = {alias.name for alias in ALIASES if can_be_made(alias)}


def free_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Collector:
    """The real Collector with the fragment between a receiver and a file."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.output = folder / "metrics.json"
        self.config = folder / "collector.json"
        binary = find_binary("collector")
        assert binary is not None
        self.binary = str(binary)
        pipeline = {"receivers": ["otlp"], "processors": list(PROCESSORS), "exporters": ["file"]}
        receiver = {"protocols": {"http": {"endpoint": f"127.0.0.1:{self.port}"}}}
        configuration = {
            "receivers": {"otlp": receiver},
            "processors": collector_fragment(),
            "exporters": {"file": {"path": str(self.output), "flush_interval": "100ms"}},
            "service": {"telemetry": {"metrics": {"level": "none"}}, "pipelines": {"metrics": pipeline}},
        }
        self.config.write_text(json.dumps(configuration))

    def aliases(self) -> dict[str, Any]:
        """What was written of the aliases: labels and values by name."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            lines = self.output.read_text().splitlines() if self.output.exists() else []
            found = {
                metric["name"]: sorted(written(point) for point in metric[kind(metric)].get("dataPoints", []))
                for line in lines
                for resource in json.loads(line)["resourceMetrics"]
                for scope in resource["scopeMetrics"]
                for metric in scope["metrics"]
                if metric["name"] in MADE
            }
            if found:
                return found
            time.sleep(0.1)
        return {}


def kind(metric: dict[str, Any]) -> str:
    (found,) = {"sum", "gauge", "histogram"} & set(metric)
    return found


def written(point: dict[str, Any]) -> tuple[str, Any]:
    labels = {pair["key"]: pair["value"]["stringValue"] for pair in point.get("attributes", [])}
    if "bucketCounts" in point:
        return json.dumps(labels, sort_keys=True), (
            [int(count) for count in point["bucketCounts"]],
            [pytest.approx(bound) for bound in point["explicitBounds"]],
        )
    return json.dumps(labels, sort_keys=True), pytest.approx(
        float(point["asInt"] if "asInt" in point else point["asDouble"])
    )


def made(point: Any) -> tuple[str, Any]:
    labels = json.dumps(dict(point.attributes), sort_keys=True)
    return labels, (list(point.bucket_counts), list(point.explicit_bounds)) if hasattr(point, "count") else point.value


def applied(data: MetricsData) -> dict[str, Any]:
    """What the table makes of the same metrics in the process."""
    return {
        metric.name: sorted(made(point) for point in metric.data.data_points)
        for resource in apply(data).resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name in MADE
    }


@pytest.fixture
def collector(backends: None, tmp_path: Path) -> Iterator[Collector]:
    """A running Collector."""
    prepared = Collector(tmp_path)
    log = (tmp_path / "collector.log").open("wb")
    with log, subprocess.Popen([prepared.binary, "--config", str(prepared.config)], stdout=log, stderr=log) as process:
        try:
            yield prepared
        finally:
            process.terminate()


def measured() -> MetricsData:
    """Counters, gauges and histograms that several aliases are made of."""
    fine = ExponentialBucketHistogramAggregation(max_size=4_096)
    reader = InMemoryMetricReader(preferred_aggregation={Histogram: fine})
    meter = MeterProvider([reader], shutdown_on_exit=False).get_meter("bot")
    placed = meter.create_counter("trading.order.submissions")
    for venue, side in (("kraken", "buy"), ("binance", "buy"), ("binance", "sell")):
        attributes = {"trading.venue.name": venue, "trading.order.side": side, "trading.order.type": "limit"}
        placed.add(2, {**attributes, "trading.instrument.symbol": "BTC/USDT"})
    trades = meter.create_counter("trading.trade.completions")
    for outcome, count in (("success", 5), ("failed", 1), ("timeout", 2)):
        trades.add(count, {"trading.trade.outcome": outcome, "trading.venue.name": "kalshi"})
    meter.create_up_down_counter("trading.pnl.realized").add(-7.5, {"trading.venue.name": "kalshi"})
    utilization = meter.create_gauge("trading.risk.utilization.ratio")
    for name, value in (("daily_loss", 0.2), ("turnover", 0.9)):
        utilization.set(value, {"trading.risk.limit.name": name})
    requests = meter.create_histogram("trading.venue.request.duration", "s")
    for value in (0.000_4, 0.004, 0.005_1, 0.21, 30.0):
        requests.record(value, {"trading.venue.name": "binance", "trading.operation.name": "fetch_prices"})
    requests.record(0.3, {"trading.venue.name": "binance", "trading.operation.name": "create_order"})
    data = reader.get_metrics_data()
    assert data is not None
    return data


def test_the_collector_makes_the_same_aliases(collector: Collector) -> None:
    """The real Collector with the generated processors makes of a bot's metrics what the table makes of them."""
    data = measured()
    exporter = OTLPMetricExporter(f"http://127.0.0.1:{collector.port}/v1/metrics")
    deadline = time.monotonic() + 30
    while exporter.export(data) is not MetricExportResult.SUCCESS:
        assert time.monotonic() < deadline
    exporter.shutdown()
    expected = applied(data)
    assert {"trades_total", "pnl_cents_total", "arb_price_fetch_seconds", "position_utilization"} < set(expected)
    assert collector.aliases() == expected


def test_the_collector_accepts_every_statement(backends: None, tmp_path: Path) -> None:
    """The whole fragment is valid for the Collector the stack runs."""
    prepared = Collector(tmp_path)
    validation = subprocess.run(
        [prepared.binary, "validate", "--config", str(prepared.config)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (validation.returncode, validation.stderr) == (0, "")
